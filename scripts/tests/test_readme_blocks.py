"""Which blocks of a document are run, and how failures are told."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

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


class ReadmeBlocks(unittest.TestCase):
    def test_only_marked_blocks_are_taken_with_their_line(self) -> None:
        self.assertEqual(blocks(TEXT), [(9, "echo one\necho two\n"), (16, "false\n")])

    def test_the_first_failing_command_ends_a_block(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(run("echo one\nfalse\necho two\n", pathlib.Path(folder)), (1, "one\n"))
            self.assertEqual(run("false | cat\n", pathlib.Path(folder))[0], 1)


if __name__ == "__main__":
    unittest.main()
