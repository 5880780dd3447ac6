"""goblin's engine against llama-server: same model, threads, room and prompts, both over HTTP. See README.md."""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import report
import scenarios
import servers
import sse
import stats


@dataclass(frozen=True)
class Settings:
    """The same for both servers."""

    threads: int
    sequences: int
    context_tokens: int
    decode_tokens: int
    shared_tokens: int
    peer_flags: list[str] = field(default_factory=list)


def arguments():
    """What may be asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", type=Path, required=True, help="the goblin binary, release profile")
    parser.add_argument("--peer", type=Path, required=True, help="the llama-server binary")
    parser.add_argument("--model", type=Path, required=True, help="the GGUF file both load")
    parser.add_argument("--pairs", type=int, default=7, help="measured pairs of each scenario (default 7)")
    parser.add_argument("--threads", type=int, default=1, help="compute threads of each server (default 1)")
    parser.add_argument("--only", action="append", metavar="NAME", help="only scenarios whose name contains NAME")
    parser.add_argument("--smoke", action="store_true", help="one short pair of each: does it run? Numbers mean nothing")
    parser.add_argument("--self-check", action="store_true",
                        help="llama-server against itself: shows how far from 1.00 chance alone gets")
    parser.add_argument("--peer-flag", action="append", default=[], metavar="FLAG", help="one more flag for llama-server")
    parser.add_argument("--limit-minutes", type=float, default=60, help="end everything after so long (default 60)")
    parser.add_argument("--results", type=Path, help="write the table into this file, between its markers")
    parser.add_argument("--json", type=Path, help="write every single measurement into this file")
    return parser.parse_args()


def main():
    """Runs every scenario and prints the table. Returns the exit status: 0 also for a missed aim."""
    args = arguments()
    settings = Settings(
        threads=args.threads, sequences=8, context_tokens=2048,
        decode_tokens=32 if args.smoke else 128, shared_tokens=16 if args.smoke else 64,
        peer_flags=args.peer_flag,
    )
    chosen = [s for s in scenarios.SCENARIOS if not args.only or any(o in s[0] for o in args.only)]
    if not chosen:
        print("No scenario has such a name:", ", ".join(s[0] for s in scenarios.SCENARIOS), file=sys.stderr)
        return 2
    load_before = os.getloadavg()[0]
    started = []
    # Told to end, the servers end too: SystemExit passes through `finally`.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    servers.watchdog(args.limit_minutes, lambda: [server.stop() for server in started])
    with tempfile.TemporaryDirectory(prefix="goblin-bench-") as folder:
        work = Path(folder)
        try:
            model = args.model.resolve()
            if args.self_check:
                started.append(servers.start_peer(args.peer, model, work, settings, "llama-server-a"))
            else:
                started.append(servers.start_ours(args.ours, model, work, settings))
            started.append(servers.start_peer(args.peer, model, work, settings))
            idle = [scenarios.idle_share(server) for server in started]
            measured = [(s, run_pairs(s, started, settings, 1 if args.smoke else args.pairs)) for s in chosen]
        except (servers.NotReady, sse.StreamFailed) as error:
            print(f"The benchmark stopped: {error}", file=sys.stderr)
            for server in started:
                print(f"--- end of the log of {server.name}\n{servers.tail(server.log)}", file=sys.stderr)
            return 1
        finally:
            for server in started:
                server.stop()
    publish(args, settings, measured, idle, load_before)
    return 0


def run_pairs(scenario, pair_of_servers, settings, pairs):
    """Measures one scenario in interleaved pairs, after one unmeasured run of each server."""
    name, measure, _rows = scenario
    results = []
    for index in range(-1, pairs):
        found = {}
        for who in stats.pair_order(index):
            server = pair_of_servers[who]
            began = time.monotonic()
            found[who] = measure(server, f"{name.replace(' ', '-')}-{index}", settings)
            label = "warm-up" if index < 0 else f"pair {index + 1}/{pairs}"
            print(f"  {name}: {label}, {server.name}, {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)
        if index >= 0:
            results.append((found[0], found[1]))
    return results


def rows_of(measured):
    """The table's rows."""
    rows = []
    for (_name, _measure, wanted), results in measured:
        for row_name, key, unit, lower_is_better, aim in wanted:
            pairs = [(ours[key], peer[key]) for ours, peer in results]
            rows.append(stats.row(row_name, unit, pairs, lower_is_better, aim))
    return rows


def notes_of(measured, idle, load_before):
    """What a reader must know to judge the table."""
    notes = [f"CPU use at rest, share of one core: goblin {idle[0]:.2f}, llama-server {idle[1]:.2f}."]
    for (name, _measure, _rows), results in measured:
        for who, server in enumerate(("goblin", "llama-server")):
            cut = sum(r[who]["streams"] - r[who]["full"] for r in results if "full" in r[who])
            if cut:
                notes.append(f"{name}: {cut} answers of {server} ended before the limit of tokens.")
    if load_before > 0.5:
        notes.append(f"The machine was not quiet: load {load_before:.2f} before the start. Do not trust these numbers.")
    return notes


def publish(args, settings, measured, idle, load_before):
    """Prints the table; writes it where it was asked to."""
    rows, notes = rows_of(measured), notes_of(measured, idle, load_before)
    kind = "**self-check: both columns are llama-server**, " if args.self_check else ""
    kind += "**smoke run, the numbers mean nothing**, " if args.smoke else ""
    facts = [
        ("run", f"{kind}{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, {1 if args.smoke else args.pairs} pairs of each"),
        ("machine", f"{report.machine()}; load {load_before:.2f} before the start"),
        ("goblin", f"{version([args.ours, '--version']) if not args.self_check else 'not run'}, release profile"),
        ("llama-server", f"{version([args.peer, '--version'])}; {built_with(args.peer)}"),
        ("model", f"`{args.model.name}`; {settings.threads} thread(s), {settings.sequences} sequences of "
                  f"{settings.context_tokens} tokens, temperature 0"
                  + (f"; llama-server also with `{' '.join(settings.peer_flags)}`" if settings.peer_flags else "")),
    ]
    print()
    for name, text in facts:
        print(f"{name}: {text}")
    print("\n" + report.terminal(rows) + "\n")
    for note in notes:
        print(note)
    missed = [row for row in rows if row.missed]
    print(f"{len(missed)} aim(s) missed." if missed else "No aim missed.")
    if args.results and not args.smoke and not args.self_check and not args.only:
        old = args.results.read_text() if args.results.exists() else "# Results\n"
        args.results.write_text(report.put_between_markers(old, report.markdown(rows, facts, notes)))
        print(f"Written to {args.results}.")
    if args.json:
        args.json.write_text(json.dumps({s[0]: results for s, results in measured}, indent=1))


def built_with(peer):
    """The note scripts/llama_server.sh left beside its build: package version and flags."""
    notes = [folder / "built-with.txt" for folder in peer.resolve().parents]
    return next((f"`{note.read_text().strip()}`" for note in notes if note.is_file()), "built elsewhere")


def version(command):
    """What a binary says about its version."""
    out = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=30, check=False)
    lines = (out.stdout + out.stderr).strip().splitlines()
    named = next((line for line in lines if re.search(r"\d", line)), "unknown version")
    return named.strip()


if __name__ == "__main__":
    sys.exit(main())
