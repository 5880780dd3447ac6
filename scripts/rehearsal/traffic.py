"""People who go on working while releases change: what they were told, and whether it was kept."""

import http.client
import json
import threading
import time
from dataclasses import dataclass, field

import servers
from servers import Failed, ask


@dataclass
class Count:
    """What happened to the requests of a while."""

    asked: int = 0
    # Of those: streams of an answer, read to their end.
    answers: int = 0
    before_first_byte: list = field(default_factory=list)
    cut: int = 0


class Person:
    """Somebody signed in, with a key for programs and a chat that every question goes into."""

    def __init__(self, port: int, token: str):
        self.token = token
        made = ask(port, "POST", "/api/keys", {"name": "rehearsal"}, token)
        if made.status != 201:
            raise Failed(f"no key was made: {made.status} {made.body[:300]}")
        self.key = made.json()["key"]
        self.chat = ask(port, "POST", "/api/chats", {"model": f"ollama/{servers.MODEL}"}, token).json()["id"]
        # Every turn whose id the server gave out: from then on it may not be lost.
        self.told: set[str] = set()

    def saw(self, line: bytes) -> None:
        """The first event of a turn names it."""
        if line.startswith(b"data:") and isinstance(turn := json.loads(line[5:]).get("turn"), dict):
            self.told.add(turn["id"])

    def saw_turns(self, stream: bytes) -> None:
        """The same, of a whole stream."""
        for line in stream.splitlines():
            self.saw(line)

    def turns(self, port: int) -> dict[str, dict]:
        """Every turn of the chat, by its id, as the server has it now."""
        found: dict[str, dict] = {}
        before = ""
        while True:
            answer = ask(port, "GET", f"/api/chats/{self.chat}/turns?limit=100{before}", None, self.token)
            if answer.status != 200:
                raise Failed(f"the chat cannot be read: {answer.status} {answer.body[:300]}")
            page = answer.json()
            found |= {turn["id"]: turn for turn in page["items"]}
            if not page["has_more"]:
                return found
            before = f"&before={page['items'][0]['id']}"


class Traffic:
    """Three at work at once through the front: one asks in a chat, one by the API, one only looks."""

    def __init__(self, port: int, person: Person):
        self.port = port
        self.person = person
        self.count = Count()
        self.lock = threading.Lock()
        self.going = True
        self.workers = [threading.Thread(target=work) for work in (self.chats, self.completes, self.looks)]
        for worker in self.workers:
            worker.start()

    def chats(self) -> None:
        body = {"content": "Name a color."}
        while self.going:
            self.one("POST", f"/api/chats/{self.person.chat}/turns", body, self.person.token, self.person.saw)

    def completes(self) -> None:
        body = {
            "model": f"ollama/{servers.MODEL}",
            "messages": [{"role": "user", "content": "Name an animal."}],
            "max_tokens": 12,
            "stream": True,
        }
        while self.going:
            self.one("POST", "/v1/chat/completions", body, self.person.key, lambda _: None)

    def looks(self) -> None:
        while self.going:
            self.one("GET", "/api/chats", None, self.person.token, lambda _: None)
            time.sleep(0.05)

    def one(self, method: str, path: str, body, token: str, saw) -> None:
        """A request; what went wrong is counted by whether a byte had come."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=servers.HANG_SECONDS)
        headers = {"connection": "close", "authorization": f"Bearer {token}", "content-type": "application/json"}
        begun = False
        try:
            link.request(method, path, None if body is None else json.dumps(body), headers)
            answer = link.getresponse()
            if answer.status >= 400:
                raise http.client.HTTPException(f"{answer.status} {answer.read(300)!r}")
            while line := answer.readline():
                begun = True
                saw(line)
            with self.lock:
                self.count.answers += method == "POST"
        except (OSError, http.client.HTTPException, ValueError) as error:
            with self.lock:
                if begun:
                    self.count.cut += 1
                else:
                    self.count.before_first_byte.append(f"{method} {path}: {error}")
        finally:
            link.close()
            with self.lock:
                self.count.asked += 1

    def so_far(self) -> tuple[int, int]:
        with self.lock:
            return self.count.asked, self.count.answers

    def more(self, requests: int, answers: int = 4) -> None:
        """Until that many more were made, and that many answers came to their end: others are under way then."""
        asked, answered = self.so_far()

        def enough() -> bool:
            now = self.so_far()
            return now[0] >= asked + requests and now[1] >= answered + answers

        servers.until("requests are answered", enough)

    def end(self) -> Count:
        self.going = False
        for worker in self.workers:
            worker.join(timeout=servers.HANG_SECONDS)
            if worker.is_alive():
                raise Failed("a request hangs")
        return self.count
