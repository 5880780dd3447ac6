#!/usr/bin/env bash
# `make bench-tier`: the model tier against asking the model server directly and against nginx with an auth check.
# Arguments go to tier.py (try --help).
# Builds what is missing: the release binary with and without the engine, the fake model server and the load generator,
# and, unless --only leaves them out, a real Ollama, a real llama-server and the starter model.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/env.sh
source scripts/env.sh
# shellcheck source=bench/tools.sh
source bench/tools.sh


# Does any part that is asked for need real servers?
real=no
case " $* " in
  *" --only ollama "* | *" --only llama-server "* | *" --only forecast "*) real=yes ;;
  *" --only "*) ;;
  *) real=yes ;;
esac

arguments=()
if [ "$real" = yes ]; then
  model="${GOBLIN_BENCH_MODEL:-${XDG_CACHE_HOME:-$HOME/.cache}/goblin/models/SmolLM2-135M-Instruct-Q4_1.gguf}"
  if [ ! -f "$model" ]; then
    echo "Fetching the starter model." >&2
    scripts/fetch_model.py --cache-only
  fi
  llama_server=scripts/llama_server.sh
  [ -f "$llama_server" ] || llama_server=bench/llama_server.sh
  ollama="$(scripts/ollama.sh)"
  llama_server="$("$llama_server")"
  arguments+=(--model "$model" --ollama "$ollama" --llama-server "$llama_server")
fi
nginx="$(bench/nginx.sh)"

load_tools

echo "Building goblin in the release profile, without and with the engine (most of it is shared)." >&2
cargo build --release --locked -p goblin --no-default-features
# Both are made under one name.
cp -f "$target/release/goblin" "$target/bench/goblin-lean"
cargo build --release --locked -p goblin

exec python3 bench/tier.py --ours "$target/release/goblin" --lean "$target/bench/goblin-lean" --nginx "$nginx" \
  --fake "$target/bench/upstream" --load "$target/bench/load" "${arguments[@]}" "$@"
