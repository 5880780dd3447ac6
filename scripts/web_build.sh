#!/usr/bin/env bash
# Builds the page into web/dist, unless what is there is newer than everything it is made of.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT/web"

npm_install_once
[ "${1:-}" = "--install-only" ] && exit 0

if [ -e dist/index.html ] && [ -z "$(find . -path ./node_modules -prune -o -path ./dist -prune -o -type f -newer dist/index.html -print -quit)" ]; then
  say "  the page is built"
  exit 0
fi
say "  building the page"
npm run --silent build
