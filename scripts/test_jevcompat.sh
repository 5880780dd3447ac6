#!/usr/bin/env bash
# The outside conformance suite for `/v1/systemone` (the package `jevcompat`) against the real program: against
# `goblin up` and against `goblin models serve`. With `--keep` what it prints is kept in evals/jevcompat.txt and
# evals/jevcompat-tier.txt.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT"

version=0.1.1
keep=no
if [ "${1:-}" = --keep ]; then keep=yes; fi
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
  # There before it is looked into.
  : >"$home/$name.out"
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

# Runs the suite at `address`, called NAME in words, with further arguments; keeps what it prints in FILE.
judge() {
  local name="$1" file="$2" status=0
  shift 2
  say "==> jevcompat $version against $name"
  suite "$address" --timeout 300 "$@" >"$report" || status=$?
  cat "$report"
  if [ "$keep" = yes ]; then
    {
      printf 'date:      %s\n' "$(date -u +%Y-%m-%d)"
      printf 'program:   %s, %s\n' "$("$program" --version)" "$name"
      printf 'suite:     jevcompat %s (PyPI), typesafe-sdk %s\n' "$version" \
        "$("$tool/bin/pip" list 2>/dev/null | sed -n 's/^typesafe-sdk *//p')"
      printf 'model:     SmolLM2-135M-Instruct Q4_1, in this process, asked for as `jev-latest`\n'
      printf 'made by:   scripts/test_jevcompat.sh --keep\n\n'
      cat "$report"
    } >"$file"
    say "kept in $file"
  fi
  return "$status"
}

report="$home/report.txt"
failed=0
start backend up
until_loaded "$address/api/status"
judge "goblin up" evals/jevcompat.txt || failed=1

# A key for tests, not a secret: the tier listens on this machine only, and is gone in a minute.
key="test-clients-$$-0123456789abcdef"
LOCAL_LLM_API_KEY="$key" start tier models serve
until_loaded --header "x-api-key: $key" "$address/v1/models"
judge "goblin models serve" evals/jevcompat-tier.txt --key "$key" || failed=1
exit "$failed"
