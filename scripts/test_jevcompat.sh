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
# shellcheck source=scripts/clients.sh
source scripts/clients.sh
tool="$(dirname "$(python_tool jevcompat "$version")")"

# What the suite prints, without colours and without what differs from run to run.
suite() {
  NO_COLOR=1 "$tool/jevcompat" test "$@" 2>&1 | sed 's#http://127\.0\.0\.1:[0-9]*#http://127.0.0.1:PORT#g'
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
        "$("$tool/pip" list 2>/dev/null | sed -n 's/^typesafe-sdk *//p')"
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
