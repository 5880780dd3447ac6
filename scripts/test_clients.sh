#!/usr/bin/env bash
# Outside clients against the real program: OpenAI's Python package against `goblin up`; its Python and Node packages
# against a cascade; the packages of OpenAI, Ollama and Anthropic against `goblin models serve` and against `goblin serve`
# with models whose answers are known; and schemathesis on openapi.json. With --all, which is what `make test-clients` runs,
# also LangChain's with its own standard tests, `instructor`, `llm`, Vercel's `ai` and `aider` against those models:
# streaming, tools and structured answers; and schemathesis for longer. Each is installed once, into a folder of the user's
# cache named after its version (Node's of OpenAI into e2e/node_modules). docs/clients.md shows what it prints.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT"

# shellcheck source=scripts/clients.sh
source scripts/clients.sh

openai="$(python_tool openai 3.54.0)"
ollama="$(python_tool ollama 0.6.3)"
anthropic="$(python_tool anthropic 2.12.0)"

start backend up
until_loaded "$address/api/status"
say "==> openai against goblin up"
"$openai" e2e/clients/openai_client.py "$address/v1"

say "==> openai, Python and Node, against a cascade of models whose answers are known"
scripted scripted_server
cascade="$upstream"
GOBLIN_UPSTREAM__SERVERS__SCRIPTED__KIND=openai \
  GOBLIN_UPSTREAM__SERVERS__SCRIPTED__URL="$upstream" \
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

scripted scripted_helper
GOBLIN_UPSTREAM__SERVERS__SCRIPTED__KIND=openai GOBLIN_UPSTREAM__SERVERS__SCRIPTED__URL="$upstream" launch helper serve
doors="$address"
say "==> openai (Python and Node), anthropic and ollama at their doors of goblin serve"
"$openai" e2e/clients/openai_doors_client.py "$address"
GOBLIN_BASE_URL="$address/v1" node --test e2e/clients/openai_doors_client.mjs
"$anthropic" e2e/clients/anthropic_doors_client.py "$address"
"$ollama" e2e/clients/ollama_doors_client.py "$address"

judge="$(python_tool schemathesis 4.32.5)"
# People sign in there, because the page is said to be elsewhere; nobody is told to come back later.
GOBLIN_UPSTREAM__SERVERS__SCRIPTED__KIND=openai GOBLIN_UPSTREAM__SERVERS__SCRIPTED__URL="$upstream" \
  GOBLIN_UPSTREAM__SERVERS__CASCADE__KIND=openai GOBLIN_UPSTREAM__SERVERS__CASCADE__URL="$cascade" \
  FRONTEND_URL=http://localhost:8001 GOBLIN_LIMITS__SIGN_INS_PER_MINUTE=0 GOBLIN_LIMITS__ADDRESS_PER_MINUTE=0 \
  GOBLIN_LIMITS__USER_PER_MINUTE=0 GOBLIN_LIMITS__KEY_PER_MINUTE=0 \
  launch judged serve
say "==> schemathesis on openapi.json against goblin serve"
if [ "${1:-}" = --all ]; then examples=100; else examples=2; fi
"$judge" e2e/clients/openapi_client.py "$address" "$home/judged/first-link" "$examples"

if [ "${1:-}" != --all ]; then exit 0; fi
address="$doors"

langchain="$(python_tools langchain-tests-python-1.1.9 langchain-tests==1.1.9 langchain-openai==1.7.4 langchain-anthropic==1.7.10 \
  langchain-ollama==1.1.0)"
instructor="$(python_tool instructor 1.17.0)"
llm="$(python_tool llm 0.36)"
aider="$(python_tool aider-chat 0.86.2)"
ai="$(node_tool ai-node-7.0.173 ai@7.0.173 @ai-sdk/openai-compatible@3.0.92 zod@4.6.7)"

say "==> LangChain against goblin serve"
"$langchain" e2e/clients/langchain_client.py "$address/v1"
say "==> LangChain's standard tests at the doors of OpenAI, Anthropic and Ollama"
# One event loop for all of them: LangChain keeps connections for the whole process.
GOBLIN_URL="$address" "$langchain" -m pytest -q -p no:cacheprovider -W ignore -o asyncio_mode=auto \
  -o asyncio_default_test_loop_scope=session -o asyncio_default_fixture_loop_scope=session \
  e2e/clients/langchain_standard_client.py
say "==> instructor against goblin serve"
"$instructor" e2e/clients/instructor_client.py "$address/v1"
say "==> llm against goblin serve"
"$llm" e2e/clients/llm_client.py "$address/v1"
say "==> aider against goblin serve"
python3 e2e/clients/aider_client.py "$(dirname "$aider")/aider" "$address/v1"
say "==> Vercel's ai against goblin serve"
# A script finds packages beside itself; and these want a newer Node than the tests run on.
cp e2e/clients/ai_client.mjs "$ai/"
GOBLIN_BASE_URL="$address/v1" e2e/node_modules/node/bin/node --test "$ai/ai_client.mjs"
