sh ../swegym_relay/npm.sh @qwen-code/qwen-code '>=0.15' || return
