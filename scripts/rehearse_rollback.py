#!/usr/bin/env python3
"""`make rehearse-rollback`: forward to this release and back again, for real, on this machine.

The release before (--before, a commit; the one before HEAD when not given) and this one are built without the engine,
in folders of their own below target/. A real Ollama answers, PostgreSQL and Redis are real, people go on working
through a front that passes connections on as a platform does.

Shown: a schema that was made larger by the new release serves the old one; traffic goes over and back without a request
that fails before its first byte and without a turn that is lost; with SQLite, how long the gap is; `migrate down` and
up on both databases; a change of the signing key, a bad threshold and a bad model taken back; and the page: a tab of
the new release goes on when the old one serves it.
"""

import argparse
import pathlib
import secrets
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "rehearsal"))

import servers  # noqa: E402
import traffic  # noqa: E402
from servers import Failed, ask  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
EMAIL = "owner@example.org"
PASSWORD = "a badger digs at night"


def say(text: str) -> None:
    print(text, flush=True)


def shown(text: str) -> None:
    say(f"  ok: {text}")


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


class Release:
    """A commit as a program and a page."""

    def __init__(self, name: str, tree: pathlib.Path):
        self.name = name
        self.tree = tree
        self.program = tree / f"goblin-{name}"

    def build(self, target: pathlib.Path) -> None:
        """Page and program, in the folder of this release."""
        began = time.monotonic()
        subprocess.run([self.tree / "scripts/web_build.sh"], check=True, cwd=self.tree)
        command = ["cargo", "build", "--locked", "--package", "goblin", "--no-default-features", "--target-dir", target]
        subprocess.run(command, check=True, cwd=self.tree)
        shutil.copy2(target / "debug/goblin", self.program)
        shown(f"{self.name}: built in {time.monotonic() - began:.0f} s")


def releases(before: str) -> tuple[Release, Release]:
    """Checked out below target/, which is kept, so that a second rehearsal builds what changed."""
    commits = {"old": git("rev-parse", before), "new": git("rev-parse", "HEAD")}
    if commits["old"] == commits["new"]:
        raise Failed("--before is this release itself")
    made = []
    for name, commit in commits.items():
        tree = ROOT / "target/rehearsal" / name
        if not (tree / ".git").exists():
            subprocess.run(["git", "clone", "--quiet", "--shared", "--no-checkout", ROOT, tree], check=True)
        subprocess.run(["git", "fetch", "--quiet", "origin", commit], check=True, cwd=tree)
        subprocess.run(["git", "checkout", "--quiet", "--force", commit], check=True, cwd=tree)
        made.append(Release(name, tree))
        say(f"  {name}: {git('log', '-1', '--format=%h %s', commit)}")
    return made[0], made[1]


class House:
    """What stays while releases come and go."""

    def __init__(self, folder: pathlib.Path, model: servers.Program, database: dict):
        self.folder = folder
        self.front = servers.Front()
        self.settings = {
            "OLLAMA_HOST": f"http://127.0.0.1:{model.port}",
            "FRONTEND_URL": f"http://127.0.0.1:{self.front.port}",
            "JWT_SECRET_KEY": secrets.token_urlsafe(48),
            # Longer than the rehearsal takes: whose token ran out would look like a request that failed.
            "GOBLIN_AUTH__TOKEN_MINUTES": "60",
            **database,
        }
        self.running: list[servers.Goblin] = []
        self.has_owner = False

    def goblin(self, release: Release, home: str, **more: str) -> servers.Goblin:
        made = servers.Goblin(release.program, self.folder / home, {**self.settings, **more})
        made.then = self.wait_for_model
        self.running.append(made)
        return made

    def owner(self, goblin: servers.Goblin) -> str:
        """The first account, by the link that the start left in a file: its access token."""
        link = next(goblin.home.rglob("first-link")).read_text().strip()
        made = ask(goblin.port, "POST", "/auth/setup", {"token": link.split("#")[1], "email": EMAIL, "password": PASSWORD})
        if made.status != 200:
            raise Failed(f"no owner: {made.status} {made.body[:300]}")
        self.has_owner = True
        self.wait_for_model(goblin)
        return made.json()["access_token"]

    def wait_for_model(self, goblin: servers.Goblin) -> None:
        """Only people with an account are told how model servers are."""
        if not self.has_owner:
            return
        token = sign_in(goblin.port)["access_token"]

        def known() -> bool:
            upstreams = ask(goblin.port, "GET", "/api/status", None, token).json()["upstreams"]
            return any(upstream["state"] in ("up", "slow") for upstream in upstreams)

        servers.until(f"{goblin.program.name} knows its model", known)

    def stop(self) -> None:
        self.front.stop()
        for goblin in self.running:
            goblin.stop()


def sign_in(port: int) -> dict:
    """Tokens, as a program gets them."""
    answer = ask(port, "POST", "/auth/login", {"email": EMAIL, "password": PASSWORD})
    if answer.status != 200:
        raise Failed(f"signing in: {answer.status} {answer.body[:300]}")
    return answer.json()


def schema_of(goblin: servers.Goblin) -> str:
    return goblin.must("migrate", "status", "--json")


def side_by_side(house: House, old: Release, new: Release) -> servers.Goblin:
    """Two releases on one PostgreSQL and one Redis; people notice nothing. The old one, which serves at the end."""
    before = house.goblin(old, "old")
    before.must("migrate", "up")
    before.start()
    house.front.target = before.port
    person = traffic.Person(house.front.port, house.owner(before))
    work = traffic.Traffic(house.front.port, person)
    try:
        work.more(20)
        after = house.goblin(new, "new")
        after.must("migrate", "up")
        wide = schema_of(after)
        shown("the new release made the schema larger while the old one answered")
        work.more(20)
        after.start()
        house.front.target = after.port
        work.more(20)
        before.stop()
        shown("traffic moved to the new release, the old one finished what it had begun and ended")
        work.more(20)
        back = house.goblin(old, "old").start()
        house.front.target = back.port
        work.more(20)
        after.stop()
        shown("back again: the old release answers on the larger schema, the new one ended")
        work.more(20)
        again = house.goblin(new, "new")
        if schema_of(again) != wide:
            raise Failed("the schema changed on the way back")
        again.must("migrate", "verify")
    finally:
        count = work.end()
    judge(count, person, house.front.port)
    return back


def judge(count: traffic.Count, person: traffic.Person, port: int) -> None:
    """Nothing failed before its first byte, nothing that was begun is lost."""
    if count.before_first_byte:
        raise Failed(f"{len(count.before_first_byte)} requests failed before their first byte: {count.before_first_byte[:5]}")
    kept = person.turns(port)
    lost = person.told - kept.keys()
    if lost:
        raise Failed(f"{len(lost)} of {len(person.told)} turns are lost")
    broken = [turn["id"] for turn in kept.values() if turn["status"] != "complete"]
    if broken:
        raise Failed(f"{len(broken)} turns did not complete: {broken[:3]}")
    shown(f"{count.asked} requests, {count.answers} of them answers, 0 failed before their first byte, {count.cut} cut later; {len(person.told)} turns, every one kept and complete")


def me(port: int, token: str) -> int:
    return ask(port, "GET", "/auth/me", None, token).status


def keys_taken_back(house: House, old: Release, serving: servers.Goblin) -> None:
    """A new signing key, and away with it: who signed in before stays, who signed in between renews."""
    first = sign_in(serving.port)
    rotated = house.goblin(old, "rotated", JWT_CURRENT_KEY=secrets.token_urlsafe(48)).start()
    between = sign_in(rotated.port)
    if (me(rotated.port, first["access_token"]), me(rotated.port, between["access_token"])) != (200, 200):
        raise Failed("a new signing key ended sign-ins made before")
    rotated.stop()
    if me(serving.port, first["access_token"]) != 200:
        raise Failed("taking the new key back ended a sign-in made before it")
    if me(serving.port, between["access_token"]) != 401:
        raise Failed("a token of the key that was taken back is still good")
    renewed = ask(serving.port, "POST", "/auth/refresh", {"refresh_token": between["refresh_token"]})
    if renewed.status != 200 or me(serving.port, renewed.json()["access_token"]) != 200:
        raise Failed(f"who signed in between has to sign in again: {renewed.status}")
    shown("a signing key taken back: sign-ins before it go on, those between renew, its own tokens are void")


def thresholds(port: int, token: str) -> dict:
    """What an answer was held against, as its trace has it."""
    body = {"model": "goblin/local", "messages": [{"role": "user", "content": "Name a color."}]}
    answer = ask(port, "POST", "/v1/chat/completions", body, token)
    name = answer.headers["x-goblin-trace-id"]
    if not name:
        raise Failed(f"an answer without a trace: {answer.status} {answer.body[:300]}")

    def kept():
        trace = ask(port, "GET", f"/v1/traces/{name}", None, token)
        return trace.json() if trace.status == 200 else None

    return servers.until("the trace is kept", kept)["thresholds"]


def settings_taken_back(house: House, old: Release, serving: servers.Goblin) -> None:
    """A threshold that is none never serves; one that is only bad does, until the next start."""
    token = sign_in(serving.port)["access_token"]
    usual = thresholds(serving.port, token)
    none = house.goblin(old, "threshold", SAFETY_THRESHOLD="1.7")
    said = none.run("serve")
    if said.returncode == 0 or "SAFETY_THRESHOLD" not in said.stderr + said.stdout:
        raise Failed(f"a threshold of 1.7 is taken: {said.returncode} {said.stderr[-300:]}")
    bad = house.goblin(old, "threshold", SAFETY_THRESHOLD="0.999").start()
    if thresholds(bad.port, token) == usual:
        raise Failed("the threshold is not in force")
    bad.stop()
    again = house.goblin(old, "threshold").start()
    if thresholds(again.port, token) != usual:
        raise Failed("the threshold is not as it was")
    again.stop()
    shown("a threshold of 1.7 is refused by name before anything serves; one of 0.999 is in force, and gone after a restart")


def model_taken_back(house: House, model: servers.Program, folder: pathlib.Path, program: str, port: int) -> None:
    """A model's new version answers with one token; its copy of before is put in its place."""
    environment = servers.ollama_environment(folder, model.port)

    def run(*arguments: str) -> None:
        subprocess.run([program, *arguments], env=environment, check=True, capture_output=True, timeout=servers.HANG_SECONDS)

    def tokens() -> int:
        body = {"model": f"ollama/{servers.MODEL}", "messages": [{"role": "user", "content": "Count to ten."}]}
        answer = ask(port, "POST", "/v1/chat/completions", body, sign_in(port)["access_token"])
        if answer.status != 200:
            raise Failed(f"the model does not answer: {answer.status} {answer.body[:300]}")
        return answer.json()["usage"]["completion_tokens"]

    run("cp", servers.MODEL, "kept:before")
    (folder / "Badfile").write_text(f"FROM {servers.MODEL}\nPARAMETER num_predict 1\n")
    run("create", servers.MODEL, "-f", str(folder / "Badfile"))
    if tokens() > 1:
        raise Failed("the bad model is not in force")
    run("cp", "kept:before", servers.MODEL)
    if tokens() <= 1:
        raise Failed("the model of before is not back")
    shown("a model whose new version answers with one token, taken back by the copy of the one before")


def one_after_the_other(house: House, old: Release, new: Release) -> None:
    """SQLite is one process's: stop, start, and how long nobody was there."""
    gaps = []
    before = house.goblin(old, "box").start()
    token = house.owner(before)
    port = before.port
    person = traffic.Person(port, token)
    serving = before
    for release, home in ((new, "box"), (old, "box")):
        answer = ask(port, "POST", f"/api/chats/{person.chat}/turns", {"content": "Name a color."}, token)
        person.saw_turns(answer.body)
        began = time.monotonic()
        serving.stop()
        serving = house.goblin(release, home, PORT=str(port)).start()
        gaps.append(f"{time.monotonic() - began:.1f} s to the {release.name}")
    lost = person.told - person.turns(port).keys()
    if lost or len(person.told) != 2:
        raise Failed(f"turns are lost: {lost}")
    serving.stop()
    shown(f"SQLite: stopped and started, nobody there for {' and '.join(gaps)} release; {len(person.told)} turns kept")


def down_and_up(house: House, release: Release, home: str, engine: str, **database: str) -> None:
    """The schema itself, back to nothing and up again. What its tables held is lost, so a backup goes first."""
    goblin = house.goblin(release, home, **database)
    kept = goblin.home / "rehearsal.backup"
    goblin.environment["GOBLIN_BACKUP_PASSPHRASE"] = PASSWORD
    goblin.must("backup", "--to", str(kept))
    for words in (("migrate", "down", "--to", "0", "--yes"), ("migrate", "up"), ("migrate", "verify")):
        goblin.must(*words)
    goblin.must("restore", str(kept), "--replace")
    goblin.must("migrate", "verify")
    goblin.start()
    if len(ask(goblin.port, "GET", "/api/chats", None, sign_in(goblin.port)["access_token"]).json()["items"]) == 0:
        raise Failed(f"{engine}: no chat is left after the backup was restored")
    goblin.stop()
    shown(f"{engine}: backup, migrate down to nothing, up, verified, restored: the chat is there")


def page_under_an_open_tab(house: House, old: Release, new: Release, home: str) -> None:
    """A tab that the new release's page runs in, when the old one serves: it asks, and opens what it had not loaded."""
    after = house.goblin(new, home).start()
    house.front.target = after.port
    before = house.goblin(old, f"{home}-old").start()
    moved = subprocess.Popen(
        ["node", ROOT / "e2e/deploy/open_tab.mjs", f"http://127.0.0.1:{house.front.port}", EMAIL, PASSWORD],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        line = moved.stdout.readline()
        if line.strip() != "open":
            raise Failed(f"no tab: {line}{moved.stdout.read()}")
        house.front.target = before.port
        out, _ = moved.communicate("moved\n", timeout=servers.HANG_SECONDS)
        if moved.returncode != 0:
            raise Failed(f"the open tab: {out}")
    finally:
        moved.kill()
    after.stop()
    before.stop()
    shown("a tab of the new page under the old release: what was typed stays, its question is answered, what it had not loaded yet comes after one reload")


def rehearse(before: str, folder: pathlib.Path) -> None:
    say("==> two releases")
    old, new = releases(before)
    for release in (old, new):
        # Each its own: cargo takes what another checkout made for its own when the files are older.
        release.build(ROOT / "target/rehearsal/build" / release.name)
    program = subprocess.run([ROOT / "scripts/ollama.sh"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    model = servers.ollama(folder, program, servers.starter(ROOT))
    running = [model]
    try:
        say("==> PostgreSQL and Redis: side by side")
        postgres, redis = servers.Postgres(folder), servers.redis(folder)
        running += [postgres, redis]
        shared = {"DATABASE_URL": postgres.url, "REDIS_URL": f"redis://127.0.0.1:{redis.port}"}
        house = House(folder, model, shared)
        try:
            serving = side_by_side(house, old, new)
            keys_taken_back(house, old, serving)
            settings_taken_back(house, old, serving)
            model_taken_back(house, model, folder, program, serving.port)
            page_under_an_open_tab(house, old, new, "page")
            house.stop()
            down_and_up(house, new, "new", "PostgreSQL")
        finally:
            house.stop()
        say("==> SQLite: one after the other")
        box = House(folder, model, {})
        try:
            one_after_the_other(box, old, new)
            down_and_up(box, new, "box", "SQLite")
        finally:
            box.stop()
    finally:
        for server in reversed(running):
            server.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", default="HEAD~1", help="the commit of the release before (HEAD~1)")
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="goblin-rehearsal-"))
    # PostgreSQL's account has to pass through.
    folder.chmod(0o755)
    began = time.monotonic()
    try:
        rehearse(arguments.before, folder)
    except Failed as failure:
        say(f"FAILED: {failure}")
        say(f"  logs are in {folder}")
        return 1
    shutil.rmtree(folder)
    say(f"\nback and forth in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
