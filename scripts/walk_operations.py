#!/usr/bin/env python3
"""`make walk-operations`: docs/operations walked from its first line to its last, as a new operator does it.

Three network namespaces stand for the three hosts, a fourth is the operator's own machine. The commands are those of the pages
(scripts/walk/blocks.py); what an operator does in a browser at Render or Vercel is done by scripts/walk/hosts.py from render.yaml and
web/vercel.json. What stands for what cannot be had here is said where it is put in: `stands for`. Prints each step with its time;
the first that fails ends the walk with 1. Everything it made is gone when it ends, also by Ctrl-C.
"""

import contextlib
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "walk"), str(HERE / "rehearsal")]

from blocks import all_blocks, filled  # noqa: E402
from hosts import INSIDE_RENDER, Edge, Machine, Render, stands_for, vercel_build  # noqa: E402
from net import ADDRESSES, OPERATOR, Net  # noqa: E402
from servers import HANG_SECONDS, Failed, starter, until  # noqa: E402

ROOT = HERE.parent
OWNER = "owner@example.org"
PAGE, BACKEND, MODELS = "https://chat.example.org", "https://goblin-backend-abcd.onrender.com", "https://models.example.org"
MODEL = "starter:135m"


def say(text: str) -> None:
    print(text, flush=True)


def need(is_so: bool, what: str) -> None:
    if not is_so:
        raise Failed(what)


class Walk:
    """The operator: a checkout, a few programs, and what was written down on the way."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.net = Net()
        self.blocks = all_blocks()
        self.done: set[str] = set()
        self.clone = folder / "goblin"
        self.program = pathlib.Path(os.environ["GOBLIN_BIN"]).resolve()
        self.machine = Machine(self.net, folder)
        self.render: Render | None = None
        self.others: list[subprocess.Popen] = []
        self.page: Edge | None = None
        self.key = self.secret = self.sealing = ""
        self.trusted = folder / "trusted.pem"

    # What is at hand.

    def environment(self) -> dict:
        """Of the operator's shell: goblin on the path, and the authority that stands for the public ones."""
        given = {name: os.environ[name] for name in ("LANG", "CHROMIUM", "GOBLIN_PICTURES") if name in os.environ}
        trust = dict.fromkeys(("CURL_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"), str(self.trusted))
        return {**given, **trust, "PATH": f"{self.folder}/bin:{os.environ['PATH']}", "HOME": str(self.folder / "home")}

    def command_on(self, host: str, script: str) -> list[str]:
        bash = ["bash", "-euo", "pipefail", "-c", script]
        if host == "models":
            return self.machine.enter(*bash[:-1], f"cd\n{script}")
        return self.net.enter(host, *bash)

    def on(self, host: str, script: str, stdin: str = "", fails: bool = False, **more: str) -> str:
        """What commands print on a host. They must work, unless they must fail."""
        done = subprocess.run(
            self.command_on(host, script), cwd=self.clone, env={**self.environment(), **more}, input=stdin, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600,
        )  # fmt: skip
        if (done.returncode != 0) != fails:
            raise Failed(f"on {host}, exit code {done.returncode}:\n{script}\n{done.stdout[-3000:]}")
        return done.stdout

    def walk(self, name: str, given: dict[str, str] | None = None, **more) -> str:
        """The commands of the page by their name."""
        block = self.blocks[name]
        self.done.add(name)
        try:
            return self.on(block.host, filled(block, given or {}), **more)
        except Failed as failed:
            raise Failed(f"{block.place} ({name}): {failed}") from None

    def on_terminal(self, name: str, given: dict[str, str], shows: str) -> str:
        """The commands of the page at a terminal, until something is shown; then Ctrl-C."""
        block = self.blocks[name]
        self.done.add(name)
        command = self.command_on(block.host, filled(block, given))
        # `script` is the terminal.
        quoted = " ".join("'" + part.replace("'", "'\\''") + "'" for part in command)
        process = subprocess.Popen(
            ["script", "-qefc", quoted, "/dev/null"], cwd=self.clone, env=self.environment(), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.others.append(process)
        seen = ""
        for line in process.stdout:
            seen += line
            if found := re.search(shows, seen):
                process.stdin.write("\x03")
                process.stdin.flush()
                process.communicate(timeout=HANG_SECONDS)
                return found[0]
        raise Failed(f"{block.place} ({name}) never shows {shows}:\n{seen[-3000:]}")

    def asked(self, host: str, url: str) -> int:
        """How curl ends from there: 0 with an answer over a certificate that is believed, 28 when nothing comes back."""
        ask = self.net.enter(host, "curl", "-s", "--max-time", "4", "-o", "/dev/null", url)
        return subprocess.run(ask, env=self.environment(), capture_output=True).returncode

    def reaches(self, host: str, url: str) -> bool:
        """Is it let in there, or dropped?"""
        code = self.asked(host, url)
        need(code in (0, 28), f"{url} from {host}: curl ends with {code}")
        return code == 0

    # Before the first line of the pages.

    def prepare(self) -> str:
        """A checkout, an authority for certificates, and the machine with what it would have fetched."""
        for name in ("bin", "home"):
            (self.folder / name).mkdir()
        os.symlink(self.program, self.folder / "bin/goblin")
        if not shutil.which("sudo"):
            (self.folder / "bin/sudo").write_text('#!/bin/sh\nexec "$@"\n')
            (self.folder / "bin/sudo").chmod(0o755)
        self.clone.mkdir()
        files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
        packed = subprocess.run(["tar", "--null", "-T", "-", "-cf", "-"], cwd=ROOT, input=files, check=True, capture_output=True)
        subprocess.run(["tar", "-C", self.clone, "-xf", "-"], input=packed.stdout, check=True)
        for folder in ("e2e/node_modules",):
            os.symlink(ROOT / folder, self.clone / folder)
        self.net.open()
        self.authority()
        archive = subprocess.run([ROOT / "scripts/debian_tree.sh"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        self.machine.prepare(archive, str(self.program), os.environ["OLLAMA_BIN"], starter(ROOT), self.folder / "authority.pem")
        self.machine.boot()
        return "a checkout, four namespaces, a Debian that boots; pebble and an authority of ours stand for the public ones"

    def authority(self) -> None:
        """Pebble for the models' machine, which has an account at an authority; one of ours for the two platforms."""
        folder = self.folder
        for name, subject in (("authority", f"IP:{OPERATOR}"), ("platforms", "DNS:chat.example.org,DNS:goblin-backend-abcd.onrender.com")):
            openssl = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={name}"
            files = ["-addext", f"subjectAltName={subject}", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"]
            subprocess.run(["openssl", *openssl.split(), *files], check=True, capture_output=True)
        at = {"listenAddress": f"{OPERATOR}:14000", "managementListenAddress": f"{OPERATOR}:15000", "httpPort": 80, "tlsPort": 443}
        kept = {"certificate": str(folder / "authority.pem"), "privateKey": str(folder / "authority.key")}
        settings = {"pebble": {**at, **kept, "ocspResponderURL": "", "externalAccountBindingRequired": False}}
        (folder / "pebble.json").write_text(json.dumps(settings))
        command = self.net.enter("here", "pebble", "-config", str(folder / "pebble.json"), "-strict=false")
        environment = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
        with open(folder / "pebble.log", "wb") as log:
            self.others.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        root = self.net.enter("here", "curl", "-sf", "--cacert", str(folder / "authority.pem"), f"https://{OPERATOR}:15000/roots/0")

        def issued() -> str:
            return subprocess.run(root, capture_output=True, text=True).stdout

        self.trusted.write_text(until("pebble answers", issued) + (folder / "platforms.pem").read_text())
        self.trusted.chmod(0o644)

    # 1. Models

    def models(self) -> str:
        """vps.md: with a name and TLS."""
        given = {
            # Stands for the archive at ollama.com, and for the authority that a name of the real internet gets its certificate from.
            "--ollama-url https://ollama.com/download/ollama-linux-amd64.tar.zst --ollama-sha256 SHA256_OF_IT":
                f"--ollama /opt/given/ollama.tar.zst --acme https://{OPERATOR}:14000/dir --acme-ca /opt/given/acme-ca.pem",
        }  # fmt: skip
        said = self.walk("install", given)
        changes = re.search(r"^done; \d+ changes$", said, re.MULTILINE)
        self.key = said.strip().splitlines()[-1]
        need(bool(changes) and len(self.key) >= 40, f"install.sh: {said[-1500:]}")
        return f"install.sh on the models' machine: {changes[0]}"

    def models_answer(self) -> str:
        """The end of step 1: from an allowed address, and from no other."""
        until("a certificate", lambda: self.asked("here", f"{MODELS}/health") == 0)
        need("healthy" in self.walk("models-answer"), "the models are not healthy")
        need(self.reaches("backend", f"{MODELS}/health"), "the backend's address is not let in")
        need(not self.reaches("page", f"{MODELS}/health"), "an address that is not on the list is let in")
        # Stands for `--pull-roster`, which fetches tens of GB.
        self.on("models", f"cd /opt/given\nprintf 'FROM ./starter.gguf\\nPARAMETER num_thread 1\\n' >Modelfile\nollama create {MODEL} -f Modelfile")
        until("the tier has the model", lambda: MODEL in self.on("here", f"curl -s -H 'x-api-key: {self.key}' {MODELS}/v1/models"))
        return "the models answer the allowed addresses over TLS, and nobody else"

    # 2. Backend

    def check_before(self) -> str:
        """README: what must agree, as far as it is known by now."""
        self.sealing = self.walk("sealing-key").strip()
        self.write_targets(origin_secret="")
        said = self.walk("agree", fails=True)
        keys = re.findall(r"^([a-z]+\.[a-z_]+): ", said, re.MULTILINE)
        need(sorted(keys) == ["backend.origin_secret", "page.vercel_json"], f"goblin deploy check: {said}")
        return "goblin deploy check: what is not known yet is named (ORIGIN_SECRET, the backend in web/vercel.json), and nothing else"

    def write_targets(self, origin_secret: str) -> None:
        """deploy/targets.toml as the example says it is filled in."""
        text = (self.clone / "deploy/targets.example.toml").read_text()
        own = {
            "origin_secret": origin_secret,
            "preview_origin_pattern": "",
            "settings_encryption_key": self.sealing,
            "local_llm_api_key": self.key,
            "key": self.key,
            "jwt_secret_key": secrets.token_urlsafe(48),
        }
        for name, value in own.items():
            text = re.sub(rf"^{name} = .*$", f'{name} = "{value}"', text, flags=re.MULTILINE)
        text = text.replace("https://goblin-backend.onrender.com", BACKEND)
        (self.clone / "deploy/targets.toml").write_text(text)

    def blueprint(self) -> str:
        """render.md: the Blueprint, the variables Render asks for, and the first deploy."""
        from ruamel.yaml import YAML

        folder = self.folder / "render"
        folder.mkdir()
        folder.chmod(0o755)
        self.render = Render(self.net, folder, YAML(typ="safe").load((self.clone / "render.yaml").read_text()))
        self.secret = self.render.variables["ORIGIN_SECRET"]
        self.render.variables |= {
            "FRONTEND_URL": PAGE,
            "LOCAL_LLM_PROXY_URL": MODELS,
            "LOCAL_LLM_API_KEY": self.key,
            "SETTINGS_ENCRYPTION_KEY": self.sealing,
            # Stands for the public authorities.
            "GOBLIN_UPSTREAM__PROXY_CA_FILE": str(self.trusted),
        }
        self.render.deploy(self.image("first"))
        table = self.folder / "edge"
        table.mkdir()
        route = {"src": "/(.*)", "dest": f"{BACKEND}/$1"}
        (table / "config.json").write_text(json.dumps({"version": 3, "routes": [route]}))
        behind = f"http://{INSIDE_RENDER}:{self.render.port}"
        settings = {"output": str(table), "stands": BACKEND, "backend": behind, "keepsWay": True}
        self.render.edge = self.edge("backend", settings)
        need('"healthy"' in self.walk("backend-answers"), "the backend is not healthy")
        return "render.yaml: database, cache, variables, goblin migrate up, goblin serve on PORT, /health"

    def image(self, name: str, more: bytes = b"") -> pathlib.Path:
        """What Render keeps of a deploy: the program."""
        image = self.folder / f"image-{name}"
        shutil.copy(self.program, image)
        if more:
            with open(image, "ab") as file:
                file.write(more)
        image.chmod(0o755)
        return image

    def edge(self, host: str, settings: dict) -> Edge:
        files = {"key": str(self.folder / "platforms.key"), "cert": str(self.folder / "platforms.pem")}
        listen = {"host": ADDRESSES[host], "port": 443}
        return Edge(self.net, host, {**settings, **files, **listen}, self.environment())

    # 3. Page

    def set_backend(self) -> str:
        """vercel.md: where the backend is; then everything agrees."""
        said = self.walk("set-backend")
        need(stands_for(self.clone) == BACKEND, said)
        self.write_targets(origin_secret=self.secret)
        need("agree" in self.walk("agree"), "goblin deploy check")
        return "set_backend.py, ORIGIN_SECRET copied: goblin deploy check says that page, backend and models agree"

    def build_page(self) -> str:
        """vercel.md: what Vercel builds, on its address."""
        output = vercel_build(self.clone, self.folder / "vercel")
        kept = self.folder / "deployment-1"
        shutil.copytree(output, kept)
        settings = {"output": str(kept), "stands": BACKEND, "backend": BACKEND, "env": {"ORIGIN_SECRET": self.secret}}
        self.page = self.edge("page", settings)
        said = self.walk("look-once")
        for part in ("content-security-policy", "cache-control: no-cache", "404", "problem+json"):
            need(part in said.lower(), f"look-once: no {part} in {said}")
        return "vercel build, served at its address by its route table: policy, 404 for a gone asset, the API behind it"

    # 4. Owner

    def first_link(self) -> str:
        """render.md: the owner's link from one's own machine, and the account in a browser."""
        self.render.let_in(True)
        given = {"'the External Database URL'": f"'{self.render.external_url()}'"}
        link = self.on_terminal("first-link", given, re.escape(PAGE) + r"/\S+#\S+")
        self.render.let_in(False)
        self.browse(link)
        return "the owner's link from the operator's machine, the account made and a chat held in a browser, through all three hosts"

    def browse(self, link: str = "") -> None:
        journey = f"node {ROOT}/e2e/deploy/walk.mjs {PAGE} '{link}' {OWNER}"
        said = self.on("here", journey)
        need("an answer streams" in said, f"the browser: {said}")

    # 5. Watching

    def watch(self) -> str:
        """monitoring.md: files, keys, and a real Prometheus that asks across the namespaces."""
        self.walk("scrape-files")
        tier = self.walk("scrape-key-models").strip().splitlines()[-1]
        self.render.let_in(True)
        given = {"'the External Database URL'": f"'{self.render.external_url()}'"}
        backend = self.walk("scrape-key-backend", given, GOBLIN_DATA__DIR=str(self.folder / "home/data")).strip().splitlines()[-1]
        self.render.let_in(False)
        self.walk("scrape-key-file-models", stdin=tier)
        self.walk("scrape-key-file-backend", stdin=backend)
        data = self.folder / "prometheus"
        # Stands for Debian's service, which would run on the operator's real machine.
        run = ["--config.file=/etc/prometheus/prometheus.yml", f"--storage.tsdb.path={data}", "--web.listen-address=127.0.0.1:9090"]
        with open(self.folder / "prometheus.log", "wb") as log:
            command = self.net.enter("here", "prometheus", *run)
            self.others.append(subprocess.Popen(command, env=self.environment(), stdout=log, stderr=log))
        for job in ("goblin-backend", "goblin-models"):
            until(f"{job} is up in Prometheus", lambda job=job: self.count(f'up{{job="{job}"}} == 1'), 90)
        need(self.count("goblin_turns_total or goblin_http_requests_total") > 0, "nothing was counted")
        return "Prometheus, with keys of its own, asks backend and models from a third machine: both are up"

    def shut_out(self) -> str:
        """monitoring.md: whoever tries keys, seen behind Caddy."""
        self.walk("fail-to-ban")
        until("fail2ban runs", lambda: "pong" in self.on("models", "fail2ban-client ping || true"))
        for _ in range(5):
            self.on("here", f"curl -s -o /dev/null -H 'x-api-key: a-key-that-is-none' {MODELS}/v1/models")

        def refused() -> bool:
            return "7" == self.on("here", f"curl -s -o /dev/null --max-time 4 {MODELS}/health || echo -n $?")

        until("nftables refuses who tried five keys", refused)
        need(self.reaches("backend", f"{MODELS}/health"), "the backend is shut out too")
        need(OPERATOR in self.walk("unban"), "fail2ban does not say whom it banned")
        until("unbanned, they are let in", lambda: not refused())
        return "fail2ban: five tried keys behind Caddy, and that address alone is refused; unbanned, it is let in"

    def count(self, expression: str) -> int:
        """How many series Prometheus has for it."""
        command = f"curl -s -G --data-urlencode 'query={expression}' http://127.0.0.1:9090/api/v1/query"
        with contextlib.suppress(Failed, ValueError, KeyError):
            return len(json.loads(self.on("here", command))["data"]["result"])
        return 0

    # Back again

    def back_models(self) -> str:
        """rollback.md: another release and the one before, settings kept and put back."""
        self.on("models", "goblin-keep backup")
        self.machine.release(str(self.program), self.machine.tree / "root/next.tar.gz", more=b"\n")
        self.walk("next-release", {"goblin-linux-x86-64.tar.gz": "next.tar.gz"})
        self.walk("back-release")
        need("same" in self.on("models", "cmp ~/goblin/goblin /usr/local/bin/goblin && echo same"), "not the program before")
        self.on("models", "echo another >/etc/goblin/tier-key")
        self.walk("back-settings")
        need(self.on("models", "cat /etc/goblin/tier-key").strip() == self.key, "the key is not as it was")
        until("the models answer again", lambda: MODEL in self.on("here", f"curl -s -H 'x-api-key: {self.key}' {MODELS}/v1/models || true"))
        return "models: another release and back, a lost key put back from the backup"

    def back_backend(self) -> str:
        """rollback.md: a bad release never takes traffic, a deploy is rolled back, people go on."""
        bad = self.folder / "image-bad"
        bad.write_text("#!/bin/sh\n[ \"$1\" != serve ]\n")
        bad.chmod(0o755)
        with contextlib.suppress(Failed):
            self.render.deploy(bad)
            raise SystemExit("a release that does not start took the traffic")
        need(self.reaches("here", f"{BACKEND}/health"), "the old release does not answer beside a bad one")
        self.render.variables["SAFETY_THRESHOLD"] = "0.9"
        self.render.deploy(self.image("second", more=b"\n"))
        self.render.rollback()
        need(self.render.variables["SAFETY_THRESHOLD"] == "0.7", "the variables are not those before")
        self.browse()
        return "backend: a release that does not start never takes traffic; a deploy rolled back, the owner signs in and chats"

    def back_page(self) -> str:
        """rollback.md: the deployment before, promoted."""
        other = self.folder / "deployment-2"
        shutil.copytree(self.folder / "deployment-1", other)
        (other / "static/config.json").write_text('{"api_origin":"https://wrong.example.org"}')
        self.page.change(output=str(other))
        config = f"curl -s {PAGE}/config.json"
        need("wrong" in self.on("here", config), "the second deployment is not served")
        self.page.change(output=str(self.folder / "deployment-1"))
        need("wrong" not in self.on("here", config), "the first deployment is not served")
        return "page: a bad deployment, and the one before promoted"

    def back_schema(self) -> str:
        """rollback.md: the schema, really; with a backup before."""
        self.render.let_in(True)
        (self.clone / "passphrase").write_text("a badger digs at night")
        more = {"DATABASE_URL": self.render.external_url(), "GOBLIN_DATA__DIR": str(self.folder / "home/data")}
        need("goblin" in self.on("here", "goblin migrate down --to 0 --yes", fails=True, **more), "it does not refuse")
        self.walk("schema-backup", **more)
        self.render.stop_service()
        self.walk("schema-down", **more)
        self.walk("schema-restore", **more)
        self.render.let_in(False)
        self.render.deploy(self.render.kept[-1][0], keep=False)
        self.browse()
        return "schema: refused while a goblin runs; backup, down to nothing, up, restored, verified; the owner is still there"

    def look_after(self) -> str:
        """rollback.md: what is looked at afterwards."""
        self.render.let_in(True)
        more = {"DATABASE_URL": self.render.external_url(), "GOBLIN_DATA__DIR": str(self.folder / "home/data")}
        self.walk("look-after", **more)
        self.render.let_in(False)
        return "goblin migrate verify, and /health of every tier"

    def undo(self) -> str:
        """Each page's last section, the last host first."""
        self.render.let_in(True)
        given = {"'the External Database URL'": f"'{self.render.external_url()}'"}
        self.walk("undo-watching", given, GOBLIN_DATA__DIR=str(self.folder / "home/data"))
        self.walk("undo-watching-models")
        self.render.let_in(False)
        self.page.stop()
        self.page = None
        self.render.stop_service()
        self.walk("undo-models")
        left = self.on("models", "ls /etc/systemd/system /usr/local/bin; nft list ruleset; cat /etc/goblin/tier-key")
        need("goblin-models" not in left and "table inet goblin" not in left and self.key in left, f"left: {left}")
        return "undone: keys of the watching machine, page, backend, models; the models' key and chats are kept"

    def finish(self) -> str:
        """Nothing that a page marks was left out."""
        left = set(self.blocks) - self.done
        need(not left, f"never walked: {sorted(left)}")
        return f"{len(self.done)} blocks of commands of docs/operations work as written"

    def steps(self):
        """The walk, in order."""
        return [
            self.prepare, self.models, self.models_answer, self.check_before, self.blueprint, self.set_backend, self.build_page,
            self.first_link, self.watch, self.shut_out, self.back_models, self.back_backend, self.back_page, self.back_schema, self.look_after,
            self.undo, self.finish,
        ]  # fmt: skip

    def close(self) -> None:
        """Ends and removes everything, whatever state it is in."""
        ways = [self.page.stop] if self.page else []
        if self.render:
            ways += [self.render.stop_service, self.render.stop]
        ways += [other.kill for other in self.others] + [self.machine.stop, self.net.close]
        for way in ways:
            with contextlib.suppress(Exception):
                way()


def main() -> int:
    def interrupted(number, _frame):
        raise SystemExit(128 + number)

    for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(one, interrupted)
    began = time.monotonic()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="goblin-walk-"))
    folder.chmod(0o711)
    walk = Walk(folder)
    try:
        for step in walk.steps():
            started = time.monotonic()
            try:
                said = step()
            except (Failed, ValueError, subprocess.SubprocessError, OSError) as failed:
                say(f"  FAILED {time.monotonic() - started:5.0f} s  {step.__name__}: {failed}")
                if not isinstance(failed, Failed):
                    traceback.print_exc()
                if os.environ.get("GOBLIN_WALK_LOGS") and walk.render:
                    say(walk.render.log()[-4000:])
                return 1
            say(f"  ok {time.monotonic() - started:5.0f} s  {said}")
        say(f"\nwalked in {time.monotonic() - began:.0f} s")
        return 0
    finally:
        for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(one, signal.SIG_IGN)
        walk.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
