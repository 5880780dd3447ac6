#!/usr/bin/env bash
# Makes the keys and passwords that compose.yaml mounts, below secrets/. What is there already stays.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

random() { openssl rand -hex 32; }

make_secret() {
  if [ -s "secrets/$1" ]; then return 0; fi
  # By a rename: an interrupted run leaves no half of a key.
  printf '%s' "$2" >"secrets/$1.new"
  mv "secrets/$1.new" "secrets/$1"
  printf 'made secrets/%s\n' "$1"
}

mkdir -p -m 0700 secrets
# Containers read them as another user: the folder keeps everybody else on this machine out.
umask 022
make_secret tier-key "$(random)"
make_secret jwt-key "$(random)"
make_secret sealing-key "k1:$(openssl rand -base64 32)"
make_secret postgres-password "$(random)"
make_secret database-url "postgres://goblin:$(cat secrets/postgres-password)@postgres:5432/goblin?sslmode=disable"
