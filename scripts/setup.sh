#!/usr/bin/env bash
# Installs what building goblin needs and the machine lacks; with --tests also what the tests need.
# Quick when nothing is missing. What it may not install itself it names, with the exact line, and stops.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

OLDEST_RUST="1.94"
OLDEST_NODE="20.19"

with_tests=no
[ "${1:-}" = "--tests" ] && with_tests=yes

have() { command -v "$1" >/dev/null 2>&1; }

# at_least FOUND WANTED: is version FOUND not older than WANTED?
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

has_libclang() {
  [ -n "${LIBCLANG_PATH:-}" ] && return 0
  compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null && compgen -G '/usr/lib/llvm-*/lib/clang/*/include/stddef.h' >/dev/null && return 0
  compgen -G '/usr/lib64/libclang.so*' >/dev/null && return 0
  compgen -G '/Library/Developer/CommandLineTools/usr/lib/libclang.dylib' >/dev/null
}

missing_packages() {
  have c++ || echo g++
  have make || echo make
  have cmake || echo cmake
  has_libclang || echo libclang-dev
  have curl || echo curl
  [ -e /etc/ssl/certs/ca-certificates.crt ] || [ ! -e /etc/debian_version ] || echo ca-certificates
  have python3 || echo python3
  { have python3 && python3 -m pip --version >/dev/null 2>&1; } || echo python3-pip
  if [ "$with_tests" = yes ]; then
    have chromium || have chromium-browser || have google-chrome || echo chromium
    [ -d /usr/share/fonts/truetype/liberation ] || [ ! -e /etc/debian_version ] || echo fonts-liberation
  fi
}

install_packages() {
  local -a packages root=()
  mapfile -t packages < <(missing_packages)
  [ "${#packages[@]}" -eq 0 ] && return 0
  local line="apt-get install -y --no-install-recommends ${packages[*]}"
  if ! have apt-get; then
    say "These are missing: ${packages[*]} (Debian's names). Install them with this system's package manager and run the same command again." >&2
    return 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2>/dev/null; then
      say "These are missing: ${packages[*]}. Run this line, then the same command again:" "  sudo $line" >&2
      return 1
    fi
    root=(sudo -n env)
  else
    root=(env)
  fi
  say "  installing ${packages[*]}"
  root+=(DEBIAN_FRONTEND=noninteractive)
  "${root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null 2>&1 && return 0
  say "  refreshing the list of packages"
  "${root[@]}" apt-get update -qq
  "${root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
}

# offer QUESTION: asks on a terminal; GOBLIN_SETUP_YES=1 answers yes without one.
offer() {
  [ "${GOBLIN_SETUP_YES:-}" = 1 ] && return 0
  [ -t 0 ] && [ -t 1 ] || return 1
  local answer
  read -r -p "$1 [y/N] " answer
  [[ "$answer" =~ ^[Yy] ]]
}

stop_with() {
  say "$@" >&2
  exit 1
}

need_rust() {
  local version=""
  # In the repository, because rust-toolchain.toml decides there.
  if have cargo; then version="$(cd "$ROOT" && { cargo --version 2>/dev/null || true; } | cut -d' ' -f2)"; fi
  [ -n "$version" ] && at_least "$version" "$OLDEST_RUST" && return 0
  if [ -n "$version" ] && have rustup; then
    stop_with "Rust $version is older than $OLDEST_RUST. Run:" "  rustup update stable"
  fi
  if offer "Rust $OLDEST_RUST or newer is missing. Install it with rustup.rs (about 600 MB below ~/.rustup and ~/.cargo)?"; then
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal --component clippy --component rustfmt
    return 0
  fi
  stop_with "Rust $OLDEST_RUST or newer is missing. Run these lines, then the same command again:" \
    "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y" \
    "  source ~/.cargo/env"
}

install_node() {
  local system machine page name
  system="$(uname -s | tr '[:upper:]' '[:lower:]')"
  machine="$(uname -m | sed -e 's/x86_64/x64/' -e 's/aarch64/arm64/')"
  page="https://nodejs.org/dist/latest-v22.x"
  name="$(curl -sSf "$page/SHASUMS256.txt" | grep -o "node-v[0-9.]*-$system-$machine\\.tar\\.gz" | head -n 1)"
  mkdir -p "$TOOLS"
  rm -rf "$TOOLS/node.part"
  mkdir "$TOOLS/node.part"
  curl -Sf --progress-bar -o "$TOOLS/node.part/$name" "$page/$name"
  (cd "$TOOLS/node.part" && curl -sSf "$page/SHASUMS256.txt" | grep " $name\$" | sha256sum --check --quiet)
  tar -xzf "$TOOLS/node.part/$name" -C "$TOOLS/node.part" --strip-components=1
  rm -rf "$TOOLS/node.part/$name" "$TOOLS/node"
  mv "$TOOLS/node.part" "$TOOLS/node"
}

need_node() {
  local version=""
  if have node; then version="$(node --version | tr -d v)"; fi
  [ -n "$version" ] && at_least "$version" "$OLDEST_NODE" && have npm && return 0
  if offer "Node $OLDEST_NODE or newer is missing (found: ${version:-none}). Install it from nodejs.org below $TOOLS?"; then
    install_node
    return 0
  fi
  stop_with "Node $OLDEST_NODE or newer, with npm, is missing (found: ${version:-none}). Install it from https://nodejs.org/en/download," \
    "or run: GOBLIN_SETUP_YES=1 make up    (puts the vendor's Node below $TOOLS)"
}

install_packages
need_rust
need_node
say "  everything that is needed is there"
