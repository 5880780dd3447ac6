"""What setup says and does on machines that lack something, with a PATH of fakes and no network."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent
# What the scripts themselves use; all else is there only when a test puts it there.
BASE = "bash cat chmod cut dirname grep head mkdir rm sed sh tr uname".split()
BUILD_TOOLS = "c++ make cmake curl".split()


class Setup(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="goblin-setup-")
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name) / "home"
        self.bin = pathlib.Path(folder.name) / "bin"
        self.home.mkdir()
        self.bin.mkdir()
        for name in BASE:
            found = shutil.which(name)
            assert found, name
            (self.bin / name).symlink_to(found)
        for name in [*BUILD_TOOLS, "python3", "apt-get", "npm"]:
            self.fake(name, "exit 0")
        self.fake("id", "echo 1000")
        self.fake("sudo", "exit 1")
        self.fake("node", "echo v22.11.0")
        self.fake("cargo", "echo 'cargo 1.99.0 (0 2026-01-01)'")

    def fake(self, name: str, script: str, folder: pathlib.Path | None = None) -> None:
        folder = folder or self.bin
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def bash(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": str(self.bin), "HOME": str(self.home), "LIBCLANG_PATH": "/", **extra}
        return subprocess.run(
            ["bash", *arguments], env=env, text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=60
        )

    def setup_script(self, **extra: str) -> subprocess.CompletedProcess[str]:
        return self.bash(str(SCRIPTS / "setup.sh"), **extra)

    def assert_stops(self, done: subprocess.CompletedProcess[str], *lines: str) -> None:
        self.assertNotEqual(done.returncode, 0, done.stdout)
        for line in lines:
            self.assertIn(line, done.stderr.splitlines())
        self.assertNotIn("command not found", done.stderr)

    def test_nothing_missing_is_quick_and_quiet(self) -> None:
        done = self.setup_script()
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_missing_cargo_gives_the_lines(self) -> None:
        (self.bin / "cargo").unlink()
        self.assert_stops(
            self.setup_script(),
            "Rust 1.94 or newer is missing (found: none). Run these lines, then the same command again:",
            "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y",
            "  source ~/.cargo/env",
        )

    def test_old_rust_of_rustup_gives_the_line(self) -> None:
        self.fake("cargo", "echo 'cargo 1.70.0 (0 2023-01-01)'")
        self.fake("rustup", "exit 0")
        self.assert_stops(self.setup_script(), "  rustup update stable")

    def test_missing_node_gives_the_line(self) -> None:
        (self.bin / "node").unlink()
        done = self.setup_script()
        self.assert_stops(done, "  GOBLIN_SETUP_YES=1 make up")
        self.assertIn("(found: none)", done.stderr)

    def test_node_without_npm_is_not_enough(self) -> None:
        (self.bin / "npm").unlink()
        self.assert_stops(self.setup_script(), "  GOBLIN_SETUP_YES=1 make up")

    def test_old_node_on_path_gives_way_to_the_one_installed(self) -> None:
        self.fake("node", "echo v12.22.9")
        self.assertIn("(found: 12.22.9)", self.setup_script().stderr)
        tools = self.home / ".local/share/goblin/tools/node/bin"
        self.fake("node", "echo v22.11.0", tools)
        self.fake("npm", "exit 0", tools)
        self.assertEqual(self.setup_script().returncode, 0)

    def test_old_rust_on_path_gives_way_to_the_one_installed(self) -> None:
        self.fake("cargo", "echo 'cargo 1.63.0'")
        self.assertIn("(found: 1.63.0)", self.setup_script().stderr)
        self.fake("cargo", "echo 'cargo 1.99.0'", self.home / ".cargo/bin")
        self.assertEqual(self.setup_script().returncode, 0)

    def rustup_installing(self, version: str) -> None:
        """A `curl` that gives the script of an installer which puts this cargo below the home directory."""
        self.fake(
            "curl",
            "cat <<'SCRIPT'\n"
            'mkdir -p "$HOME/.cargo/bin"\n'
            f"printf '#!/bin/sh\\necho cargo {version}\\n' > \"$HOME/.cargo/bin/cargo\"\n"
            'chmod +x "$HOME/.cargo/bin/cargo"\n'
            "SCRIPT",
        )

    def test_rust_just_installed_is_used_though_an_old_one_is_on_path(self) -> None:
        self.fake("cargo", "echo 'cargo 1.63.0'")
        self.rustup_installing("1.99.0")
        done = self.setup_script(GOBLIN_SETUP_YES="1")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_rust_just_installed_is_looked_at_again(self) -> None:
        (self.bin / "cargo").unlink()
        self.rustup_installing("1.80.0")
        done = self.setup_script(GOBLIN_SETUP_YES="1")
        self.assert_stops(done, "  rustup update stable")
        self.assertIn("is version 1.80.0", done.stderr)

    def test_node_that_cannot_be_fetched_is_said(self) -> None:
        self.fake("node", "echo v12.22.9")
        self.fake("curl", "exit 22")
        done = self.setup_script(GOBLIN_SETUP_YES="1")
        self.assert_stops(done)
        self.assertIn("Install Node 20.19 or newer, with npm", done.stderr)

    def test_apt_without_root_or_sudo_gives_the_line(self) -> None:
        (self.bin / "cmake").unlink()
        (self.bin / "c++").unlink()
        self.assert_stops(
            self.setup_script(), "  sudo apt-get install -y --no-install-recommends g++ cmake"
        )

    def test_without_apt_the_line_is_the_one_of_this_system(self) -> None:
        (self.bin / "cmake").unlink()
        (self.bin / "c++").unlink()
        (self.bin / "apt-get").unlink()
        self.fake("dnf", "exit 1")
        self.assert_stops(self.setup_script(), "  sudo dnf install -y gcc-c++ cmake")
        (self.bin / "dnf").unlink()
        self.fake("pacman", "exit 1")
        self.assert_stops(self.setup_script(), "  sudo pacman -S --needed gcc cmake")
        (self.bin / "pacman").unlink()
        self.fake("brew", "exit 1")
        self.assert_stops(self.setup_script(), "  xcode-select --install", "  brew install cmake")

    def test_with_an_unknown_package_manager_the_names_are_given(self) -> None:
        (self.bin / "cmake").unlink()
        (self.bin / "apt-get").unlink()
        done = self.setup_script()
        self.assert_stops(done)
        self.assertIn("These are missing: cmake (Debian's names).", done.stderr)

    def test_libclang_is_found_where_each_system_keeps_it(self) -> None:
        ask = 'source "$0/setup.sh"; SYSTEM="$1"; has_libclang'
        places = [
            ["usr/lib/libclang.so.20.1"],
            ["usr/lib64/libclang.so.19"],
            ["usr/lib/llvm-14/lib/libclang.so.1", "usr/lib/llvm-14/lib/clang/14/include/stddef.h"],
            ["Library/Developer/CommandLineTools/usr/lib/libclang.dylib"],
        ]
        for number, files in enumerate(places):
            system = self.home / str(number)
            system.mkdir()
            self.assertEqual(self.bash("-c", ask, str(SCRIPTS), str(system), LIBCLANG_PATH="").returncode, 1)
            for name in files:
                (system / name).parent.mkdir(parents=True, exist_ok=True)
                (system / name).touch()
            self.assertEqual(self.bash("-c", ask, str(SCRIPTS), str(system), LIBCLANG_PATH="").returncode, 0, files)

    def test_postgres_is_found_where_each_system_keeps_it(self) -> None:
        ask = 'source "$0/setup.sh"; SYSTEM="$1"; has_postgres && has_pgbouncer'
        places = [
            ["usr/lib/postgresql/15/bin/initdb", "usr/sbin/pgbouncer"],
            ["opt/homebrew/opt/postgresql@16/bin/initdb", "usr/sbin/pgbouncer"],
        ]
        for number, files in enumerate(places):
            system = self.home / f"pg{number}"
            system.mkdir()
            self.assertEqual(self.bash("-c", ask, str(SCRIPTS), str(system)).returncode, 1)
            for name in files:
                (system / name).parent.mkdir(parents=True, exist_ok=True)
                (system / name).touch()
            self.assertEqual(self.bash("-c", ask, str(SCRIPTS), str(system)).returncode, 0, files)

    def test_sums_are_checked_with_what_the_system_has(self) -> None:
        self.fake("shasum", 'echo "shasum $*"')
        check = 'source "$0/setup.sh"; check_sums'
        self.assertEqual(self.bash("-c", check, str(SCRIPTS)).stdout, "shasum -a 256 --check --quiet\n")
        self.fake("sha256sum", 'echo "sha256sum $*"')
        self.assertEqual(self.bash("-c", check, str(SCRIPTS)).stdout, "sha256sum --check --quiet\n")

    def test_versions_are_compared_as_numbers(self) -> None:
        ask = 'source "$0/setup.sh"; at_least "$1" "$2"'
        for found, wanted, answer in [
            ("1.94.0", "1.94", 0),
            ("1.100.0-nightly", "1.94", 0),
            ("2.0.0", "1.94", 0),
            ("1.9.0", "1.94", 1),
            ("18.20.4", "20.19", 1),
            ("20.19.0", "20.19", 0),
        ]:
            self.assertEqual(self.bash("-c", ask, str(SCRIPTS), found, wanted).returncode, answer, found)

    def test_the_way_to_a_running_goblin_needs_no_bash_newer_than_that_of_macos(self) -> None:
        for name in ("env.sh", "setup.sh", "up.sh", "build.sh", "web_build.sh"):
            commands = [
                line for line in (SCRIPTS / name).read_text().splitlines() if not line.lstrip().startswith("#")
            ]
            for word in ("mapfile", "readarray", "declare -A", "local -n", "sort -V", "^^}", ",,}"):
                self.assertNotIn(word, "\n".join(commands), name)


if __name__ == "__main__":
    unittest.main()
