#!/usr/bin/env bash
# Licences, sources and bans of every dependency, by deny.toml. cargo-deny is installed once, for this account.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT"
if ! cargo deny --version >/dev/null 2>&1; then
  say "  installing cargo-deny (minutes, once)"
  cargo install cargo-deny --locked
fi
exec cargo deny check licenses bans sources
