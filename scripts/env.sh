# shellcheck shell=bash
# Read with `source` by every script here: finds the repository, cargo and node also where they are installed but
# not on PATH. Sets ROOT.

# shellcheck disable=SC2034  # used by those who read this
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
TOOLS="${XDG_DATA_HOME:-${HOME:-/}/.local/share}/goblin/tools"

# Before all others on PATH: what was installed for this must not stand behind an older one of the system.
first_on_path() {
  PATH=":$PATH:"
  PATH="$1${PATH//":$1:"/:}"
  PATH="${PATH%:}"
}

for goblin_bin in "$TOOLS/node/bin" "${CARGO_HOME:-${HOME:-/}/.cargo}/bin"; do
  if [ -d "$goblin_bin" ]; then first_on_path "$goblin_bin"; fi
done
unset goblin_bin

# rustup keeps its toolchains below the home directory. With HOME pointing elsewhere (an empty one, in tests) they
# are still below the account's own.
if [ -z "${RUSTUP_HOME:-}" ] && [ ! -d "${HOME:-/}/.rustup" ] && command -v getent >/dev/null; then
  goblin_home="$(getent passwd "$(id -u)" | cut -d: -f6)"
  if [ -d "$goblin_home/.rustup" ]; then
    export RUSTUP_HOME="$goblin_home/.rustup"
    first_on_path "$goblin_home/.cargo/bin"
  fi
  unset goblin_home
fi
export PATH

say() { printf '%s\n' "$@"; }

# Installs the packages of the npm project in the current folder, unless exactly its lock file is installed.
npm_install_once() {
  if cmp -s package-lock.json node_modules/.installed-lock.json; then return 0; fi
  say "  installing the packages of $(basename "$PWD")/"
  npm ci --no-audit --no-fund --loglevel=error && cp package-lock.json node_modules/.installed-lock.json
}
