#!/usr/bin/env bash
# What is too heavy for `make test`: the files of deploy/ used for real, stage by stage. With names, only those stages.
#
#   files    quick checks, with every tool they know
#   vercel   `vercel build`, and its route table asked path by path
#   cdn      journeys in a real browser: page from that route table, backend elsewhere
#   vps      install.sh in a Debian of its own (root)
#   scrape   a real Prometheus scrapes a running goblin, and an alert fires
#   walk     docs/operations from its first line to its last, on three hosts that are network namespaces (root)
#
# `--needs STAGE` only installs what a stage needs of the system.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT"

export GOBLIN_BIN="${GOBLIN_BIN:-${CARGO_TARGET_DIR:-$ROOT/target}/debug/goblin}"
export GOBLIN_STARTER_GGUF="${GOBLIN_STARTER_GGUF:-${XDG_CACHE_HOME:-$HOME/.cache}/goblin/models/SmolLM2-135M-Instruct-Q4_1.gguf}"
output="${CARGO_TARGET_DIR:-$ROOT/target}/vercel/.vercel/output"

# Installs what the stages need of the system, when it may.
needs() {
  local -a missing=()
  local pair
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    say "These are missing: ${missing[*]}. Run this line, then the same command again:" \
      "  sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  say "  installing ${missing[*]}"
  DEBIAN_FRONTEND=noninteractive apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

stage_files() {
  needs systemd-analyze:systemd promtool:prometheus fail2ban-regex:fail2ban
  python3 -m unittest scripts/tests/test_deploy_files.py
  GOBLIN_DEPLOY_ALL=1 scripts/deploy_check.sh
}
stage_vercel() {
  scripts/vercel_build.sh
  VERCEL_OUTPUT="$output" node --test e2e/deploy/routes.test.mjs
}
stage_cdn() {
  [ -e "$output/config.json" ] || scripts/vercel_build.sh
  (cd e2e && npm_install_once)
  VERCEL_OUTPUT="$output" node --test --test-timeout=240000 e2e/deploy/cdn.test.mjs
}
stage_vps() {
  needs debootstrap:debootstrap systemd-nspawn:systemd-container ip:iproute2 zstd:zstd pebble:pebble openssl:openssl systemd-analyze:systemd \
    fail2ban-regex:fail2ban
  [ "$(id -u)" -eq 0 ] || { say "a Debian is booted for this, which takes root: sudo make test-deploy" >&2; exit 1; }
  scripts/test_vps.sh
}
needs_walk() {
  needs debootstrap:debootstrap systemd-nspawn:systemd-container ip:iproute2 zstd:zstd pebble:pebble openssl:openssl \
    prometheus:prometheus curl:curl jq:jq script:bsdutils
}
stage_walk() { scripts/walk_operations.sh; }
stage_scrape() {
  needs prometheus:prometheus
  scripts/test_scrape.py
}

if [ "${1:-}" = --needs ]; then
  "needs_$2"
  exit 0
fi
wanted=("$@")
[ ${#wanted[@]} -gt 0 ] || wanted=(files vercel cdn vps scrape walk)
for name in "${wanted[@]}"; do
  declare -F "stage_$name" >/dev/null || { say "There is no stage called $name. Stages: files vercel cdn vps scrape walk" >&2; exit 2; }
done
[ -x "$GOBLIN_BIN" ] || { say "$GOBLIN_BIN is missing: make build" >&2; exit 1; }
[ -e "$GOBLIN_STARTER_GGUF" ] || scripts/fetch_model.py --cache-only
table=()
for name in "${wanted[@]}"; do
  say "" "==> $name"
  started=$SECONDS
  # Not in a condition: a failure in the middle of a stage must end it.
  set +e
  (set -e; "stage_$name")
  code=$?
  set -e
  table+=("$(printf '  %-8s %-7s %5d s' "$name" "$([ "$code" -eq 0 ] && echo ok || echo FAILED)" $((SECONDS - started)))")
  [ "$code" -eq 0 ] || { printf '%s\n' "" "${table[@]}" "$name failed"; exit 1; }
done
printf '%s\n' "" "${table[@]}"
