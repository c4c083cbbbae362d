# Its one provider is the relay; nothing is looked up, fetched or shared.
export OPENCODE_DISABLE_AUTOUPDATE=1
mkdir -p "$HOME/.config/opencode"
cat >"$HOME/.config/opencode/opencode.json" <<END
{"\$schema": "https://opencode.ai/config.json", "autoupdate": false, "share": "disabled",
 "provider": {"swegym": {"npm": "@ai-sdk/openai-compatible", "name": "swegym",
   "options": {"baseURL": "$SWEGYM_BASE_URL", "apiKey": "$OPENAI_API_KEY"}, "models": {"$SWEGYM_MODEL": {}}}}}
END
exec "$SWEGYM_RECIPE"/node_modules/.bin/opencode run --model "swegym/$SWEGYM_MODEL" "$SWEGYM_PROBLEM_STATEMENT" </dev/null
