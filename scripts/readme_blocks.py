#!/usr/bin/env python3
"""Runs the commands the README promises.

A fenced `bash` block right after a line `<!-- tested -->` is run with `bash -euo pipefail` in the repository's
root. Prints each block's name and time; the first that fails ends the run with its output and exit code 1.
"""

import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^<!-- tested -->[ \t]*\n+^```bash[ \t]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
LIMIT_SECONDS = 300


def blocks(text: str) -> list[tuple[int, str]]:
    """Every marked block: the line its commands begin at, and the commands."""
    return [(text.count("\n", 0, match.start(1)) + 1, match.group(1)) for match in BLOCK.finditer(text)]


def run(script: str, folder: pathlib.Path) -> tuple[int, str]:
    """Runs the commands; returns exit code and output. A hanging block counts as failed."""
    command = ["bash", "-euo", "pipefail", "-c", script]
    try:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        return 124, f"no end after {LIMIT_SECONDS} seconds\n"
    return done.returncode, done.stdout + done.stderr


def main(names: list[str]) -> int:
    files = [pathlib.Path(name) for name in names] or [ROOT / "README.md"]
    count = 0
    for file in files:
        text = file.read_text(encoding="utf-8")
        marked = len(re.findall(r"^<!-- tested -->", text, re.MULTILINE))
        found = blocks(text)
        if marked != len(found):
            print(f"{file.name}: {marked} marks but {len(found)} bash blocks right after them", file=sys.stderr)
            return 1
        for line, script in found:
            started = time.monotonic()
            code, output = run(script, ROOT)
            print(f"  {file.name}:{line} {'ok' if code == 0 else 'FAILED'} ({time.monotonic() - started:.1f} s)", flush=True)
            if code != 0:
                print(f"{script}\nended with exit code {code}:\n{output}", file=sys.stderr)
                return 1
            count += 1
    print(f"  {count} blocks of commands work as written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
