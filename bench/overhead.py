"""What standing in between costs, against a fake model server that costs nearly nothing: time, CPU and memory."""

import http.client
import json
import socket
import subprocess
import time
from dataclasses import dataclass
from statistics import median

import servers
import sse
import stats

# Below this the clock of two processes on a busy machine tells nothing apart.
FLOOR_US = 1.0
PIECES = 20
OPEN_STREAMS = 500
CONTENT = b'"content":" '


@dataclass(frozen=True)
class Path:
    """One way to the fake model server: through whom, and by which name its model is known there."""

    name: str
    server: servers.Server
    prefix: str = ""
    # Where it takes chat completions, and what it wants to be told beside the key.
    route: str = "/v1/chat/completions"
    headers: tuple = ()


def body(model, stream, tag=None, words=200):
    """A chat request of the size of a usual question."""
    text = f"tag-{tag} " if tag is not None else ""
    request = {"model": model, "messages": [{"role": "user", "content": text + "word " * words}]}
    return json.dumps(request | ({"stream": True} if stream else {})).encode()


class Load:
    """Runs the load generator (load/load.rs)."""

    def __init__(self, binary, work):
        self.binary, self.work = binary, work

    def run(self, path, model, stream, connections, requests, seconds):
        """Asks through `path` and returns what was found, with `cpu_us` (CPU time of who stands in between, for each
        answer)."""
        question = self.work / "question.json"
        question.write_bytes(body(path.prefix + model, stream))
        server = path.server
        command = [
            str(self.binary), str(server.port), path.route, server.key, str(question), str(connections),
            str(requests), str(seconds), str(PIECES if stream else 1), *path.headers,
        ]
        before = server.cpu_seconds()
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False)
        used = server.cpu_seconds() - before
        if done.returncode != 0:
            raise sse.StreamFailed(f"the load generator failed: {done.stderr[-500:]}")
        found = json.loads(done.stdout)
        if found["failed"] or not found["latency_us"]:
            raise sse.StreamFailed(f"{path.name}: {found['failed'] or 'nothing was measured'}")
        found["cpu_us"] = used / found["served"] * 1e6
        return found


def sums(found):
    """The percentiles of one run, in microseconds."""
    at = stats.percentile
    latency, first = found["latency_us"], found["first_us"]
    return {
        "p50": at(latency, 0.5), "p99": at(latency, 0.99), "first_p50": at(first, 0.5), "first_p99": at(first, 0.99)}


def rounds(paths, count, measure, say):
    """Measures every path once in each of `count` rounds, beginning with another one each time, after one unmeasured
    round. Returns, for each round, a dict by the path's name."""
    results = []
    for index in range(-1, count):
        found = {}
        for path in stats.rotated(paths, max(index, 0)):
            began = time.monotonic()
            found[path.name] = measure(path, index < 0)
            label = "warm-up" if index < 0 else f"round {index + 1}/{count}"
            say(f"{label}, {path.name}, {time.monotonic() - began:.1f} s")
        if index >= 0:
            results.append(found)
    return results


def cost(load, stream, size):
    """How one answer is measured: one connection for the times, eight for CPU and rate."""

    def measure(path, warm_up):
        seconds = 0.3 if warm_up else size.seconds
        alone = load.run(path, "fast", stream, 1, 5_000, seconds)
        busy = load.run(path, "fast", stream, 8, 50_000, seconds)
        rate = (busy["served"] - 8) / busy["seconds"]
        return sums(alone) | {"cpu_us": busy["cpu_us"], "rate": rate}

    return measure


def cost_rows(results, tier, what, keys, aim):
    """Rows of the table: for each of `keys` (key, name) what is added to a direct answer, then the CPU time. The aim is
    on the first of `keys` and on the CPU time."""
    rows = []
    for key, name in keys:
        columns = {who: median(r[who][key] for r in results) for who in ("direct", "nginx", tier)}
        ratios = [stats.added_ratio(r[tier][key], r["nginx"][key], r["direct"][key], FLOOR_US) for r in results]
        ratios = [ratio for ratio in ratios if ratio is not None]
        cells = [f"{columns['direct']:.0f} µs"]
        cells += [f"{columns[who] - columns['direct']:+.0f} µs" for who in ("nginx", tier)]
        # In a round in which nginx seemed to add nothing there is nothing to compare with.
        spread = stats.Spread.of(ratios) if ratios else None
        judged = aim if spread and key == keys[0][0] else None
        rows.append(([f"{what}: {name}", *cells, str(spread or "—")], spread.median if spread else None, judged))
    least = {who: min(r[who]["cpu_us"] for r in results) for who in ("nginx", tier)}
    ratio = least[tier] / max(least["nginx"], FLOOR_US)
    rows.append(([
        f"{what}: CPU of who stands between, 8 at once, least of {len(results)}", "", f"{least['nginx']:.0f} µs",
        f"{least[tier]:.0f} µs", f"**{ratio:.2f}**"], ratio, aim))
    rate = {who: median(r[who]["rate"] for r in results) for who in ("direct", "nginx", tier)}
    rows.append(([
        f"{what}: answers per second, 8 at once", *(f"{rate[who]:.0f}" for who in ("direct", "nginx", tier)), ""],
        None, None))
    return rows


def paced(load, size):
    """Streams with 5 ms between their frames, eight at once: does anything hold frames back?"""

    def measure(path, warm_up):
        streams = 8 if warm_up or size.smoke else 80
        return load.run(path, "paced", True, 8, streams, 6)

    return measure


def paced_sums(results, name):
    """All rounds of a paced run together, in milliseconds: (whole p99 − p50, gaps p99 − p50, first text p50)."""
    at = stats.percentile
    every = {key: [x for r in results for x in r[name][key]] for key in ("latency_us", "gaps_us", "first_us")}
    spread = [(at(every[key], 0.99) - at(every[key], 0.5)) / 1000 for key in ("latency_us", "gaps_us")]
    return (*spread, at(every["first_us"], 0.5) / 1000)


def send(path, model, stream=True, tag=None):
    """A connection on which a request was sent."""
    server = path.server
    question = body(path.prefix + model, stream, tag)
    more = "".join(f"{header}\r\n" for header in path.headers)
    head = (
        f"POST {path.route} HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\nauthorization: Bearer {server.key}\r\n{more}"
        f"content-type: application/json\r\ncontent-length: {len(question)}\r\n\r\n")
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    connection.sendall(head.encode() + question)
    return connection


def read_until_text(connection):
    """Reads an answer up to its first text."""
    seen = b""
    while CONTENT not in seen:
        piece = connection.recv(65536)
        if not piece:
            raise sse.StreamFailed(f"an answer ended before its first text: {seen[:300]!r}")
        seen += piece


def memory(path, streams):
    """Memory of who stands in between, in bytes: before anything was asked, with `streams` streams open, and three
    seconds after they were closed."""
    time.sleep(2)
    idle = path.server.memory_bytes()
    connections = []
    try:
        for _ in range(streams):
            connections.append(send(path, "hold"))
        for connection in connections:
            read_until_text(connection)
        full = path.server.memory_bytes()
    except (OSError, http.client.HTTPException) as error:
        raise sse.StreamFailed(f"{path.name}: {error!r} with {len(connections)} streams open") from error
    finally:
        for connection in connections:
            connection.close()
    time.sleep(3)
    return {"idle": idle, "full": full, "after": path.server.memory_bytes()}
