# shellcheck shell=bash
# Read with `source`: installs the gateways goblin is compared with, each once, into the user's cache, in a folder named
# after its version.

tools="${XDG_CACHE_HOME:-${HOME:?set HOME or XDG_CACHE_HOME}/.cache}/goblin/tools"

# Installs PACKAGE==VERSION of PyPI (with what stands in brackets) and prints its python.
python_peer() {
  local name="${1%%[*}" tool
  tool="$tools/$name-python-$2"
  if [ ! -e "$tool/complete" ]; then
    echo "Installing $1 $2, once, into $tool." >&2
    rm -rf "$tool"
    python3 -m venv "$tool"
    "$tool/bin/pip" install --quiet --disable-pip-version-check "$1==$2" >&2
    touch "$tool/complete"
  fi
  printf '%s' "$tool/bin/python"
}

# Installs npm's packages into a folder named NAME and prints it.
node_peer() {
  local tool="$tools/$1"
  if [ ! -e "$tool/complete" ]; then
    echo "Installing ${*:2}, once, into $tool." >&2
    rm -rf "$tool"
    mkdir -p "$tool"
    npm install --prefix "$tool" --no-audit --no-fund --loglevel=error "${@:2}" >&2
    touch "$tool/complete"
  fi
  printf '%s' "$tool"
}

litellm_peer() { python_peer 'litellm[proxy]' 1.106.0; }
tensorzero_peer() { python_peer tensorzero 2026.6.0; }
portkey_peer() { node_peer portkey-1.15.2 @portkey-ai/gateway@1.15.2 @hono/node-server@1.13.5; }
