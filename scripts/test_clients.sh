#!/usr/bin/env bash
# Outside clients against the real program: OpenAI's Python package. Installed once, into a folder of the user's
# cache named after its version.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT"

version=3.54.0
cache="${XDG_CACHE_HOME:-$HOME/.cache}/goblin"
tool="$cache/tools/openai-python-$version"
if [ ! -e "$tool/complete" ]; then
  say "==> installing openai $version"
  rm -rf "$tool"
  python3 -m venv "$tool"
  "$tool/bin/pip" install --quiet "openai==$version"
  touch "$tool/complete"
fi

scripts/fetch_model.py --cache-only
program="${GOBLIN_BIN:-${CARGO_TARGET_DIR:-target}/debug/goblin}"
if [ ! -x "$program" ]; then cargo build --locked --package goblin; fi

home="$(mktemp -d)"
mkdir -p "$home/data/models"
cp "$cache/models/SmolLM2-135M-Instruct-Q4_1.gguf" "$home/data/models/"
GOBLIN_ENGINE__THREADS=1 GOBLIN_UPSTREAM__DISCOVER=false "$program" up --port 0 --data-dir "$home/data" \
  >"$home/out" 2>"$home/log" &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true; rm -rf "$home"' EXIT

# The address is printed when the door is open; the model is there when the engine is no longer starting.
address=""
for _ in $(seq 600); do
  address="$(sed -n 's/^goblin is ready: //p' "$home/out")"
  if [ -n "$address" ] && curl --silent "$address/api/status" | grep -q '"state":"loaded"'; then break; fi
  if ! kill -0 "$server" 2>/dev/null; then
    cat "$home/log" >&2
    exit 1
  fi
  sleep 0.2
done
"$tool/bin/python" e2e/clients/openai_client.py "$address/v1"
