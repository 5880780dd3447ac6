"""A model that uses tools and keeps to schemas, in OpenAI's wire: python scripted_helper.py PORT_FILE

`helper` says what it was asked, calls the tool it is made to call or else the first it is offered, says what a tool gave
it, and fills a schema: a text is what the question has in quotes, else `Ada`; a number is the question's, else 36. `editor`
is asked by programs that write code: it has one file, `sums.py`, add where it subtracts, in the form it is told to use.
`embedder` makes vectors. They stand for no cloud: what a client's package makes of an answer can be compared with what is known beforehand."""

import json
import re

from scripted_server import Handler, serve

CALL = "call_1"
WRONG, RIGHT = "return a - b", "return a + b"
PIECE = f"sums.py\n```python\n<<<<<<< SEARCH\n    {WRONG}\n=======\n    {RIGHT}\n>>>>>>> REPLACE\n```\n"
WHOLE = f"sums.py\n```\ndef total(a, b):\n    {RIGHT}\n```\n"


def text_of(message):
    """What a message says, be it one text or parts."""
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def filled(schema, question, names):
    """A value that keeps to a JSON schema; `names` are what its references lead to."""
    if "$ref" in schema:
        return filled(names[schema["$ref"].rpartition("/")[2]], question, names)
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return filled(schema["anyOf"][0], question, names)
    quoted = re.search(r"'([^']+)'", question)
    number = int((re.search(r"\d+", question) or ["36"])[0])
    inner = lambda part: filled(part, question, names)
    kinds = {
        "object": lambda: {name: inner(part) for name, part in schema.get("properties", {}).items()},
        "array": lambda: [inner(schema["items"])],
        "string": lambda: quoted[1] if quoted else "Ada",
        "integer": lambda: number,
        "number": lambda: number,
        "boolean": lambda: True,
        "null": lambda: None,
    }
    return kinds[schema["type"]]()


def whole(schema, question):
    """The same as JSON."""
    return json.dumps(filled(schema, question, schema.get("$defs", {})))


class Helper(Handler):
    """The three models."""

    models = ("helper", "editor", "embedder")
    embedders = ("embedder",)

    def reply(self, body):
        """As a server does, what cannot be understood is refused."""
        try:
            calls, said = self.decide(body)
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            return self.refuse(400, f"not understood: {error!r}")
        return self.call(body, *said) if calls else self.answer(body, re.findall(r"\s*\S+", said), None)

    def decide(self, body):
        """Is it a call, and of what; else what is said. By what the last message is, and what comes with it."""
        last = body["messages"][-1]
        form, choice = body.get("response_format") or {}, body.get("tool_choice")
        question = text_of(last)
        if body["model"] == "editor":
            pieces = any("SEARCH/REPLACE" in text_of(message) for message in body["messages"])
            return False, PIECE if pieces else WHOLE
        if body.get("tools") and last["role"] == "user" and choice != "none":
            offered = [tool["function"] for tool in body["tools"]]
            made = choice["function"]["name"] if isinstance(choice, dict) else offered[0]["name"]
            function = next(one for one in offered if one["name"] == made)
            return True, (made, whole(function.get("parameters") or {"type": "object"}, question))
        if form.get("type") == "json_schema":
            return False, whole(form["json_schema"]["schema"], question)
        if form.get("type") == "json_object":
            return False, json.dumps(dict.fromkeys(re.findall(r"'([^']+)'", question), "Ada"))
        return False, f"The tool says {question}" if last["role"] == "tool" else f"You said: {question}"

    def call(self, body, name, arguments):
        """A call of a tool, whole or in pieces."""
        named = {"id": CALL, "type": "function", "function": {"name": name, "arguments": ""}}
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        common = {"id": "chatcmpl-1", "created": 1, "model": body["model"]}
        if not body.get("stream"):
            named["function"]["arguments"] = arguments
            message = {"role": "assistant", "content": None, "tool_calls": [named]}
            choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
            return self.send(200, {**common, "object": "chat.completion", "choices": [choice], "usage": usage})
        pieces = [arguments[at : at + 4] for at in range(0, len(arguments), 4)]
        calls = [{"index": 0, **named}, *({"index": 0, "function": {"arguments": piece}} for piece in pieces)]
        deltas = [{"delta": {"role": "assistant", "tool_calls": [call]}, "finish_reason": None} for call in calls]
        return self.stream(common, [*deltas, {"delta": {}, "finish_reason": "tool_calls"}], usage)


if __name__ == "__main__":
    serve(Helper)
