"""goblin's backend as a gateway, against nginx and against other gateways, in front of one fake model server. See README.md."""

import argparse
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

import cancel
import fronts
import gateways
import overhead
import report
import servers
import sse
import stats
from engine import version

SECTIONS = ("chat", "stream", "paced", "cancel", "memory", "soak")
# Most CPU time of one request in microseconds, and most that may be added against what nginx adds.
CHAT_CPU_US, CHAT_RATIO = 60, 3.0
STREAM_CPU_US, STREAM_RATIO = 200, 3.5
IDLE_MIB, FULL_MIB = 25, 60
# What a soak may grow by in a minute, once it has run for one.
GROWTH_MIB = 1.0
PEERS = {"litellm": gateways.litellm, "tensorzero": gateways.tensorzero, "portkey": gateways.portkey, "crabllm": gateways.crabllm}


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    smoke: bool
    rounds: int
    seconds: float
    paced_rounds: int
    cancels: int
    streams: int
    soak_seconds: float

    @classmethod
    def of(cls, args):
        """A full run, or one that only shows that everything works."""
        if args.smoke:
            return cls(True, 1, 0.3, 1, 1, 20, 4)
        return cls(False, args.rounds, 0.7, 2, 5, overhead.OPEN_STREAMS, args.soak_minutes * 60)


def arguments():
    """What may be asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", type=Path, required=True, help="the goblin binary without the engine, release profile")
    parser.add_argument("--fake", type=Path, required=True, help="load/upstream.rs, compiled")
    parser.add_argument("--load", type=Path, required=True, help="load/load.rs, compiled")
    parser.add_argument("--nginx", type=Path, required=True, help="an nginx")
    for peer in ("litellm", "tensorzero"):
        parser.add_argument(f"--{peer}", type=Path, help=f"python of a virtual environment with {peer}; without it its columns are left out")
    parser.add_argument("--portkey", type=Path, help="folder in which npm installed @portkey-ai/gateway")
    parser.add_argument("--crabllm", type=Path, help="crabllm's program")
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds (default 5, at least 5)")
    parser.add_argument("--soak-minutes", type=float, default=10, help="how long memory is watched under load (default 10)")
    parser.add_argument("--only", action="append", metavar="NAME", choices=SECTIONS, help=f"only this part: {', '.join(SECTIONS)}")
    parser.add_argument("--smoke", action="store_true", help="a little of each: does it run? The numbers mean nothing")
    parser.add_argument("--limit-minutes", type=float, default=45, help="end everything after so long (default 45)")
    parser.add_argument("--results", type=Path, help="write the tables into this file, between its markers")
    args = parser.parse_args()
    if args.rounds < 5:
        parser.error("--rounds must be at least 5: the CPU time is the least of them")
    return args


class Bench:
    """One run: its servers, and what was found."""

    def __init__(self, args, work):
        self.args, self.work, self.size = args, work, Size.of(args)
        self.started, self.cost, self.others, self.notes = [], [], [], []
        self.paths, self.fake = [], None

    def wants(self, section):
        """Is this part asked for?"""
        return not self.args.only or section in self.args.only

    def stop(self):
        """Ends every server of this run."""
        while self.started:
            self.started.pop().stop()

    def start(self):
        """The fake model server and every way to it. A peer that does not start is left out, and that is said."""
        args = self.args
        self.fake = fronts.start_fake(args.fake, self.work, 1024)
        self.started.append(self.fake)
        ours = gateways.goblin(args.ours, self.work, self.fake)
        self.started.append(ours.server)
        nginx = fronts.start_nginx(args.nginx, self.work, self.fake, ours.server.key)
        self.started.append(nginx)
        self.paths = [overhead.Path("direct", self.fake), overhead.Path("nginx", nginx), ours]
        for name, begin in PEERS.items():
            given = getattr(args, name)
            if not given:
                continue
            try:
                peer = begin(given, self.work, self.fake)
                self.started.append(peer.server)
                # One that cannot do all that is measured is no peer.
                for model, stream in (("fast", False), ("fast", True), ("paced", True)):
                    overhead.Load(args.load, self.work).run(peer, model, stream, 1, 3, 5)
                self.paths.append(peer)
            except (servers.NotReady, sse.StreamFailed, OSError) as error:
                self.notes.append(f"{name} is not compared: {str(error).splitlines()[0][:300]}")

    def names(self):
        """Who stands between, in the order of the columns."""
        return [path.name for path in self.paths[1:]]

    def head(self):
        """The columns of every table."""
        return ["what", *(path.name for path in self.paths), "goblin ÷ nginx (min–max)", "aim"]

    def measure(self):
        """Every part that is asked for."""
        load = overhead.Load(self.args.load, self.work)
        if self.wants("memory"):
            self.measure_memory()
        for section, stream, keys, cpu, ratio in (
            ("chat", False, (("p50", "p50"), ("p99", "p99")), CHAT_CPU_US, CHAT_RATIO),
            ("stream", True, (("first_p50", "first text p50"), ("first_p99", "first text p99"), ("p50", "whole stream p50")), STREAM_CPU_US, STREAM_RATIO),
        ):
            if self.wants(section):
                results = overhead.rounds(self.paths, self.size.rounds, overhead.cost(load, stream, self.size), report.progress(section))
                what = "stream of 23 frames" if stream else "chat"
                self.cost += self.cost_rows(results, what, keys, cpu, ratio)
        if self.wants("paced"):
            self.measure_paced(load)
        if self.wants("cancel"):
            self.measure_cancel()
        if self.wants("soak"):
            self.measure_soak(load)

    def cost_rows(self, results, what, keys, most_cpu, most_ratio):
        """What each adds to a direct answer, and its CPU time."""
        rows = []
        for key, name in keys:
            middle = {path.name: median(found[path.name][key] for found in results) for path in self.paths}
            added = [f"{middle[who] - middle['direct']:+.0f} µs" for who in self.names()]
            ratios = [stats.added_ratio(r["goblin"][key], r["nginx"][key], r["direct"][key], overhead.FLOOR_US) for r in results]
            ratios = [ratio for ratio in ratios if ratio is not None]
            spread = stats.Spread.of(ratios) if ratios else None
            judged = spread and key == keys[0][0]
            aim = report.judge(round(spread.median, 2) <= most_ratio, f"≤ {most_ratio:.1f}") if judged else ""
            rows.append([f"{what}: added to {name}", f"{middle['direct']:.0f} µs", *added, str(spread or "—"), aim])
        least = {who: min(found[who]["cpu_us"] for found in results) for who in self.names()}
        ratio = least["goblin"] / max(least["nginx"], overhead.FLOOR_US)
        rows.append([
            f"{what}: CPU per request, 8 at once, least of {len(results)}", "", *(f"{least[who]:.0f} µs" for who in self.names()),
            f"**{ratio:.2f}**", report.judge(least["goblin"] <= most_cpu, f"≤ {most_cpu} µs")])  # fmt: skip
        rate = {path.name: median(found[path.name]["rate"] for found in results) for path in self.paths}
        rows.append([f"{what}: per second, 8 at once", *(f"{rate[path.name]:.0f}" for path in self.paths), "", ""])
        return rows

    def measure_paced(self, load):
        """Does anybody hold frames back?"""
        results = overhead.rounds(self.paths, self.size.paced_rounds, overhead.paced(load, self.size), report.progress("paced"))
        found = {path.name: overhead.paced_sums(results, path.name) for path in self.paths}
        for at, what in enumerate(("whole stream, p99 − p50", "between two frames, p99 − p50")):
            self.others.append([
                f"frames every 5 ms, 8 streams: {what}", *(f"{found[path.name][at]:.1f} ms" for path in self.paths), "",
                report.judge(found["goblin"][at] < 10, "< 10 ms")])  # fmt: skip

    def measure_cancel(self):
        """When does a hang-up arrive?"""
        for what, measure in (("after the first text", cancel.after_first_token), ("before any header", cancel.before_headers)):
            cells, ours = [], []
            for path in self.paths:
                try:
                    found = [measure(path, self.fake) for _ in range(self.size.cancels)]
                except (sse.StreamFailed, OSError):
                    found = [None]
                ours = found if path.name == "goblin" else ours
                cells.append("never" if None in found else f"{max(found):.1f} ms")
            report.progress("cancel")(what)
            met = None not in ours and max(ours) <= 100
            self.others.append([f"hang-up {what} → the model server sees it, worst of {self.size.cancels}", *cells, "", report.judge(met, "≤ 100 ms")])

    def measure_memory(self):
        """Memory idle and with many open streams."""
        say, mib = report.progress("memory"), {}
        for path in self.paths[1:]:
            try:
                found = overhead.memory(path, self.size.streams)
                mib[path.name] = {key: n / 2**20 for key, n in found.items()}
            except sse.StreamFailed as error:
                self.notes.append(f"Memory: {str(error)[:200]}")
            say(path.name)
        for key, what, most in (("idle", "idle", IDLE_MIB), ("full", f"with {self.size.streams} open streams", FULL_MIB), ("after", "three seconds after they closed", None)):
            cells = [f"{mib[who][key]:.1f} MiB" if who in mib else "failed" for who in self.names()]
            aim = report.judge(mib["goblin"][key] <= most, f"≤ {most} MiB") if most else ""
            self.others.append([f"memory (RSS) {what}", "—", *cells, "", aim])

    def measure_soak(self, load):
        """Memory of goblin under load for a while."""
        ours, say = self.paths[2], report.progress("soak")
        began, seen = time.monotonic(), []
        while (spent := time.monotonic() - began) < self.size.soak_seconds:
            load.run(ours, "fast", len(seen) % 2 == 0, 8, 50_000, min(5, self.size.soak_seconds))
            seen.append((spent, ours.server.memory_bytes() / 2**20))
            if len(seen) % 12 == 0:
                say(f"{spent:.0f} s, {seen[-1][1]:.1f} MiB")
        # The first tenth fills caches and pools.
        steady = seen[len(seen) // 10:]
        minutes = max((steady[-1][0] - steady[0][0]) / 60, 1 / 60)
        growth = (steady[-1][1] - steady[0][1]) / minutes
        self.others.append([
            f"memory of goblin after {self.size.soak_seconds / 60:.0f} minutes of load, growth in a minute", "—", "—",
            f"{seen[-1][1]:.1f} MiB, {growth:+.2f} MiB", *("—" for _ in self.paths[3:]), "",
            report.judge(growth < GROWTH_MIB, f"< {GROWTH_MIB:.0f} MiB")])  # fmt: skip


def publish(bench, load_before, seconds):
    """Prints the tables; writes them where it was asked to."""
    args = bench.args
    kind = "**smoke run, the numbers mean nothing**, " if args.smoke else ""
    facts = [
        ("run", f"{kind}{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, {bench.size.rounds} rounds, {seconds:.0f} s"),
        ("machine", f"{report.machine()}; load {load_before:.2f} before the start"),
        ("goblin", f"{version([args.ours, '--version'])}, release profile without the engine; accounts, key with limits and budget, metering, trace and log on; SQLite in a file"),
        ("nginx", f"{version([args.nginx, '-v'])}; key checked, nothing buffered, access log on"),
        ("peers", "LiteLLM: one worker, master key, no database. TensorZero: no key, observability off. Portkey: no key. crabllm: a key, no limits. None of them meters or keeps anything here"),
    ]
    if load_before > 0.5:
        bench.notes.append(f"The machine was not quiet: load {load_before:.2f} before the start. Do not trust these numbers.")
    rows = [*bench.cost, *bench.others]
    print("\n" + "\n".join(f"{name}: {text}" for name, text in facts) + "\n\n" + report.plain_table(bench.head(), rows))
    print("\n" + "\n".join(bench.notes))
    missed = sum("MISS" in row[-1] for row in rows)
    print(f"{missed} aim(s) missed." if missed else "No aim missed.")
    if args.results and not args.smoke and not args.only:
        section = "\n".join(
            [f"- {name}: {text}" for name, text in facts] + ["", report.markdown_table(bench.head(), rows), ""] + [f"- {note}" for note in bench.notes]
        )
        args.results.write_text(report.put_between_markers(args.results.read_text(), section.rstrip(), "gateway"))
        print(f"Written to {args.results}.")


def main():
    """Runs everything and prints the tables. Returns the exit status: 0 also for a missed aim."""
    args = arguments()
    load_before = report.settled(0.5)
    servers.many_sockets()

    def measure(bench):
        bench.start()
        bench.measure()

    return servers.run(
        lambda work: Bench(args, work), measure, lambda bench, seconds: publish(bench, load_before, seconds),
        args.limit_minutes, (sse.StreamFailed, OSError))


if __name__ == "__main__":
    sys.exit(main())
