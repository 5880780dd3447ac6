#!/usr/bin/env bash
# `make walk-operations`: docs/operations from its first line to its last; see walk_operations.py. Needs root. GOBLIN_BIN names
# the program, with the page or without it; without one, the one that `cargo build` made.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT"

[ "$(id -u)" -eq 0 ] || { say "a Debian is booted and namespaces are made for this, which takes root: sudo make walk-operations" >&2; exit 1; }
export GOBLIN_BIN="${GOBLIN_BIN:-${CARGO_TARGET_DIR:-$ROOT/target}/debug/goblin}"
[ -x "$GOBLIN_BIN" ] || { say "$GOBLIN_BIN is missing: make build" >&2; exit 1; }
scripts/setup.sh --tests
(cd e2e && npm_install_once)
scripts/test_deploy.sh --needs walk
export OLLAMA_BIN="${OLLAMA_BIN:-$(scripts/ollama.sh)}"
tools="$(scripts/deploy_tools.sh)"
exec "$tools/python" scripts/walk_operations.py "$@"
