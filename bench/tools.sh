# shellcheck shell=bash
# Read with `source`, after env.sh: what several benchmarks are made of. Sets `target`.
# shellcheck source=scripts/tools.sh
source scripts/tools.sh

target="${CARGO_TARGET_DIR:-target}"
mkdir -p "$target/bench"

# Compiles the fake model server and the load generator.
load_tools() {
  local tool
  for tool in upstream load; do
    if [ ! "$target/bench/$tool" -nt "bench/load/$tool.rs" ]; then
      rustc -O --edition 2024 -o "$target/bench/$tool" "bench/load/$tool.rs"
    fi
  done
}

# The gateways goblin is compared with.
litellm_peer() { python_tool 'litellm[proxy]' 1.106.0; }
tensorzero_peer() { python_tool tensorzero 2026.6.0; }
# With Rust's own TLS, so that it builds without the headers of OpenSSL.
crabllm_peer() { cargo_tool crabllm 0.0.25 --no-default-features --features hyper,http2,sonic,rustls; }
# With a newer @hono/node-server Portkey fails on every stream: it writes to headers that may not be written to.
portkey_peer() { node_overrides='{"@hono/node-server": "1.13.5"}' node_tool portkey-1.15.2-pinned @portkey-ai/gateway@1.15.2; }
