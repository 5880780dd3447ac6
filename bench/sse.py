"""A small client for streaming chat completions: one request, timed at every piece of text."""

import http.client
import json
import time
from dataclasses import dataclass, field


class StreamFailed(Exception):
    """The server refused, broke off, or took too long."""


class Splitter:
    """Cuts a byte stream into the `data:` payloads of server-sent events (WHATWG HTML, section 9.2.6).

    Bytes may be cut anywhere. Comments and other fields are dropped; several `data:` lines of one event are joined
    by a newline.
    """

    def __init__(self):
        self._rest = b""
        self._data = []

    def feed(self, chunk):
        """Takes some bytes; returns the payloads that are complete now."""
        self._rest += chunk
        done = []
        while True:
            line, found, rest = self._rest.partition(b"\n")
            if not found:
                return done
            self._rest = rest
            line = line.removesuffix(b"\r")
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                done.append(b"\n".join(self._data).decode("utf-8"))
                self._data = []


@dataclass
class Answer:
    """What one request gave. Times are seconds on the monotonic clock."""

    sent: float
    first: float | None = None
    last: float | None = None
    ended: float | None = None
    text: str = ""
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    pieces: list[float] = field(default_factory=list)

    @property
    def ttft(self):
        """Seconds from sending the request to its first text."""
        if self.first is None:
            raise StreamFailed("the answer has no text")
        return self.first - self.sent

    @property
    def decode_rate(self):
        """Tokens per second of this stream, its first token left out (that one is the prefill's)."""
        if self.completion_tokens is None or self.completion_tokens < 2 or self.last is None:
            raise StreamFailed("the answer is too short to measure a rate")
        return (self.completion_tokens - 1) / (self.last - self.first)


def take(answer, payload, now):
    """Enters one payload into `answer`. Returns True at `[DONE]`."""
    if payload.strip() == "[DONE]":
        return True
    event = json.loads(payload)
    if "error" in event:
        raise StreamFailed(f"error in the stream: {event['error']}")
    for choice in event.get("choices") or []:
        text = (choice.get("delta") or {}).get("content") or ""
        if text:
            answer.text += text
            answer.pieces.append(now)
            answer.first = now if answer.first is None else answer.first
            answer.last = now
        answer.finish_reason = choice.get("finish_reason") or answer.finish_reason
    usage = event.get("usage")
    if usage:
        answer.prompt_tokens = usage.get("prompt_tokens")
        answer.completion_tokens = usage.get("completion_tokens")
        answer.cached_tokens = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    return False


def ask(server, messages, max_tokens, deadline_seconds=180.0, clock=time.monotonic):
    """Sends one streaming request to `server` (host, port, key, model) and reads it to the end.

    Raises StreamFailed on any status but 200, an error event, a stream that ends without `[DONE]` or without
    usage, and when the whole takes longer than `deadline_seconds`.
    """
    body = json.dumps({
        "model": server.model,
        "messages": messages,
        "max_tokens": max_tokens,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    })
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {server.key}"}
    until = clock() + deadline_seconds
    connection = http.client.HTTPConnection(server.host, server.port, timeout=deadline_seconds)
    try:
        connection.connect()
        answer = Answer(sent=clock())
        connection.request("POST", "/v1/chat/completions", body=body, headers=headers)
        response = connection.getresponse()
        if response.status != 200:
            raise StreamFailed(f"{server.name} answered {response.status}: {response.read(2000)!r}")
        splitter = Splitter()
        while True:
            chunk = response.read1(65536)
            now = clock()
            if now > until:
                raise StreamFailed(f"{server.name} took longer than {deadline_seconds:.0f} s")
            if not chunk:
                raise StreamFailed(f"{server.name} ended the stream without [DONE]")
            if any([take(answer, payload, now) for payload in splitter.feed(chunk)]):
                break
        answer.ended = clock()
    except (OSError, http.client.HTTPException) as error:
        raise StreamFailed(f"{server.name}: {error!r}") from error
    finally:
        connection.close()
    if answer.completion_tokens is None or answer.first is None:
        raise StreamFailed(f"{server.name} sent no {'usage' if answer.first is not None else 'text'}")
    return answer
