"""What the rehearsal stands on: PostgreSQL, Redis, Ollama and goblins of two releases, each on a free port of this machine,
each ended by whoever started it."""

import contextlib
import http.client
import json
import os
import pathlib
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import threading
import time

HANG_SECONDS = 120
MODEL = "smollm2:135m"


class Failed(Exception):
    """Something was not as a rollback promises."""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def until(what: str, look, seconds: float = HANG_SECONDS):
    """What `look` finds, once it finds something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise Failed(f"hangs: {what}")


def ended(process: subprocess.Popen, seconds: float = 60) -> None:
    """Asks it to end, waits, and insists."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=30)
        raise Failed(f"{process.args[0]} did not end within {seconds:.0f} s of SIGTERM") from None


class Answer:
    """What a server said."""

    def __init__(self, status: int, headers, body: bytes):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)


def ask(port: int, method: str, path: str, body=None, token: str | None = None) -> Answer:
    """One request on a connection of its own, read to its end. Raises `OSError` or `http.client.HTTPException`."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_SECONDS)
    headers = {"connection": "close"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    if body is not None:
        headers["content-type"] = "application/json"
    try:
        link.request(method, path, None if body is None else json.dumps(body), headers)
        answer = link.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        link.close()


def answers(port: int, path: str = "/health") -> bool:
    try:
        return ask(port, "GET", path).status == 200
    except (OSError, http.client.HTTPException):
        return False


class Postgres:
    """A PostgreSQL of its own, with one database; behind `enter`, a command that enters a namespace, when one is given."""

    def __init__(self, folder: pathlib.Path, enter: tuple[str, ...] = (), listen: str = "127.0.0.1"):
        self.enter = enter
        found = shutil.which("initdb")
        places = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
        if not places and not found:
            raise Failed("PostgreSQL is missing: scripts/setup.sh --tests")
        self.programs = places[-1].parent if places else pathlib.Path(found).resolve().parent
        self.folder = folder / "postgres"
        self.folder.mkdir()
        self.account = {}
        if os.geteuid() == 0:
            # It refuses to run as root.
            other = next(pwd.getpwnam(n) for n in ("postgres", "nobody") if n in {p.pw_name for p in pwd.getpwall()})
            self.account = {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": []}
            shutil.chown(self.folder, other.pw_uid, other.pw_gid)
        self.port = free_port()
        password = self.folder / "password"
        password.write_text(secrets.token_urlsafe(18))
        if self.account:
            shutil.chown(password, self.account["user"], self.account["group"])
        self.url = f"postgres://postgres:{password.read_text()}@127.0.0.1:{self.port}/goblin"
        self.run(
            "initdb", "--pgdata", self.folder / "data", "--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8",
            "--locale=C", "--no-sync", f"--pwfile={password}",
        )  # fmt: skip
        options = f"-p {self.port} -c listen_addresses={listen} -c unix_socket_directories={self.folder} -c fsync=off"
        self.run("pg_ctl", "--pgdata", self.folder / "data", "--wait", f"--log={self.folder}/log", f"--options={options}", "start")
        self.run("createdb", "--host=127.0.0.1", f"--port={self.port}", "--username=postgres", "goblin", password=password.read_text())

    def run(self, program: str, *arguments, password: str = "") -> None:
        # Not into a pipe: the server that pg_ctl starts would hold it open.
        with open(self.folder.parent / "postgres.log", "ab") as log:
            command = [str(self.programs / program), *map(str, arguments)]
            account = self.account
            if self.enter and account:
                # Only root may enter, so the account is changed behind the door.
                command = ["setpriv", f"--reuid={account['user']}", f"--regid={account['group']}", "--clear-groups", *command]
                account = {}
            environment = {"PATH": os.environ["PATH"], "PGPASSWORD": password, "LC_ALL": "C"}
            command = [*self.enter, *command]
            done = subprocess.run(command, stdout=log, stderr=log, env=environment, cwd=self.folder, timeout=HANG_SECONDS, **account)
        if done.returncode != 0:
            raise Failed(f"{program}: {(self.folder.parent / 'postgres.log').read_text()[-2000:]}")

    def stop(self) -> None:
        self.run("pg_ctl", "--pgdata", self.folder / "data", "--mode=immediate", "--wait", "stop")


class Program:
    """A server that is no goblin."""

    def __init__(self, command: list, port: int, ready, environment: dict | None = None):
        self.port = port
        # In a group of its own, so that what it starts ends with it.
        self.process = subprocess.Popen(
            list(map(str, command)),
            env=environment or {"PATH": os.environ["PATH"]},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until(f"{command[0]} answers", ready)

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=30)


def redis(folder: pathlib.Path) -> Program:
    """A Redis that keeps nothing on disk."""
    port = free_port()
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if not program:
        raise Failed("redis-server is missing: scripts/setup.sh --tests")

    def ready() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    return Program([program, "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", folder], port, ready)


def ollama_environment(folder: pathlib.Path, port: int) -> dict:
    """What Ollama's server and its commands are told."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "ollama"),
        "OLLAMA_HOST": f"127.0.0.1:{port}",
        "OLLAMA_MODELS": str(folder / "ollama/models"),
        "OLLAMA_NUM_PARALLEL": "2",
        "OLLAMA_CONTEXT_LENGTH": "4096",
        "OLLAMA_KEEP_ALIVE": "30m",
    }


def starter(root: pathlib.Path) -> str:
    """The starter model's file, fetched into the cache where it is not there yet."""
    if given := os.environ.get("GOBLIN_STARTER_GGUF"):
        return given
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    file = cache / "goblin/models/SmolLM2-135M-Instruct-Q4_1.gguf"
    if not file.exists():
        subprocess.run([root / "scripts/fetch_model.py", "--cache-only"], check=True)
    return str(file)


def ollama(folder: pathlib.Path, program: str, model: str) -> Program:
    """A real Ollama with the starter model, answering with one thread and at most 24 tokens."""
    port = free_port()
    home = folder / "ollama"
    home.mkdir()
    environment = ollama_environment(folder, port)
    started = Program([program, "serve"], port, lambda: answers(port, "/api/version"), environment)
    (home / "Modelfile").write_text(f"FROM {model}\nPARAMETER num_thread 1\nPARAMETER num_predict 24\n")
    try:
        create = [program, "create", MODEL, "-f", home / "Modelfile"]
        subprocess.run(create, env=environment, check=True, capture_output=True, timeout=HANG_SECONDS)
    except (subprocess.SubprocessError, OSError) as error:
        started.stop()
        raise Failed(f"ollama create: {error}") from None
    return started


class Goblin:
    """One release on one port, in a home of its own unless another's is given."""

    def __init__(self, program: pathlib.Path, home: pathlib.Path, settings: dict):
        self.program = program
        self.port = int(settings.get("PORT", 0)) or free_port()
        home.mkdir(exist_ok=True)
        self.home = home
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "GOBLIN_UPSTREAM__DISCOVER": "false",
            "NO_COLOR": "1",
            **settings,
        }
        self.process: subprocess.Popen | None = None
        # What else is waited for at every start.
        self.then = lambda goblin: None

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        """A command of this release, to its end."""
        return subprocess.run([self.program, *arguments], env=self.environment, capture_output=True, text=True, timeout=HANG_SECONDS)

    def must(self, *arguments: str) -> str:
        """A command that has to work: what it printed."""
        done = self.run(*arguments)
        if done.returncode != 0:
            raise Failed(f"goblin {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self) -> "Goblin":
        """Until it says that it is well, and what else is waited for."""
        with open(self.home / "log", "ab") as log:
            self.process = subprocess.Popen([self.program, "serve"], env=self.environment, stdout=log, stderr=log)

        def ready() -> bool:
            if self.process.poll() is not None:
                raise Failed(f"it ended with {self.process.returncode}:\n{self.log()[-3000:]}")
            return answers(self.port)

        until(f"{self.program.name} is ready", ready)
        self.then(self)
        return self

    def log(self) -> str:
        return (self.home / "log").read_text(errors="replace")

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            ended(self.process)


class Front:
    """What a platform has in front of the releases: passes every new connection on to whichever is named last."""

    def __init__(self):
        self.target = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client: socket.socket) -> None:
        with client:
            try:
                server = socket.create_connection(("127.0.0.1", self.target), 10)
            except OSError:
                return
            with server:
                server.settimeout(None)
                back = threading.Thread(target=self.copy, args=(server, client), daemon=True)
                back.start()
                self.copy(client, server)
                back.join()

    @staticmethod
    def copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                target.sendall(piece)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def stop(self) -> None:
        self.listener.close()
