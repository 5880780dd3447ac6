# shellcheck shell=bash
# Read with `source`, after env.sh: outside packages, each installed once into the user's cache, in a folder named after its
# version. One whose installation was cut is installed again.

tools="${XDG_CACHE_HOME:-${HOME:?set HOME or XDG_CACHE_HOME}/.cache}/goblin/tools"

# Installs PACKAGE of PyPI (with its extras in brackets) at VERSION and prints its python.
python_tool() { python_tools "${1%%[*}-python-$2" "$1==$2"; }

# Installs PyPI's PACKAGE==VERSION... together into a folder named NAME and prints their python.
python_tools() {
  local tool="$tools/$1"
  if [ ! -e "$tool/complete" ]; then
    say "==> installing ${*:2}" >&2
    rm -rf "$tool"
    python3 -m venv "$tool"
    "$tool/bin/pip" install --quiet --disable-pip-version-check "${@:2}" >&2
    touch "$tool/complete"
  fi
  printf '%s' "$tool/bin/python"
}

# Builds crates.io's PACKAGE at VERSION, with these options of `cargo install`, and prints its program.
cargo_tool() {
  local tool="$tools/$1-$2"
  if [ ! -e "$tool/complete" ]; then
    say "==> building $1 $2" >&2
    rm -rf "$tool"
    CARGO_TARGET_DIR="$tool/target" cargo install --quiet --locked --root "$tool" --version "$2" "${@:3}" "$1" >&2
    rm -rf "$tool/target"
    touch "$tool/complete"
  fi
  printf '%s' "$tool/bin/$1"
}

# Installs npm's PACKAGE@VERSION... into a folder named NAME and prints that. `node_overrides`, where it is set, says as JSON
# which versions of theirs the packages below them take.
node_tool() {
  local tool="$tools/$1"
  if [ ! -e "$tool/complete" ]; then
    say "==> installing ${*:2}" >&2
    rm -rf "$tool"
    mkdir -p "$tool"
    printf '{"overrides": %s}\n' "${node_overrides:-{\}}" >"$tool/package.json"
    npm install --prefix "$tool" --no-audit --no-fund --loglevel=error "${@:2}" >&2
    touch "$tool/complete"
  fi
  printf '%s' "$tool"
}
