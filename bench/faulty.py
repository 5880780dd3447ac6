"""Two model servers played by one thread: a faulty one, which does what it is told instead of answering, and a healthy one.

Both speak Chat Completions, as it stands in OpenAI's published OpenAPI document. Never run against the live service.
"""

import asyncio
import contextlib
import json
import threading

TEXT = ["The ", "whole ", "answer ", "came ", "through."]
WHOLE = "".join(TEXT)
MODEL = "m"
# Frames of a stream that is cut or stops in the middle.
BEFORE = 3
MOST_HEAD = 65536


def piece(text, finish=None, role=None):
    """One event of a stream."""
    delta = ({"role": role} if role else {}) | ({"content": text} if text else {})
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": [choice]})


def frames():
    """A whole stream."""
    usage = {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}
    last = json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": [], "usage": usage})
    return [piece("", role="assistant"), *map(piece, TEXT), piece("", finish="stop"), last, "[DONE]"]


def sse(events):
    """Events as they stand in a body."""
    return "".join(f"data: {event}\n\n" for event in events).encode()


def completion():
    """A whole answer in one piece."""
    message = {"role": "assistant", "content": WHOLE, "refusal": None}
    return json.dumps({
        "id": "c", "object": "chat.completion", "created": 1, "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10},
    }).encode()  # fmt: skip


def error(code="server_error"):
    """An error in OpenAI's shape."""
    return json.dumps({"error": {"message": "boom", "type": code, "param": None, "code": code}}).encode()


PAGE = b"<!DOCTYPE html><html><body>Sign in</body></html>"
# What a fault is: the status, the type and the body of an answer, and what comes after: the end (`end`), nothing
# (`stall`), or a connection that breaks before what was announced is there (`cut`). `reset` and `silence` come before any.
FAULTS = {
    "connection reset": ("reset",),
    "401": (401, "json", error("invalid_api_key"), "end"),
    "403": (403, "json", error("forbidden"), "end"),
    "404": (404, "json", error("model_not_found"), "end"),
    "408": (408, "json", error(), "end"),
    "409": (409, "json", error(), "end"),
    "429": (429, "json", error("rate_limit_exceeded"), "end"),
    "500": (500, "json", error(), "end"),
    "503": (503, "json", error(), "end"),
    "no headers": ("silence",),
    "200 with a page": (200, "html", PAGE, "end"),
    "200 with an error": (200, "own", error(), "end"),
    "200, empty": (200, "own", b"", "end"),
    "200, not JSON": (200, "own", b"{oops", "end"),
    "cut before content": (200, "own", b"", "cut"),
    "stall before content": (200, "own", b"", "stall"),
}
# Only a stream can do these.
STREAM_FAULTS = {
    "error in the stream": (200, "sse", sse([error().decode()]), "end"),
    "only [DONE]": (200, "sse", sse(["[DONE]"]), "end"),
    "cut after some text": (200, "sse", sse(frames()[:BEFORE]), "cut"),
    "stall after some text": (200, "sse", sse(frames()[:BEFORE]), "stall"),
}
AFTER_CONTENT = {"cut after some text", "stall after some text"}
TYPES = {"json": "application/json", "html": "text/html", "sse": "text/event-stream"}
REASONS = {200: "OK", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 429: "Too Many Requests"}


class Played:
    """Both servers, on free ports of the loopback address."""

    def __init__(self):
        self.fault = None
        self.asked = {"faulty": 0, "healthy": 0}
        self._loop = asyncio.new_event_loop()
        self._held = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.faulty = self._run(self._listen("faulty"))
        self.healthy = self._run(self._listen("healthy"))

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    async def _listen(self, name):
        server = await asyncio.start_server(lambda r, w: self._serve(name, r, w), "127.0.0.1", 0)
        self._held.add(server)
        return server.sockets[0].getsockname()[1]

    async def _serve(self, name, reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
            await self._answer(name, reader, writer)
        writer.close()

    async def _answer(self, name, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lengths = [line.partition(":")[2] for line in head.splitlines() if line.lower().startswith("content-length:")]
        body = await reader.readexactly(min(int(lengths[0]), MOST_HEAD)) if lengths else b""
        method, path, _ = head.split(" ", 2)
        if method == "GET" and path.rstrip("/").endswith("/models"):
            listed = json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1, "owned_by": "x"}]})
            return await send(writer, 200, "json", listed.encode(), "end")
        if method != "POST" or "chat/completions" not in path:
            return await send(writer, 404, "json", error("not_found"), "end")
        self.asked[name] += 1
        stream = json.loads(body).get("stream") is True
        fault = self.fault if name == "faulty" else None
        if fault is None:
            whole = (200, "sse", sse(frames()), "end") if stream else (200, "json", completion(), "end")
            return await send(writer, *whole)
        if fault == ("reset",):
            return writer.transport.abort()
        if fault == ("silence",):
            return await reader.read()
        status, kind, body, after = fault
        kind = ("sse" if stream else "json") if kind == "own" else kind
        await send(writer, status, kind, body, after)
        if after == "stall":
            await reader.read()
        return None


async def send(writer, status, kind, body, after):
    """Sends an answer. One that is whole says its length; one that is not announces more than it has."""
    length = f"Content-Length: {len(body) + (0 if after == 'end' else 1000)}\r\n"
    head = f"HTTP/1.1 {status} {REASONS.get(status, 'Error')}\r\nContent-Type: {TYPES[kind]}\r\n{length}Connection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
