#!/usr/bin/env python3
"""A real Prometheus scrapes a running model tier, with the rules of deploy/monitoring, and an alert that is provoked fires.

Also: every metric that rules and dashboard name is one that goblin prints, or one of those that appear only when
something happens. GOBLIN_BIN names the program; `prometheus` is Debian's.
"""

import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
MONITORING = ROOT / "deploy" / "monitoring"
HANG_SECONDS = 90


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def get(url: str, key: str | None = None) -> tuple[int, str]:
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {key}"} if key else {})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except (OSError, http.client.HTTPException):
        return 0, ""


def until(what: str, look):
    """What `look` finds, once it finds something."""
    deadline = time.monotonic() + HANG_SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.2)
    raise SystemExit(f"hangs: {what}")


def named_metrics() -> set[str]:
    """Every metric of ours that rules and dashboard name, without a histogram's endings."""
    text = (MONITORING / "alerts.yml").read_text() + (MONITORING / "dashboard.json").read_text()
    found = set(re.findall(r"\bgoblin_[a-z_]+", text))
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in found} - {"goblin_backend", "goblin_models"}


def metrics_in_sources() -> set[str]:
    """Every metric the program can print, by where it is counted."""
    found: set[str] = set()
    for file in (ROOT / "crates").glob("*/src/**/*.rs"):
        found |= set(re.findall(r'(?:counter|gauge|histogram)!\(\s*"(goblin_[a-z_]+)"', file.read_text(encoding="utf-8")))
    return found


def configuration(folder: pathlib.Path, tier: int) -> pathlib.Path:
    """prometheus.yml as it is shipped, with our address, our key, and seconds in the place of minutes."""
    text = (MONITORING / "prometheus.yml").read_text(encoding="utf-8")
    text = text.replace("15s", "1s").replace("https", "http").replace("/etc/prometheus/", f"{folder}/")
    text = text.replace("targets: [models.example.org]", f"targets: ['127.0.0.1:{tier}']")
    rules = (MONITORING / "alerts.yml").read_text(encoding="utf-8")
    (folder / "alerts.yml").write_text(re.sub(r"for: \d+[mh]", "for: 1s", rules), encoding="utf-8")
    file = folder / "prometheus.yml"
    file.write_text(text, encoding="utf-8")
    return file


def main() -> int:
    unknown = named_metrics() - metrics_in_sources()
    if unknown:
        raise SystemExit(f"no part of goblin counts {sorted(unknown)}")
    print(f"  ok: {len(named_metrics())} metrics of ours are named, and goblin counts every one")
    program = os.environ.get("GOBLIN_BIN", str(ROOT / "target/debug/goblin"))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="goblin-scrape-"))
    running: list[subprocess.Popen] = []
    try:
        scrape(program, folder, running)
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(timeout=30)
        shutil.rmtree(folder)
    return 0


def scrape(program: str, folder: pathlib.Path, running: list) -> None:
    key = secrets.token_urlsafe(32)
    for name in ("goblin-models.key", "goblin-backend.key"):
        (folder / name).write_text(key)
    tier, port = free_port(), free_port()
    environment = {
        "HOME": str(folder),
        "PORT": str(tier),
        "LOCAL_LLM_API_KEY": key,
        "GOBLIN_UPSTREAM__DISCOVER": "false",
        # Addresses that try keys are shut out after ten; the alert is to be seen before.
        "GOBLIN_TIER__BAN_AFTER_FAILURES": "0",
    }
    started = [program, "models", "serve"]
    running.append(subprocess.Popen(started, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    base = f"http://127.0.0.1:{tier}"
    until("the tier answers", lambda: get(f"{base}/metrics", key)[0] == 200)
    if get(f"{base}/metrics")[0] != 401:
        raise SystemExit("metrics are given without a key")
    print("  ok: metrics want a key")
    config = configuration(folder, tier)
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"]
    with open(folder / "prometheus.log", "wb") as log:
        running.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=folder))
    prometheus = f"http://127.0.0.1:{port}"

    def query(expression: str) -> list:
        status, text = get(f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
        return json.loads(text)["data"]["result"] if status == 200 else []

    def firing(name: str) -> bool:
        return bool(query(f'ALERTS{{alertname="{name}",alertstate="firing"}}'))

    until("Prometheus has scraped it", lambda: query('up{job="goblin-models"} == 1'))
    until("its counters are there", lambda: query('goblin_http_requests_total{job="goblin-models"}'))
    print("  ok: a real Prometheus scrapes it with the shipped configuration")
    # The backend of the shipped configuration is not there, so that one fires by itself.
    until("the backend that is away is told", lambda: firing("GoblinDown"))
    if query('ALERTS{alertname="GoblinDown",job="goblin-models"}'):
        raise SystemExit("the tier that runs is said to be down")
    print("  ok: GoblinDown fires for the backend that is away, and not for the tier that runs")

    def tried() -> bool:
        # Many at once: the tier makes whoever tries keys wait.
        wrong = [f"wrong-key-{n}-0123456789abcdef0123456789" for n in range(60)]
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            list(pool.map(lambda key: get(f"{base}/v1/models", key), wrong))
        return firing("GoblinKeysTried")

    until("keys that are tried are told", tried)
    print("  ok: GoblinKeysTried fires when wrong keys are tried")
    ended = running.pop(0)
    ended.kill()
    ended.wait(timeout=30)
    until("the tier that is away is told", lambda: query('ALERTS{alertname="GoblinDown",job="goblin-models",alertstate="firing"}'))
    print("  ok: GoblinDown fires for the tier after kill -9")


if __name__ == "__main__":
    sys.exit(main())
