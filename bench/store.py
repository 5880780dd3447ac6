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
# Filling two databases with millions of rows takes minutes; a run that hangs ends here.
LIMIT_SECONDS = 3600
QUIET_LOAD = 0.5
HEAD = ["what", "few rows", "many rows", "many ÷ few (min–max)", "aim"]
KEY_HEAD = ["check of a key that is remembered", "time", "aim"]
TOGETHER_HEAD = ["turns at once", "time", "failed", "aim"]


def arguments():
    """What may be asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of each table in the large databases")
    parser.add_argument("--rounds", type=int, default=7, help="rounds, each of which gives one ratio")
    parser.add_argument("--calls", type=int, default=200, help="calls in each round, of which the median is taken")
    parser.add_argument("--smoke", action="store_true", help="a little of everything; the numbers mean nothing")
    parser.add_argument("--results", type=Path, help="also write the tables between the markers of this file")
    args = parser.parse_args()
    if args.smoke:
        args.rows, args.rounds, args.calls = 10_000, 1, 20
    if min(args.rows, args.rounds, args.calls) < 1:
        parser.error("--rows, --rounds and --calls must be at least 1")
    return args


def measure(args):
    """Runs the benchmark's program, which was built before."""
    sizes = ["--rows", str(args.rows), "--rounds", str(args.rounds), "--calls", str(args.calls)]
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
        ("rows", f"{found['few']:,} and {found['many']:,} in each of chats, turns, usage, sign-ins and keys, all of one user"),
        ("databases", "SQLite in a file, with its write-ahead log; PostgreSQL of the tests, which does not wait for the disk"),
    ]
    costs, keys, together = cost_rows(found["measured"]), key_rows(found["measured"]), together_rows(found["together"])
    notes = [] if load <= QUIET_LOAD else [f"The machine was not quiet: load {load:.2f} before the start."]
    if args.smoke:
        notes.append("A smoke run: the numbers mean nothing.")
    for name, text in facts:
        print(f"{name}: {text}")
    print(f"\n{report.plain_table(HEAD, costs)}\n\n{report.plain_table(KEY_HEAD, keys)}\n\n{report.plain_table(TOGETHER_HEAD, together)}")
    print("".join(f"\n{note}" for note in notes))
    if args.results:
        section = "\n".join(
            [f"- {name}: {text}" for name, text in facts]
            + ["", report.markdown_table(HEAD, costs), "", report.markdown_table(KEY_HEAD, keys)]
            + ["", report.markdown_table(TOGETHER_HEAD, together)]
            + ([""] + [f"- {note}" for note in notes] if notes else [])
        )
        document = args.results.read_text(encoding="utf-8")
        args.results.write_text(report.put_between_markers(document, section, "store"), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
