#!/usr/bin/env bash
# Installs what building goblin needs and the machine lacks; with --tests also what the tests need.
# Quick when nothing is missing. What it may not install itself it names, with the exact line, and stops.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

OLDEST_RUST="1.94"
OLDEST_NODE="20.19"

with_tests=no
# The folder of the system itself; the tests ask about others.
SYSTEM=""

have() { command -v "$1" >/dev/null 2>&1; }

# at_least FOUND WANTED: is version FOUND not older than WANTED? Compares the first two numbers.
at_least() {
  local found="${1%%[!0-9.]*}" major minor
  major="${found%%.*}"
  minor="${found#*.}"
  minor="${minor%%.*}"
  [ "${major:-0}" -gt "${2%%.*}" ] || { [ "${major:-0}" -eq "${2%%.*}" ] && [ "${minor:-0}" -ge "${2#*.}" ]; }
}

# Where Debian, Fedora, Arch and macOS keep the library that reads C headers.
has_libclang() {
  [ -n "${LIBCLANG_PATH:-}" ] && return 0
  compgen -G "$SYSTEM/usr/lib/llvm-*/lib/libclang*.so*" >/dev/null &&
    compgen -G "$SYSTEM/usr/lib/llvm-*/lib/clang/*/include/stddef.h" >/dev/null && return 0
  compgen -G "$SYSTEM/usr/lib64/libclang.so*" >/dev/null && return 0
  compgen -G "$SYSTEM/usr/lib/libclang.so*" >/dev/null && return 0
  compgen -G "$SYSTEM/Library/Developer/CommandLineTools/usr/lib/libclang.dylib" >/dev/null
}

# Debian keeps PostgreSQL's own programs out of PATH, Homebrew those of each version; PgBouncer is in sbin.
has_postgres() {
  have initdb || compgen -G "$SYSTEM/usr/lib/postgresql/*/bin/initdb" >/dev/null ||
    [ -e "$SYSTEM/opt/homebrew/opt/postgresql@16/bin/initdb" ]
}
has_pgbouncer() { have pgbouncer || [ -e "$SYSTEM/usr/sbin/pgbouncer" ]; }
# Debian's module belongs to Debian's Python, whichever other comes first.
has_mail_server() {
  /usr/bin/python3 -c 'import aiosmtpd' 2>/dev/null || python3 -c 'import aiosmtpd' 2>/dev/null
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
    has_postgres || echo postgresql
    has_pgbouncer || echo pgbouncer
    have redis-server || have valkey-server || echo redis-server
    has_mail_server || echo python3-aiosmtpd
  fi
}

# The lines that install these packages of Debian with this system's package manager; nothing when it is unknown.
lines_without_apt() {
  local names=" $* "
  if have dnf; then
    names="${names/ g++ / gcc-c++ }"
    names="${names/ libclang-dev / clang-devel }"
    names="${names/ fonts-liberation / liberation-fonts }"
    names="${names/ postgresql / postgresql-server }"
    names="${names/ redis-server / redis }"
    say "sudo dnf install -y${names% }"
  elif have pacman; then
    names="${names/ g++ / gcc }"
    names="${names/ libclang-dev / clang }"
    names="${names/ python3 / python }"
    names="${names/ python3-pip / python-pip }"
    names="${names/ fonts-liberation / ttf-liberation }"
    names="${names/ redis-server / valkey }"
    say "sudo pacman -S --needed${names% }"
  elif have brew; then
    # Apple's own tools bring the compiler, make and libclang.
    case "$names" in *" g++ "* | *" make "* | *" libclang-dev "*) say "xcode-select --install" ;; esac
    names="${names/ g++ / }"
    names="${names/ make / }"
    names="${names/ libclang-dev / }"
    names="${names/ python3-pip / }"
    names="${names/ postgresql / postgresql@16 }"
    names="${names/ redis-server / redis }"
    if [ "$names" != " " ]; then say "brew install${names% }"; fi
  fi
}

install_packages() {
  local -a packages as_root
  local package line
  packages=()
  # Not mapfile: the bash of macOS is from 2007.
  while IFS= read -r package; do packages+=("$package"); done < <(missing_packages)
  [ "${#packages[@]}" -eq 0 ] && return 0
  if ! have apt-get; then
    line="$(lines_without_apt "${packages[@]}")"
    if [ -n "$line" ]; then
      say "These are missing: ${packages[*]}. Run this, then the same command again:" "  ${line//$'\n'/$'\n'  }" >&2
    else
      say "These are missing: ${packages[*]} (Debian's names). Install them with this system's package manager and run the same command again." >&2
    fi
    return 1
  fi
  line="apt-get install -y --no-install-recommends ${packages[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2>/dev/null; then
      say "These are missing: ${packages[*]}. Run this line, then the same command again:" "  sudo $line" >&2
      return 1
    fi
    as_root=(sudo -n env)
  else
    as_root=(env)
  fi
  say "  installing ${packages[*]}"
  as_root+=(DEBIAN_FRONTEND=noninteractive)
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null 2>&1 && return 0
  say "  refreshing the list of packages"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
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

# In the repository, because rust-toolchain.toml decides there. Empty without cargo.
rust_version() { if have cargo; then (cd "$ROOT" && { cargo --version 2>/dev/null || true; } | cut -d' ' -f2); fi; }
node_version() { if have node; then node --version | tr -d v; fi; }

# What was just installed is in a folder that was not on PATH before.
look_again() {
  # shellcheck source=scripts/env.sh
  source "$ROOT/scripts/env.sh"
  hash -r
}

need_rust() {
  local version
  version="$(rust_version)"
  [ -n "$version" ] && at_least "$version" "$OLDEST_RUST" && return 0
  if [ -n "$version" ] && have rustup; then
    stop_with "Rust $version is older than $OLDEST_RUST. Run this line, then the same command again:" "  rustup update stable"
  fi
  if offer "Rust $OLDEST_RUST or newer is missing (found: ${version:-none}). Install it with rustup.rs (about 600 MB below ~/.rustup and ~/.cargo)?"; then
    # rustup refuses beside a Rust of the system unless told that this is meant.
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
      RUSTUP_INIT_SKIP_PATH_CHECK=yes sh -s -- -y --profile minimal --component clippy --component rustfmt
    look_again
    version="$(rust_version)"
    [ -n "$version" ] && at_least "$version" "$OLDEST_RUST" && return 0
    stop_with "Rust was installed, but $(command -v cargo || echo 'no cargo on PATH') is version ${version:-unknown}; $OLDEST_RUST or newer is needed. Run these lines, then the same command again:" \
      "  rustup update stable" "  source ~/.cargo/env"
  fi
  stop_with "Rust $OLDEST_RUST or newer is missing (found: ${version:-none}). Run these lines, then the same command again:" \
    "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y" \
    "  source ~/.cargo/env"
}

# Reads "SUM  FILE" lines and fails unless every file is as it says.
check_sums() { if have sha256sum; then sha256sum --check --quiet; else shasum -a 256 --check --quiet; fi; }

install_node() {
  local system machine page name
  system="$(uname -s | tr '[:upper:]' '[:lower:]')"
  machine="$(uname -m | sed -e 's/x86_64/x64/' -e 's/aarch64/arm64/')"
  page="https://nodejs.org/dist/latest-v22.x"
  name="$(curl -sSf "$page/SHASUMS256.txt" | grep -o "node-v[0-9.]*-$system-$machine\\.tar\\.gz" | head -n 1)" ||
    stop_with "nodejs.org has no Node for $system on $machine, or cannot be reached. Install Node $OLDEST_NODE or newer, with npm, and run the same command again."
  mkdir -p "$TOOLS"
  rm -rf "$TOOLS/node.part"
  mkdir "$TOOLS/node.part"
  curl -Sf --progress-bar -o "$TOOLS/node.part/$name" "$page/$name"
  (cd "$TOOLS/node.part" && curl -sSf "$page/SHASUMS256.txt" | grep " $name\$" | check_sums)
  tar -xzf "$TOOLS/node.part/$name" -C "$TOOLS/node.part" --strip-components=1
  rm -rf "$TOOLS/node.part/$name" "$TOOLS/node"
  mv "$TOOLS/node.part" "$TOOLS/node"
}

need_node() {
  local version
  version="$(node_version)"
  [ -n "$version" ] && at_least "$version" "$OLDEST_NODE" && have npm && return 0
  if offer "Node $OLDEST_NODE or newer, with npm, is missing (found: ${version:-none}). Install it from nodejs.org below $TOOLS?"; then
    install_node
    look_again
    version="$(node_version)"
    [ -n "$version" ] && at_least "$version" "$OLDEST_NODE" && have npm && return 0
    stop_with "Node was installed below $TOOLS, but $(command -v node || echo 'no node on PATH') is version ${version:-unknown}; $OLDEST_NODE or newer is needed. Run this line, then the same command again:" \
      "  rm -rf \"$TOOLS/node\""
  fi
  stop_with "Node $OLDEST_NODE or newer, with npm, is missing (found: ${version:-none}). Install it from https://nodejs.org/en/download," \
    "or run this line (puts the vendor's Node below $TOOLS):" \
    "  GOBLIN_SETUP_YES=1 make up"
}

main() {
  [ "${1:-}" = "--tests" ] && with_tests=yes
  install_packages
  need_rust
  need_node
  say "  everything that is needed is there"
}

# Read with `source`, it only defines; that is how the tests ask it about other systems.
[ "${BASH_SOURCE[0]}" != "$0" ] || main "$@"
