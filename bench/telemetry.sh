#!/usr/bin/env bash
# `make bench-telemetry`: what telling others costs, in CPU time. Arguments go to telemetry.py (try --help).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/env.sh
source scripts/env.sh
# shellcheck source=bench/tools.sh
source bench/tools.sh

load_tools
cargo build --release --locked -p goblin --no-default-features
exec python3 bench/telemetry.py --ours "$target/release/goblin" --fake "$target/bench/upstream" \
  --load "$target/bench/load" "$@"
