sh ../swegym_relay/npm.sh @openai/codex '>=0.100' || return
