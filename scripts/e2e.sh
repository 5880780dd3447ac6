#!/usr/bin/env bash
# Journeys in a real browser against the real program. GOBLIN_BIN names the program; without it, the one that
# `cargo build` made.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
export GOBLIN_BIN="${GOBLIN_BIN:-${CARGO_TARGET_DIR:-$ROOT/target}/debug/goblin}"
export GOBLIN_STARTER_GGUF="${GOBLIN_STARTER_GGUF:-${XDG_CACHE_HOME:-$HOME/.cache}/goblin/models/SmolLM2-135M-Instruct-Q4_1.gguf}"
export GOBLIN_SECOND_GGUF="${GOBLIN_SECOND_GGUF:-${XDG_CACHE_HOME:-$HOME/.cache}/goblin/models/gemma-3-270m-q4_k_m.gguf}"
OLLAMA_BIN="${OLLAMA_BIN:-$("$ROOT/scripts/ollama.sh")}"
export OLLAMA_BIN
cd "$ROOT/e2e"
npm_install_once
exec npm test --silent
