#!/usr/bin/env bash
# `make bench-gateway`: the backend as a gateway, against nginx, LiteLLM, TensorZero, Portkey and crabllm.
# Arguments go to gateway.py (try --help).
# Builds what is missing: the release binary without the engine, the fake model server and the load generator; installs
# the peers once.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/env.sh
source scripts/env.sh
# shellcheck source=bench/tools.sh
source bench/tools.sh

nginx="$(bench/nginx.sh)"
litellm="$(litellm_peer)"
tensorzero="$(tensorzero_peer)"
portkey="$(portkey_peer)"
crabllm="$(crabllm_peer)"
load_tools
echo "Building goblin in the release profile, without the engine." >&2
cargo build --release --locked -p goblin --no-default-features
cp -f "$target/release/goblin" "$target/bench/goblin-lean"

exec python3 bench/gateway.py --ours "$target/bench/goblin-lean" --nginx "$nginx" --fake "$target/bench/upstream" \
  --load "$target/bench/load" --litellm "$litellm" --tensorzero "$tensorzero" --portkey "$portkey" \
  --crabllm "$crabllm" "$@"
