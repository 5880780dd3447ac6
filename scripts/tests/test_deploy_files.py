"""Files of deploy/ that must say the same as the program, or as each other."""

import importlib.util
import json
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def module(path: str):
    """A script of the repository as a module."""
    spec = importlib.util.spec_from_file_location(pathlib.Path(path).stem, ROOT / path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def rust_text(source: str, name: str) -> str:
    """A constant's text, its continued lines joined as Rust does."""
    text = re.search(rf'const {name}: &str =\s*"(.*?)";', source, re.DOTALL).group(1)
    return re.sub(r"\\\n\s*", "", text)


class Vercel(unittest.TestCase):
    """web/vercel.json. What Vercel makes of it, `make test-deploy` asks Vercel's own program."""

    def setUp(self) -> None:
        self.file = json.loads(read("web/vercel.json"))
        self.routes = self.file["routes"]

    def index(self, **wanted: str) -> int:
        return next(n for n, route in enumerate(self.routes) if all(route.get(k) == v for k, v in wanted.items()))

    def headers(self, path: str) -> dict[str, str]:
        """What is said of a path before files are looked at."""
        found: dict[str, str] = {}
        for route in self.routes[: self.index(handle="filesystem")]:
            if re.fullmatch(route["src"], path):
                found |= route.get("headers", {})
        return found

    def test_the_page_has_the_policy_that_the_program_gives_it(self) -> None:
        policy = rust_text(read("crates/goblin-server/src/routes/page.rs"), "PAGE_POLICY")
        self.assertEqual(self.headers("/")["content-security-policy"], policy)
        self.assertEqual(self.headers("/c/1")["content-security-policy"], policy)
        # The backend's own is stricter, and must stay.
        self.assertNotIn("content-security-policy", self.headers("/api/status"))

    def test_the_page_has_the_other_headers_that_the_program_gives_it(self) -> None:
        source = read("crates/goblin-server/src/layers.rs")
        always = source[source.index("let always = [") : source.index("for (name, value) in always")]
        words = re.findall(r'"([^"]+)"', always)
        given = self.headers("/")
        for value in ("nosniff", "no-referrer", "DENY", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"):
            self.assertIn(value, words)
            self.assertIn(value, given.values())
        self.assertEqual(given["cross-origin-opener-policy"], "same-origin")
        self.assertEqual(given["cross-origin-resource-policy"], "same-origin")
        self.assertRegex(given["strict-transport-security"], r"^max-age=\d{8}; includeSubDomains$")

    def test_what_begins_like_the_api_never_shows_the_page(self) -> None:
        source = read("crates/goblin-server/src/routes/page.rs")
        prefixes = re.search(r"API_PREFIXES[^=]*= \[(.*?)\];", source, re.DOTALL).group(1)
        page = self.routes[self.index(dest="/index.html")]["src"]
        for prefix in re.findall(r'"(/[^"]+)"', prefixes):
            for path in (prefix, f"{prefix}/more"):
                self.assertIsNone(re.fullmatch(page, path), path)
        for path in ("/assets/gone.js", "/robots.txt", "/assets/x"):
            self.assertIsNone(re.fullmatch(page, path), path)
        for path in ("/", "/c/0193", "/setup", "/chats"):
            self.assertIsNotNone(re.fullmatch(page, path), path)

    def test_the_backend_comes_before_the_page_and_is_told_the_secret(self) -> None:
        backend = next(n for n, route in enumerate(self.routes) if route.get("dest", "").startswith("https://"))
        self.assertLess(backend, self.index(dest="/index.html"))
        secret = next(route for route in self.routes if "transforms" in route)
        for path in ("/api/status", "/v1/chat/completions", "/auth/google/callback"):
            self.assertIsNotNone(re.fullmatch(self.routes[backend]["src"], path), path)
            self.assertIsNotNone(re.fullmatch(secret["src"], path), path)
        self.assertEqual(secret["transforms"][0]["args"], "$ORIGIN_SECRET")
        self.assertNotIn("value", json.dumps(secret), "the secret itself is in Vercel's settings")

    def test_only_files_that_are_there_are_kept_for_ever(self) -> None:
        self.assertEqual(self.headers("/assets/a.js")["cache-control"], "no-cache")
        hit = self.routes[self.index(handle="hit") + 1 :]
        self.assertEqual([r["src"] for r in hit], ["/assets/(.*)"])
        self.assertIn("immutable", hit[0]["headers"]["cache-control"])

    def test_the_backends_address_is_changed_everywhere_and_only_to_one_that_works(self) -> None:
        script = module("deploy/vercel/set_backend.py")
        before = read("web/vercel.json")
        after = script.change(before, script.origin_of("https://API.example.org/"))
        self.assertNotIn("onrender.com", after)
        self.assertIn('"https://api.example.org/$1/$2"', after)
        self.assertEqual(script.change(after, "https://api.example.org"), after)
        for wrong in ("http://api.example.org", "api.example.org", "https://u:p@api.example.org", "https://api.example.org/api"):
            with self.assertRaises(ValueError, msg=wrong):
                script.origin_of(wrong)


class Documents(unittest.TestCase):
    """docs/operations."""

    def test_every_page_is_listed_and_every_link_leads_somewhere(self) -> None:
        pages = sorted((ROOT / "docs/operations").glob("*.md"))
        self.assertGreater(len(pages), 6)
        overview = read("docs/operations/README.md")
        for page in pages:
            text = page.read_text(encoding="utf-8")
            for link in re.findall(r"\]\(([^)#]+)", text):
                if not link.startswith("http"):
                    self.assertTrue((page.parent / link).exists(), f"{page.name}: {link}")
            if page.name != "README.md":
                self.assertIn(f"]({page.name})", overview)

    def test_files_that_the_pages_name_are_there(self) -> None:
        for page in (ROOT / "docs/operations").glob("*.md"):
            for path in re.findall(r"`((?:deploy|scripts|web)/[A-Za-z0-9_./-]+)`", page.read_text(encoding="utf-8")):
                self.assertTrue((ROOT / path).exists(), f"{page.name}: {path}")


class Vps(unittest.TestCase):
    """deploy/vps. What the script does, `make test-deploy` tries in a Debian of its own."""

    def test_cloud_init_carries_what_is_here(self) -> None:
        script = module("deploy/vps/cloud_init.py")
        self.assertEqual(read("deploy/vps/cloud-init.yaml"), script.render(), "run deploy/vps/cloud_init.py")

    def test_nothing_waits_longer_for_its_end_than_the_program_lets_answers_finish(self) -> None:
        drain = int(re.search(r"^drain_seconds = (\d+)", read("goblin.default.toml"), re.MULTILINE).group(1))
        for unit in ("goblin", "goblin-models"):
            text = read(f"deploy/vps/units/{unit}.service")
            self.assertGreater(int(re.search(r"^TimeoutStopSec=(\d+)", text, re.MULTILINE).group(1)), drain)
            self.assertIn("Type=notify", text)

    def test_ollama_is_never_told_another_address(self) -> None:
        text = read("deploy/vps/units/ollama.service")
        self.assertIn("ExecStart=/usr/bin/env OLLAMA_HOST=127.0.0.1:11434 /usr/local/bin/ollama serve", text)


if __name__ == "__main__":
    unittest.main()
