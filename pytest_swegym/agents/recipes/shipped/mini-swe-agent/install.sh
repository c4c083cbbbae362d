# Only what `mini` imports: without data sets and the inspector's terminal pages it is a quarter of its size. Newer
# litellms are larger still, and some do not work without what they call optional.
cat >overrides.txt <<'END'
datasets; python_version < "3"
textual; python_version < "3"
END
/.swegym/bin/uv venv -q --python ../swegym_relay/python/python3 venv &&
  /.swegym/bin/uv pip install -q --python venv/bin/python --overrides overrides.txt \
    'mini-swe-agent>=2.4' 'litellm<1.90' &&
  venv/bin/python -I -c 'import importlib.metadata as m; print(m.version("mini-swe-agent"))' >VERSION || return
rm -rf venv/lib/python3*/site-packages/litellm/proxy/_experimental/out
