#!/usr/bin/env bash
# `make bench-engine`: goblin's engine against llama-server. Arguments go to engine.py (try --help).
# Builds what is missing: the release binary, llama-server (once, see scripts/llama_server.sh) and the starter model.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/env.sh
source scripts/env.sh

cache="${XDG_CACHE_HOME:-$HOME/.cache}/goblin"
model="${GOBLIN_BENCH_MODEL:-$cache/models/SmolLM2-135M-Instruct-Q4_1.gguf}"

if [ ! -f "$model" ]; then
  echo "Fetching the starter model." >&2
  scripts/fetch_model.py --cache-only
fi
peer="$(scripts/llama_server.sh)"
echo "Building goblin in the release profile (the development profile would not be a fair comparison)." >&2
cargo build --release --locked -p goblin
ours="${CARGO_TARGET_DIR:-target}/release/goblin"

exec python3 bench/engine.py --ours "$ours" --peer "$peer" --model "$model" "$@"
