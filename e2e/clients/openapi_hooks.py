"""What schemathesis is told beside the document, as its SCHEMATHESIS_HOOKS: half of the requests that could not be answered
for want of a model, of a conversation or of somebody get one, so that answers are looked at and not only refusals.
`openapi_client.py` says in GOBLIN_JUDGED which they are, and who asks."""

import json
import os
from collections import Counter

import schemathesis

GIVEN = json.loads(os.environ["GOBLIN_JUDGED"])
# Where a made-up request has the field, this is what it asks.
FIELDS = {
    "model": "scripted/helper",
    "messages": [{"role": "user", "content": "hi there"}],
    "prompt": "hi there",
    "input": "hi there",
    "content": "hi there",
    "questions": {"good": {"type": "noul", "instructions": "Is it good?"}},
    "expires_at": "2099-01-01T00:00:00Z",
}
# Bodies nobody makes up by chance.
BODIES = {
    "PUT /api/budgets": {"kind": "model", "subject": "openai/*", "usd": 5.5, "period": "day"},
    "PUT /api/teams/{id}/members/{user}": {"role": "member"},
    "POST /api/telemetry": {
        "visit": "6f1f39bd-36a8-4f5e-9f3f-0b8a5a0f8a11", "events": [], "errors": [{"kind": "TypeError", "page": "chat"}],
    },
}  # fmt: skip
MODELS = {"/v1/embeddings": "scripted/embedder", "/api/embed": "scripted/embedder", "/v1/systemone": "cascade/judge"}
seen = Counter()


@schemathesis.hook
def before_call(_context, case, _kwargs):
    """Every other request of an operation stays as it was made up; so do those that take something away, until the end."""
    label = case.operation.label
    seen[label] += 1
    if seen[label] % 2 or (case.method == "DELETE" and not GIVEN["takes"]):
        return
    if isinstance(case.body, dict):
        fields = FIELDS | {"model": MODELS.get(case.path, FIELDS["model"])}
        whole = BODIES | GIVEN["bodies"]
        case.body = whole.get(label) or {**case.body, **{name: fields[name] for name in fields if name in case.body}}
    known = GIVEN["ids"].get(case.path.split("/{")[0], {})
    for name in case.path_parameters or {}:
        if name in known:
            case.path_parameters = {**case.path_parameters, name: known[name]}


@schemathesis.check
def closed_to_strangers(_context, response, case):
    """What asks for somebody is refused to nobody, before anything else is looked at."""
    described = case.operation.definition.raw
    closed = {} not in described.get("security", [{}])
    if GIVEN["stranger"] and closed and case.method == case.operation.method.upper():
        assert response.status_code == 401, f"{response.status_code} without a credential"
