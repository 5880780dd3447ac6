"""The table, for a terminal and for RESULTS.md."""

import os
import sys
import time
from pathlib import Path

# Seconds for which a machine that is busy is waited for: what a build just did to it is gone by then.
MOST_WAIT = 240


def markers(name):
    """The lines between which the section `name` stands."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def machine():
    """One line about the machine, read from /proc."""
    model = "unknown CPU"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory_kib = int(Path("/proc/meminfo").read_text().split()[1])
    return f"{model}, {os.cpu_count()} cores, {memory_kib / 2**20:.1f} GiB"


def settled(quiet):
    """The load of the last minute, once it is `quiet` or nobody waits any longer."""
    until = time.monotonic() + MOST_WAIT
    while os.getloadavg()[0] > quiet and time.monotonic() < until:
        time.sleep(5)
    return os.getloadavg()[0]


def value(number, unit):
    """A number with the digits that mean something."""
    digits = 3 if unit == "s" else 1
    return f"{number:.{digits}f} {unit}"


def verdict(row):
    """What the aim says."""
    if row.aim is None:
        return ""
    return f"{'MISS' if row.missed else 'met'} (aim ≥ {row.aim:.1f})"


def markdown(rows, facts, notes):
    """The whole section between the markers."""
    lines = [f"- {name}: {text}" for name, text in facts]
    lines += [
        "",
        "| what | goblin | llama-server | ratio, > 1 better (min–max) | aim |",
        "|---|---:|---:|---:|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row.name} | {value(row.ours, row.unit)} | {value(row.peer, row.unit)} | "
            f"**{row.ratio:.2f}** ({row.lowest:.2f}–{row.highest:.2f}) | {verdict(row)} |"
        )
    if notes:
        lines += [""] + [f"- {note}" for note in notes]
    return "\n".join(lines)


def terminal(rows):
    """The table as plain text."""
    width = max(len(row.name) for row in rows)
    lines = [f"{'':{width}}  {'goblin':>12}  {'llama-server':>12}  ratio (min–max)"]
    for row in rows:
        lines.append(
            f"{row.name:{width}}  {value(row.ours, row.unit):>12}  {value(row.peer, row.unit):>12}  "
            f"{row.ratio:5.2f} ({row.lowest:.2f}–{row.highest:.2f})  {verdict(row)}".rstrip()
        )
    return "\n".join(lines)


def put_between_markers(document, section, name="engine"):
    """Replaces what stands between the markers of `name`; appends them when they are not there."""
    begin, end = markers(name)
    block = f"{begin}\n{section}\n{end}"
    if begin in document and end in document:
        before, _, rest = document.partition(begin)
        return before + block + rest.partition(end)[2]
    return document.rstrip("\n") + f"\n\n{block}\n"


def markdown_table(head, rows):
    """A table of texts; every column but the first is aligned to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def plain_table(head, rows):
    """The same for a terminal."""
    rows = [head, *([cell.replace("**", "") for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    first, *others = widths
    lines = (
        "  ".join([f"{row[0]:{first}}", *(f"{cell:>{width}}" for cell, width in zip(row[1:], others))]) for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def judge(met, aim):
    """What the aim says."""
    return f"{'met' if met else 'MISS'} (aim {aim})"


def progress(section):
    """Prints what has been done."""

    def say(what):
        print(f"  {section}: {what}", file=sys.stderr, flush=True)

    return say
