#!/usr/bin/env bash
# `make rehearse-rollback`: to this release and back again; see rehearse_rollback.py, whose arguments it takes.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT"
scripts/setup.sh --tests
(cd e2e && npm_install_once)
exec scripts/rehearse_rollback.py "$@"
