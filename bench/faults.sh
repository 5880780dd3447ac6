#!/usr/bin/env bash
# `make bench-faults`: the fault matrix, goblin's beside LiteLLM's. Arguments go to faults.py (try --help).
# Builds what is missing: the program (GOBLIN_BIN names another), and LiteLLM's package, once, in the user's cache.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/env.sh
source scripts/env.sh
# shellcheck source=bench/tools.sh
source bench/tools.sh

binary="${GOBLIN_BIN:-}"
if [ -z "$binary" ]; then
  cargo build --locked -p goblin
  binary="$target/debug/goblin"
fi
litellm="$(litellm_peer)"

exec python3 bench/faults.py --ours "$binary" --litellm "$(dirname "$litellm")/litellm" "$@"
