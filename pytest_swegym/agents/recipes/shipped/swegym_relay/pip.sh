# pip.sh PACKAGE REQUIREMENT...: a virtual environment `venv` with these, and the version of PACKAGE written down.
set -e
name=$1
shift
/.swegym/bin/uv venv -q --python "$(dirname "$0")/python/python3" venv
[ ! -e overrides.txt ] || set -- --overrides overrides.txt "$@"
/.swegym/bin/uv pip install -q --python venv/bin/python "$@"
venv/bin/python -I -c 'import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))' "$name" >VERSION
