#!/usr/bin/env bash
# Makes sure a small Debian 12 that can be booted is there, as an archive, and prints its path. Made once into the cache
# with debootstrap (a minute or two, 300 MB), from the mirror this machine's apt uses. Needs root.
#
# Progress goes to stderr, the path to stdout.
set -euo pipefail

# What install.sh would fetch is in it already: where it is tried there is no network.
packages=systemd-sysv,dbus,ca-certificates,curl,openssl,tar,zstd,nftables,ufw,caddy,unattended-upgrades,iproute2,procps,libgomp1,fail2ban,python3-systemd

cache="${XDG_CACHE_HOME:-$HOME/.cache}/goblin/tools"
sum="$(printf '%s' "bookworm $packages" | sha256sum | cut -c1-12)"
archive="$cache/debian-$sum.tar"

say() { printf '%s\n' "$*" >&2; }

mkdir -p "$cache"
exec 9>"$archive.lock"
flock 9
if [ ! -e "$archive" ]; then
  command -v debootstrap >/dev/null || { say "debootstrap is missing. On Debian or Ubuntu: apt-get install debootstrap"; exit 1; }
  mirror="$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
    awk '!/^[[:space:]]*#/ { for (i = 1; i <= NF; i++) if ($i ~ /^https?:[^ ]*\/debian\/?$/) { print $i; exit } }' || true)"
  tree="$cache/debian-tree.$$"
  trap 'rm -rf "$tree" "$archive.part"' EXIT
  say "==> debootstrap bookworm (once)"
  nice -n 19 debootstrap --variant=minbase --include="$packages" bookworm "$tree" "${mirror:-http://deb.debian.org/debian}" >&2
  rm -rf "$tree/var/cache/apt/archives/"*.deb
  tar -C "$tree" -cf "$archive.part" .
  mv "$archive.part" "$archive"
fi
printf '%s\n' "$archive"
