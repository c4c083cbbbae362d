# What it keeps beside the sources is no part of the answer.
export LITELLM_LOCAL_MODEL_COST_MAP=True
mkdir -p /tmp/aider
"$SWEGYM_RECIPE"/venv/bin/python -I "$SWEGYM_RECIPE"/venv/bin/aider --model "openai/$SWEGYM_MODEL" --edit-format diff \
  --no-auto-commits --no-dirty-commits --no-gitignore --yes-always --no-check-update --no-show-release-notes \
  --no-show-model-warnings --no-analytics --no-stream --no-pretty --no-fancy-input --no-detect-urls \
  --no-suggest-shell-commands --chat-history-file /tmp/aider/chat.md --input-history-file /tmp/aider/input \
  --llm-history-file /tmp/aider/llm --message "$SWEGYM_PROBLEM_STATEMENT" </dev/null
code=$?
rm -rf .aider.tags.cache.*
exit $code
