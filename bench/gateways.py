"""Gateways between a client and a fake model server: `goblin serve` with accounts and keys, and its peers, each as its
own documents say it is to be run. Only processes started here are ever ended."""

import json
import re
import subprocess
import time
import urllib.request
from pathlib import Path

import overhead
import servers

MODELS = ("fast", "paced", "nagle", "hold")
PATIENCE_SECONDS = 60


def goblin(binary, work, fake, name="goblin"):
    """`goblin serve` with an account and a key of the API that has a budget and limits: everything a request passes is on,
    SQLite in a file, metering, traces and the log as they are by default."""
    home = work / name
    home.mkdir(parents=True)
    port = servers.free_port()
    address = f"http://127.0.0.1:{port}"
    environment = servers.bare_environment(home) | {
        "HOST": "127.0.0.1", "PORT": str(port), "LOG_LEVEL": "info", "FRONTEND_URL": address,
        "GOBLIN_UPSTREAM__DISCOVER": "false", "GOBLIN_ENGINE__ENABLED": "false",
        "GOBLIN_UPSTREAM__SERVERS__FAKE__KIND": "openai", "GOBLIN_UPSTREAM__SERVERS__FAKE__URL": f"http://127.0.0.1:{fake.port}",
        "GOBLIN_LIMITS__ADDRESS_PER_MINUTE": "0", "GOBLIN_LIMITS__USER_PER_MINUTE": "0", "GOBLIN_LIMITS__USER_CONCURRENT": "0",
    }  # fmt: skip
    server = servers.start(name, [str(binary), "serve"], environment, port, "none", work, named=lambda _: "fast")
    try:
        found = re.search(r"(/[^\s\"=]*first-link)", wait_for(server.log, "first-link"))
        link = Path(found.group(1)).read_text().strip()
        account = {"token": link.partition("#")[2], "email": "bench@example.org", "password": "a long password for a benchmark"}
        post(f"{address}/auth/setup", account)
        command = [
            str(binary), "keys", "create", "bench", "--requests-per-minute", "1000000", "--concurrent", "1000",
            "--budget", "1000000",
        ]
        made = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
        server.key = made.stdout.strip()
    except BaseException:
        server.stop()
        raise
    return overhead.Path("goblin", server, "fake/")


def litellm(python, work, fake):
    """LiteLLM's proxy with one worker and a master key; no database, so it has neither budgets nor a log of spend."""
    home = work / "litellm"
    home.mkdir(parents=True)
    key = "sk-bench-0123456789"
    params = lambda model: {"model": f"openai/{model}", "api_base": f"http://127.0.0.1:{fake.port}/v1", "api_key": "none"}
    config = {
        "model_list": [{"model_name": model, "litellm_params": params(model)} for model in MODELS],
        "general_settings": {"master_key": key},
        "litellm_settings": {"telemetry": False, "num_retries": 0},
    }
    settings = home / "config.json"
    settings.write_text(json.dumps(config))
    port = servers.free_port()
    environment = servers.bare_environment(home) | {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    command = [str(python.parent / "litellm"), "--config", str(settings), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    server = servers.start("litellm", command, environment, port, key, work, health="/health/liveliness", named=lambda _: "fast")
    return overhead.Path("LiteLLM", server)


TENSORZERO = """
import sys, threading
from tensorzero.tensorzero import _start_http_gateway
gateway = _start_http_gateway(config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False)
print(gateway.base_url, flush=True)
threading.Event().wait()
"""


def tensorzero(python, work, fake):
    """TensorZero's gateway as its wheel carries it: no key check, no database, observability off."""
    home = work / "tensorzero"
    home.mkdir(parents=True)
    settings = home / "tensorzero.toml"
    models = "".join(
        f'[models.{model}]\nrouting = ["fake"]\n[models.{model}.providers.fake]\ntype = "openai"\nmodel_name = "{model}"\n'
        f'api_base = "http://127.0.0.1:{fake.port}/v1"\napi_key_location = "none"\n'
        for model in MODELS
    )
    settings.write_text(f"[gateway]\nobservability.enabled = false\n{models}")
    log = work / "tensorzero.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(python), "-c", TENSORZERO, str(settings)], env=servers.bare_environment(home) | {"TENSORZERO_API_KEY": "none"},
            stdin=subprocess.DEVNULL, stdout=out, stderr=out)  # fmt: skip
    server = servers.Server("tensorzero", "127.0.0.1", 0, "none", log, process)
    try:
        # It is open when it says so; it has nothing at /health.
        server.port = int(re.search(r"http://[^\s/]+:(\d+)", wait_for(log, "/openai/v1"))[1])
    except BaseException:
        server.stop()
        raise
    return overhead.Path("TensorZero", server, "tensorzero::model_name::", "/openai/v1/chat/completions")


def portkey(folder, work, fake):
    """Portkey's gateway: a plain proxy, told by headers where to go; it checks no key."""
    home = work / "portkey"
    home.mkdir(parents=True)
    port = servers.free_port()
    entry = folder / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    command = ["node", str(entry), f"--port={port}", "--headless"]
    environment = servers.bare_environment(home) | {"NODE_ENV": "production"}
    server = servers.start("portkey", command, environment, port, "none", work, health="/", named=lambda _: "fast")
    headers = ("x-portkey-provider: openai", f"x-portkey-custom-host: http://127.0.0.1:{fake.port}/v1")
    return overhead.Path("Portkey", server, headers=headers)


def crabllm(binary, work, fake):
    """crabllm with a key and nothing else: no limits, nothing counted or kept."""
    home = work / "crabllm"
    home.mkdir(parents=True)
    key, port = "sk-bench-0123456789", servers.free_port()
    settings = home / "crabllm.toml"
    settings.write_text(
        f'listen = "127.0.0.1:{port}"\n[providers.fake]\nkind = "openai"\napi_key = "none"\nmax_retries = 0\n'
        f'base_url = "http://127.0.0.1:{fake.port}/v1"\nmodels = {json.dumps(MODELS)}\n'
        f'[[keys]]\nname = "bench"\nkey = "{key}"\nmodels = ["*"]\n'
    )
    command = [str(binary), "serve", "--config", str(settings)]
    server = servers.start("crabllm", command, servers.bare_environment(home), port, key, work, health="/health", named=lambda _: "fast")
    return overhead.Path("crabllm", server)


def wait_for(log, text):
    """The log, once `text` stands in it."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if text in (said := log.read_text(errors="replace")):
            return said
        time.sleep(0.1)
    raise servers.NotReady(f"{log.name} never said {text!r}:\n{servers.tail(log)}")


def post(url, body):
    """POSTs JSON and reads the answer, which must be good."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        return json.load(answer)
