#!/usr/bin/env bash
# Formatting and lints of every language, without tests.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT"
cargo fmt --all --check
rustfmt --edition 2024 --check bench/load/*.rs
cargo clippy --workspace --all-targets --locked -- -D warnings
scripts/web_build.sh --install-only
npm --prefix web run --silent lint
if command -v shellcheck >/dev/null; then shellcheck -x scripts/*.sh .ci/run; fi
