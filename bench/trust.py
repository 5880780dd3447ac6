"""What checking an answer costs: verdicts read as probabilities against verdicts written as JSON, checked streams
against unchecked ones, and what a decision costs. See README.md."""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import fronts
import report
import servers
import sse
import stats
import verdicts

AIM_TWO = 0.2
AIM_FURTHER = 0.15
# Load of the last minute above which numbers are not to be trusted.
QUIET_LOAD = 0.5
# Most times one round of streams is made again.
MOST_AGAIN = 5
AIM_PASSES = 1.1
AIM_DECISION_MICROS = 50
VERDICT_HEAD = ["verdicts on a finished answer", "read", "written as JSON", "read ÷ written (min–max)", "aim"]
STREAM_HEAD = ["checked while it streams", "unchecked", "checked", "checked ÷ unchecked (min–max)", "aim"]
OTHER_HEAD = ["what", "found", "aim"]


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    pairs: int = 5
    further: int = 3
    streams: int = 3
    answer_tokens: int = 128


def arguments():
    """What may be asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", type=Path, required=True, help="the goblin binary, release profile")
    parser.add_argument("--decisions", type=Path, help="the bench of decisions, built by cargo bench")
    parser.add_argument("--model", type=Path, required=True, help="the GGUF file everything is asked of")
    parser.add_argument("--ollama", type=Path, help="the ollama binary; without it only the engine is measured")
    parser.add_argument("--pairs", type=int, default=5, help="measured pairs of verdicts (default 5)")
    parser.add_argument("--only", action="append", choices=["engine", "ollama", "stream", "decisions"],
                        help="only these parts")
    parser.add_argument("--smoke", action="store_true", help="one short pair of each: does it run? Numbers mean nothing")
    parser.add_argument("--limit-minutes", type=float, default=60, help="end everything after so long (default 60)")
    parser.add_argument("--results", type=Path, help="write the tables into this file, between their markers")
    return parser.parse_args()


class Bench:
    """What runs, and what was found."""

    def __init__(self, args, work):
        self.args, self.work = args, work
        self.size = Size(1, 1, 1, 32) if args.smoke else Size(pairs=args.pairs)
        self.started, self.verdicts, self.streams, self.others, self.notes = [], [], [], [], []
        self.again = 0

    def wants(self, part):
        """Is the part asked for?"""
        return not self.args.only or part in self.args.only

    def keep(self, server):
        """Takes note of a server, so that it is ended."""
        self.started.append(server)
        return server

    def stop(self):
        """Ends what was started."""
        while self.started:
            self.started.pop().stop()

    def tier(self, name, settings):
        """A model tier that makes one answer at a time with one thread."""
        home = fronts.Tier(self.args.ours, self.work, name, settings)
        return self.keep(home.start(home.key("bench")))

    def measure_engine(self):
        """Verdicts by the engine."""
        server = self.tier("engine-tier", engine_settings(self.args.model.resolve(), sequences=2))
        self.measure_verdicts("engine", server)
        self.stop()

    def measure_ollama(self):
        """Verdicts by a real Ollama, through the tier: written ones are asked of the same tier."""
        ollama = self.keep(fronts.start_ollama(self.args.ollama, self.args.model.resolve(), self.work))
        server = self.tier("ollama-tier", {
            "GOBLIN_ENGINE__ENABLED": "false", "OLLAMA_HOST": f"http://127.0.0.1:{ollama.port}"})
        self.measure_verdicts("Ollama", server)
        self.stop()

    def measure_verdicts(self, name, server):
        """Two read against two written, and what one more question costs."""
        say = report.progress(name)
        pairs, taken = [], ([], [])
        for index in range(-1, self.size.pairs):
            case = verdicts.case(server, f"{name}-{index}", self.size.answer_tokens)
            found = {}
            for who in stats.pair_order(index):
                found[who] = (verdicts.read if who == 0 else verdicts.written)(server, case, f"{name}-{index}-{who}")
                say(f"{'warm-up' if index < 0 else f'pair {index + 1}'}, {('read', 'written')[who]}: "
                    f"{found[who].seconds:.2f} s")
            if index >= 0:
                pairs.append((found[0].seconds, found[1].seconds))
                taken[0].append(found[0])
                taken[1].append(found[1])
        self.verdicts.append(spread_row(f"{name}: two verdicts", pairs, AIM_TWO))
        self.others.append([
            f"{name}: verdicts that could not be parsed, read / written",
            " / ".join(f"{sum(t.unparsed for t in side)} of {sum(t.asked for t in side)}" for side in taken),
            report.judge(not any(t.unparsed for t in taken[0]), "0 of those read")])
        self.others.append([
            f"{name}: verdicts with too little probability on the options, which are said to be none",
            f"{sum(t.silent for t in taken[0])} of {sum(t.asked for t in taken[0])}", ""])
        shares = [verdicts.further(server, f"{name}-more-{n}", self.size.answer_tokens) for n in range(self.size.further)]
        say("further questions")
        spread = stats.Spread.of(shares)
        self.others.append([
            f"{name}: each further question, as a share of the first", str(spread),
            report.judge(round(spread.median, 2) <= AIM_FURTHER, f"≤ {AIM_FURTHER}")])

    def measure_streams(self):
        """Answers of a backend with the engine, each window checked by a judge that may refuse, against the same
        unchecked. The model judges itself and on the same core: the worst case there is."""
        model = self.args.model.resolve()
        home = fronts.Tier(self.args.ours, self.work, "backend", engine_settings(model, sequences=8) | {
            "GOBLIN_ROSTER__SAFETY": verdicts.NAME,
            # Whatever it says is safe enough: how long it takes is what is measured.
            "SAFETY_THRESHOLD": "0", "CONFIDENCE_THRESHOLD": "0", "CRITICAL_THRESHOLD": "0"})
        server = self.keep(servers.start(
            "backend", [str(home.binary), "up"], home.environment, home.port, "none", self.work))
        say = report.progress("stream")
        for chats in (1, 4):
            firsts, lasts, passes = [], [], []
            for index in range(-1, self.size.streams):
                found = {}
                for who in stats.pair_order(index):
                    mode = ("hold", "off")[who]
                    found[who] = self.streamed(server, chats, mode, f"{chats}-{index}-{mode}")
                    say(f"{chats} at once, {'warm-up' if index < 0 else f'pair {index + 1}'}, {mode}")
                if index >= 0:
                    firsts.append((found[0].first, found[1].first))
                    lasts.append((found[0].last, found[1].last))
                    passes.extend(found[0].passes)
            where = f"{chats} chat{'s' if chats > 1 else ''} at once"
            self.streams.append(spread_row(f"{where}: to the first token", firsts, None))
            self.streams.append(spread_row(f"{where}: to the last token", lasts, None))
            self.others.extend(passes_rows(where, passes))
        self.others.append(["rounds of streams made again, because the judge gave no verdict and nothing was shown", str(self.again), ""])
        self.stop()

    def streamed(self, server, chats, mode, salt):
        """A round of streams; made again, with other texts, where a judge gave no verdict: then nothing is shown."""
        for again in range(MOST_AGAIN):
            try:
                return verdicts.streamed(server, chats, mode, f"{salt}-{again}", self.size.answer_tokens)
            except verdicts.NoVerdict:
                self.again += 1
        raise verdicts.Refused(f"the judge gave no verdict {MOST_AGAIN} times in a row")

    def measure_decisions(self):
        """Runs the bench of decisions and takes its figures."""
        done = subprocess.run([str(self.args.decisions)], capture_output=True, text=True, timeout=600, check=True)
        for line in done.stdout.splitlines():
            found = json.loads(line)
            most = found.get("aim_micros")
            self.others.append([
                found["what"], f"{found['value']:.2f} {found['unit']}",
                report.judge(found["value"] <= most, f"≤ {most} µs") if most else ""])

    def run(self):
        """Measures what is wanted."""
        if self.wants("decisions") and self.args.decisions:
            self.measure_decisions()
        if self.wants("engine"):
            self.measure_engine()
        if self.wants("ollama") and self.args.ollama:
            self.measure_ollama()
        if self.wants("stream"):
            self.measure_streams()


def engine_settings(model, sequences):
    """The engine with one thread."""
    return {
        "GOBLIN_ENGINE__MODEL": str(model), "GOBLIN_ENGINE__THREADS": "1",
        "GOBLIN_ENGINE__SEQUENCES": str(sequences), "GOBLIN_ENGINE__CONTEXT_TOKENS": "2048"}


def spread_row(name, pairs, aim):
    """A row of seconds: ours, the other's, and the ratio of each pair; below 1 is better."""
    spread = stats.Spread.of([ours / other for ours, other in pairs])
    medians = [stats.median(column) for column in zip(*pairs)]
    verdict = report.judge(round(spread.median, 2) <= aim, f"≤ {aim}") if aim else ""
    # In the streams' table what is unchecked comes first.
    return [name, f"{medians[0]:.2f} s", f"{medians[1]:.2f} s", str(spread), verdict]


def passes_rows(where, passes):
    """What the judge's work was."""
    shared = stats.Spread.of([p.shared for p in passes])
    rows = [[
        f"{where}: passes of the judge over question, answer and the marks around them", str(shared),
        report.judge(round(shared.median, 2) <= AIM_PASSES, f"≤ {AIM_PASSES}")]]
    for what, read in (
        ("tokens of those marks, for each token of question and answer", lambda p: p.marks),
        ("tokens of the judge's own questions, for each token of question and answer", lambda p: p.questions),
        ("parts that were judged, for each answer", lambda p: p.asked),
    ):
        rows.append([f"{where}: {what}", str(stats.Spread.of([read(p) for p in passes])), ""])
    return rows


def publish(bench, load_before, seconds):
    """Prints the tables; writes them where it was asked to."""
    args = bench.args
    kind = "**smoke run, the numbers mean nothing**, " if args.smoke else ""
    facts = [
        ("run", f"{kind}{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, {bench.size.pairs} pairs, {seconds:.0f} s"),
        ("machine", f"{report.machine()}; load {load_before:.2f} before the start"),
        ("model", f"`{args.model.name}`, one thread; answers of up to {bench.size.answer_tokens} tokens"),
    ]
    streams = [[row[0], row[2], row[1], *row[3:]] for row in bench.streams]
    tables = [(VERDICT_HEAD, bench.verdicts), (STREAM_HEAD, streams), (OTHER_HEAD, bench.others)]
    tables = [(head, rows) for head, rows in tables if rows]
    if load_before > QUIET_LOAD:
        bench.notes.append(
            f"The machine was not quiet: load {load_before:.2f} before the start. Do not trust these numbers.")
    print()
    for name, text in facts:
        print(f"{name}: {text}")
    for head, rows in tables:
        print("\n" + report.plain_table(head, rows))
    print()
    for note in bench.notes:
        print(note)
    if args.results and not args.smoke and not args.only:
        parts = ["\n".join(f"- {name}: {text}" for name, text in facts)]
        parts += [report.markdown_table(head, rows) for head, rows in tables]
        parts += ["\n".join(f"- {note}" for note in bench.notes)] if bench.notes else []
        args.results.write_text(
            report.put_between_markers(args.results.read_text(), "\n\n".join(parts), name="trust"))
        print(f"Written to {args.results}.")


def main():
    """Measures and prints. Returns the exit status: 0 also for a missed aim."""
    args = arguments()
    load_before = report.settled(QUIET_LOAD)
    return servers.run(
        lambda work: Bench(args, work), Bench.run, lambda bench, seconds: publish(bench, load_before, seconds),
        args.limit_minutes, (sse.StreamFailed, verdicts.Refused, subprocess.SubprocessError))


if __name__ == "__main__":
    sys.exit(main())
