"""The `anthropic` Python package against a running goblin: python anthropic_doors_client.py ADDRESS

The model is `scripted_helper.py`, so that what the package makes of an answer is known beforehand."""

import sys
import unittest

import anthropic
from pydantic import BaseModel

ADDRESS = sys.argv.pop(1)
ASKED = {"model": "scripted/helper", "max_tokens": 50, "messages": [{"role": "user", "content": "hi there"}]}
TOOL = {
    "name": "look_up",
    "input_schema": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
}


class Person(BaseModel):
    name: str
    age: int


class AnthropicDoors(unittest.TestCase):
    def setUp(self):
        self.client = anthropic.Anthropic(base_url=ADDRESS, api_key="none", max_retries=0, timeout=60)
        self.addCleanup(self.client.close)

    def test_a_message_is_answered_whole_and_streamed(self):
        whole = self.client.messages.create(**ASKED)
        self.assertEqual((whole.content[0].text, whole.stop_reason), ("You said: hi there", "end_turn"))
        with self.client.messages.stream(**ASKED) as stream:
            pieces = list(stream.text_stream)
            final = stream.get_final_message()
        self.assertGreater(len(pieces), 1)
        self.assertEqual("".join(pieces), whole.content[0].text)
        self.assertEqual(final.usage.output_tokens, whole.usage.output_tokens)

    def test_a_tool_is_called_and_its_result_goes_back_streamed_or_not(self):
        whole = self.client.messages.create(**ASKED, tools=[TOOL])
        with self.client.messages.stream(**ASKED, tools=[TOOL]) as stream:
            streamed = stream.get_final_message()
        for message in [whole, streamed]:
            [call] = [block for block in message.content if block.type == "tool_use"]
            self.assertEqual((call.name, call.input, message.stop_reason), ("look_up", {"name": "Ada"}, "tool_use"))
            result = {"type": "tool_result", "tool_use_id": call.id, "content": "a countess"}
            said = [
                *ASKED["messages"],
                {"role": "assistant", "content": [block.to_dict() for block in message.content]},
                {"role": "user", "content": [result]},
            ]
            answer = self.client.messages.create(**{**ASKED, "messages": said}, tools=[TOOL])
            self.assertEqual(answer.content[0].text, "The tool says a countess")

    def test_an_answer_is_parsed_by_its_schema(self):
        message = self.client.messages.parse(**ASKED, output_format=Person)
        self.assertEqual(message.parsed_output, Person(name="Ada", age=36))

    def test_tokens_are_counted(self):
        counted = self.client.messages.count_tokens(model=ASKED["model"], messages=ASKED["messages"])
        self.assertGreater(counted.input_tokens, 0)

    def test_errors_arrive_as_the_package_knows_them(self):
        with self.assertRaises(anthropic.NotFoundError) as missing:
            self.client.messages.create(**{**ASKED, "model": "scripted/helpr"})
        self.assertIn("scripted/helper", missing.exception.body["error"]["message"])
        result = {"type": "tool_result", "tool_use_id": "nobody", "content": "x"}
        with self.assertRaises(anthropic.BadRequestError) as wrong:
            self.client.messages.create(**{**ASKED, "messages": [{"role": "user", "content": [result]}]})
        self.assertIn("tool_use_id", wrong.exception.body["error"]["param"])


if __name__ == "__main__":
    unittest.main()
