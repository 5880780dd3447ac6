#!/usr/bin/env bash
# Builds the page and the program, as `make up` does, without starting anything.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT"
scripts/setup.sh
scripts/web_build.sh
if [ "${GOBLIN_RELEASE:-}" = 1 ]; then
  exec cargo build --package goblin --locked --release
fi
exec cargo build --package goblin --locked
