#!/usr/bin/env bash
# Makes a Debian 12 (or Ubuntu 24.04) machine a model tier of goblin, or with --all-in-one all of goblin.
#
#   install.sh --goblin FILE --domain models.example.org --allow-file render.txt
#   install.sh --goblin FILE --listen 10.88.0.2 --allow 10.88.0.1/32
#   install.sh --goblin FILE --all-in-one --domain chat.example.org
#   install.sh --remove                    everything but models, keys and chats
#   goblin-deploy FILE                     afterwards: another release, with the arguments of the last run
#
# It may be run again at any time, with the same or other arguments: what is as it should be is left alone, and an
# interrupted run is finished by the next one. Everything it does is said; the last line counts what it changed.
#
#   --goblin FILE            the program; or --goblin-url URL with --goblin-sha256 SUM
#   --ollama FILE            Ollama's archive (.tar.zst or .tgz); or --ollama-url URL with --ollama-sha256 SUM
#   --no-ollama              models run inside goblin alone
#   --domain NAME            TLS for this name by Caddy; its address must lead here, and port 80 must be reachable
#   --acme URL, --acme-ca FILE   another authority for certificates (for tries)
#   --listen ADDRESS         without a domain: the private address to listen on (default 127.0.0.1)
#   --allow CIDR             who may reach the models; may be repeated
#   --allow-file FILE        the same, one a line: Render's ranges for your region (Dashboard, Connect, Outbound)
#   --firewall KIND          nftables (default), ufw or none
#   --ssh-port PORT          stays open (default 22)
#   --pull-roster            fetch the models of the roles, which takes a while and tens of GB
#   --all-in-one             page, chats and API on this machine too; reachable by everybody, who then signs in
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
ETC=/etc/goblin
WORK=/var/lib/goblin-install
BIN=/usr/local/bin

goblin_file="" goblin_url="" goblin_sha256=""
ollama_file="" ollama_url="" ollama_sha256="" with_ollama=yes
domain="" acme="" acme_ca="" listen=127.0.0.1 firewall=nftables ssh_port=22
pull_roster=no all_in_one=no remove=no
allowed=()

say() { printf '%s\n' "$*"; }
give_up() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}
wrong() {
  printf 'error: %s\n' "$*" >&2
  exit 2
}
# Counted in a file: half of the changes are made in pipelines, whose variables are their own.
changed() {
  if [ -d "$WORK" ]; then printf '.' >>"$WORK/changes"; fi
  say "  changed: $*"
}
booted() { [ -d /run/systemd/system ]; }

read_arguments() {
  while [ $# -gt 0 ]; do
    local name="$1"
    case "$name" in
      --no-ollama) with_ollama=no ;;
      --pull-roster) pull_roster=yes ;;
      --all-in-one) all_in_one=yes ;;
      --remove) remove=yes ;;
      --help) sed -n '2,29s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
      --goblin | --goblin-url | --goblin-sha256 | --ollama | --ollama-url | --ollama-sha256 | --domain | --acme | \
        --acme-ca | --listen | --allow | --allow-file | --firewall | --ssh-port)
        [ $# -ge 2 ] || wrong "$name needs a value."
        take "$name" "$2"
        shift
        ;;
      *) wrong "$name is not known. install.sh --help lists what is." ;;
    esac
    shift
  done
}

take() {
  case "$1" in
    --goblin) goblin_file="$2" ;;
    --goblin-url) goblin_url="$2" ;;
    --goblin-sha256) goblin_sha256="$2" ;;
    --ollama) ollama_file="$2" ;;
    --ollama-url) ollama_url="$2" ;;
    --ollama-sha256) ollama_sha256="$2" ;;
    --domain) domain="$2" ;;
    --acme) acme="$2" ;;
    --acme-ca) acme_ca="$2" ;;
    --listen) listen="$2" ;;
    --allow) allowed+=("$2") ;;
    --allow-file)
      [ -r "$2" ] || wrong "--allow-file $2 cannot be read."
      local line
      while IFS= read -r line || [ -n "$line" ]; do
        line="${line%%#*}"
        line="${line//[[:space:]]/}"
        if [ -n "$line" ]; then allowed+=("$line"); fi
      done <"$2"
      ;;
    --firewall) firewall="$2" ;;
    --ssh-port) ssh_port="$2" ;;
  esac
}

# Everything that is wrong, at once, before anything is touched.
check_arguments() {
  local -a problems=()
  local one
  case "$firewall" in nftables | ufw | none) ;; *) problems+=("--firewall is nftables, ufw or none, not $firewall.") ;; esac
  [[ "$ssh_port" =~ ^[0-9]{1,5}$ ]] && [ "$ssh_port" -ge 1 ] && [ "$ssh_port" -le 65535 ] ||
    problems+=("--ssh-port is a port from 1 to 65535, not $ssh_port.")
  [ -z "$domain" ] || [[ "$domain" =~ ^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$ ]] ||
    problems+=("--domain is a name like models.example.org, not $domain.")
  [[ "$listen" =~ ^[0-9]{1,3}(\.[0-9]{1,3}){3}$ || "$listen" =~ ^[0-9A-Fa-f:]+:[0-9A-Fa-f:]*$ ]] ||
    problems+=("--listen is an IP address, not $listen.")
  for one in ${allowed[@]+"${allowed[@]}"}; do
    is_network "$one" || problems+=("--allow: $one is no address or network. Write it like 203.0.113.0/24.")
    case "$one" in
      */0 | */00 | */000) problems+=("--allow: $one is everybody. The models are not meant for everybody.") ;;
      *.*/[1-7] | *.*/0[1-7] | *:*/[1-9] | *:*/1[0-5])
        problems+=("--allow: $one is a whole part of the internet. Name the ranges the backend calls from.")
        ;;
    esac
  done
  if [ -z "$goblin_file$goblin_url" ] && [ ! -x "$BIN/goblin" ]; then
    problems+=("say where the program is: --goblin FILE, or --goblin-url URL with --goblin-sha256 SUM.")
  fi
  [ -z "$goblin_file" ] || [ -r "$goblin_file" ] || problems+=("--goblin $goblin_file cannot be read.")
  [ -z "$ollama_file" ] || [ -r "$ollama_file" ] || problems+=("--ollama $ollama_file cannot be read.")
  [ -z "$goblin_url" ] || [[ "$goblin_sha256" =~ ^[0-9a-f]{64}$ ]] || problems+=("--goblin-url needs --goblin-sha256.")
  [ -z "$ollama_url" ] || [[ "$ollama_sha256" =~ ^[0-9a-f]{64}$ ]] || problems+=("--ollama-url needs --ollama-sha256.")
  if [ "$with_ollama" = yes ] && [ -z "$ollama_file$ollama_url" ] && [ ! -x "$BIN/ollama" ]; then
    problems+=("say where Ollama is: --ollama FILE, or --ollama-url URL with --ollama-sha256 SUM; or --no-ollama.")
  fi
  if [ "$all_in_one" = no ] && [ ${#allowed[@]} -eq 0 ] && [ ! -s "$ETC/allow.list" ] &&
    { [ -n "$domain" ] || [[ ! "$listen" =~ ^127\. && "$listen" != ::1 ]]; }; then
    problems+=("say who may reach the models: --allow CIDR or --allow-file FILE.")
  fi
  [ ${#problems[@]} -eq 0 ] || {
    printf 'error: %s\n' "${problems[@]}" >&2
    exit 2
  }
}

is_network() {
  local address="${1%%/*}" length="" part
  case "$1" in */*) length="${1#*/}" ;; esac
  if [[ "$address" =~ ^[0-9]{1,3}(\.[0-9]{1,3}){3}$ ]]; then
    for part in ${address//./ }; do [ "$((10#$part))" -le 255 ] || return 1; done
    [ -z "$length" ] || { [[ "$length" =~ ^[0-9]{1,2}$ ]] && [ "$length" -le 32 ]; }
  else
    [[ "$address" =~ ^[0-9A-Fa-f:]*:[0-9A-Fa-f:]*$ ]] && { [ -z "$length" ] || { [[ "$length" =~ ^[0-9]{1,3}$ ]] && [ "$length" -le 128 ]; }; }
  fi
}

# What goblin-deploy gives the next release's install.sh. Programs are given anew, and the list is kept where it is.
keep_arguments() {
  {
    printf '%s\n' --listen "$listen" --firewall "$firewall" --ssh-port "$ssh_port"
    [ "$with_ollama" = yes ] || printf '%s\n' --no-ollama
    [ "$all_in_one" = no ] || printf '%s\n' --all-in-one
    [ -z "$domain" ] || printf '%s\n' --domain "$domain"
    [ -z "$acme" ] || printf '%s\n' --acme "$acme"
    [ -z "$acme_ca" ] || printf '%s\n' --acme-ca "$acme_ca"
  } | put 0644 root:root "$ETC/install.arguments"
}

# put MODE OWNER PLACE [UNIT…]: standard input becomes the file, unless it is that already. The units are started anew
# at the end; that they are due is written down first, so that an interrupted run is finished by the next one.
put() {
  local mode="$1" owner="$2" place="$3" unit
  shift 3
  local new="$WORK/new.$$"
  cat >"$new"
  chmod "$mode" "$new"
  chown "$owner" "$new"
  if [ -e "$place" ] && cmp -s "$new" "$place" && [ "$(stat -c '%a %U:%G' "$new")" = "$(stat -c '%a %U:%G' "$place")" ]; then
    rm -f "$new"
    return 0
  fi
  for unit in "$@"; do due "$unit"; done
  mkdir -p "$(dirname "$place")"
  # By a rename within one file system: a file is never seen half written.
  cp -p "$new" "$place.new.$$"
  mv -f "$place.new.$$" "$place"
  rm -f "$new"
  changed "$place"
}

due() { : >"$WORK/due/$1"; }

need_packages() {
  local -a names=(ca-certificates curl openssl tar) missing=()
  local name
  [ "$with_ollama" = no ] || names+=(zstd)
  [ "$firewall" = none ] || names+=("$firewall")
  [ -z "$domain" ] || names+=(caddy)
  names+=(unattended-upgrades)
  for name in "${names[@]}"; do
    dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$name")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  DEBIAN_FRONTEND=noninteractive apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  changed "packages ${missing[*]}"
}

need_user() {
  getent passwd "$1" >/dev/null && return 0
  useradd --system --user-group --no-create-home --home-dir "$2" --shell /usr/sbin/nologin "$1"
  changed "user $1"
}

# fetched URL SUM: the path of the file, fetched once.
fetched() {
  local file="$WORK/$2"
  if ! printf '%s  %s\n' "$2" "$file" | sha256sum --check --status 2>/dev/null; then
    curl --proto '=https' --tlsv1.2 --fail --silent --show-error --location --retry 3 --output "$file.part" "$1" >&2
    printf '%s  %s\n' "$2" "$file.part" | sha256sum --check --status ||
      { rm -f "$file.part"; give_up "$1 is not the file with the SHA-256 $2; nothing of it was used."; }
    mv "$file.part" "$file"
  fi
  printf '%s' "$file"
}

install_goblin() {
  local file="$goblin_file"
  [ -z "$goblin_url" ] || file="$(fetched "$goblin_url" "$goblin_sha256")"
  [ -n "$file" ] || return 0
  put 0755 root:root "$BIN/goblin" goblin-models.service goblin.service <"$file"
  "$BIN/goblin" version >/dev/null || give_up "$BIN/goblin does not run on this machine (x86-64 with AVX2 is needed)."
}

install_ollama() {
  local file="$ollama_file" stamp="$WORK/ollama.sha256" sum
  [ -z "$ollama_url" ] || file="$(fetched "$ollama_url" "$ollama_sha256")"
  [ -n "$file" ] || return 0
  sum="$(sha256sum <"$file")"
  if [ -x "$BIN/ollama" ] && [ "$sum" = "$(cat "$stamp" 2>/dev/null)" ]; then return 0; fi
  due ollama.service
  rm -rf "$WORK/ollama"
  mkdir "$WORK/ollama"
  if zstd --test --quiet "$file" 2>/dev/null; then
    zstd --decompress --quiet --stdout "$file" | tar -x --no-same-owner -C "$WORK/ollama"
  else
    tar -xzf "$file" --no-same-owner -C "$WORK/ollama"
  fi
  [ -f "$WORK/ollama/bin/ollama" ] || give_up "the archive of Ollama holds no bin/ollama."
  # Its libraries first: the program is never there without them.
  if [ -d "$WORK/ollama/lib" ]; then cp -a "$WORK/ollama/lib/." /usr/local/lib/; fi
  install -m 0755 "$WORK/ollama/bin/ollama" "$BIN/ollama.new"
  mv -f "$BIN/ollama.new" "$BIN/ollama"
  printf '%s' "$sum" >"$stamp"
  rm -rf "$WORK/ollama"
  changed "$BIN/ollama"
}

install_settings() {
  local address="$listen"
  [ -z "$domain" ] && [ "$all_in_one" = no ] || address=127.0.0.1
  if [ ! -s "$ETC/tier-key" ]; then
    openssl rand -base64 33 | tr '+/' '-_' | tr -d '\n' | put 0600 root:root "$ETC/tier-key" goblin-models.service goblin.service
  fi
  if [ ! -e "$ETC/goblin.toml" ]; then
    printf '%s\n' '# What differs from the defaults; goblin.default.toml says what there is.' |
      put 0644 root:root "$ETC/goblin.toml"
  fi
  {
    printf 'GOBLIN_TIER__HOST=%s\nGOBLIN_TIER__PORT=8002\n' "$address"
    [ "$with_ollama" = no ] || printf 'OLLAMA_HOST=http://127.0.0.1:11434\n'
  } | put 0644 root:root "$ETC/models.env" goblin-models.service
  if [ "$with_ollama" = yes ]; then
    [ -e "$ETC/ollama.env" ] ||
      printf 'OLLAMA_KEEP_ALIVE=30m\nOLLAMA_MAX_QUEUE=512\n' | put 0644 root:root "$ETC/ollama.env" ollama.service
  fi
  [ "$all_in_one" = yes ] || return 0
  {
    printf 'HOST=127.0.0.1\nPORT=8001\nLOCAL_LLM_PROXY_URL=http://127.0.0.1:8002\n'
    [ -z "$domain" ] || printf 'FRONTEND_URL=https://%s\nTRUSTED_PROXIES=127.0.0.1\n' "$domain"
  } | put 0644 root:root "$ETC/backend.env" goblin.service
}

install_units() {
  local -a units=(goblin-models.service goblin-backup.service goblin-backup.timer)
  local unit tool
  [ "$with_ollama" = no ] || units+=(ollama.service)
  [ "$all_in_one" = no ] || units+=(goblin.service)
  [ "$firewall" != nftables ] || units+=(goblin-firewall.service)
  for unit in "${units[@]}"; do
    put 0644 root:root "/etc/systemd/system/$unit" daemon "$unit" <"$HERE/units/$unit"
  done
  for tool in goblin-keep goblin-deploy goblin-tier; do
    put 0755 root:root "/usr/local/sbin/$tool" <"$HERE/$tool"
  done
  put 0644 root:root /etc/apt/apt.conf.d/52goblin-upgrades <"$HERE/etc/52goblin-upgrades"
  put 0644 root:root /etc/systemd/journald.conf.d/goblin.conf systemd-journald.service <"$HERE/etc/journald.conf"
  install -d -m 0700 /var/backups/goblin
}

# The list that was given, else the one of the last run.
install_allow_list() {
  [ ${#allowed[@]} -gt 0 ] || return 0
  { printf '# Who may reach the models: written by install.sh.\n'; printf '%s\n' "${allowed[@]}" | sort -u; } |
    put 0644 root:root "$ETC/allow.list"
}

elements() {
  local list
  list="$(grep -v '^#' "$ETC/allow.list" 2>/dev/null | grep "$@" ':' | paste -sd, - || true)"
  if [ -n "$list" ]; then printf 'elements = { %s }' "$list"; fi
}

# The ports behind the list, and a rule for those open to all.
install_nftables() {
  local guarded=8002 open="" rules
  if [ "$all_in_one" = yes ]; then
    open='tcp dport { 80, 443 } accept'
  elif [ -n "$domain" ]; then
    guarded=443
    open='tcp dport 80 accept'
  fi
  rules="$(<"$HERE/etc/firewall.nft")"
  rules="${rules//@ALLOWED4@/$(elements -v)}"
  rules="${rules//@ALLOWED6@/$(elements -e)}"
  rules="${rules//@SSH_PORT@/$ssh_port}"
  rules="${rules//@GUARDED@/$guarded}"
  rules="${rules//@OPEN@/$open}"
  printf '%s\n' "$rules" >"$WORK/firewall.nft"
  nft -c -f "$WORK/firewall.nft" || give_up "the firewall's rules are wrong; those before hold."
  put 0644 root:root "$ETC/firewall.nft" goblin-firewall.service <"$WORK/firewall.nft"
  rm -f "$WORK/firewall.nft"
}

# ufw's own files remember the rules; what was asked last is compared, so that a second run changes nothing.
install_ufw() {
  local port=8002 rules="$WORK/ufw.rules" wanted one
  [ -z "$domain" ] || port=443
  wanted="ssh $ssh_port port $port one $all_in_one domain $domain $(grep -v '^#' "$ETC/allow.list" 2>/dev/null | paste -sd' ' -)"
  if [ "$wanted" = "$(cat "$rules" 2>/dev/null)" ] && ufw status | grep -q '^Status: active'; then return 0; fi
  ufw --force reset >/dev/null
  ufw default deny incoming >/dev/null
  ufw default allow outgoing >/dev/null
  ufw limit "$ssh_port/tcp" >/dev/null
  if [ "$all_in_one" = yes ] || [ -n "$domain" ]; then ufw allow 80/tcp >/dev/null; fi
  if [ "$all_in_one" = yes ]; then
    ufw allow 443/tcp >/dev/null
  else
    grep -v '^#' "$ETC/allow.list" 2>/dev/null | while IFS= read -r one; do
      ufw allow proto tcp from "$one" to any port "$port" >/dev/null
    done
  fi
  ufw --force enable >/dev/null
  printf '%s' "$wanted" >"$rules"
  changed "ufw's rules"
}

# Two lists at once would each close what the other opens.
leave_other_firewall() {
  local unit=goblin-firewall.service
  if [ "$firewall" != nftables ] && [ -e "/etc/systemd/system/$unit" ]; then
    ! booted || systemctl stop "$unit"
    systemctl disable --quiet "$unit"
    rm -f "/etc/systemd/system/$unit" "$ETC/firewall.nft"
    due daemon
    changed "$unit is gone"
  fi
  if [ "$firewall" != ufw ] && [ -e "$WORK/ufw.rules" ]; then
    ufw --force disable >/dev/null
    rm -f "$WORK/ufw.rules"
    changed "ufw is off"
  fi
}

install_caddy() {
  local site file=Caddyfile.models authority=""
  [ -n "$domain" ] || return 0
  [ "$all_in_one" = no ] || file=Caddyfile.all
  [ -z "$acme" ] || authority="acme_ca $acme"
  [ -z "$acme_ca" ] || authority="$authority"$'\n\t'"acme_ca_root $acme_ca"
  site="$(<"$HERE/etc/$file")"
  site="${site//@DOMAIN@/$domain}"
  site="${site//@ACME@/$authority}"
  printf '%s\n' "$site" >"$WORK/Caddyfile"
  caddy validate --adapter caddyfile --config "$WORK/Caddyfile" >"$WORK/caddy.log" 2>&1 ||
    { cat "$WORK/caddy.log" >&2; give_up "Caddy does not take its settings; those before hold."; }
  put 0644 root:root /etc/caddy/Caddyfile caddy.service <"$WORK/Caddyfile"
  rm -f "$WORK/Caddyfile" "$WORK/caddy.log"
}

start_units() {
  local unit
  local -a wanted=(goblin-models.service goblin-backup.timer)
  [ "$with_ollama" = no ] || wanted=(ollama.service "${wanted[@]}")
  [ "$firewall" != nftables ] || wanted=(goblin-firewall.service "${wanted[@]}")
  [ "$all_in_one" = no ] || wanted+=(goblin.service)
  [ -z "$domain" ] || wanted+=(caddy.service)
  for unit in "${wanted[@]}"; do
    systemctl is-enabled --quiet "$unit" 2>/dev/null || { systemctl enable --quiet "$unit"; changed "$unit is enabled"; }
  done
  if ! booted; then
    say "  systemd does not run here: the services begin with the next start"
    return 0
  fi
  if [ -e "$WORK/due/daemon" ]; then systemctl daemon-reload; fi
  if [ -e "$WORK/due/systemd-journald.service" ]; then
    systemctl restart systemd-journald.service
    rm -f "$WORK/due/systemd-journald.service"
  fi
  # The firewall stands before there is something behind it.
  for unit in "${wanted[@]}"; do
    if [ -e "$WORK/due/$unit" ] || ! systemctl is-active --quiet "$unit"; then
      if [ "$unit" = goblin-firewall.service ] && systemctl is-active --quiet "$unit"; then
        systemctl reload "$unit"
      else
        systemctl restart "$unit" || { journalctl --no-pager -n 20 -u "$unit" >&2; give_up "$unit does not start."; }
      fi
      changed "$unit was started"
    fi
    rm -f "$WORK/due/$unit"
  done
  rm -f "$WORK/due/"*
}

pull() {
  [ "$pull_roster" = yes ] || return 0
  booted || { say "  the roster is fetched when systemd runs: run this again then"; return 0; }
  say "fetching the models of the roles; progress below"
  /usr/local/sbin/goblin-tier models pull --roster ||
    give_up "not every model could be fetched; what is whole stays. Run this again to go on."
}

remove_all() {
  local unit
  for unit in goblin.service goblin-models.service goblin-backup.timer goblin-firewall.service ollama.service; do
    if [ -e "/etc/systemd/system/$unit" ]; then
      booted && systemctl disable --quiet --now "$unit"
      booted || systemctl disable --quiet "$unit"
      rm -f "/etc/systemd/system/$unit"
      changed "$unit is gone"
    fi
  done
  rm -f /etc/systemd/system/goblin-backup.service /etc/apt/apt.conf.d/52goblin-upgrades \
    /etc/systemd/journald.conf.d/goblin.conf /usr/local/sbin/goblin-{keep,deploy,tier} "$BIN/goblin" "$BIN/ollama"
  rm -rf "$WORK"
  ! booted || systemctl daemon-reload
  say "removed. $ETC, /var/lib/goblin, /var/lib/goblin-models, /var/lib/ollama and /var/backups/goblin are left, and so" \
    "are packages, Caddy's settings and ufw's rules"
}

main() {
  read_arguments "$@"
  [ "$(id -u)" -eq 0 ] || give_up "run this as root."
  command -v dpkg-query >/dev/null || give_up "this is for Debian and Ubuntu."
  [ "$remove" = yes ] || check_arguments
  # Two at once would each see half of the other's work.
  exec 9>/run/lock/goblin-install.lock
  flock -n 9 || give_up "another run of install.sh is under way. Wait for it."
  umask 022
  if [ "$remove" = yes ]; then
    remove_all
    return 0
  fi
  install -d -m 0700 "$WORK" "$WORK/due"
  # Left by a run that was killed.
  rm -f "$WORK"/new.* "$WORK/Caddyfile" "$WORK/firewall.nft"
  : >"$WORK/changes"
  install -d -m 0755 "$ETC"
  say "what the system needs"
  need_packages
  need_user goblin /var/lib/goblin
  [ "$with_ollama" = no ] || need_user ollama /var/lib/ollama
  say "programs"
  install_goblin
  [ "$with_ollama" = no ] || install_ollama
  say "settings and services"
  install_allow_list
  install_settings
  install_units
  leave_other_firewall
  case "$firewall" in nftables) install_nftables ;; ufw) install_ufw ;; esac
  install_caddy
  start_units
  keep_arguments
  pull
  say "the models' key is in $ETC/tier-key: give it to the backend as LOCAL_LLM_API_KEY"
  if [ "$all_in_one" = yes ]; then say "the link for the owner's account is in /var/lib/goblin/first-link"; fi
  say "done; $(wc -c <"$WORK/changes") changes"
}

main "$@"
