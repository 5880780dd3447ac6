#!/usr/bin/env bash
# Builds the page into web/dist, unless what is there is newer than everything it is made of.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT/web"

# npm notes what it installed in this file; a newer lock file means: install again.
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  say "  installing the page's packages"
  npm ci --no-audit --no-fund --loglevel=error
fi
[ "${1:-}" = "--install-only" ] && exit 0

if [ -e dist/index.html ] && [ -z "$(find . -path ./node_modules -prune -o -path ./dist -prune -o -type f -newer dist/index.html -print -quit)" ]; then
  say "  the page is built"
  exit 0
fi
say "  building the page"
npm run --silent build
