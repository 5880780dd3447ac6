"""What becomes of a request when the model that is to answer it fails: the fault matrix, ours beside peers'. See README.md.

Each server has two models behind one name: the first fails in the way of the row, the second is well.
"""

import argparse
import http.client
import json
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import faulty
import report
import servers
import sse

# A server that says nothing for so long hangs. Each server is told to give an upstream three seconds.
HANG_SECONDS = 12
UPSTREAM_SECONDS = 3
KEY = "a key for tests, not a secret"
# LiteLLM wants one of this form.
MASTER_KEY = "sk-" + "0123456789abcdef" * 2
ALIAS = "both"
LIMIT_MINUTES = 40


@dataclass
class Outcome:
    """What the client got."""

    word: str
    seconds: float

    def __str__(self):
        return f"{self.word} {self.seconds:.1f} s" if self.seconds >= 1 else self.word


def arguments():
    """What may be asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", type=Path, required=True, help="the program")
    parser.add_argument("--litellm", type=Path, help="LiteLLM's `litellm` of its package with [proxy]; left out: not compared")
    parser.add_argument("--only", action="append", default=[], help="only rows with that in their name")
    parser.add_argument("--results", type=Path, help="also write the table between the markers of this file")
    return parser.parse_args()


def start_ours(binary, work, ports, name="goblin"):
    """`goblin serve` with the two servers behind one alias."""
    home = work / name
    home.mkdir(parents=True)
    settings = home / "goblin.toml"
    table = "".join(
        f'[upstream.servers.{name}]\nkind = "openai"\nurl = "http://127.0.0.1:{port}"\nkey = "{KEY}"\n' for name, port in ports.items()
    )
    alias = " ".join([ALIAS, *(f"{name}/{faulty.MODEL}" for name in ports)])
    settings.write_text(
        f'[models]\naliases = ["{alias}"]\n[engine]\nenabled = false\n[upstream]\ndiscover = false\n'
        f"first_event_timeout_seconds = {UPSTREAM_SECONDS}\nidle_timeout_seconds = {UPSTREAM_SECONDS}\n{table}"
    )
    port = servers.free_port()
    environment = servers.bare_environment(home) | {"HOST": "127.0.0.1", "PORT": str(port), "LOG_LEVEL": "warn"}
    command = [str(binary), "--config", str(settings), "serve"]
    return servers.start(name, command, environment, port, KEY, home, named=lambda server: ALIAS if listed(server, ALIAS) else None)


def start_litellm(binary, work, ports):
    """LiteLLM's proxy: the second model is the fallback of the first, three seconds each, no retries of its own."""
    home = work / "litellm"
    home.mkdir(parents=True)
    model = lambda name, port: {
        "model_name": name,
        "litellm_params": {
            "model": f"openai/{faulty.MODEL}", "api_base": f"http://127.0.0.1:{port}/v1", "api_key": KEY,
            "timeout": UPSTREAM_SECONDS, "stream_timeout": UPSTREAM_SECONDS, "max_retries": 0,
        },
    }  # fmt: skip
    first, second = ports
    config = {
        "model_list": [model(ALIAS, ports[first]), model("second", ports[second])],
        "litellm_settings": {"request_timeout": UPSTREAM_SECONDS, "fallbacks": [{ALIAS: ["second"]}], "num_retries": 0, "telemetry": False},
        "router_settings": {"disable_cooldowns": True, "num_retries": 0},
        "general_settings": {"master_key": MASTER_KEY},
    }
    settings = home / "config.json"
    settings.write_text(json.dumps(config))
    port = servers.free_port()
    environment = servers.bare_environment(home) | {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
    command = [str(binary), "--config", str(settings), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    return servers.start("litellm", command, environment, port, MASTER_KEY, home, health="/health/liveliness", named=lambda _: ALIAS)


def listed(server, name):
    """Is a model of this name on offer?"""
    models = json.loads(server.get("/v1/models")[1]).get("data") or []
    return any(model["id"] == name for model in models)


def ask(server, stream):
    """One request, and what came of it."""
    began = time.monotonic()
    connection = http.client.HTTPConnection(server.host, server.port, timeout=HANG_SECONDS)
    body = json.dumps({"model": server.model, "stream": stream, "messages": [{"role": "user", "content": "hi"}]})
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {server.key}"}
    try:
        connection.request("POST", "/v1/chat/completions", body, headers)
        response = connection.getresponse()
        word = judged_stream(response, began) if stream and response.status == 200 else judged_whole(response)
    except TimeoutError:
        word = "HANGS"
    except (OSError, http.client.HTTPException):
        word = "CLOSED, no answer"
    finally:
        connection.close()
    return Outcome(word, time.monotonic() - began)


def judged_whole(response):
    """An answer in one piece, or an error instead of one."""
    body = response.read(1 << 20)
    if response.status != 200:
        return f"error {response.status}"
    try:
        text = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError):
        return "GARBAGE with 200"
    return "answered" if text == faulty.WHOLE else "EMPTY with 200" if not text else "PARTIAL, silent"


def judged_stream(response, began):
    """A stream: whole, or in part with an error, or in part and nothing said."""
    splitter, text, said = sse.Splitter(), "", None
    while chunk := response.read1(65536):
        if time.monotonic() - began > HANG_SECONDS:
            return "HANGS"
        for data in splitter.feed(chunk):
            if data == "[DONE]":
                continue
            try:
                event = json.loads(data)
            except ValueError:
                return "GARBAGE with 200"
            if event.get("error"):
                said = "error"
            for choice in event.get("choices") or []:
                text += (choice.get("delta") or {}).get("content") or ""
    if text == faulty.WHOLE and not said:
        return "answered"
    if said:
        return "part and error" if text else "error in the stream"
    return "PARTIAL, silent" if text else "EMPTY, silent"


def is_lie(word):
    """Does the client not learn that something is wrong, or never?"""
    return word.split(" ")[0].rstrip(",").isupper()


def rows(only):
    """Every fault, in one piece and streamed."""
    cases = [(name, fault, stream) for name, fault in faulty.FAULTS.items() for stream in (False, True)]
    cases += [(name, fault, True) for name, fault in faulty.STREAM_FAULTS.items()]
    named = [(f"{name} ({'stream' if stream else 'whole'})", fault, stream, name) for name, fault, stream in cases]
    return [row for row in named if not only or any(part in row[0] for part in only)]


def main():
    args = arguments()
    began = datetime.now(timezone.utc)
    work = Path(tempfile.mkdtemp(prefix="goblin-faults-"))
    played, running, say = faulty.Played(), [], report.progress("faults")
    stop = lambda: [server.stop() for server in running]
    servers.watchdog(LIMIT_MINUTES, stop)
    ports = {"faulty": played.faulty, "healthy": played.healthy}
    try:
        peer = None
        if args.litellm:
            say("LiteLLM starts")
            peer = start_litellm(args.litellm, work, ports)
            running.append(peer)
        table, score = [], {}
        cases = rows(args.only)
        for at, (name, fault, stream, kind) in enumerate(cases):
            say(f"{at + 1} of {len(cases)}: {name}")
            # A new process for each, so that none is spared the fault by what it learnt from the one before.
            ours = start_ours(args.ours, work / str(at), ports)
            running.append(ours)
            played.fault = fault
            found = {"goblin": ask(ours, stream)}
            if peer:
                found["LiteLLM"] = ask(peer, stream)
            played.fault = None
            ours.stop()
            running.remove(ours)
            before = kind not in faulty.AFTER_CONTENT
            for who, outcome in found.items():
                good = outcome.word == "answered" if before else not is_lie(outcome.word)
                score.setdefault(who, []).append(good)
            table.append([name, *map(str, found.values())])
    finally:
        stop()
        shutil.rmtree(work, ignore_errors=True)
    head = ["fault of the first model", *score]
    total = ["**as it should be**", *(f"**{sum(good)} of {len(good)}**" for good in score.values())]
    facts = [
        ("run", f"{began:%Y-%m-%d %H:%M} UTC, {(datetime.now(timezone.utc) - began).total_seconds():.0f} s"),
        ("as it should be", "before the first text: the other model's whole answer; after it: the text that is there and an error, within the limit"),
        ("limits", f"{UPSTREAM_SECONDS} s for an upstream that says nothing; {HANG_SECONDS} s of silence are called a hang"),
    ]
    if peer:
        facts.append(("peer", f"LiteLLM {version(args.litellm)}, its proxy with one worker, `fallbacks`, no retries, no cooldowns"))
    for name, text in facts:
        print(f"{name}: {text}")
    print("\n" + report.plain_table(head, [*table, total]))
    if args.results and not args.only:
        section = "\n".join([f"- {name}: {text}" for name, text in facts] + ["", report.markdown_table(head, [*table, total])])
        args.results.write_text(report.put_between_markers(args.results.read_text(), section, "faults"))
    return 0 if all(score["goblin"]) else 1


def version(litellm):
    """What LiteLLM says of itself."""
    found = list(litellm.resolve().parent.parent.glob("lib/python*/site-packages/litellm-*.dist-info"))
    return found[0].name.removeprefix("litellm-").removesuffix(".dist-info") if found else "of unknown version"


if __name__ == "__main__":
    sys.exit(main())
