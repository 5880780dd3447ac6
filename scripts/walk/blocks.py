"""The commands of docs/operations that are walked.

A fenced `bash` block right after a line `<!-- walked: NAME on HOST -->` is run on that host, in the order of the walk.
"""

import pathlib
import re
import textwrap
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs" / "operations"
MARK = re.compile(r"^ *<!-- walked: ([a-z-]+) on ([a-z]+) -->[ \t]*\n+ *```bash[ \t]*\n(.*?)^ *```[ \t]*$", re.MULTILINE | re.DOTALL)
HOSTS = ("here", "models", "backend", "page")


class Block(NamedTuple):
    """Commands, what they are called, on which host they run, and where they stand."""

    name: str
    host: str
    script: str
    place: str


def blocks_of(text: str, page: str) -> list[Block]:
    """The marked blocks of one page."""
    return [
        Block(found[1], found[2], textwrap.dedent(found[3]), f"{page}:{text.count(chr(10), 0, found.start(3)) + 1}")
        for found in MARK.finditer(text)
    ]


def all_blocks(folder: pathlib.Path = DOCS) -> dict[str, Block]:
    """Every marked block by its name. A name given twice, and a mark without a block, is a ValueError."""
    found: dict[str, Block] = {}
    for page in sorted(folder.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        blocks = blocks_of(text, page.name)
        if len(blocks) != len(re.findall(r"^ *<!-- walked:", text, re.MULTILINE)):
            raise ValueError(f"{page.name}: a mark has no bash block right after it")
        for block in blocks:
            if block.name in found or block.host not in HOSTS:
                raise ValueError(f"{block.place}: {block.name} is there twice, or {block.host} is no host")
            found[block.name] = block
    return found


def filled(block: Block, given: dict[str, str]) -> str:
    """The commands with what an operator puts in the place of the page's examples. One that is not there is a ValueError."""
    script = block.script
    for example, own in given.items():
        if example not in script:
            raise ValueError(f"{block.place}: `{example}` is not in it any more")
        script = script.replace(example, own)
    return script
