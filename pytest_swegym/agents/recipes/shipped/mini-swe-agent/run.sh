# Its own loop without a person at it; the model is the relay's, whatever it is called.
export MSWEA_GLOBAL_CONFIG_DIR=/tmp/mini-swe-agent MSWEA_CONFIGURED=true MSWEA_SILENT_STARTUP=1
export MSWEA_COST_TRACKING=ignore_errors MSWEA_MODEL_RETRY_STOP_AFTER_ATTEMPT=2 LITELLM_LOCAL_MODEL_COST_MAP=True
case $SWEGYM_PROTOCOL in
  tools) config=mini.yaml class=litellm ;;
  *) config=mini_textbased.yaml class=litellm_textbased ;;
esac
exec "$SWEGYM_RECIPE"/venv/bin/python -I "$SWEGYM_RECIPE"/venv/bin/mini --config "$config" \
  --agent-class default --model-class "$class" --model "openai/$SWEGYM_MODEL" --yolo --exit-immediately --cost-limit 0 \
  --output /tmp/mini-swe-agent/trajectory.json --task "$SWEGYM_PROBLEM_STATEMENT" </dev/null
