#!/usr/bin/env bash
# shellcheck disable=SC2317  # the stages are called by name
# Everything CI runs, stage by stage. Stops at the first stage that fails. With names as arguments, only the
# stages whose name begins with one of them: `scripts/test.sh rust` runs every Rust stage.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT"

TARGET="${CARGO_TARGET_DIR:-$ROOT/target}"
LOGS="$TARGET/test-logs"
mkdir -p "$LOGS"

STAGES=(setup models scripts web-install web-test rust-fmt rust-clippy ollama rust-without-engine rust-build rust-test deploy-files clients readme e2e)

stage_setup() { scripts/setup.sh --tests; }
stage_models() { scripts/fetch_model.py --gemma --cache-only; }
stage_scripts() {
  python3 -m unittest discover --start-directory scripts/tests &&
    python3 -m unittest discover --start-directory bench/tests &&
    check_shell
}
stage_web-install() { scripts/web_build.sh --install-only; }
# Ends with the build the binary embeds.
stage_web-test() { npm --prefix web test; }
stage_rust-fmt() { cargo fmt --all --check && rustfmt --edition 2024 --check bench/load/*.rs; }
stage_rust-clippy() { cargo clippy --workspace --all-targets --locked -- -D warnings; }
# The tests need a real one: on PATH, else built once into the cache.
stage_ollama() { scripts/ollama.sh; }
# The same selection of packages as below but for the engine, so that dependencies keep their features and only
# the binary is compiled again. It comes first, because both leave the program at the same place.
stage_rust-without-engine() {
  cargo test --workspace --exclude goblin-engine --no-default-features --locked --no-run &&
    cargo test --workspace --exclude goblin-engine --no-default-features --locked --bins &&
    cargo test --workspace --exclude goblin-engine --no-default-features --locked --test it -- command_line:: keys:: roster::
}
stage_rust-build() { cargo test --workspace --locked --no-run; }
stage_rust-test() { cargo test --workspace --locked; }
# Files by which goblin is deployed, held against the program; used for real by `make test-deploy`.
stage_deploy-files() { GOBLIN_BIN="$TARGET/debug/goblin" scripts/deploy_check.sh; }
# The packages of OpenAI, Ollama and Anthropic, and schemathesis.
stage_clients() { GOBLIN_BIN="$TARGET/debug/goblin" scripts/test_clients.sh; }
stage_readme() { PATH="$TARGET/debug:$PATH" scripts/readme_blocks.py README.md docs/clients.md; }
stage_e2e() { GOBLIN_BIN="$TARGET/debug/goblin" scripts/e2e.sh; }

check_shell() {
  local file
  for file in scripts/*.sh bench/*.sh deploy/vps/install.sh deploy/vps/goblin-* deploy/compose/*.sh .ci/run; do bash -n "$file" || return 1; done
  if command -v shellcheck >/dev/null; then shellcheck -x scripts/*.sh bench/*.sh .ci/run; fi
}

selected=()
for name in "${STAGES[@]}"; do
  if [ $# -eq 0 ]; then selected+=("$name"); fi
  for wanted in "$@"; do
    case "$name" in "$wanted" | "$wanted"-*) selected+=("$name") ;; esac
  done
done
if [ "${#selected[@]}" -eq 0 ]; then
  say "There is no stage called $*. Stages: ${STAGES[*]}" >&2
  exit 2
fi

table=()
passed=0
failed=0
began=$SECONDS
for number in "${!selected[@]}"; do
  name="${selected[$number]}"
  say "" "==> $((number + 1))/${#selected[@]} $name"
  started=$SECONDS
  # Output is shown and kept; the status is the stage's own.
  if ("stage_$name") 2>&1 | tee "$LOGS/$name.log"; then
    table+=("$(printf '  %-20s ok      %5d s' "$name" $((SECONDS - started)))")
    passed=$((passed + 1))
    # Setup may have installed programs in new folders.
    # shellcheck source=scripts/env.sh
    [ "$name" = setup ] && source scripts/env.sh
  else
    table+=("$(printf '  %-20s FAILED  %5d s' "$name" $((SECONDS - started)))")
    failed=1
    say "" "==> $name failed; the end of $LOGS/$name.log:"
    tail -n 60 "$LOGS/$name.log"
    break
  fi
done

say "" "stage                result     time"
printf '%s\n' "${table[@]}"
say "  all together                $((SECONDS - began)) s" ""
[ "$failed" -eq 1 ] && say "not run: $((${#selected[@]} - passed - 1)) stages"
say "$passed passed, $failed failed"
exit "$failed"
