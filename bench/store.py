"""What the store's calls cost with few rows and with many, on SQLite and PostgreSQL. See README.md."""

import argparse
import json
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

import report
import stats

# Most that a call may cost with many rows, against few.
AIM = 1.5
# Most that the check of a key that was checked within the last second may take, in microseconds.
REMEMBERED_KEY_US = 5
# Most that the facts of a month's costs may take with many rows, in seconds: they are kept for half a minute.
COSTS_SECONDS = 3
COSTS = "facts of a month's costs"
# Filling two databases with millions of rows takes minutes; a run that hangs ends here.
LIMIT_SECONDS = 3600
QUIET_LOAD = 0.5
HEAD = ["what", "few rows", "many rows", "many ÷ few (min–max)", "aim"]
KEY_HEAD = ["check of a key that is remembered", "time", "aim"]
COSTS_HEAD = [COSTS, "few rows", "many rows", "aim with many"]
TOGETHER_HEAD = ["turns at once", "time", "failed", "aim"]


def arguments():
    """What may be asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of each table in the large databases")
    parser.add_argument("--rounds", type=int, default=7, help="rounds, each of which gives one ratio")
    parser.add_argument("--calls", type=int, default=200, help="calls in each round, of which the median is taken")
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], help="only this database")
    parser.add_argument("--only", default="", metavar="TEXT", help="only calls with this in their name; goes with no --results")
    parser.add_argument("--smoke", action="store_true", help="a little of everything; the numbers mean nothing")
    parser.add_argument("--results", type=Path, help="also write the tables between the markers of this file")
    args = parser.parse_args()
    if args.smoke:
        args.rows, args.rounds, args.calls = 10_000, 1, 20
    if min(args.rows, args.rounds, args.calls) < 1:
        parser.error("--rows, --rounds and --calls must be at least 1")
    if args.results and (args.engine or args.only):
        parser.error("--results wants everything: leave out --engine and --only")
    return args


def measure(args):
    """Runs the benchmark's program, which was built before."""
    sizes = ["--rows", str(args.rows), "--rounds", str(args.rounds), "--calls", str(args.calls)]
    sizes += ["--only", args.only] if args.only else []
    sizes += ["--engine", args.engine] if args.engine else []
    command = ["cargo", "bench", "--quiet", "--locked", "-p", "goblin-auth", "--bench", "store", "--", *sizes]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=LIMIT_SECONDS, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def microseconds(time):
    """A time with as many digits as it has meaning."""
    return f"{time:.0f} µs" if time >= 10 else f"{time:.1f} µs"


def cost_rows(measured):
    """The lines of the first table."""
    rows = []
    for call in measured:
        if call["what"] == COSTS:
            continue
        spread = stats.Spread.of([many / few for few, many in zip(call["few_us"], call["many_us"], strict=True)])
        kept = round(spread.median, 2) <= AIM
        rows.append(
            [
                f"{call['engine']}: {call['what']}",
                microseconds(median(call["few_us"])),
                microseconds(median(call["many_us"])),
                str(spread),
                f"{'met' if kept else 'MISS'} (aim ≤ {AIM:.1f})",
            ]
        )
    return rows


def key_rows(measured):
    """The lines of the table of keys that are remembered."""
    rows = []
    for call in measured:
        if call["what"] != "key check, remembered":
            continue
        took = median(call["many_us"])
        rows.append([call["engine"], f"{took:.1f} µs", f"{'met' if took <= REMEMBERED_KEY_US else 'MISS'} (aim ≤ {REMEMBERED_KEY_US} µs)"])
    return rows


def month_rows(measured):
    """The lines of the table of a month's costs. All rows are of that month, so it grows with them: it has no ratio."""
    rows = []
    for call in measured:
        if call["what"] != COSTS:
            continue
        few, many = median(call["few_us"]), median(call["many_us"])
        kept = "met" if many <= COSTS_SECONDS * 1e6 else "MISS"
        rows.append([call["engine"], f"{few / 1e3:.1f} ms", f"{many / 1e3:.0f} ms", f"{kept} (aim ≤ {COSTS_SECONDS} s)"])
    return rows


def together_rows(together):
    """The lines of the second table."""
    return [
        [
            f"{case['engine']}: {case['turns']}",
            f"{case['seconds']:.2f} s",
            str(case["failed"]) if not case["failed"] else f"{case['failed']}: {case['first']}",
            f"{'met' if not case['failed'] else 'MISS'} (aim 0 failed)",
        ]
        for case in together
    ]


def main():
    args = arguments()
    load = report.settled(QUIET_LOAD)
    began = datetime.now(timezone.utc)
    found = measure(args)
    seconds = (datetime.now(timezone.utc) - began).total_seconds()
    facts = [
        ("run", f"{began:%Y-%m-%d %H:%M} UTC, {found['rounds']} rounds of {found['calls']} calls, {seconds:.0f} s"),
        ("machine", f"{report.machine()}; load {load:.2f} before the start"),
        ("rows", f"{found['few']:,} and {found['many']:,} in each of chats, turns, usage, sign-ins and keys, a tenth as many traces, all of one user"),
        ("databases", "SQLite in a file, with its write-ahead log; PostgreSQL of the tests, which does not wait for the disk"),
    ]
    measured = found["measured"]
    tables = [
        (HEAD, cost_rows(measured)),
        (KEY_HEAD, key_rows(measured)),
        (COSTS_HEAD, month_rows(measured)),
        (TOGETHER_HEAD, together_rows(found["together"])),
    ]
    tables = [(head, rows) for head, rows in tables if rows]
    notes = [] if load <= QUIET_LOAD else [f"The machine was not quiet: load {load:.2f} before the start."]
    if args.smoke:
        notes.append("A smoke run: the numbers mean nothing.")
    for name, text in facts:
        print(f"{name}: {text}")
    for head, rows in tables:
        print(f"\n{report.plain_table(head, rows)}")
    print("".join(f"\n{note}" for note in notes))
    if args.results:
        lines = [f"- {name}: {text}" for name, text in facts]
        for head, rows in tables:
            lines += ["", report.markdown_table(head, rows)]
        lines += ["", *(f"- {note}" for note in notes)] if notes else []
        document = args.results.read_text(encoding="utf-8")
        args.results.write_text(report.put_between_markers(document, "\n".join(lines), "store"), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
