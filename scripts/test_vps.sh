#!/usr/bin/env bash
# deploy/vps/install.sh for real: in a Debian 12 of its own, booted with systemd-nspawn, reached through a network
# namespace that stands for the world. Needs root. GOBLIN_BIN names the program; without it, the one that `cargo build` made.
#
# What it cannot show here: limits of memory and tasks, which cgroups of a container do not enforce; and anything about
# a real provider's network.
set -euo pipefail
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT"

program="${GOBLIN_BIN:-${CARGO_TARGET_DIR:-$ROOT/target}/debug/goblin}"
model="${GOBLIN_STARTER_GGUF:-${XDG_CACHE_HOME:-$HOME/.cache}/goblin/models/SmolLM2-135M-Instruct-Q4_1.gguf}"
ollama="${OLLAMA_BIN:-$(scripts/ollama.sh)}"
archive="$(scripts/debian_tree.sh)"

name="gob$$"
work="$(mktemp -d "${TMPDIR:-/tmp}/goblin-vps.XXXXXX")"
tree="$work/tree"
leader=""
authority=""
here=10.77.0.2
friend=10.77.0.1
stranger=10.77.0.9
count=0

fail() {
  say "FAILED: $*" >&2
  if [ -n "$leader" ]; then
    inside journalctl --no-pager --quiet -n 60 >&2 || true
  fi
  exit 1
}
shown() {
  count=$((count + 1))
  say "  ok $count: $*"
}

clean_up() {
  trap - EXIT
  scripts/debian_boot.sh --stop "$tree"
  [ -z "$authority" ] || kill "$authority" 2>/dev/null || true
  rm -rf "/etc/netns/$name-out"
  ip netns del "$name-vps" 2>/dev/null || true
  ip netns del "$name-out" 2>/dev/null || true
  rm -rf "$work"
}
trap clean_up EXIT

inside() { nsenter -t "$leader" -m -u -i -n -p -C -- "$@"; }
install_there() { inside /opt/goblin-install/install.sh "$@"; }
# until SECONDS WHAT COMMAND…: looks until the command succeeds.
until_true() {
  local limit="$1" what="$2"
  shift 2
  for _ in $(seq $((limit * 5))); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.2
  done
  fail "$what (waited $limit s)"
}
out() { ip netns exec "$name-out" "$@"; }
# The exit code of curl from an address of the world: 0 answered, 7 refused, 28 dropped.
reach() {
  local from="$1" url="$2" code=0
  shift 2
  out curl --silent --output /dev/null --max-time 3 --interface "$from" "$@" "$url" || code=$?
  printf '%s' "$code"
}

say "==> a Debian 12, booted"
mkdir "$tree"
tar -C "$tree" -xf "$archive"
mkdir -p "$tree/opt/goblin-install" "$tree/opt/given"
cp -a deploy/vps/. deploy/fail2ban "$tree/opt/goblin-install/"
cp "$program" "$tree/opt/given/goblin"
cp "$model" "$tree/opt/given/starter.gguf"
mkdir -p "$work/ollama/bin"
cp "$ollama" "$work/ollama/bin/ollama"
tar -C "$work/ollama" -cf - bin | zstd --quiet -1 -o "$tree/opt/given/ollama.tar.zst"
ip netns add "$name-vps"
ip netns add "$name-out"
ip -n "$name-out" link add to-vps type veth peer name eth0 netns "$name-vps"
ip -n "$name-out" address add "$friend/24" dev to-vps
ip -n "$name-out" address add "$stranger/24" dev to-vps
ip -n "$name-out" link set to-vps up
ip -n "$name-out" link set lo up
ip -n "$name-vps" address add "$here/24" dev eth0
ip -n "$name-vps" link set eth0 up
ip -n "$name-vps" link set lo up
leader="$(scripts/debian_boot.sh "$tree" "$name" "$name-vps")" || fail "it does not boot"
shown "it boots"

arguments=(--goblin /opt/given/goblin --ollama /opt/given/ollama.tar.zst --listen "$here" --allow "$friend/32")

say "==> what is wrong is said at once, and nothing is touched"
code=0
install_there --goblin /nowhere --no-ollama --listen everywhere --allow 300.1.1.1 --allow 0.0.0.0/0 --allow 128.0.0.0/1 --firewall wall \
  --ssh-port 0 >"$work/said" 2>&1 || code=$?
[ "$code" -eq 2 ] || fail "wrong arguments end with $code"
for part in --goblin --listen 300.1.1.1 everybody 128.0.0.0/1 --firewall --ssh-port; do
  grep -q -- "$part" "$work/said" || fail "wrong arguments: $part is not named in: $(cat "$work/said")"
done
[ ! -e "$tree/etc/goblin" ] || fail "wrong arguments left something"
shown "seven faults in one answer, exit code 2"

say "==> interrupted twice, then finished"
# cut SIGNAL LINE: runs it and sends the signal when it says LINE; to all of it, as a terminal's Ctrl-C: bash alone would
# wait for its child and go on.
cut() {
  local signal="$1" line="$2" said pid
  : >"$work/cut.log"
  # Whoever was started in the background ignores SIGINT, and hands that on.
  inside env --default-signal=INT setsid --wait bash -c 'echo $$ >/run/cut.pid; exec /opt/goblin-install/install.sh "$@"' cut "${arguments[@]}" 2>&1 |
    while IFS= read -r said; do
      printf '%s\n' "$said" >>"$work/cut.log"
      if [[ "$said" == "$line" ]]; then
        pid="$(cat "$tree/run/cut.pid" 2>/dev/null || inside cat /run/cut.pid)"
        inside kill "-$signal" -- "-$pid" || true
      fi
    done || true
  ! grep -q '^done' "$work/cut.log" ||
    fail "the run that was to be cut by SIG$signal was done already: $(tail -n 5 "$work/cut.log")"
}
cut INT 'programs'
cut KILL '  changed: /etc/systemd/system/goblin-models.service'
install_there "${arguments[@]}" >"$work/first" 2>&1 || { cat "$work/first" >&2; fail "the first whole run"; }
grep -Eq '^done; [1-9][0-9]* changes$' "$work/first" || fail "the first run: $(cat "$work/first")"
shown "cut by SIGINT and by SIGKILL, the next run finished it: $(tail -n 1 "$work/first")"
install_there "${arguments[@]}" >"$work/second" 2>&1 || { cat "$work/second" >&2; fail "the second run"; }
grep -q '^done; 0 changes$' "$work/second" || fail "the second run changed something: $(cat "$work/second")"
shown "the second run: $(tail -n 1 "$work/second")"
inside flock /run/lock/goblin-install.lock sleep 20 &
until_true 10 "the lock is held" sh -c "! nsenter -t $leader -m -- flock -n /run/lock/goblin-install.lock true"
code=0
install_there "${arguments[@]}" >"$work/said" 2>&1 || code=$?
[ "$code" -eq 1 ] && grep -q 'another run' "$work/said" || fail "two at once: $code $(cat "$work/said")"
inside pkill -x sleep || true
wait $! 2>/dev/null || true
shown "two at once: the second one stands back"

say "==> the services"
for unit in goblin-firewall ollama goblin-models goblin-backup.timer; do
  inside systemctl is-active --quiet "$unit" || fail "$unit is not active"
  inside systemctl is-enabled --quiet "$unit" || fail "$unit is not enabled"
done
show() { inside systemctl show -p "$1" --value "${2:-goblin-models}"; }
[ "$(show Type)" = notify ] && [ "$(show WatchdogUSec)" = 30s ] || fail "no notify or no watchdog"
[ "$(show User)" = goblin ] || fail "it runs as $(show User)"
shown "firewall, Ollama, models and the nightly backup run"
key="$(cat "$tree/etc/goblin/tier-key")"
[ "${#key}" -ge 40 ] && [ "$(stat -c %a "$tree/etc/goblin/tier-key")" = 600 ] || fail "the key"
pid="$(show MainPID)"
! inside sh -c "tr '\\0' '\\n' </proc/$pid/environ" | grep -qF "$key" || fail "the key is in the environment"
shown "the key is a credential, not in the environment"

say "==> a model, and who may ask it"
inside sh -c 'cd /opt/given && printf "FROM ./starter.gguf\nPARAMETER num_thread 1\n" >Modelfile &&
  OLLAMA_HOST=127.0.0.1:11434 HOME=/root ollama create starter:135m -f Modelfile' >"$work/create" 2>&1 ||
  { cat "$work/create" >&2; fail "ollama create"; }
listed() { out curl --silent --max-time 3 --interface "$friend" -H "x-api-key: $key" "http://$here:8002/v1/models" | grep -q starter; }
until_true 60 "the tier has the model" listed
answer="$(out curl --silent --show-error --fail --max-time 180 --interface "$friend" -H "authorization: Bearer $key" \
  -H 'content-type: application/json' "http://$here:8002/v1/chat/completions" \
  -d '{"model": "ollama/starter:135m", "max_tokens": 12, "messages": [{"role": "user", "content": "Say hello."}]}')" ||
  fail "no answer through the tier: $answer"
python3 -c 'import json,sys; a=json.loads(sys.argv[1]); assert a["choices"][0]["message"]["content"].strip(), a' "$answer" ||
  fail "an empty answer: $answer"
shown "a chat from the allowed address through the installed tier and Ollama"
[ "$(reach "$friend" "http://$here:8002/health")" = 0 ] || fail "the allowed address is not let in"
[ "$(reach "$stranger" "http://$here:8002/health")" = 28 ] || fail "another address is not dropped"
[ "$(reach "$friend" "http://$here:11434/")" = 28 ] || fail "Ollama's port is not closed"
inside curl --silent --fail --output /dev/null http://127.0.0.1:11434/ || fail "Ollama does not answer on loopback"
! inside sh -c 'ss -Hltn "sport = :11434"' | grep -v '127.0.0.1:11434' | grep -q . || fail "Ollama listens elsewhere"
status="$(out curl --silent --output /dev/null --write-out '%{http_code}' --interface "$friend" "http://$here:8002/v1/models")"
[ "$status" = 401 ] || fail "without a key: $status"
# tried LOG FILTER: does fail2ban's own program find the address that tried in what the unit wrote?
tried() {
  inside journalctl --no-pager --quiet -o cat -u "$1" >"$work/tried.log"
  fail2ban-regex --out ip "$work/tried.log" "deploy/fail2ban/filter.d/$2.conf" | grep -qx "$friend"
}
until_true 20 "fail2ban's filter finds who came without a key" tried goblin-models goblin-tier
shown "allowed address: answered; another: dropped; 11434: dropped, loopback only; without a key: 401"

inside sh -c 'cd /opt/goblin-install && cp fail2ban/filter.d/* /etc/fail2ban/filter.d/ && cp fail2ban/jail.d/goblin.conf /etc/fail2ban/jail.d/'
inside fail2ban-client -t >"$work/said" 2>&1 || fail "fail2ban does not take the jail: $(cat "$work/said")"
inside systemctl restart fail2ban
until_true 30 "fail2ban runs" inside fail2ban-client ping
banned() { inside fail2ban-client get goblin-tier banip | grep -qw "$friend"; }
# Fewer than the ten after which the tier itself shuts somebody out.
for _ in 1 2 3 4 5; do
  ! banned 2>/dev/null || break
  reach "$friend" "http://$here:8002/v1/models" -H 'x-api-key: a-key-that-is-none' >/dev/null
done
until_true 30 "fail2ban bans who tried five keys: $(inside fail2ban-client status goblin-tier)" banned
refused() { [ "$(reach "$friend" "http://$here:8002/health")" = 7 ]; }
until_true 20 "nftables refuses them: $(inside nft list ruleset | grep -A4 f2b || true)" refused
inside curl --silent --fail --output /dev/null http://"$here":8002/health || fail "the ban hits others too"
inside fail2ban-client set goblin-tier unbanip "$friend" >/dev/null
let_in() { [ "$(reach "$friend" "http://$here:8002/health")" = 0 ]; }
until_true 20 "unbanned: let in again" let_in
inside sh -c 'rm /etc/fail2ban/jail.d/goblin.conf && systemctl stop fail2ban'
! inside nft list tables | grep -q f2b || fail "fail2ban's table is left"
shown "a real fail2ban: five tried keys and nftables refuses the address; unbanned, it is let in"

inside goblin-tier models status >"$work/said" 2>&1 || fail "goblin-tier models status: $(cat "$work/said")"
grep -q starter "$work/said" || fail "the tier's own command does not see the model: $(cat "$work/said")"
second="$(inside goblin-tier models keys create prometheus --scope read)" || fail "a second key cannot be made"
with_second() { out curl --silent --fail --output /dev/null --interface "$friend" -H "x-api-key: $second" "http://$here:8002/metrics"; }
until_true 30 "the second key is taken" with_second
shown "goblin-tier: status, and a second key that may read measurements"

say "==> killed, hung, shut in"
inside kill -KILL "$pid"
back() { [ "$(show MainPID)" != "$pid" ] && [ "$(show MainPID)" != 0 ] && inside systemctl is-active --quiet goblin-models; }
until_true 60 "it comes back after kill -9" back
shown "kill -9: started again"
inside mkdir -p /run/systemd/system/goblin-models.service.d
inside sh -c 'printf "[Service]\nWatchdogSec=2\n" >/run/systemd/system/goblin-models.service.d/try.conf; systemctl daemon-reload; systemctl restart goblin-models'
pid="$(show MainPID)"
inside kill -STOP "$pid"
until_true 60 "the watchdog ends what hangs" back
inside journalctl --no-pager -u goblin-models | grep -q 'Watchdog timeout' || fail "it was not the watchdog"
shown "stopped with SIGSTOP: the watchdog ended it, systemd started it again"
inside sh -c 'rm -r /run/systemd/system/goblin-models.service.d; systemctl daemon-reload; systemctl restart goblin-models'
pid="$(show MainPID)"
within() { inside nsenter -t "$pid" -m -- "$@"; }
! within touch /etc/goblin/written 2>/dev/null || fail "it may write /etc"
! within touch /usr/local/bin/written 2>/dev/null || fail "it may write /usr"
[ -z "$(within sh -c 'ls -A /home /root' 2>/dev/null | grep -v : || true)" ] || fail "it sees homes"
within sh -c 'ls /dev' | grep -qx sda && fail "it sees disks"
[ "$(inside awk '/^CapEff/ {print $2}' "/proc/$pid/status")" = 0000000000000000 ] || fail "it has capabilities"
[ "$(inside awk '/^NoNewPrivs/ {print $2}' "/proc/$pid/status")" = 1 ] || fail "it may gain privileges"
[ "$(inside awk '/^Seccomp:/ {print $2}' "/proc/$pid/status")" = 2 ] || fail "no filter of system calls"
shown "read-only system, no homes, no capabilities, system calls filtered"
for unit in goblin-models:20 goblin:20 ollama:26; do
  systemd-analyze security --offline=true --no-pager --threshold="${unit#*:}" "deploy/vps/units/${unit%:*}.service" >"$work/security" ||
    fail "$(tail -n 2 "$work/security")"
  say "     $(tail -n 1 "$work/security")"
done
shown "systemd-analyze security"

say "==> kept and put back"
inside goblin-keep backup >"$work/keep" || fail "backup: $(cat "$work/keep")"
file="$(awk '/^kept in/ {print $3}' "$work/keep")"
[ "$(inside stat -c %a "$file")" = 600 ] || fail "the backup can be read by others"
inside sh -c 'echo another >/etc/goblin/tier-key'
inside goblin-keep restore "$file" >"$work/keep" || fail "restore: $(cat "$work/keep")"
[ "$(cat "$tree/etc/goblin/tier-key")" = "$key" ] || fail "the key is not as it was"
until_true 60 "the tier answers again" listed
inside sh -c "head -c 300 '$file' >/var/tmp/cut.tar.gz"
! inside goblin-keep restore /var/tmp/cut.tar.gz 2>"$work/said" || fail "a damaged file was taken"
grep -q 'nothing was changed' "$work/said" || fail "$(cat "$work/said")"
inside sh -c 'cd /var/tmp && mkdir -p etc && echo x >etc/passwd && tar -czf evil.tar.gz etc/passwd'
! inside goblin-keep restore /var/tmp/evil.tar.gz 2>/dev/null || fail "a file that holds /etc/passwd was taken"
shown "the key came back; a damaged file and one that leads elsewhere were refused"

say "==> another release"
mkdir -p "$work/release/goblin"
cp -a deploy/vps/. "$work/release/goblin/"
cp "$program" "$work/release/goblin/goblin"
printf '\n' >>"$work/release/goblin/goblin"
tar -C "$work/release" -cf "$tree/opt/given/release.tar" goblin
pid="$(show MainPID)"
inside goblin-deploy /opt/given/release.tar >"$work/said" 2>&1 || fail "another release: $(cat "$work/said")"
until_true 60 "the other release runs" back
[ "$(reach "$stranger" "http://$here:8002/health")" = 28 ] || fail "another release opened the firewall"
inside goblin-deploy --back >"$work/said" 2>&1 || fail "back: $(cat "$work/said")"
inside cmp -s /opt/given/goblin /usr/local/bin/goblin || fail "the program is not the one before"
until_true 60 "the tier answers again" listed
shown "another release by goblin-deploy with the same settings, and back to the one before"

say "==> with a name, and with ufw"
named=(--goblin /opt/given/goblin --ollama /opt/given/ollama.tar.zst --domain models.goblin.test)
# twice NAME ARGUMENTS…: the second run changes nothing.
twice() {
  local what="$1"
  shift
  install_there "$@" >"$work/said" 2>&1 || fail "$what: $(cat "$work/said")"
  install_there "$@" >"$work/said" 2>&1 || fail "$what, again: $(cat "$work/said")"
  grep -q '^done; 0 changes$' "$work/said" || fail "$what: the second run changed something: $(cat "$work/said")"
}
# An authority for certificates, Debian's pebble, in the world outside: it looks the name up there and asks at port 80.
mkdir -p "/etc/netns/$name-out" "$work/acme"
printf '127.0.0.1 localhost\n%s models.goblin.test\n' "$here" >"/etc/netns/$name-out/hosts"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=authority' -addext "subjectAltName=IP:$friend" \
  -keyout "$work/acme/key.pem" -out "$work/acme/cert.pem" 2>/dev/null
cat >"$work/acme/config.json" <<JSON
{"pebble": {"listenAddress": "$friend:14000", "managementListenAddress": "$friend:15000", "httpPort": 80, "tlsPort": 443,
  "certificate": "$work/acme/cert.pem", "privateKey": "$work/acme/key.pem", "ocspResponderURL": "",
  "externalAccountBindingRequired": false}}
JSON
cp "$work/acme/cert.pem" "$tree/opt/given/acme-ca.pem"
chmod 0644 "$tree/opt/given/acme-ca.pem"
PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=0 ip netns exec "$name-out" pebble -config "$work/acme/config.json" -strict=false >"$work/acme/log" 2>&1 &
authority=$!
roots() { out curl --silent --fail --cacert "$work/acme/cert.pem" --output "$work/acme/root.pem" "https://$friend:15000/roots/0"; }
until_true 20 "the authority answers" roots
named+=(--acme "https://$friend:14000/dir" --acme-ca /opt/given/acme-ca.pem)
twice "--domain" "${named[@]}"
inside systemctl is-active --quiet caddy || fail "Caddy does not run"
[ "$(reach "$friend" "http://$here:8002/health")" = 28 ] || fail "8002 is open beside TLS"
# With a certificate that is held against that authority's root, for the name.
by_name() { [ "$(reach "$1" "https://models.goblin.test$2" --cacert "$work/acme/root.pem" --resolve "models.goblin.test:443:$here")" = "$3" ]; }
until_true 60 "Caddy has a certificate: $(tail -n 3 "$work/acme/log")" by_name "$friend" /health 0
answer="$(out curl --silent --fail --max-time 180 --interface "$friend" --cacert "$work/acme/root.pem" \
  --resolve "models.goblin.test:443:$here" -H "x-api-key: $key" "https://models.goblin.test/v1/models")" || fail "no models by TLS"
grep -q starter <<<"$answer" || fail "another answer by TLS: $answer"
by_name "$stranger" /health 28 || fail "443 is open to another address"
[ "$(reach "$stranger" "http://$here/.well-known/acme-challenge/x")" = 0 ] || fail "80 is closed, so no certificate can be had"
out curl --silent --output /dev/null --interface "$friend" --cacert "$work/acme/root.pem" --resolve "models.goblin.test:443:$here" \
  -H 'x-api-key: a-CANARY-of-a-key' 'https://models.goblin.test/v1/models?key=CANARY'
until_true 20 "fail2ban's filter finds who tried a key behind Caddy" tried caddy goblin-caddy
! grep -q CANARY "$work/tried.log" || fail "a key stands in Caddy's log"
shown "with a name: a certificate from an authority (pebble), 443 for the list alone, 80 for certificates, 8002 for nobody"
twice "--firewall ufw" "${named[@]}" --firewall ufw
! inside nft list table inet goblin >/dev/null 2>&1 || fail "both firewalls at once"
until_true 60 "ufw lets the allowed in" by_name "$friend" /health 0
by_name "$stranger" /health 28 || fail "ufw lets others in"
[ "$(reach "$friend" "http://$here:11434/")" = 28 ] || fail "ufw leaves Ollama's port open"
shown "the same with ufw"
twice "back to nftables" "${arguments[@]}"
[ "$(reach "$stranger" "http://$here:8002/health")" = 28 ] || fail "another address is let in"
shown "and back to the private address and nftables"

say "==> all in one, and away again"
install_there "${arguments[@]}" --all-in-one >"$work/all" 2>&1 || { cat "$work/all" >&2; fail "--all-in-one"; }
inside systemctl is-active --quiet goblin || fail "the backend does not run"
inside curl --silent --fail --output /dev/null http://127.0.0.1:8001/health || fail "the backend does not answer"
install_there "${arguments[@]}" --all-in-one >"$work/all" 2>&1
grep -q '^done; 0 changes$' "$work/all" || fail "all-in-one twice: $(cat "$work/all")"
shown "page and API run beside the models; again, the second run changes nothing"
install_there --remove >"$work/removed" || fail "$(cat "$work/removed")"
for unit in goblin goblin-models ollama goblin-firewall goblin-backup.timer; do
  ! inside systemctl is-active --quiet "$unit" || fail "$unit still runs"
done
! inside nft list table inet goblin 2>/dev/null | grep -q . || fail "the firewall's table is still there"
[ -s "$tree/etc/goblin/tier-key" ] && [ -d "$tree/var/lib/ollama" ] || fail "keys or models are gone"
shown "removed; keys, models and chats stay"
say "$count things shown"
