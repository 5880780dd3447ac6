#!/usr/bin/env python3
"""Runs the commands the README promises.

A fenced `bash` block right after a line `<!-- tested -->` is run with `bash -euo pipefail` in the repository's
root. Prints each block's name and time; the first that fails ends the run with its output and exit code 1.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^<!-- tested -->[ \t]*\n+^```bash[ \t]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
LIMIT_SECONDS = 300
# How long what a block started has to end by itself.
GRACE_SECONDS = 5


def blocks(text: str) -> list[tuple[int, str]]:
    """Every marked block: the line its commands begin at, and the commands."""
    return [(text.count("\n", 0, match.start(1)) + 1, match.group(1)) for match in BLOCK.finditer(text)]


def run(script: str, folder: pathlib.Path, limit: float = LIMIT_SECONDS) -> tuple[int, str]:
    """Runs the commands for at most `limit` seconds; returns exit code and output. A hanging block counts as failed.

    Whatever it started ends with it, also a server in the background."""
    command = ["bash", "-euo", "pipefail", "-c", script]
    # A file and no pipe: the end of a pipe would be waited for as long as a server in the background holds it.
    with tempfile.TemporaryFile() as output:
        shell = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code, note = shell.wait(limit), ""
        except subprocess.TimeoutExpired:
            code, note = 124, f"no end after {limit} seconds\n"
        finally:
            end_group(shell)
        output.seek(0)
        return code, output.read().decode(errors="replace") + note


def end_group(leader: subprocess.Popen[bytes]) -> None:
    """Ends a process and all of its group: asks first, and those that are there after `GRACE_SECONDS` are not asked again."""
    try:
        for ask in (signal.SIGTERM, signal.SIGKILL):
            os.killpg(leader.pid, ask)
            end = time.monotonic() + GRACE_SECONDS
            while time.monotonic() < end:
                leader.poll()
                os.killpg(leader.pid, 0)
                time.sleep(0.05)
    except ProcessLookupError:
        pass  # nobody is left
    leader.wait()


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
