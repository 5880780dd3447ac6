#!/usr/bin/env bash
# The outside conformance suite for `/v1/systemone` (the package `jevcompat`) against the real program: against
# `goblin up` and against `goblin models serve`. With `--keep` what it prints about the first is kept in
# evals/jevcompat.txt.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT"

version=0.1.1
keep=
if [ "${1:-}" = --keep ]; then keep=evals/jevcompat.txt; fi
cache="${XDG_CACHE_HOME:-$HOME/.cache}/goblin"
program="${GOBLIN_BIN:-${CARGO_TARGET_DIR:-target}/debug/goblin}"
tool="$cache/tools/jevcompat-python-$version"
if [ ! -e "$tool/complete" ]; then
  say "==> installing jevcompat $version"
  rm -rf "$tool"
  python3 -m venv "$tool"
  "$tool/bin/pip" install --quiet "jevcompat==$version"
  touch "$tool/complete"
fi

scripts/fetch_model.py --cache-only
if [ ! -x "$program" ]; then cargo build --locked --package goblin; fi

home="$(mktemp -d)"
servers=()
stop() {
  for server in "${servers[@]}"; do kill "$server" 2>/dev/null || true; done
  for server in "${servers[@]}"; do wait "$server" 2>/dev/null || true; done
  rm -rf "$home"
}
trap stop EXIT

# Starts the program with these arguments on a free port; its folder and log are named NAME. Sets `address`.
start() {
  local name="$1"
  shift
  mkdir -p "$home/$name/models"
  cp "$cache/models/SmolLM2-135M-Instruct-Q4_1.gguf" "$home/$name/models/"
  GOBLIN_ENGINE__THREADS=1 GOBLIN_UPSTREAM__DISCOVER=false "$program" "$@" --port 0 --data-dir "$home/$name" \
    >"$home/$name.out" 2>"$home/$name.log" &
  servers+=("$!")
  for _ in $(seq 600); do
    address="$(sed -n 's/^goblin [a-z ]*: \(http:[^ ]*\).*/\1/p' "$home/$name.out")"
    if [ -n "$address" ]; then return 0; fi
    if ! kill -0 "${servers[-1]}" 2>/dev/null; then break; fi
    sleep 0.1
  done
  cat "$home/$name.log" >&2
  exit 1
}

# Waits until CURL's arguments get an answer that says a model is loaded.
until_loaded() {
  for _ in $(seq 600); do
    if curl --silent "$@" | grep -q '"state":"loaded"'; then return 0; fi
    sleep 0.2
  done
  say "no model was loaded in time" >&2
  exit 1
}

# What the suite prints, without colours and without what differs from run to run.
suite() {
  NO_COLOR=1 "$tool/bin/jevcompat" test "$@" 2>&1 | sed 's#http://127\.0\.0\.1:[0-9]*#http://127.0.0.1:PORT#g'
}

start backend up
until_loaded "$address/api/status"
say "==> jevcompat $version against goblin up"
report="$home/report.txt"
status=0
suite "$address" --timeout 300 >"$report" || status=$?
cat "$report"
if [ -n "$keep" ]; then
  {
    printf 'date:      %s\n' "$(date -u +%Y-%m-%d)"
    printf 'program:   %s\n' "$("$program" --version)"
    printf 'suite:     jevcompat %s (PyPI), typesafe-sdk %s\n' "$version" \
      "$("$tool/bin/pip" list 2>/dev/null | sed -n 's/^typesafe-sdk *//p')"
    printf 'model:     SmolLM2-135M-Instruct Q4_1, in this process, asked for as `jev-latest`\n'
    printf 'made by:   scripts/test_jevcompat.sh --keep\n\n'
    cat "$report"
  } >"$keep"
  say "kept in $keep"
fi
[ "$status" -eq 0 ]

# A key for tests, not a secret: the tier listens on this machine only, and is gone in a minute.
key="test-clients-$$-0123456789abcdef"
LOCAL_LLM_API_KEY="$key" start tier models serve
until_loaded --header "x-api-key: $key" "$address/v1/models"
say "==> jevcompat $version against goblin models serve"
suite "$address" --timeout 300 --key "$key" >"$report" || status=$?
cat "$report"
exit "$status"
