"""Which commands of docs/operations are walked, and that the walk leaves none out."""

import pathlib
import re
import sys
import tempfile
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SCRIPTS / "walk"))

from blocks import Block, all_blocks, blocks_of, filled  # noqa: E402

TEXT = """# Title

```bash
exit 9
```

1. A step:

   <!-- walked: first on here -->
   ```bash
   echo one
     echo two
   ```

<!-- walked: second on models -->
```bash
false
```
"""


class WalkBlocks(unittest.TestCase):
    def test_marked_blocks_are_taken_with_host_and_place_also_within_lists(self) -> None:
        first, second = blocks_of(TEXT, "page.md")
        self.assertEqual(first, Block("first", "here", "echo one\n  echo two\n", "page.md:11"))
        self.assertEqual((second.name, second.host, second.script), ("second", "models", "false\n"))

    def test_a_mark_without_a_block_and_a_name_given_twice_are_refused(self) -> None:
        for text in ("<!-- walked: a on here -->\n\ntext\n", TEXT + TEXT, TEXT.replace("on models", "on moon")):
            with tempfile.TemporaryDirectory() as folder:
                (pathlib.Path(folder) / "page.md").write_text(text)
                with self.assertRaises(ValueError, msg=text):
                    all_blocks(pathlib.Path(folder))

    def test_an_example_that_is_not_there_any_more_is_refused(self) -> None:
        block = Block("a", "here", "curl YOUR_PAGE; curl YOUR_PAGE\n", "page.md:1")
        self.assertEqual(filled(block, {"YOUR_PAGE": "x"}), "curl x; curl x\n")
        with self.assertRaises(ValueError):
            filled(block, {"ANOTHER": "x"})

    def test_the_walk_takes_every_marked_block_of_the_pages(self) -> None:
        walk = (SCRIPTS / "walk_operations.py").read_text(encoding="utf-8")
        taken = set(re.findall(r'self\.(?:walk|on_terminal)\("([a-z-]+)"', walk))
        self.assertEqual(taken, set(all_blocks()))


if __name__ == "__main__":
    unittest.main()
