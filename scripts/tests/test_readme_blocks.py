"""Which blocks of a document are run, and how failures are told."""

import pathlib
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import readme_blocks  # noqa: E402
from readme_blocks import blocks, run  # noqa: E402

TEXT = """# Title

```bash
exit 9
```

<!-- tested -->
```bash
echo one
echo two
```

<!-- tested -->

```bash
false
```
"""

# A server in the background; one that does not end when it is asked to; how its id is told.
SERVER = "sleep 300 &\necho $! > id\n"
DEAF = "(trap '' TERM; echo ready > deaf; while :; do sleep 1; done) &\necho $! > id\nuntil [ -s deaf ]; do sleep 0.05; done\n"


def runs(folder: str) -> bool:
    """Is the process whose id the block wrote still there, and not only waiting to be reaped?"""
    process = pathlib.Path(folder, "id").read_text().strip()
    try:
        state = pathlib.Path("/proc", process, "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


class ReadmeBlocks(unittest.TestCase):
    def test_only_marked_blocks_are_taken_with_their_line(self) -> None:
        self.assertEqual(blocks(TEXT), [(9, "echo one\necho two\n"), (16, "false\n")])

    def test_the_first_failing_command_ends_a_block(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(run("echo one\nfalse\necho two\n", pathlib.Path(folder)), (1, "one\n"))
            self.assertEqual(run("false | cat\n", pathlib.Path(folder))[0], 1)

    def test_a_server_that_a_block_left_behind_ends_with_it(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(run(SERVER + "echo done\n", pathlib.Path(folder)), (0, "done\n"))
            self.assertFalse(runs(folder))

    def test_a_block_that_hangs_ends_with_its_server(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(run(SERVER + "echo one\nwait\n", pathlib.Path(folder), 1), (124, "one\nno end after 1 seconds\n"))
            self.assertFalse(runs(folder))

    def test_who_does_not_hear_is_ended_all_the_same(self) -> None:
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(readme_blocks, "GRACE_SECONDS", 1):
            self.assertEqual(run(DEAF, pathlib.Path(folder))[0], 0)
            self.assertFalse(runs(folder))


if __name__ == "__main__":
    unittest.main()
