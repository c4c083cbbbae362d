# The agents' own Python, whatever the task's is: one that is here and new enough, else one that uv fetches.
look='import os, sys; assert (3, 10) <= sys.version_info[:2] <= (3, 13); print(os.path.realpath(sys._base_executable))'
mkdir -p python
for name in python3.12 python3.11 python3.13 python3.10 python3 /usr/bin/python3 /usr/local/bin/python3; do
  found=$("$name" -I -c "$look" 2>/dev/null) && break
  found=
done
if [ -z "$found" ]; then
  echo 'no Python 3.10 to 3.13 is here: asking uv for one'
  UV_PYTHON_INSTALL_DIR=$PWD/python UV_PYTHON_DOWNLOADS=automatic /.swegym/bin/uv python install 3.12
  for name in python/*/bin/python3.12; do
    found=$("$name" -I -c "$look" 2>/dev/null) && break
    found=
  done
fi
if [ -z "$found" ]; then
  echo 'agents of recipes need a Python 3.10 to 3.13 of their own: none is in the sandbox, and uv could not fetch one'
  return 1
fi
ln -sf "$found" python/python3
