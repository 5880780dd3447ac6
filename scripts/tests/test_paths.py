"""The two commands from a checkout whose path has spaces and quotes, with fakes of everything that builds."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent


class PathWithSpaces(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="goblin paths ")
        self.addCleanup(folder.cleanup)
        base = pathlib.Path(folder.name)
        self.root = base / "my goblin's \"copy\" $HOME"
        self.home = base / "a home"
        self.bin = base / "some programs"
        for made in (self.root, self.home, self.bin):
            made.mkdir()
        ignored = shutil.ignore_patterns("tests", "__pycache__")
        shutil.copytree(SCRIPTS, self.root / "scripts", ignore=ignored)
        shutil.copy(SCRIPTS.parent / "Makefile", self.root)
        for project in ("web", "e2e"):
            (self.root / project).mkdir()
            (self.root / project / "package-lock.json").write_text("{}\n")
        self.told = base / "told"
        # Each fake notes where it was called and with what.
        note = f'printf "%s|%s %s\\n" "$PWD" "$(basename "$0")" "$*" >>"{self.told}"'
        made = 'mkdir -p target/debug; [ -e target/debug/goblin ] || cp "$0" target/debug/goblin'
        for name, script in {
            "cargo": f'case "$1" in --version) echo "cargo 1.99.0 (0 2026-01-01)" ;; *) {note}; {made} ;; esac',
            "npm": f"{note}; mkdir -p node_modules",
            "rustfmt": note,
            "node": "echo v22.11.0",
            "chromium": "exit 0",
        }.items():
            path = self.bin / name
            path.write_text(f"#!/bin/bash\n{script}\n")
            path.chmod(0o755)
        # The model is no part of this test.
        (self.root / "scripts/fetch_model.py").write_text("#!/bin/sh\nexit 0\n")

    def make(self, target: str) -> list[str]:
        env = {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "HOME": str(self.home),
            # Set, so that the account's own Rust is not looked for.
            "RUSTUP_HOME": str(self.home),
            "LIBCLANG_PATH": "/",
        }
        done = subprocess.run(
            ["make", target], cwd=self.root, env=env, text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=120
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return [line.removeprefix(str(self.root)) for line in self.told.read_text().splitlines()]

    def test_up_builds_the_page_and_the_program_and_starts_it(self) -> None:
        told = self.make("up")
        self.assertEqual(
            told,
            [
                "/web|npm ci --no-audit --no-fund --loglevel=error",
                "/web|npm run --silent build",
                "|cargo build --package goblin --locked",
                "|goblin up",
            ],
        )

    def test_the_stages_of_the_tests_run_in_the_checkout(self) -> None:
        told = self.make("test-rust")
        self.assertGreater(len(told), 5)
        for line in told:
            self.assertRegex(line, r"^\|(cargo|rustfmt) ")


if __name__ == "__main__":
    unittest.main()
