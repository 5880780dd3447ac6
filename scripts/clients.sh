# shellcheck shell=bash
# Read with `source`, after env.sh, by the scripts that put outside packages in front of the real program: starts the
# program, waits for it, and stops what was started; with what installs packages. Sets `cache`, `program`, `home`.

# shellcheck source=scripts/tools.sh
source scripts/tools.sh

# shellcheck disable=SC2034  # some are for those who read this
cache="${XDG_CACHE_HOME:-$HOME/.cache}/goblin"
program="${GOBLIN_BIN:-${CARGO_TARGET_DIR:-target}/debug/goblin}"

scripts/fetch_model.py --cache-only
if [ ! -x "$program" ]; then cargo build --locked --package goblin; fi

home="$(mktemp -d)"
servers=()
stop() {
  for server in "${servers[@]}"; do kill "$server" 2>/dev/null || true; done
  for server in "${servers[@]}"; do wait "$server" 2>/dev/null || true; done
  rm -rf "$home"
}
trap stop EXIT

# Starts models whose answers are known: e2e/clients/NAME.py. Sets `upstream`.
scripted() {
  python3 "e2e/clients/$1.py" "$home/$1.port" &
  servers+=("$!")
  for _ in $(seq 100); do
    if [ -s "$home/$1.port" ]; then break; fi
    sleep 0.1
  done
  upstream="http://127.0.0.1:$(cat "$home/$1.port")"
}

# Starts the program with these arguments on a free port, the starter model in its folder; its folder and log are named
# NAME. Sets `address`.
start() {
  mkdir -p "$home/$1/models"
  cp "$cache/models/SmolLM2-135M-Instruct-Q4_1.gguf" "$home/$1/models/"
  launch "$@"
}

# The same without a model.
launch() {
  local name="$1"
  shift
  # There before it is looked into.
  : >"$home/$name.out"
  GOBLIN_ENGINE__THREADS=1 GOBLIN_UPSTREAM__DISCOVER=false "$program" "$@" --port 0 --data-dir "$home/$name" \
    >"$home/$name.out" 2>"$home/$name.log" &
  servers+=("$!")
  for _ in $(seq 600); do
    # The address is printed when the door is open.
    address="$(sed -n 's/^goblin [a-z ]*: \(http:[^ ]*\).*/\1/p' "$home/$name.out")"
    if [ -n "$address" ]; then return 0; fi
    if ! kill -0 "${servers[-1]}" 2>/dev/null; then break; fi
    sleep 0.1
  done
  cat "$home/$name.log" >&2
  exit 1
}

# Waits until CURL's arguments get an answer that says a model is loaded.
until_loaded() {
  for _ in $(seq 600); do
    if curl --silent "$@" | grep -q '"state":"loaded"'; then return 0; fi
    sleep 0.2
  done
  say "no model was loaded in time" >&2
  exit 1
}
