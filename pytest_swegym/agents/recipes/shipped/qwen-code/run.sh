# Headless; all tools run by themselves, for the sandbox is around them.
export QWEN_TELEMETRY_ENABLED=false
exec "$SWEGYM_RECIPE"/venv/bin/node "$SWEGYM_RECIPE"/node_modules/@qwen-code/qwen-code/cli.js \
  --auth-type openai --openai-base-url "$SWEGYM_BASE_URL" --openai-api-key "$OPENAI_API_KEY" --model "$SWEGYM_MODEL" \
  --yolo --prompt "$SWEGYM_PROBLEM_STATEMENT" </dev/null
