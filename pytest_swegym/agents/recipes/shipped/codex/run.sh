# The sandbox is around it already; its one provider is the relay. A login shell would forget the task's PATH.
export SWEGYM_KEY="$OPENAI_API_KEY"
exec "$SWEGYM_RECIPE"/venv/bin/node "$SWEGYM_RECIPE"/node_modules/@openai/codex/bin/codex.js exec \
  --dangerously-bypass-approvals-and-sandbox --skip-git-repo-check --ephemeral --model "$SWEGYM_MODEL" \
  --config model_provider=swegym --config model_providers.swegym.name=swegym \
  --config model_providers.swegym.base_url="$SWEGYM_BASE_URL" --config model_providers.swegym.env_key=SWEGYM_KEY \
  --config model_providers.swegym.wire_api=responses --config web_search=disabled \
  --config allow_login_shell=false --config check_for_update_on_startup=false "$SWEGYM_PROBLEM_STATEMENT" </dev/null
