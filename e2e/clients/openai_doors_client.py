"""OpenAI's Python package at the newer and the older door of a running goblin: python openai_doors_client.py ADDRESS

The model is `scripted_helper.py`, so that what the package makes of an answer is known beforehand."""

import sys
import unittest

import openai
from pydantic import BaseModel

ADDRESS = sys.argv.pop(1)
MODEL = "scripted/helper"
TOOL = {
    "type": "function",
    "name": "look_up",
    "description": "Looks somebody up",
    "strict": False,
    "parameters": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
}


class Person(BaseModel):
    name: str
    age: int


class OpenAiDoors(unittest.TestCase):
    def setUp(self):
        self.client = openai.OpenAI(base_url=f"{ADDRESS}/v1", api_key="none", max_retries=0, timeout=60)
        self.addCleanup(self.client.close)

    def test_a_chat_streams_in_pieces_calls_a_tool_and_keeps_to_a_schema(self):
        asked = {"model": MODEL, "messages": [{"role": "user", "content": "hi there"}]}
        with self.client.chat.completions.stream(**asked) as stream:
            deltas = [event.delta for event in stream if event.type == "content.delta"]
            final = stream.get_final_completion()
        self.assertGreater(len(deltas), 1)
        self.assertEqual(("".join(deltas), final.choices[0].message.content), ("You said: hi there",) * 2)
        function = {name: value for name, value in TOOL.items() if name != "type"}
        called = self.client.chat.completions.create(**asked, tools=[{"type": "function", "function": function}])
        [call] = called.choices[0].message.tool_calls
        self.assertEqual((call.function.name, call.function.arguments), ("look_up", '{"name": "Ada"}'))
        parsed = self.client.chat.completions.parse(**asked, response_format=Person)
        self.assertEqual(parsed.choices[0].message.parsed, Person(name="Ada", age=36))

    def test_a_response_is_answered_and_not_kept(self):
        response = self.client.responses.create(model=MODEL, input="hi there", metadata={"a": "b"})
        self.assertEqual((response.output_text, response.status), ("You said: hi there", "completed"))
        self.assertEqual((response.model, response.metadata), (MODEL, {"a": "b"}))
        self.assertIs(response.to_dict()["store"], False)
        self.assertEqual(response.usage.total_tokens, response.usage.input_tokens + response.usage.output_tokens)

    def test_a_stream_collected_is_the_whole_response(self):
        with self.client.responses.stream(model=MODEL, input="hi there") as stream:
            events = list(stream)
            final = stream.get_final_response()
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        self.assertGreater(len(deltas), 1)
        self.assertEqual("".join(deltas), "You said: hi there")
        self.assertEqual(final.output_text, "You said: hi there")
        self.assertEqual([event.sequence_number for event in events if hasattr(event, "sequence_number")][0], 0)

    def test_a_function_is_called_and_its_result_goes_back_streamed_or_not(self):
        question = [{"role": "user", "content": "Who is it?"}]
        whole = self.client.responses.create(model=MODEL, input=question, tools=[TOOL])
        with self.client.responses.stream(model=MODEL, input=question, tools=[TOOL]) as stream:
            for _ in stream:
                pass
            streamed = stream.get_final_response()
        for response in [whole, streamed]:
            [call] = [item for item in response.output if item.type == "function_call"]
            self.assertEqual((call.name, call.arguments), ("look_up", '{"name": "Ada"}'))
            result = {"type": "function_call_output", "call_id": call.call_id, "output": "a countess"}
            answer = self.client.responses.create(
                model=MODEL, input=[*question, *(item.to_dict() for item in response.output), result], tools=[TOOL]
            )
            self.assertEqual(answer.output_text, "The tool says a countess")

    def test_an_answer_is_parsed_by_its_schema(self):
        response = self.client.responses.parse(model=MODEL, input="Who?", text_format=Person)
        self.assertEqual(response.output_parsed, Person(name="Ada", age=36))

    def test_a_response_is_kept_gone_on_from_listed_and_deleted(self):
        question = "Who is it?"
        with self.client.responses.stream(model=MODEL, input=question, tools=[TOOL], store=True) as stream:
            for _ in stream:
                pass
            first = stream.get_final_response()
        [call] = [item for item in first.output if item.type == "function_call"]
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "a countess"}
        second = self.client.responses.create(
            model=MODEL, previous_response_id=first.id, input=[result], tools=[TOOL], store=True
        )
        self.assertEqual(second.output_text, "The tool says a countess")
        self.assertEqual(second.previous_response_id, first.id)
        again = self.client.responses.retrieve(second.id)
        self.assertEqual((again.output_text, again.to_dict()["store"]), (second.output_text, True))
        items = list(self.client.responses.input_items.list(second.id, limit=1, order="asc"))
        self.assertEqual(
            [item.type for item in items],
            ["message", *(item.type for item in first.output), "function_call_output"],
        )
        self.client.responses.delete(first.id)
        with self.assertRaises(openai.NotFoundError):
            self.client.responses.retrieve(first.id)
        with self.assertRaises(openai.BadRequestError) as refused:
            self.client.responses.create(model=MODEL, previous_response_id=second.id, input="Sure?")
        self.assertEqual(refused.exception.param, "previous_response_id")

    def test_what_is_not_kept_is_refused_by_its_field(self):
        for field, value in [("background", True), ("previous_response_id", "resp_1")]:
            with self.assertRaises(openai.BadRequestError) as refused:
                self.client.responses.create(model=MODEL, input="hi", **{field: value})
            self.assertEqual(refused.exception.param, field)
        with self.assertRaises(openai.BadRequestError) as refused:
            self.client.responses.create(model=MODEL, input="hi", tools=[{"type": "web_search"}])
        self.assertEqual(refused.exception.param, "tools[0].type")

    def test_a_text_is_gone_on_with_whole_and_streamed(self):
        asked = {"model": MODEL, "prompt": "hi there", "max_tokens": 50}
        whole = self.client.completions.create(**asked)
        self.assertEqual((whole.object, whole.choices[0].text), ("text_completion", "You said: hi there"))
        stream = self.client.completions.create(**asked, stream=True, stream_options={"include_usage": True})
        chunks = list(stream)
        text = "".join(choice.text for chunk in chunks for choice in chunk.choices)
        self.assertEqual(text, "You said: hi there")
        self.assertEqual(chunks[-1].usage.total_tokens, whole.usage.total_tokens)
        with self.assertRaises(openai.BadRequestError) as refused:
            self.client.completions.create(**asked, n=2)
        self.assertEqual(refused.exception.param, "n")


if __name__ == "__main__":
    unittest.main()
