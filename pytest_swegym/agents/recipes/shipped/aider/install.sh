sh ../swegym_relay/pip.sh aider-chat 'aider-chat>=0.86' || return
