"""`aider` edits a file through a running backend: python aider_client.py AIDER BASE_URL

The model is `editor` of `scripted_helper.py`, which knows what to change and how it is told to write that down. Aider uses
neither tools nor schemas: its forms of an edit are what a model must keep to."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BASE_URL, AIDER = sys.argv.pop(), sys.argv.pop()
BEFORE = "def total(a, b):\n    return a - b\n"
AFTER = BEFORE.replace("-", "+")
# Nothing but the one question: no repository, no terminal, no news.
QUIET = (
    "--no-git", "--yes-always", "--no-stream", "--no-pretty", "--no-fancy-input", "--no-check-update", "--no-auto-lint",
    "--no-show-release-notes", "--no-show-model-warnings", "--no-suggest-shell-commands", "--analytics-disable", "--map-tokens", "0",
)  # fmt: skip


class AiderClient(unittest.TestCase):
    def edit(self, *options):
        """Asks for the change in a folder of its own; gives back what was printed."""
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        file = folder / "sums.py"
        file.write_text(BEFORE)
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "OPENAI_API_BASE": BASE_URL,
            "OPENAI_API_KEY": "not needed on this machine", "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        }  # fmt: skip
        command = [AIDER, "--model", "openai/scripted/editor", *QUIET, *options, "--message", "total must add.", file.name]
        done = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
        )
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, 0, said)
        self.assertEqual(file.read_text(), AFTER, said)
        return said

    def test_a_streamed_answer_changes_a_piece_of_the_file(self):
        self.assertIn("Applied edit to sums.py", self.edit("--stream", "--edit-format", "diff"))

    def test_a_whole_answer_changes_a_piece_of_the_file(self):
        self.assertIn("Applied edit to sums.py", self.edit("--edit-format", "diff"))

    def test_a_streamed_answer_writes_the_file_anew(self):
        self.assertIn("Applied edit to sums.py", self.edit("--stream", "--edit-format", "whole"))


if __name__ == "__main__":
    unittest.main()
