#!/usr/bin/env bash
# Boots a Debian tree with systemd-nspawn in a network namespace, or powers it off. Needs root.
#
#   debian_boot.sh TREE NAME NAMESPACE    prints the pid of its init, as this machine sees it, once it has booted
#   debian_boot.sh --stop TREE            in order; what does not end within ten seconds is ended
#
# TREE.console keeps what its console says, TREE.nspawn the pid of systemd-nspawn.
set -euo pipefail

stop() {
  local pid
  pid="$(cat "$1.nspawn" 2>/dev/null || true)"
  [ -n "$pid" ] && kill -TERM "$pid" 2>/dev/null || return 0
  for _ in $(seq 100); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL "$pid" 2>/dev/null || true
}

boot() {
  local tree="$1" leader="" state
  setsid systemd-nspawn -q -D "$tree" --boot --register=no --keep-unit -M "$2" --network-namespace-path="/run/netns/$3" \
    --capability=CAP_NET_ADMIN </dev/null >"$tree.console" 2>&1 &
  printf '%s\n' $! >"$tree.nspawn"
  for _ in $(seq 300); do
    [ -n "$leader" ] || leader="$(pgrep -P "$(cat "$tree.nspawn")" | head -n 1 || true)"
    if [ -n "$leader" ]; then
      # Its exit code is that of a system in perfect order.
      state="$(nsenter -t "$leader" -m -u -i -n -p -C -- systemctl is-system-running 2>/dev/null || true)"
      case "$state" in
        running | degraded)
          printf '%s\n' "$leader"
          return 0
          ;;
      esac
    fi
    sleep 0.2
  done
  cat "$tree.console" >&2
  printf '%s does not boot\n' "$tree" >&2
  return 1
}

if [ "$1" = --stop ]; then stop "$2"; else boot "$@"; fi
