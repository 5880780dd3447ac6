#!/usr/bin/env python3
"""Says in web/vercel.json where the backend is: set_backend.py https://goblin-backend-abcd.onrender.com

Vercel reads the addresses that routes lead to from that file only, so this is a change to be committed. Prints what it changed;
a second run changes nothing. Exit code 2: the address is none a route can lead to.
"""

import json
import pathlib
import sys
import urllib.parse

FILE = pathlib.Path(__file__).resolve().parent.parent.parent / "web" / "vercel.json"


def origin_of(text: str) -> str:
    """The origin of a backend, or a ValueError that says what is wrong."""
    url = urllib.parse.urlsplit(text)
    if url.scheme != "https" or not url.hostname:
        raise ValueError(f"`{text}` is no https address. Write it like https://goblin-backend.onrender.com.")
    if url.username or url.path.strip("/") or url.query or url.fragment:
        raise ValueError(f"`{text}` says more than scheme and host. Leave out everything after the host.")
    return f"https://{url.netloc.lower()}"


def change(text: str, origin: str) -> str:
    """The file with every route or rewrite that leaves the page leading to `origin`."""
    file = json.loads(text)
    leads = [route.get("dest") for route in file.get("routes", [])] + [one.get("destination") for one in file.get("rewrites", [])]
    found = {
        f"https://{urllib.parse.urlsplit(lead).netloc}" for lead in leads if isinstance(lead, str) and lead.startswith("https://")
    }
    for old in found:
        text = text.replace(f'"{old}/', f'"{origin}/')
    return text


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        origin = origin_of(arguments[0])
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    before = FILE.read_text(encoding="utf-8")
    after = change(before, origin)
    if after == before:
        print(f"web/vercel.json leads to {origin} already")
        return 0
    FILE.write_text(after, encoding="utf-8")
    print(f"web/vercel.json now leads to {origin}; commit it, and deploy the page again")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
