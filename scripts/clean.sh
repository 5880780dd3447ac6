#!/usr/bin/env bash
# Removes what was built. Models, chats and downloaded packages of cargo and npm stay.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT"
rm -rf web/dist web/node_modules e2e/node_modules e2e/artifacts
exec cargo clean
