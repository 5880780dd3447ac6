#!/usr/bin/env bash
# One command to a running goblin: installs what is missing, builds, fetches the starter model, starts.
# Arguments go to `goblin up`. GOBLIN_RELEASE=1 builds the optimised form (slower to build, for real use).
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT"

step() { say "==> $*"; }

step "1/4 what the build needs"
scripts/setup.sh
# What setup installed may have made new folders of programs.
# shellcheck source=scripts/env.sh
source scripts/env.sh

step "2/4 the page"
scripts/web_build.sh

profile=debug
arguments=(build --package goblin --locked)
if [ "${GOBLIN_RELEASE:-}" = 1 ]; then
  profile=release
  arguments+=(--release)
fi
step "3/4 the program (the first build compiles llama.cpp as well: about ten minutes on two cores)"
cargo "${arguments[@]}"

step "4/4 the starter model"
scripts/fetch_model.py

step "starting goblin; Ctrl-C stops it"
exec "${CARGO_TARGET_DIR:-target}/$profile/goblin" up "$@"
