"""A model that uses tools and keeps to schemas, in OpenAI's wire: python scripted_helper.py PORT_FILE

`helper` says what it was asked, calls the first tool it is offered, says what a tool gave it, and fills a schema: every
text is `Ada`, every number 36. It stands for no cloud: what a client's package makes of an answer can be compared with
what is known beforehand."""

import json
import re

from scripted_server import Handler, serve

CALL = "call_1"


def text_of(message):
    """What a message says, be it one text or parts."""
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def filled(schema, names):
    """A value that keeps to a JSON schema; `names` are what its references lead to."""
    if "$ref" in schema:
        return filled(names[schema["$ref"].rpartition("/")[2]], names)
    if "enum" in schema:
        return schema["enum"][0]
    kinds = {
        "object": lambda: {name: filled(inner, names) for name, inner in schema.get("properties", {}).items()},
        "array": lambda: [filled(schema["items"], names)],
        "string": lambda: "Ada",
        "integer": lambda: 36,
        "number": lambda: 36,
        "boolean": lambda: True,
    }
    return kinds[schema["type"]]()


def whole(schema):
    """The same as JSON."""
    return json.dumps(filled(schema, schema.get("$defs", {})))


class Helper(Handler):
    """The one model."""

    models = ("helper",)

    def reply(self, body):
        """By what the last message is, and what comes with it."""
        last = body["messages"][-1]
        form = body.get("response_format") or {}
        if body.get("tools") and last["role"] == "user" and body.get("tool_choice") != "none":
            return self.call(body, body["tools"][0]["function"])
        if form.get("type") == "json_schema":
            said = whole(form["json_schema"]["schema"])
        elif last["role"] == "tool":
            said = f"The tool says {text_of(last)}"
        else:
            said = f"You said: {text_of(last)}"
        return self.answer(body, re.findall(r"\s*\S+", said), None)

    def call(self, body, function):
        """A call of a tool, whole or in pieces."""
        arguments = whole(function["parameters"])
        named = {"id": CALL, "type": "function", "function": {"name": function["name"], "arguments": ""}}
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
