"""goblin's model tier against asking the model server directly and against nginx with an auth check. See README.md."""

import argparse
import os
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import cancel
import forecast
import fronts
import overhead
import report
import scenarios
import servers
import sse
import stats
from engine import built_with, version

SECTIONS = ("chat", "stream", "paced", "cancel", "memory", "ollama", "llama-server", "forecast")
# Most that the tier may add, against what nginx adds.
AIM = 3.0
COST_HEAD = ["what", "direct", "nginx", "tier", "tier ÷ nginx (min–max)", "aim"]


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    smoke: bool
    pairs: int
    seconds: float
    paced_rounds: int
    cancels: int
    streams: int
    real_pairs: int
    tokens: int
    learn: int
    samples: int
    mixed_seconds: float

    @classmethod
    def of(cls, args):
        """A full run, or one that only shows that everything works."""
        if args.smoke:
            return cls(True, 1, 0.3, 1, 1, 20, 1, 8, 1, 2, 60)
        return cls(False, args.pairs, 0.7, 3, 10, overhead.OPEN_STREAMS, 5, 48, 8, 14, 150)


def arguments():
    """What may be asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", type=Path, required=True, help="the goblin binary, release profile")
    parser.add_argument("--lean", type=Path, help="the same without the engine, for its memory (default: --ours)")
    parser.add_argument("--fake", type=Path, required=True, help="load/upstream.rs, compiled")
    parser.add_argument("--load", type=Path, required=True, help="load/load.rs, compiled")
    parser.add_argument("--nginx", type=Path, required=True, help="an nginx")
    parser.add_argument("--ollama", type=Path, help="a real Ollama; without it its rows are left out")
    parser.add_argument("--llama-server", type=Path, help="a real llama-server; without it its rows are left out")
    parser.add_argument("--model", type=Path, help="the GGUF file real servers load")
    parser.add_argument("--pairs", type=int, default=7, help="measured rounds of what is fast (default 7, at least 5)")
    parser.add_argument("--only", action="append", metavar="NAME", choices=SECTIONS,
                        help=f"only this part; may be repeated: {', '.join(SECTIONS)}")
    parser.add_argument("--smoke", action="store_true", help="a little of each: does it run? The numbers mean nothing")
    parser.add_argument("--limit-minutes", type=float, default=15, help="end everything after so long (default 15)")
    parser.add_argument("--results", type=Path, help="write the tables into this file, between its markers")
    args = parser.parse_args()
    if args.pairs < 5:
        parser.error("--pairs must be at least 5: the CPU time is the least of them")
    return args


class Bench:
    """One run: its servers, and what was found."""

    def __init__(self, args, work):
        self.args, self.work = args, work
        self.size = Size.of(args)
        self.started = []
        self.cost, self.others, self.real, self.waits, self.notes = [], [], [], [], []

    def wants(self, *sections):
        """Is any of these parts asked for?"""
        return any(not self.args.only or section in self.args.only for section in sections)

    def keep(self, server):
        """Remembers a server, so that it ends with the run."""
        self.started.append(server)
        return server

    def stop(self):
        """Ends every server of this run."""
        while self.started:
            self.started.pop().stop()

    def fronts(self, slots, binary, name):
        """A fake model server, and the three ways to it."""
        fake = self.keep(fronts.start_fake(self.args.fake, self.work, slots, f"fake-of-{name}"))
        tier = self.keep(fronts.start_tier(binary, self.work, fake, name))
        # nginx checks the very key the tier knows.
        nginx = self.keep(fronts.start_nginx(self.args.nginx, self.work, fake, tier.key))
        return fake, [
            overhead.Path("direct", fake), overhead.Path("nginx", nginx), overhead.Path("tier", tier, "llamacpp/")]

    def measure_fake(self):
        """Everything against the fake model server."""
        if self.wants("chat", "stream", "paced", "cancel"):
            fake, paths = self.fronts(1024, self.args.ours, "tier")
            load = overhead.Load(self.args.load, self.work)
            self.measure_cost(load, paths)
            if self.wants("paced"):
                self.measure_paced(load, paths)
            if self.wants("cancel"):
                self.measure_cancel(fake, paths)
            self.stop()
        if self.wants("memory"):
            self.measure_memory()

    def measure_cost(self, load, paths):
        """Times and CPU of whole answers and of streams; through the tier in the server's own dialect, and translated."""
        direct, _nginx, tier = paths
        every = [*paths, overhead.Path("translated", tier.server, "ollama/")]
        for section, stream, keys in (
            ("chat", False, (("p50", "p50"), ("p99", "p99"))),
            ("stream", True, (("first_p50", "TTFT p50"), ("first_p99", "TTFT p99"), ("p50", "whole stream p50"))),
        ):
            if not self.wants(section):
                continue
            say = report.progress(section)
            measure = overhead.cost(load, stream, self.size)
            results = overhead.rounds(every, self.size.pairs, measure, say)
            what = "stream of 23 frames" if stream else "chat, not streamed"
            self.cost += overhead.cost_rows(results, "tier", what, keys, AIM)
            self.cost += overhead.cost_rows(results, "translated", f"{what}, translated to Ollama's API", keys, None)

    def measure_paced(self, load, paths):
        """Does anybody hold frames back?"""
        say = report.progress("paced")
        results = overhead.rounds(paths, self.size.paced_rounds, overhead.paced(load, self.size), say)
        found = {path.name: overhead.paced_sums(results, path.name) for path in paths}
        stall = load.run(paths[0], "nagle", True, 8, 8, 6)
        seen = overhead.paced_sums([{"nagle": stall}], "nagle")
        late = (*found["tier"][:2], found["tier"][2] - found["direct"][2])
        aims = ("< 10 ms", "< 10 ms", "adds < 10 ms")
        for at, what in enumerate(("whole stream, p99 − p50", "between two frames, p99 − p50", "first text, p50")):
            self.others.append([f"frames every 5 ms, 8 streams: {what}", *(
                f"{found[who][at]:.1f} ms" for who in ("direct", "nginx", "tier")), report.judge(late[at] < 10, aims[at])])
        self.notes.append(
            "For comparison, the fake server itself with Nagle's algorithm: first text after "
            f"{seen[2]:.0f} ms, which is what a stall looks like.")

    def measure_cancel(self, fake, paths):
        """When does a hang-up arrive?"""
        say = report.progress("cancel")
        for what, measure in (
            ("after the first token", cancel.after_first_token), ("before any header", cancel.before_headers)):
            found = {path.name: [measure(path, fake) for _ in range(self.size.cancels)] for path in paths}
            say(what)
            ours = found["tier"]
            self.others.append([
                f"hang-up {what} → the server sees it (worst of {self.size.cancels})",
                *(worst(found[who]) for who in ("direct", "nginx", "tier")),
                report.judge(None not in ours and max(ours) <= 100, "≤ 100 ms")])
        narrow, narrow_paths = self.fronts(1, self.args.ours, "tier-of-one")
        lost = [cancel.queued(narrow_paths[2], narrow) for _ in range(self.size.cancels)]
        say("while queued")
        reached = sum(asked for _milliseconds, asked in lost)
        slowest = max(milliseconds for milliseconds, _asked in lost)
        self.others.append([
            f"hang-up while queued → its place is free (worst of {len(lost)}; {reached} ever reached the server)", "—",
            "no queue", f"{slowest:.1f} ms", report.judge(slowest <= 100 and not reached, "≤ 100 ms, none")])

    def measure_memory(self):
        """Memory idle and with many open streams, without the engine."""
        say = report.progress("memory")
        fake, paths = self.fronts(1024, self.args.lean or self.args.ours, "lean-tier")
        found = {path.name: overhead.memory(path, self.size.streams) for path in paths[1:]}
        say(f"{self.size.streams} streams")
        mib = {who: {key: n / 2**20 for key, n in of.items()} for who, of in found.items()}
        for key, what, most in (
            ("idle", "idle", 25), ("full", f"with {self.size.streams} open streams", 60),
            ("after", "three seconds after they closed", None)):
            aim = report.judge(mib["tier"][key] <= most, f"≤ {most} MiB") if most else ""
            self.others.append([
                f"memory (RSS), binary without the engine, {what}", "—", f"{mib['nginx'][key]:.1f} MiB",
                f"{mib['tier'][key]:.1f} MiB", aim])
        if not self.args.lean:
            self.notes.append("No binary without the engine was given: its memory is that of the whole one, engine off.")
        self.stop()

    def measure_real(self):
        """Real model servers, asked directly and through the tier, and the mixed load."""
        if not self.args.model or not self.wants("ollama", "llama-server", "forecast"):
            return
        model, settings, providers, direct = self.args.model.resolve(), {}, {}, {}
        if self.args.ollama and self.wants("ollama", "forecast"):
            direct["ollama"] = self.keep(fronts.start_ollama(self.args.ollama, model, self.work))
            providers["ollama"] = "ollama"
            settings["OLLAMA_HOST"] = f"http://127.0.0.1:{direct['ollama'].port}"
        if self.args.llama_server and self.wants("llama-server", "forecast"):
            peer = LlamaSize()
            direct["llama-server"] = self.keep(servers.start_peer(self.args.llama_server, model, self.work, peer))
            providers["llama-server"] = "llamacpp"
            settings["LLAMACPP_URL"] = f"http://127.0.0.1:{direct['llama-server'].port}"
        if self.wants("forecast"):
            providers["engine"] = "engine"
            settings |= {
                "GOBLIN_ENGINE__MODEL": str(model), "GOBLIN_ENGINE__THREADS": "1", "GOBLIN_ENGINE__SEQUENCES": "1",
                "GOBLIN_ENGINE__CONTEXT_TOKENS": "2048"}
        else:
            settings["GOBLIN_ENGINE__ENABLED"] = "false"
        home = fronts.Tier(self.args.ours, self.work, "real-tier", settings)
        keys = [home.key(f"worker-{n}") for n in range(forecast.WORKERS_PER_MODEL)]
        tier = self.keep(home.start(keys[0]))
        models = {name: model_of(tier, provider) for name, provider in providers.items()}
        for name, server in direct.items():
            if self.wants(name):
                self.measure_one_real(name, server, forecast.Asker(tier, keys[0], models[name]))
        if self.wants("forecast"):
            self.measure_forecast(tier, keys, [*models.values()])
        self.stop()

    def measure_one_real(self, name, server, through):
        """Pairs of one real server: through the tier, and directly."""
        say = report.progress(name)
        pairs = []
        for index in range(-1, self.size.real_pairs):
            found = {}
            for who in stats.pair_order(index):
                # The salt stands first, so that neither is answered out of the other's cache.
                salt = f"{name}-{index}-{'tier' if who == 0 else 'self'}"
                prompt = scenarios.unique_prompt(120, salt, scenarios.TOPICS[index % len(scenarios.TOPICS)])
                found[who] = sse.ask((through, server)[who], prompt, self.size.tokens)
                say(f"{'warm-up' if index < 0 else f'pair {index + 1}'}, {('tier', 'direct')[who]}")
            if index >= 0:
                pairs.append((found[0], found[1]))
        for what, unit, lower, read in (
            ("TTFT, 150-token prompt", "s", True, lambda a: a.ttft),
            ("decode, 1 stream", "tok/s", False, lambda a: a.decode_rate),
        ):
            self.real.append(stats.row(f"{name}: {what}", unit, [(read(a), read(b)) for a, b in pairs], lower))

    def measure_forecast(self, tier, keys, models):
        """Predicted against actual wait."""
        say = report.progress("forecast")
        askers = {model: [forecast.Asker(tier, key, model) for key in keys] for model in models}
        kept = forecast.run(tier, askers, self.size.learn, self.size.samples, self.size.mixed_seconds, say)
        self.waits = forecast.rows(kept)
        errors = [stats.relative_error(p, a) for samples in kept.values() for p, a in samples]
        if errors:
            met = stats.share_within(errors, 0.25) >= 0.8
            self.notes.append(
                f"Predicted against actual wait, {len(models)} models: {report.judge(met, 'within 25 % in 8 of 10')}.")
        else:
            self.notes.append("Predicted against actual wait: the tier predicted nothing in time. MISS.")


@dataclass(frozen=True)
class LlamaSize:
    """How llama-server is started: one thread, one answer at a time."""

    threads: int = 1
    sequences: int = 1
    context_tokens: int = 2048
    # Without it the model is called by its path.
    peer_flags: tuple = ("--alias", "starter")


def model_of(tier, provider):
    """The `provider/model` a provider of `tier` offers; waits until it can be asked."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for name, one in cancel.instances(tier).items():
            if name.startswith(f"{provider}/") and one["state"] in ("loaded", "waiting"):
                return name
        time.sleep(0.2)
    raise servers.NotReady(f"{tier.name} has no model of `{provider}`:\n{servers.tail(tier.log)}")


def worst(milliseconds):
    """The slowest of them; never, when one of them never came."""
    return "never" if None in milliseconds else f"{max(milliseconds):.1f} ms"


def tables(bench):
    """The tables that have rows: (head, rows of texts)."""
    cost = [[*cells, report.judge(round(ratio, 2) <= aim, f"≤ {aim:.1f}") if aim else ""] for cells, ratio, aim in bench.cost]
    real = [[
        row.name, report.value(row.peer, row.unit), report.value(row.ours, row.unit),
        f"**{row.ratio:.2f}** ({row.lowest:.2f}–{row.highest:.2f})"] for row in bench.real]
    made = [
        (COST_HEAD, cost),
        (["what", "direct", "nginx", "tier", "aim"], bench.others),
        (["real model", "direct", "through the tier", "ratio, > 1 better (min–max)"], real),
        (forecast.HEAD, bench.waits),
    ]
    return [(head, rows) for head, rows in made if rows]


def publish(bench, load_before, seconds):
    """Prints the tables; writes them where it was asked to."""
    args = bench.args
    kind = "**smoke run, the numbers mean nothing**, " if args.smoke else ""
    facts = [
        ("run", f"{kind}{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, {bench.size.pairs} rounds, {seconds:.0f} s"),
        ("machine", f"{report.machine()}; load {load_before:.2f} before the start"),
        ("goblin", f"{version([args.ours, '--version'])}, `{args.ours.parent.name}` profile; key, limits, queue and "
                   "access log on"),
        ("nginx", f"{version([args.nginx, '-v'])}; key checked, nothing buffered, access log on"),
    ]
    if args.ollama:
        facts.append(("Ollama", version([args.ollama, "--version"]).removeprefix("Warning: ")))
    if args.llama_server:
        facts.append(("llama-server", f"{version([args.llama_server, '--version'])}; {built_with(args.llama_server)}"))
    if args.model:
        facts.append(("model", f"`{args.model.name}`, 1 thread, 1 answer at a time, 2048 tokens of context"))
    if load_before > 0.5:
        bench.notes.append(
            f"The machine was not quiet: load {load_before:.2f} before the start. Do not trust these numbers.")
    made = tables(bench)
    print()
    for name, text in facts:
        print(f"{name}: {text}")
    for head, rows in made:
        print("\n" + report.plain_table(head, rows))
    print()
    for note in bench.notes:
        print(note)
    text = "\n\n".join(report.plain_table(head, rows) for head, rows in made) + "\n".join(bench.notes)
    missed = text.count("MISS")
    print(f"{missed} aim(s) missed." if missed else "No aim missed.")
    if args.results and not args.smoke and not args.only:
        section = "\n\n".join(
            ["\n".join(f"- {name}: {text}" for name, text in facts)]
            + [report.markdown_table(head, rows) for head, rows in made]
            + ["\n".join(f"- {note}" for note in bench.notes)])
        old = args.results.read_text() if args.results.exists() else "# Results\n"
        args.results.write_text(report.put_between_markers(old, section, "tier"))
        print(f"Written to {args.results}.")


def main():
    """Runs everything and prints the tables. Returns the exit status: 0 also for a missed aim."""
    args = arguments()
    load_before = os.getloadavg()[0]
    servers.many_sockets()

    def measure(bench):
        bench.measure_fake()
        bench.measure_real()

    return servers.run(
        lambda work: Bench(args, work), measure, lambda bench, seconds: publish(bench, load_before, seconds),
        args.limit_minutes, (sse.StreamFailed, OSError))


if __name__ == "__main__":
    sys.exit(main())
