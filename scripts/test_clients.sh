#!/usr/bin/env bash
# Outside clients against the real program: OpenAI's Python package against `goblin up`; its Python and Node packages
# against a cascade; the packages of OpenAI, Ollama and Anthropic against `goblin models serve`. Each is installed once,
# into a folder of the user's cache named after its version (Node's into e2e/node_modules).
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT"

# shellcheck source=scripts/clients.sh
source scripts/clients.sh

openai="$(client openai 3.54.0)"
ollama="$(client ollama 0.6.3)"
anthropic="$(client anthropic 2.12.0)"

start backend up
until_loaded "$address/api/status"
say "==> openai against goblin up"
"$openai" e2e/clients/openai_client.py "$address/v1"

say "==> openai, Python and Node, against a cascade of models whose answers are known"
python3 e2e/clients/scripted_server.py "$home/scripted.port" &
servers+=("$!")
for _ in $(seq 100); do
  if [ -s "$home/scripted.port" ]; then break; fi
  sleep 0.1
done
GOBLIN_UPSTREAM__SERVERS__SCRIPTED__KIND=openai \
  GOBLIN_UPSTREAM__SERVERS__SCRIPTED__URL="http://127.0.0.1:$(cat "$home/scripted.port")" \
  GOBLIN_ROSTER__QUICK=first GOBLIN_ROSTER__CHAT=first GOBLIN_ROSTER__REASONING=first GOBLIN_ROSTER__TOP=better \
  GOBLIN_ROSTER__CODE=first GOBLIN_ROSTER__SAFETY=judge GOBLIN_ROSTER__CONFIDENCE=judge \
  launch cascade serve
"$openai" e2e/clients/openai_cascade_client.py "$address/v1"
(cd e2e && npm_install_once)
GOBLIN_BASE_URL="$address/v1" node --test e2e/clients/openai_cascade_client.mjs

# A key for tests, not a secret: the tier listens on this machine only, and is gone in a minute.
key="test-clients-$$-0123456789abcdef"
LOCAL_LLM_API_KEY="$key" start tier models serve
until_loaded --header "x-api-key: $key" "$address/v1/models"
say "==> openai against goblin models serve"
"$openai" e2e/clients/openai_tier_client.py "$address" "$key"
say "==> ollama against goblin models serve"
"$ollama" e2e/clients/ollama_client.py "$address" "$key"
say "==> anthropic against goblin models serve"
"$anthropic" e2e/clients/anthropic_client.py "$address" "$key"
