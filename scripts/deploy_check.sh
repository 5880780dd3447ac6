#!/usr/bin/env bash
# Quick checks of the files by which goblin is deployed: nothing is started, nothing is built. What needs a tool of the
# system that is not here (systemd-analyze, promtool, fail2ban-regex) is said and left to `make test-deploy`, which
# insists on it.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT"

tools="$(scripts/deploy_tools.sh)"
program="${GOBLIN_BIN:-${CARGO_TARGET_DIR:-$ROOT/target}/debug/goblin}"
insist="${GOBLIN_DEPLOY_ALL:-}"

step() { say "  $*"; }
# Is this program of the system here?
have() {
  if command -v "$1" >/dev/null; then return 0; fi
  if [ "$insist" = 1 ]; then
    say "$1 is missing. On Debian or Ubuntu: apt-get install $2" >&2
    exit 1
  fi
  step "$1 is not here: left to make test-deploy"
  return 1
}

step "render.yaml"
"$tools/check-jsonschema" --quiet --schemafile deploy/render/schema.json render.yaml
"$tools/python" -m unittest discover --quiet --start-directory deploy/render
"$tools/python" deploy/render/check.py --goblin "$program"

step "install.sh and what is beside it"
"$tools/shellcheck" -x deploy/vps/install.sh deploy/vps/goblin-* deploy/compose/make-secrets.sh
"$tools/shellcheck" -x -S warning scripts/*deploy*.sh scripts/debian_*.sh scripts/test_vps.sh scripts/vercel_build.sh scripts/walk_operations.sh
deploy/vps/cloud_init.py --check
if have systemd-analyze systemd; then
  for unit in deploy/vps/units/*.service; do
    limit=20
    case "$unit" in
      */ollama.service) limit=26 ;;
      */goblin-firewall.service | */goblin-backup.service) continue ;;
    esac
    found="$(systemd-analyze security --offline=true --no-pager --threshold="$limit" "$unit" | tail -n 1)" ||
      { say "$unit is open wider than $limit: $found" >&2; exit 1; }
  done
fi

step "containers"
"$tools/hadolint" deploy/docker/Dockerfile
"$tools/check-jsonschema" --quiet --builtin-schema vendor.compose-spec deploy/compose/compose.yaml

step "workflows"
"$tools/check-jsonschema" --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
"$tools/zizmor" --offline --quiet --no-progress .github/workflows
if ! grep -rhoE 'uses: [^ ]+' .github/workflows | grep -Evq '@[0-9a-f]{40}$'; then :; else
  say "an action is not named by its digest" >&2
  exit 1
fi

if [ "$insist" = 1 ]; then
  have go golang-go
  home="${XDG_CACHE_HOME:-$HOME/.cache}/goblin/tools/actionlint-1.7.12"
  if [ ! -x "$home/actionlint" ]; then
    GOBIN="$home" GOFLAGS=-mod=mod go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
  fi
  # With the shellcheck of above for what runs in a step.
  PATH="$tools:$PATH" "$home/actionlint" -no-color
fi

step "addresses that try keys"
if have fail2ban-regex fail2ban; then
  for filter in deploy/fail2ban/filter.d/*.conf; do
    name="$(basename "$filter" .conf)"
    # Every address of a refused line, in order, and none of a line that only looks like one.
    found="$(fail2ban-regex --out ip "deploy/fail2ban/samples/$name.log" "$filter")"
    [ "$found" = "$(cat "deploy/fail2ban/samples/$name.addresses")" ] ||
      { say "$filter finds other addresses in its sample:" "$found" >&2; exit 1; }
  done
fi

step "alerts"
if have promtool prometheus; then
  (cd deploy/monitoring && promtool test rules alerts.test.yml >/dev/null && promtool check rules alerts.yml >/dev/null &&
    promtool check config --syntax-only prometheus.yml >/dev/null)
fi
