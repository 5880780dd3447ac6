"""What stands for the three hosts: a machine with systemd, and what Render and Vercel do with render.yaml and web/vercel.json."""

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

from net import ADDRESSES, OPERATOR, Net, hosts_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "rehearsal"))

import servers  # noqa: E402
from servers import Failed, ended, until  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# The account of the container (deploy/docker/Dockerfile).
CONTAINER = 65532
# Render's own proxies speak to the container from a private address.
INSIDE_RENDER = "10.16.0.5"


class Machine:
    """The models' machine: a Debian of its own, booted, in the namespace `models`."""

    def __init__(self, net: Net, folder: pathlib.Path):
        self.tree = folder / "debian"
        self.net = net
        self.leader = ""

    def prepare(self, archive: str, program: str, ollama: str, model: str, authority: pathlib.Path) -> None:
        """A fresh Debian with a release of goblin, an archive of Ollama and a model, as if they had been fetched."""
        self.tree.mkdir()
        subprocess.run(["tar", "-C", self.tree, "-xf", archive], check=True)
        (self.tree / "etc/hosts").write_text(hosts_file())
        given = self.tree / "opt/given"
        (given / "bin").mkdir(parents=True)
        shutil.copy(model, given / "starter.gguf")
        shutil.copy(authority, given / "acme-ca.pem")
        (given / "acme-ca.pem").chmod(0o644)
        shutil.copy(ollama, given / "bin/ollama")
        subprocess.run(["tar", "-C", given, "--zstd", "-cf", given / "ollama.tar.zst", "bin"], check=True)
        self.release(program, self.tree / "root/goblin-linux-x86-64.tar.gz")

    def release(self, program: str, archive: pathlib.Path, more: bytes = b"") -> None:
        """An archive as the release workflow makes it; `more` at the program's end makes another of it."""
        folder = archive.parent / "made"
        shutil.copytree(ROOT / "deploy/vps", folder / "goblin")
        shutil.copytree(ROOT / "deploy/fail2ban", folder / "goblin/fail2ban")
        shutil.copy(program, folder / "goblin/goblin")
        if more:
            with open(folder / "goblin/goblin", "ab") as file:
                file.write(more)
        subprocess.run(["tar", "-C", folder, "-I", "gzip -1", "-cf", archive, "goblin"], check=True)
        shutil.rmtree(folder)

    def boot(self) -> None:
        command = [ROOT / "scripts/debian_boot.sh", self.tree, self.net.space("models"), self.net.space("models")]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise Failed("the models' machine does not boot")
        self.leader = done.stdout.strip()

    def enter(self, *command: str) -> list[str]:
        """A command there, as root sees it after signing in."""
        shell = ["env", "-i", "HOME=/root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"]
        return ["nsenter", "-t", self.leader, "-m", "-u", "-i", "-n", "-p", "-C", "--", *shell, *command]

    def stop(self) -> None:
        if self.tree.exists():
            subprocess.run([ROOT / "scripts/debian_boot.sh", "--stop", self.tree], check=False)


class Edge:
    """A host's own front: a CDN that follows a route table, with TLS for a name, in a namespace."""

    def __init__(self, net: Net, host: str, settings: dict, environment: dict):
        command = net.enter(host, "node", str(ROOT / "e2e/deploy/serve.mjs"), json.dumps(settings))
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
        self.said("ready")

    def said(self, word: str) -> None:
        line = self.process.stdout.readline().strip()
        if line != word:
            raise Failed(f"an edge says `{line}`, not `{word}`")

    def change(self, **settings: str) -> None:
        """Where requests go, or what is served, from now on."""
        self.process.stdin.write(json.dumps(settings) + "\n")
        self.process.stdin.flush()
        self.said("changed")

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=30)


class Render:
    """Render: makes what render.yaml asks for, and carries deploys out as its documentation describes them."""

    def __init__(self, net: Net, folder: pathlib.Path, blueprint: dict):
        self.net = net
        self.folder = folder
        self.service = next(one for one in blueprint["services"] if one["type"] == "web")
        subprocess.run(net.enter("backend", "ip", "address", "add", f"{INSIDE_RENDER}/32", "dev", "lo"), check=True)
        self.postgres = servers.Postgres(folder, tuple(net.enter("backend")), listen="*")
        self.redis = servers.Program(
            net.enter("backend", "redis-server", "--port", "6379", "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)),
            6379,
            lambda: self.listens(6379),
        )
        self.variables = {one["key"]: self.value(one) for one in self.service["envVars"]}
        self.running: subprocess.Popen | None = None
        self.kept: list[tuple[pathlib.Path, dict]] = []
        self.port = 10000
        self.edge: Edge | None = None

    def value(self, variable: dict) -> str:
        """What a variable is after the Blueprint was made; empty for one that Render asks for."""
        if "value" in variable:
            return variable["value"]
        if variable.get("generateValue"):
            return secrets.token_urlsafe(48)
        if variable.get("fromDatabase"):
            return self.postgres.url
        if variable.get("fromService"):
            return "redis://127.0.0.1:6379"
        return ""

    def listens(self, port: int) -> bool:
        probe = self.net.enter("backend", "bash", "-c", f"</dev/tcp/127.0.0.1/{port}")
        return subprocess.run(probe, capture_output=True).returncode == 0

    def external_url(self) -> str:
        """The database's address for others: good for nobody until Access Control lets them in."""
        return self.postgres.url.replace("127.0.0.1", ADDRESSES["backend"])

    def let_in(self, is_let_in: bool) -> None:
        """Access Control of the database: the operator's address, or nobody."""
        file = self.postgres.folder / "data/pg_hba.conf"
        own = f"host goblin postgres {OPERATOR}/32 scram-sha-256\n"
        file.write_text(file.read_text().replace(own, "") + (own if is_let_in else ""))
        self.postgres.run("pg_ctl", "--pgdata", self.postgres.folder / "data", "reload")

    def container(self, image: pathlib.Path, *command: str, port: int, log) -> subprocess.Popen:
        """A command in the image, with the service's variables, a file system that is empty, and nothing else."""
        home = pathlib.Path(tempfile.mkdtemp(prefix="container-", dir=self.folder))
        os.chown(home, CONTAINER, CONTAINER)
        own = {"HOST": "0.0.0.0", "GOBLIN_DATA__DIR": str(home), "PORT": str(port), "RENDER": "true", "PATH": "/usr/bin:/bin"}
        user = ["setpriv", f"--reuid={CONTAINER}", f"--regid={CONTAINER}", "--clear-groups"]
        inside = self.net.enter("backend", *user, str(image), *command)
        return subprocess.Popen(inside, env={**own, **self.variables}, stdout=log, stderr=log, cwd="/")

    def log(self) -> str:
        return (self.folder / "render.log").read_text(errors="replace")

    def deploy(self, image: pathlib.Path, keep: bool = True) -> None:
        """Pre-deploy command, new instance, health, traffic, then SIGTERM for the old one."""
        before = self.service["preDeployCommand"].split()[1:]
        with open(self.folder / "render.log", "ab") as log:
            if self.container(image, *before, port=self.port, log=log).wait(timeout=120) != 0:
                raise Failed(f"the pre-deploy command failed; the old release stays:\n{self.log()[-2000:]}")
            port = 10001 if self.port == 10000 and self.running else 10000
            started = self.container(image, *self.service["dockerCommand"].split()[1:], port=port, log=log)
        path = self.service["healthCheckPath"]

        def healthy() -> bool:
            if started.poll() is not None:
                raise Failed(f"the new instance ended with {started.returncode}:\n{self.log()[-2000:]}")
            ask = self.net.enter("backend", "curl", "-sf", "--max-time", "5", "-o", "/dev/null", f"http://127.0.0.1:{port}{path}")
            return subprocess.run(ask, capture_output=True).returncode == 0

        try:
            until("the new instance is healthy", healthy)
        except Failed:
            ended(started)
            raise
        old, self.running, self.port = self.running, started, port
        if self.edge:
            self.edge.change(backend=f"http://{INSIDE_RENDER}:{port}")
        if old:
            ended(old, self.service["maxShutdownDelaySeconds"])
        if keep:
            self.kept.append((image, dict(self.variables)))

    def rollback(self) -> None:
        """The image and variables of the deploy before."""
        if len(self.kept) < 2:
            raise Failed("there is no deploy before")
        self.kept.pop()
        image, self.variables = self.kept[-1]
        self.deploy(image, keep=False)

    def stop(self) -> None:
        for one in (self.edge, self.redis, self.postgres):
            if one:
                one.stop()

    def stop_service(self) -> None:
        """Suspends the service: nothing of goblin runs."""
        if self.running:
            ended(self.running)
            self.running = None


def vercel_build(clone: pathlib.Path, target: pathlib.Path, **variables: str) -> pathlib.Path:
    """What Vercel makes of the page: its own program, in the clone. The folder it would serve."""
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target), **variables}
    # In a group of its own, so that what it starts ends with it when the walk is interrupted.
    build = subprocess.Popen(
        [clone / "scripts/vercel_build.sh"], env=environment, text=True, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        said, complained = build.communicate()
    except BaseException:
        os.killpg(build.pid, signal.SIGKILL)
        raise
    if build.returncode != 0:
        raise Failed(f"vercel build: {complained[-2000:]}")
    return pathlib.Path(said.strip().splitlines()[-1])


def stands_for(clone: pathlib.Path) -> str:
    """The backend that web/vercel.json leads to."""
    text = (clone / "web/vercel.json").read_text()
    found = set(re.findall(r'"dest": "(https://[^/"]+)/', text))
    if len(found) != 1:
        raise Failed(f"web/vercel.json leads to {found}")
    return found.pop()
