sh ../swegym_relay/npm.sh opencode-ai '>=1.1' || return
rm -rf venv # its program brings its own
