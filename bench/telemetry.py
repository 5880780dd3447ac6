"""What telling others costs: CPU time of the model tier for each answer, with traces and metrics off, on as they are set,
and on for every trace, however many there are, against a fake model server that costs nearly nothing. Only ratios mean
anything elsewhere."""

import argparse
import http.server
import sys
import tempfile
import threading
from pathlib import Path
from statistics import median

import fronts
import overhead
import servers
import stats

# What the house allows itself, with what is set by default.
AIM = 1.05
JUDGED = "on"


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes everything and keeps nothing but how many bytes it was sent."""

    protocol_version = "HTTP/1.1"
    taken = 0

    def do_POST(self):
        Collector.taken += len(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Says nothing."""


def start_tier(binary, work, fake, name, more):
    """As fronts.start_tier, with more variables."""
    tier = fronts.Tier(binary, work, name, {
        "GOBLIN_ENGINE__ENABLED": "false",
        "LLAMACPP_URL": f"http://127.0.0.1:{fake.port}",
        **more,
    })
    return tier.start(tier.key("bench"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", type=Path, required=True, help="goblin, built for release")
    parser.add_argument("--fake", type=Path, required=True, help="load/upstream.rs, compiled")
    parser.add_argument("--load", type=Path, required=True, help="load/load.rs, compiled")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=3)
    args = parser.parse_args()
    collector = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    told = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}"}
    every = {"GOBLIN_TELEMETRY__TRACES_PER_SECOND": "0"}
    started = []

    def stop():
        while started:
            started.pop().stop()

    servers.watchdog(20, stop)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        try:
            fake = fronts.start_fake(args.fake, work, 1024)
            started.append(fake)
            paths = []
            for name, more in (("off", {}), (JUDGED, told), ("every trace", told | every)):
                tier = start_tier(args.ours, work, fake, f"tier {name}".replace(" ", "-"), more)
                started.append(tier)
                paths.append(overhead.Path(name, tier, "llamacpp/"))
            load = overhead.Load(args.load, work)
            missed = False
            for stream in (False, True):

                def measure(path, warm_up, stream=stream):
                    seconds = 0.3 if warm_up else args.seconds
                    return load.run(path, "fast", stream, 8, 50_000, seconds)["cpu_us"]

                results = overhead.rounds(paths, args.rounds, measure, lambda text: print(text, file=sys.stderr))
                what = "streamed" if stream else "in one piece"
                print(f"{what}: {median(r['off'] for r in results):.0f} µs of CPU for an answer while nobody is told")
                for name in (JUDGED, "every trace"):
                    spread = stats.Spread.of([r[name] / r["off"] for r in results])
                    print(f"{what}, telemetry {name}: {spread}")
                    missed |= name == JUDGED and spread.median > AIM
        finally:
            stop()
    print(f"The collector took {Collector.taken} bytes. The aim is at most {AIM} for telemetry {JUDGED}.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
