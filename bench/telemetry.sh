#!/usr/bin/env bash
# `make bench-telemetry`: what telling others costs, in CPU time. Arguments go to telemetry.py (try --help).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/env.sh
source scripts/env.sh

target="${CARGO_TARGET_DIR:-target}"
mkdir -p "$target/bench"
for tool in upstream load; do
  if [ ! "$target/bench/$tool" -nt "bench/load/$tool.rs" ]; then
    rustc -O --edition 2024 -o "$target/bench/$tool" "bench/load/$tool.rs"
  fi
done
cargo build --release --locked -p goblin --no-default-features
exec python3 bench/telemetry.py --ours "$target/release/goblin" --fake "$target/bench/upstream" \
  --load "$target/bench/load" "$@"
