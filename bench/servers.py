"""Starts and ends the two servers. Only processes started here are ever ended."""

import faulthandler
import http.client
import json
import os
import resource
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path


class NotReady(Exception):
    """A server did not come up."""


@dataclass
class Server:
    """A running server."""

    name: str
    host: str
    port: int
    key: str
    log: Path
    process: subprocess.Popen = field(repr=False)
    model: str = ""

    def get(self, path, timeout=10.0):
        """GET `path`; returns (status, body bytes)."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.key}"})
            response = connection.getresponse()
            return response.status, response.read(1 << 20)
        finally:
            connection.close()

    def cpu_seconds(self):
        """CPU time the process and its children have used so far (proc(5), /proc/PID/stat, fields 14 to 17)."""
        ticks = sum(sum(int(field) for field in stat[11:15]) for stat in family(self.process.pid))
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory_bytes(self):
        """Memory the process and its children have in RAM, shared pages counted once for each of them (field 24)."""
        return sum(int(stat[21]) for stat in family(self.process.pid)) * os.sysconf("SC_PAGE_SIZE")

    def stop(self):
        """Asks the process to end, and ends it after 20 s."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(timeout=20)


def family(pid):
    """/proc/PID/stat of the process and of all below it, each as its fields from the third one on."""
    stats = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            stats[int(path.parent.name)] = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
    members, found = {pid}, []
    # Children are found until there are no more; pids say nothing about who is older.
    while new := [p for p, stat in stats.items() if p in members or int(stat[1]) in members]:
        for p in new:
            members.add(p)
            found.append(stats.pop(p))
    return found


def free_port():
    """A port of the loopback address nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def bare_environment(home):
    """An environment in which nothing of the operator's own settings can show up."""
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        **{f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA", "STATE")},
    }


def start_ours(binary, model, work, settings):
    """`goblin models serve` with a fresh home and a key of its own."""
    home = work / "ours"
    home.mkdir(parents=True)
    port, key = free_port(), secrets.token_urlsafe(32)
    environment = bare_environment(home) | {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "LOG_LEVEL": "warn",
        "LOCAL_LLM_API_KEY": key,
        "GOBLIN_UPSTREAM__DISCOVER": "false",
        "GOBLIN_ENGINE__MODEL": str(model),
        "GOBLIN_ENGINE__THREADS": str(settings.threads),
        "GOBLIN_ENGINE__SEQUENCES": str(settings.sequences),
        "GOBLIN_ENGINE__CONTEXT_TOKENS": str(settings.context_tokens),
    }
    return start("goblin", [str(binary), "models", "serve"], environment, port, key, work)


def start_peer(binary, model, work, settings, name="llama-server"):
    """`llama-server` with the same model, threads and room per sequence, otherwise with its own defaults."""
    home = work / name
    home.mkdir(parents=True)
    port = free_port()
    threads, sequences = str(settings.threads), settings.sequences
    command = [
        str(binary), "-m", str(model), "-t", threads, "-tb", threads, "-np", str(sequences),
        "-c", str(sequences * settings.context_tokens), "--host", "127.0.0.1", "--port", str(port), "--no-webui",
        *settings.peer_flags,
    ]
    return start(name, command, bare_environment(home), port, "none", work)


def start(name, command, environment, port, key, work, health="/health", named=None):
    """Starts `command`, waits up to two minutes until `health` is 200, and asks it for the model's name: `named`
    (of the server) says it, else the first one listed is taken."""
    log = work / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    server = Server(name, "127.0.0.1", port, key, log, process)
    try:
        until = time.monotonic() + 120
        server.model = wait_until(server, health, lambda: named(server) if named else listed(server), until)
    except BaseException:
        server.stop()
        raise
    return server


def wait_until(server, health, name, until):
    """Waits until `health` is 200 and `name()` says the model's name; returns it."""
    while time.monotonic() < until:
        if server.process.poll() is not None:
            raise NotReady(f"{server.name} ended with {server.process.returncode}:\n{tail(server.log)}")
        try:
            if server.get(health)[0] == 200 and (model := name()):
                return model
        except (OSError, http.client.HTTPException, ValueError):
            pass
        time.sleep(0.2)
    raise NotReady(f"{server.name} did not answer within two minutes:\n{tail(server.log)}")


def listed(server):
    """The first model a server lists; None while it lists none."""
    models = json.loads(server.get("/v1/models")[1]).get("data") or []
    return models[0]["id"] if models else None


def tail(path, lines=20):
    """The end of a log."""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


def many_sockets():
    """Many streams are many sockets, here and in every server."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run(make, measure, publish, minutes, failures):
    """Runs a benchmark: `make(work)` in a folder of its own, `measure(bench)`, `publish(bench, seconds)`. Its servers
    (`bench.started`) end with `bench.stop()`, whatever happens. Returns the exit status: 1 after one of `failures`."""
    # Told to end, the servers end too: SystemExit passes through `finally`.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="goblin-bench-") as folder:
        bench = make(Path(folder))
        watchdog(minutes, bench.stop)
        began = time.monotonic()
        try:
            measure(bench)
        except (NotReady, *failures) as error:
            print(f"The benchmark stopped: {error}", file=sys.stderr)
            for server in bench.started:
                print(f"--- end of the log of {server.name}\n{tail(server.log)}", file=sys.stderr)
            return 1
        finally:
            bench.stop()
        publish(bench, time.monotonic() - began)
    return 0


def watchdog(minutes, stop):
    """Whatever hangs: after so many minutes `stop` ends every server, and this process ends too."""

    def end():
        print(f"The benchmark took longer than {minutes} minutes and was ended.", file=sys.stderr, flush=True)
        faulthandler.dump_traceback(all_threads=True)
        stop()
        os._exit(3)

    timer = threading.Timer(minutes * 60, end)
    timer.daemon = True
    timer.start()
