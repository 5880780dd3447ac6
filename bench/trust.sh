#!/usr/bin/env bash
# `make bench-trust`: what checking an answer costs. Arguments go to trust.py (try --help).
# Builds what is missing: the release binary, the bench of decisions, a real Ollama and the starter model.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/env.sh
source scripts/env.sh

model="${GOBLIN_BENCH_MODEL:-${XDG_CACHE_HOME:-$HOME/.cache}/goblin/models/SmolLM2-135M-Instruct-Q4_1.gguf}"
if [ ! -f "$model" ]; then
  echo "Fetching the starter model." >&2
  scripts/fetch_model.py --cache-only
fi
ollama="$(scripts/ollama.sh)"
echo "Building goblin and the bench of decisions in the release profile." >&2
cargo build --release --locked -p goblin
decisions="$(cargo bench --locked -p goblin-core --bench decisions --no-run --message-format=json |
  python3 -c 'import json, sys
print([m["executable"] for m in map(json.loads, sys.stdin) if m.get("executable")][-1])')"

exec python3 bench/trust.py --ours "${CARGO_TARGET_DIR:-target}/release/goblin" --decisions "$decisions" \
  --model "$model" --ollama "$ollama" "$@"
