#!/usr/bin/env bash
# `make bench-store`: what the store's calls cost with few rows and with many, on SQLite and PostgreSQL.
# Arguments go to store.py (try --help). Builds the release profile of the store, and starts a PostgreSQL of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/env.sh
source scripts/env.sh

echo "Building the benchmark in the release profile." >&2
cargo bench --locked -p goblin-auth --bench store --no-run
exec python3 bench/store.py "$@"
