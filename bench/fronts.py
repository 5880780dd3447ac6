"""What stands between a client and a model server: the fake model server itself, nginx with an auth check, and
`goblin models serve`. Only processes started here are ever ended."""

import os
import queue
import subprocess
import threading
import time

import servers

NGINX = """
daemon off;
worker_processes auto;
worker_rlimit_nofile 8192;
pid {work}/nginx.pid;
error_log {work}/nginx-error.log;
events {{ worker_connections 4096; }}
http {{
  access_log {work}/nginx-access.log;
  client_body_temp_path {work}/nginx-body;
  proxy_temp_path {work}/nginx-proxy;
  fastcgi_temp_path {work}/nginx-fastcgi;
  uwsgi_temp_path {work}/nginx-uwsgi;
  scgi_temp_path {work}/nginx-scgi;
  client_body_buffer_size 1m;
  keepalive_requests 10000000;
  map_hash_bucket_size 256;
  map $http_authorization $known {{ default 0; "Bearer {key}" 1; }}
  upstream models {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 10000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      if ($known = 0) {{ return 401; }}
      proxy_pass http://models;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


class Fake(servers.Server):
    """The fake model server (load/upstream.rs), and what it says of tagged requests."""

    def listen(self):
        """Begins to take in what it prints."""
        self.said = queue.Queue()
        threading.Thread(target=self._take_in, daemon=True).start()

    def _take_in(self):
        for line in self.process.stdout:
            what, tag, micros = line.split()
            self.said.put((what.decode(), int(tag), int(micros) / 1e6))

    def next_said(self, seconds):
        """The next (what, tag, when) it says; None when it says nothing for `seconds`."""
        try:
            return self.said.get(timeout=seconds)
        except queue.Empty:
            return None

    def wait_for(self, what, tag, seconds):
        """When (`time.time()`) it said `what` of `tag`; None when it did not within `seconds`. What is said of other
        requests meanwhile is dropped: requests with a tag come one at a time."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            line = self.next_said(left)
            if line is None:
                return None
            if line[:2] == (what, tag):
                return line[2]
        return None

    def stop(self):
        """Its standard input ends, and so does it."""
        self.process.stdin.close()
        super().stop()


def start_fake(binary, work, slots, name="fake"):
    """Starts the fake model server, which says that it makes `slots` answers at once."""
    log = work / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(binary), str(slots)], env=servers.bare_environment(work), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=out)
    port = process.stdout.readline().strip()
    fake = Fake(name, "127.0.0.1", int(port or 0), "none", log, process)
    if not port:
        fake.stop()
        raise servers.NotReady(f"{name} said no port")
    fake.model = "fast"
    fake.listen()
    return fake


def start_nginx(binary, work, upstream, key):
    """nginx in front of `upstream`: a key checked, nothing buffered, connections kept, an access log."""
    port = servers.free_port()
    config = work / "nginx.conf"
    text = NGINX.format(work=work, port=port, upstream=upstream.port, key=key)
    # As root nginx would give its workers to a user who may not enter the folder.
    config.write_text(("user root;\n" if os.getuid() == 0 else "") + text)
    command = [str(binary), "-p", str(work), "-c", str(config), "-e", str(work / "nginx-error.log")]
    return servers.start("nginx", command, servers.bare_environment(work), port, key, work)


class Tier:
    """A home for a `goblin models serve`: its settings and its keys."""

    def __init__(self, binary, work, name, settings):
        self.binary, self.work, self.name = binary, work, name
        home = work / name
        home.mkdir(parents=True)
        self.port = servers.free_port()
        self.environment = servers.bare_environment(home) | {
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "LOG_LEVEL": "info",
            "GOBLIN_UPSTREAM__DISCOVER": "false",
            **settings,
        }

    def key(self, name):
        """Makes a key with limits that are checked and never reached."""
        command = [
            str(self.binary), "models", "keys", "create", name, "--requests-per-minute", "4000000",
            "--concurrent", "2000", "--tokens-per-day", "4000000000000",
        ]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0 or not done.stdout.strip():
            raise servers.NotReady(f"no key was made: {done.stderr[-500:]}")
        return done.stdout.strip()

    def start(self, key):
        """Starts it; `key` is the one asked with."""
        return servers.start(
            self.name, [str(self.binary), "models", "serve"], self.environment, self.port, key, self.work)


def start_tier(binary, work, fake, name="tier"):
    """`goblin models serve` in front of `fake` alone, as llama-server and as Ollama: keys, limits, queue and access
    log are on, the engine is off."""
    tier = Tier(binary, work, name, {
        "GOBLIN_ENGINE__ENABLED": "false",
        "LLAMACPP_URL": f"http://127.0.0.1:{fake.port}",
        "OLLAMA_HOST": f"http://127.0.0.1:{fake.port}",
    })
    return tier.start(tier.key("bench"))


def start_ollama(binary, model, work):
    """A real Ollama with the GGUF `model` as `starter`: one thread, one answer at a time."""
    home = work / "ollama"
    home.mkdir(parents=True)
    port = servers.free_port()
    environment = servers.bare_environment(home) | {
        "OLLAMA_HOST": f"127.0.0.1:{port}",
        "OLLAMA_MODELS": str(home / "models"),
        "OLLAMA_NUM_PARALLEL": "1",
        "OLLAMA_KEEP_ALIVE": "-1",
        "OLLAMA_CONTEXT_LENGTH": "2048",
    }

    def create(server):
        recipe = home / "Modelfile"
        recipe.write_text(f"FROM {model}\nPARAMETER num_thread 1\nPARAMETER num_ctx 2048\n")
        command = [str(binary), "create", "starter", "-f", str(recipe)]
        done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, timeout=120,
                              check=False)
        if done.returncode != 0:
            raise servers.NotReady(f"ollama create failed: {done.stderr[-500:]}")
        return "starter"

    return servers.start(
        "ollama", [str(binary), "serve"], environment, port, "none", work, health="/api/version", named=create)
