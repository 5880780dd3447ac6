#!/usr/bin/env python3
"""Writes deploy/vps/cloud-init.yaml, the same installation for a machine that is born with it: cloud_init.py [--check]

The file carries install.sh and everything beside it, so that nothing is fetched but what install.sh fetches. With --check
it only says whether the file is as it would be written (exit code 1 when not). Fill in what stands in capitals.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
FILE = HERE / "cloud-init.yaml"
PLACE = "/opt/goblin-install"

HEAD = """\
#cloud-config
# Written by cloud_init.py; change install.sh and what is beside it instead. Before use, fill in what stands in capitals
# in `runcmd`: it is install.sh's command line, and `install.sh --help` explains it.
package_update: true
packages: [ca-certificates, curl, openssl, tar, zstd]
write_files:
"""

TAIL = f"""\
runcmd:
  - - {PLACE}/install.sh
    - --goblin-url
    - https://GOBLIN_DOWNLOAD
    - --goblin-sha256
    - GOBLIN_SHA256
    - --ollama-url
    - https://OLLAMA_DOWNLOAD
    - --ollama-sha256
    - OLLAMA_SHA256
    - --domain
    - MODELS_DOMAIN
    - --allow-file
    - {PLACE}/allow.list
"""

ALLOW = "# Render's outbound ranges for your region (Dashboard, Connect, Outbound), one a line:\n# 203.0.113.0/24\n"


def carried() -> list[tuple[str, str, str]]:
    """Path below the installation, mode, content."""
    files = [HERE / "install.sh", *sorted(HERE.glob("goblin-*")), *sorted((HERE / "units").iterdir()), *sorted((HERE / "etc").iterdir())]
    found = []
    for file in files:
        mode = "0755" if file.stat().st_mode & 0o100 else "0644"
        found.append((file.relative_to(HERE).as_posix(), mode, file.read_text(encoding="utf-8")))
    found.append(("allow.list", "0644", ALLOW))
    return found


def render() -> str:
    """The whole file. Contents are literal blocks, so that they can be read and compared."""
    parts = [HEAD]
    for path, mode, content in carried():
        # Everything is indented anew, whatever it begins with.
        parts.append(f"  - path: {PLACE}/{path}\n    permissions: \"{mode}\"\n    content: |2\n")
        parts += [f"      {line}\n" if line else "\n" for line in content.split("\n")[:-1]]
    return "".join([*parts, TAIL])


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    text = render()
    if not arguments:
        FILE.write_text(text, encoding="utf-8")
        return 0
    if not FILE.exists() or FILE.read_text(encoding="utf-8") != text:
        print("deploy/vps/cloud-init.yaml is not what deploy/vps/cloud_init.py writes; run it", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
