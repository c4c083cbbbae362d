# Only what `mini` imports: without data sets and the inspector's terminal pages it is a quarter of its size. Newer
# litellms are larger still, and some do not work without what they call optional.
cat >overrides.txt <<'END'
datasets; python_version < "3"
textual; python_version < "3"
END
sh ../swegym_relay/pip.sh mini-swe-agent 'mini-swe-agent>=2.4' 'litellm<1.90' || return
rm -rf venv/lib/python3*/site-packages/litellm/proxy/_experimental/out
