"""The `ollama` Python package against a running goblin: python ollama_doors_client.py ADDRESS

The model is `scripted_helper.py`, so that what the package makes of an answer is known beforehand."""

import json
import sys
import unittest

import ollama

ADDRESS = sys.argv.pop(1)
MODEL = "scripted/helper"
QUESTION = [{"role": "user", "content": "hi there"}]
FORM = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}
TOOL = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Looks somebody up",
        "parameters": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    },
}


class OllamaDoors(unittest.TestCase):
    def setUp(self):
        self.client = ollama.Client(host=ADDRESS, timeout=60)
        self.addCleanup(self.client.close)

    def test_models_are_listed_and_shown(self):
        listed = [model.model for model in self.client.list().models]
        self.assertIn("goblin", listed)
        self.assertIn(MODEL, listed)
        self.assertIn("completion", self.client.show(MODEL).capabilities)
        self.assertEqual(self.client.ps().models, [])

    def test_a_chat_is_answered_whole_and_streamed(self):
        whole = self.client.chat(MODEL, QUESTION)
        self.assertEqual((whole.message.content, whole.done), ("You said: hi there", True))
        parts = list(self.client.chat(MODEL, QUESTION, stream=True))
        self.assertGreater(len(parts), 2)
        self.assertEqual("".join(part.message.content or "" for part in parts), whole.message.content)
        self.assertEqual(parts[-1].eval_count, whole.eval_count)

    def test_a_prompt_is_answered_whole_and_streamed(self):
        whole = self.client.generate(MODEL, "hi there")
        self.assertEqual(whole.response, "You said: hi there")
        parts = self.client.generate(MODEL, "hi there", stream=True)
        self.assertEqual("".join(part.response or "" for part in parts), whole.response)

    def test_a_tool_is_called_and_its_result_goes_back(self):
        whole = self.client.chat(MODEL, QUESTION, tools=[TOOL]).message
        parts = self.client.chat(MODEL, QUESTION, tools=[TOOL], stream=True)
        [streamed] = [part.message for part in parts if part.message.tool_calls]
        for message in [whole, streamed]:
            [call] = message.tool_calls
            self.assertEqual((call.function.name, call.function.arguments), ("look_up", {"name": "Ada"}))
            said = [*QUESTION, message, {"role": "tool", "tool_name": "look_up", "content": "a countess"}]
            answer = self.client.chat(MODEL, said, tools=[TOOL])
            self.assertEqual(answer.message.content, "The tool says a countess")

    def test_an_answer_keeps_to_a_schema(self):
        answer = self.client.chat(MODEL, QUESTION, format=FORM)
        self.assertEqual(json.loads(answer.message.content), {"name": "Ada", "age": 36})

    def test_errors_arrive_as_the_package_knows_them(self):
        with self.assertRaises(ollama.ResponseError) as missing:
            self.client.chat("scripted/helpr", QUESTION)
        self.assertEqual(missing.exception.status_code, 404)
        self.assertIn(MODEL, missing.exception.error)
        with self.assertRaises(ollama.ResponseError) as refused:
            self.client.embed(MODEL, "hello")
        self.assertEqual(refused.exception.status_code, 400)


if __name__ == "__main__":
    unittest.main()
