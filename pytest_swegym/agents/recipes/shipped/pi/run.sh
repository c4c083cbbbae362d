# Its one provider is the relay; nothing is looked up or fetched.
export PI_OFFLINE=1 PI_SKIP_VERSION_CHECK=1
mkdir -p "$HOME/.pi/agent"
cat >"$HOME/.pi/agent/models.json" <<END
{"providers": {"swegym": {"baseUrl": "$SWEGYM_BASE_URL", "apiKey": "$OPENAI_API_KEY", "api": "openai-completions",
  "models": [{"id": "$SWEGYM_MODEL"}]}}}
END
exec "$SWEGYM_RECIPE"/venv/bin/node "$SWEGYM_RECIPE"/node_modules/@mariozechner/pi-coding-agent/dist/cli.js \
  --provider swegym --model "$SWEGYM_MODEL" --no-session --print "$SWEGYM_PROBLEM_STATEMENT" </dev/null
