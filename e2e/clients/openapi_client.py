"""Holds `openapi.json` against a running goblin by schemathesis: python openapi_client.py ADDRESS FIRST_LINK_FILE EXAMPLES

As nobody, with a key of the API, as the owner, and once more as the owner for what takes away. No answer may be a 5xx or
have a status, a content type or a shape the document does not name; nothing answers without the credential it asks for,
what was made is there, and what was deleted is not. EXAMPLES is how many requests are made up for each operation, beside
those at the edges of what it describes. Models are those of `scripted_helper.py` as `scripted` and of `scripted_server.py`
as `cascade`."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections import defaultdict
from pathlib import Path

ADDRESS, LINK, EXAMPLES = sys.argv[1:]
HERE = Path(__file__).parent
DOCUMENT = HERE.parent.parent / "openapi.json"
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "unsupported_method", "allow_header_conformance", "use_after_free",
    "ensure_resource_availability", "closed_to_strangers",
)  # fmt: skip
# What would take away what others need: the sign-in, the team, the money. Each comes last, signed in anew.
ENDING = ("set_budget", "delete_team", "delete_user", "end_session", "change_password", "sign_out", "delete_account")
OWNER = {"email": "owner@example.org", "password": "a long password for a test"}


def opened(method, path, body=None, bearer=None):
    """A good answer: its headers, and what it says."""
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {bearer}"} if bearer else {})
    request = urllib.request.Request(ADDRESS + path, body and json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read().decode()
        return answer.headers, json.loads(text) if answer.headers["content-type"] == "application/json" else text


def call(*args, **named):
    """What a good answer says."""
    return opened(*args, **named)[1]


def prepared():
    """The owner's token, a key, and by the beginning of their paths what there is to ask about."""
    token_of = lambda link: Path(link).read_text().strip().partition("#")[2] if "://" not in link else link.partition("#")[2]
    token = call("POST", "/auth/setup", OWNER | {"token": token_of(LINK)})["access_token"]
    invited = call("POST", "/api/invitations", {"email": "bea@example.org"}, token)
    bea = call("POST", "/auth/invitation", {"token": token_of(invited["url"]), "password": OWNER["password"]})["user"]["id"]
    key = call("POST", "/api/keys", {"name": "judge"}, token)
    chat = call("POST", "/api/chats", {"model": "scripted/helper"}, token)["id"]
    call("POST", f"/api/chats/{chat}/turns", {"content": "hi there"}, token)
    turn = call("GET", f"/api/chats/{chat}/turns", bearer=token)["items"][0]["id"]
    team = call("POST", "/api/teams", {"name": "Judged"}, token)["id"]
    asked = {"model": "scripted/helper", "messages": [{"role": "user", "content": "hi there"}]}
    trace = opened("POST", "/v1/chat/completions", asked, key["key"])[0]["x-goblin-trace-id"]
    kept = call("POST", "/v1/responses", {"model": "scripted/helper", "input": "hi there", "store": True}, key["key"])["id"]
    known = {"chats": {"id": chat}, "turns": {"id": turn}, "users": {"id": bea}, "teams": {"id": team, "user": bea}}
    doors = {"/v1/traces": {"id": trace}, "/v1/responses": {"id": kept}}
    return token, key["key"], doors | {f"/api/{name}": ids for name, ids in known.items()}


def answered(folder):
    """How often each operation was answered by which status, of what schemathesis wrote down."""
    found = defaultdict(lambda: defaultdict(int))
    for file in Path(folder).glob("*.ndjson"):
        for line in file.read_text().splitlines():
            recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
            for interaction in recorder.get("interactions", {}).values():
                if interaction["response"] and " /" in recorder["label"]:
                    found[recorder["label"]][interaction["response"]["status_code"]] += 1
    return found


def judged(who, credential, ids, examples, only=(), never=()):
    """One run, and how many operations it got a good answer of. Ends everything when it found something."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "run", str(DOCUMENT), "--url", ADDRESS, "--no-color",
            "--checks", ",".join(CHECKS), "--max-examples", str(examples), "--seed", "7", "--generation-database", "none",
            "--generation-with-security-parameters", "false", "--suppress-health-check", "all", "--continue-on-failure",
            "--warnings", "off", "--request-timeout", "30", "--report", "ndjson", "--report-dir", folder,
            *(f"--include-operation-id={name}" for name in only), *(f"--exclude-operation-id={name}" for name in never),
            *(f"--header=authorization: Bearer {value}" for value in [credential] if value),
        ]  # fmt: skip
        bodies = {"POST /auth/login": OWNER, "POST /auth/validate": {"token": credential}}
        given = json.dumps({"ids": ids, "bodies": bodies, "stranger": not credential, "takes": bool(only)})
        environment = os.environ | {"GOBLIN_JUDGED": given, "SCHEMATHESIS_HOOKS": "openapi_hooks", "PYTHONPATH": str(HERE)}
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
        found = answered(folder)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\n{who}: schemathesis found something")
    good = sorted(label for label, statuses in found.items() if any(status < 400 for status in statuses))
    total = sum(sum(statuses.values()) for statuses in found.values())
    print(f"{who}: {total} requests to {len(found)} operations, {len(good)} of them answered well at least once; nothing found", flush=True)
    return found, good


def main():
    """The runs, and whether they saw what they were meant to see."""
    token, key, ids = prepared()
    judged("nobody", None, ids, 1)
    _, good = judged("a key", key, ids, EXAMPLES)
    _, taken = judged("a key, delete_response", key, ids, EXAMPLES, only=["delete_response"])
    document = json.loads(DOCUMENT.read_text())
    reached = {
        f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if {"api_key": []} in operation.get("security", [])
    }
    if missing := reached - {*good, *taken}:
        sys.exit(f"never answered a key: {', '.join(sorted(missing))}")
    judged("the owner", token, ids, EXAMPLES, never=ENDING)
    # Nothing of it ended what the later requests needed.
    call("GET", "/auth/me", bearer=token)
    for name in ENDING:
        judged(f"the owner, {name}", call("POST", "/auth/login", OWNER)["access_token"], ids, EXAMPLES, only=[name])


main()
