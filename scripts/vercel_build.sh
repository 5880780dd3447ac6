#!/usr/bin/env bash
# Builds the page as Vercel does, with Vercel's own program and no account, and prints the folder `.vercel/output`.
#
# The program is installed once into the cache (360 MB), by the lock file of deploy/vercel. The page is built in a copy of web/, so that
# nothing here is touched. Progress goes to stderr, the path to stdout.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

cache="${XDG_CACHE_HOME:-$HOME/.cache}/goblin"
tool="$cache/tools/vercel-$(sha256sum <"$ROOT/deploy/vercel/package-lock.json" | cut -c1-12)"
copy="${CARGO_TARGET_DIR:-$ROOT/target}/vercel"

if [ ! -e "$tool/complete" ]; then
  say "==> installing Vercel's program (once)" >&2
  rm -rf "$tool"
  mkdir -p "$tool"
  cp "$ROOT"/deploy/vercel/package*.json "$ROOT/deploy/vercel/.npmrc" "$tool/"
  # Not `npm ci`, which wants the programs for other systems in the lock file, and a registry need not have all of them.
  # Versions and hashes are those of the lock file all the same, and it must not be changed.
  (cd "$tool" && npm install --no-save --no-audit --no-fund --loglevel=error) >&2
  cmp "$tool/package-lock.json" "$ROOT/deploy/vercel/package-lock.json" >&2
  touch "$tool/complete"
fi

# What an earlier build left must not be taken for this one's.
rm -rf "$copy"
mkdir -p "$copy/.vercel"
tar -C "$ROOT/web" --exclude ./node_modules --exclude ./dist --exclude ./.vercel -cf - . | tar -C "$copy" -xf -
printf '%s\n' '{"projectId":"prj_x","orgId":"team_x","settings":{"framework":"vite"}}' >"$copy/.vercel/project.json"
cd "$copy"
export VERCEL_TELEMETRY_DISABLED=1 NO_UPDATE_NOTIFIER=1 NPM_CONFIG_PREFER_OFFLINE=true
say "==> vercel build" >&2
"$tool/node_modules/.bin/vercel" build --prod --yes >"$copy/build.log" 2>&1 ||
  { cat "$copy/build.log" >&2; exit 1; }
[ -f "$copy/.vercel/output/config.json" ] || { cat "$copy/build.log" >&2; say "vercel build wrote no route table" >&2; exit 1; }
printf '%s\n' "$copy/.vercel/output"
