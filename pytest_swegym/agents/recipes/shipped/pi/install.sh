sh ../swegym_relay/npm.sh @mariozechner/pi-coding-agent '>=0.70' || return
