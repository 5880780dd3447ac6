#!/usr/bin/env bash
# Makes sure an nginx is there for the benchmark, and prints its path.
#
# The one that GOBLIN_NGINX names is taken, else one that is installed. Without one, Debian's package is unpacked into
# the cache directory: installing it would start a web server on port 80, which nobody asked for.
#
# Progress goes to stderr, the path to stdout.
set -euo pipefail

say() { printf '%s\n' "$*" >&2; }

home="${XDG_CACHE_HOME:-${HOME:?set HOME or XDG_CACHE_HOME}/.cache}/goblin/tools/nginx"

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@" 2>/dev/null; fi
}

# Unpacks the package into the folder $1.
unpack() {
  (cd "$1" && apt-get download -qq nginx >&2 && dpkg-deb --extract nginx_*.deb . && rm nginx_*.deb)
}

# Debian keeps it where only root's PATH looks.
for found in "${GOBLIN_NGINX:-}" "$(command -v nginx || true)" /usr/sbin/nginx "$home/usr/sbin/nginx"; do
  if [ -n "$found" ] && "$found" -v >/dev/null 2>&1; then
    printf '%s\n' "$found"
    exit 0
  fi
done

if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
  say "Fetching nginx, once, into $home."
  mkdir -p "$(dirname "$home")"
  scratch="$(mktemp -d "$home.XXXXXX")"
  trap 'rm -rf "$scratch"' EXIT
  unpack "$scratch" || { as_root apt-get update -qq >&2 && unpack "$scratch"; } || true
  if "$scratch/usr/sbin/nginx" -v >/dev/null 2>&1; then
    # Moved into place whole, so that what is there always works.
    rm -rf "$home"
    mv "$scratch" "$home"
    trap - EXIT
    printf '%s\n' "$home/usr/sbin/nginx"
    exit 0
  fi
fi
say "nginx is missing. Install it and run this again. On Debian or Ubuntu: sudo apt-get install nginx-light"
exit 1
