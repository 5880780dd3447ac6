#!/usr/bin/env bash
# Our adapter against a real llama-server, which is built once into the user's cache (ten minutes). Arguments go to the
# test program, for example the beginning of a test's name.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT"

scripts/fetch_model.py --gemma --cache-only
GOBLIN_TEST_LLAMA_SERVER="${GOBLIN_TEST_LLAMA_SERVER:-$(scripts/llama_server.sh)}"
export GOBLIN_TEST_LLAMA_SERVER
# Two at a time: each starts a server of its own, and each server computes on one thread.
cargo test --locked --package goblin-providers --features peers --test it -- --test-threads 2 "${@:-real_llama_server}"
