"""The client hangs up: when does the model server see it?"""

import itertools
import json
import time

import overhead
import servers
import sse

PATIENCE_SECONDS = 10.0
TAGS = itertools.count(1)


def after_first_token(path, fake):
    """Hangs up after the first text; milliseconds until the model server sees the close, None for never."""
    tag = next(TAGS)
    connection = overhead.send(path, "hold", tag=tag)
    overhead.read_until_text(connection)
    return hang_up(connection, fake, tag)


def before_headers(path, fake):
    """Hangs up when the model server has the request and has said nothing."""
    tag = next(TAGS)
    connection = overhead.send(path, "mute", tag=tag)
    if fake.wait_for("asked", tag, PATIENCE_SECONDS) is None:
        raise sse.StreamFailed(f"{path.name}: the request did not arrive")
    time.sleep(0.02)
    return hang_up(connection, fake, tag)


def hang_up(connection, fake, tag):
    """Closes `connection`; milliseconds until `fake` sees the close of `tag`, None for never."""
    closed_at = time.time()
    connection.close()
    seen_at = fake.wait_for("closed", tag, PATIENCE_SECONDS)
    return None if seen_at is None else max(seen_at - closed_at, 0.0) * 1000


def queued(path, fake):
    """Hangs up while waiting for the only place. Returns (milliseconds until the queue has lost it, did its request
    ever reach the model server)."""
    holder, left, last = next(TAGS), next(TAGS), next(TAGS)
    first = overhead.send(path, "hold", tag=holder)
    try:
        overhead.read_until_text(first)
        waiter = overhead.send(path, "hold", tag=left)
        wait_for_queue(path, 1)
        closed_at = time.monotonic()
        waiter.close()
        wait_for_queue(path, 0)
        milliseconds = (time.monotonic() - closed_at) * 1000
    finally:
        first.close()
    # The next one is served: had the one that left been passed on, it would have come before.
    after = overhead.send(path, "hold", tag=last)
    try:
        overhead.read_until_text(after)
    finally:
        after.close()
    asked = set()
    while (line := fake.next_said(PATIENCE_SECONDS)) is not None:
        if line[0] == "asked":
            asked.add(line[1])
        if line[:2] == ("closed", last):
            break
    return milliseconds, left in asked


def wait_for_queue(path, length):
    """Waits until so many requests wait for the model `hold`."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if instance(path.server, path.prefix + "hold")["queued"] == length:
            return
        time.sleep(0.001)
    raise sse.StreamFailed(f"{path.name}: the queue never had {length} requests")


def instances(server):
    """What `/v1/goblin/status` says of each model: a dict by `provider/model`, without Ollama's `:latest`."""
    code, body = server.get("/v1/goblin/status")
    if code != 200:
        raise servers.NotReady(f"{server.name}: /v1/goblin/status answered {code}")
    return {f"{one['provider']}/{one['model'].removesuffix(':latest')}": one for one in json.loads(body)["instances"]}


def instance(server, model_id):
    """What it says of `provider/model`."""
    known = instances(server)
    if model_id not in known:
        raise servers.NotReady(f"{server.name}: /v1/goblin/status knows {', '.join(known)}, and not {model_id}")
    return known[model_id]
