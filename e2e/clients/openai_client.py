"""OpenAI's own Python package against a running goblin: python openai_client.py BASE_URL"""

import sys
import unittest

import openai

BASE_URL = sys.argv.pop(1)
MODEL = "smollm2-135m-instruct"
QUESTION = [{"role": "user", "content": "What is 2+2?"}]


class OpenAiClient(unittest.TestCase):
    def setUp(self):
        self.client = openai.OpenAI(base_url=BASE_URL, api_key="not needed on this machine", max_retries=0, timeout=120)
        self.addCleanup(self.client.close)

    def test_models_are_listed_and_found_by_name(self):
        names = [model.id for model in self.client.models.list()]
        self.assertIn("goblin", names)
        self.assertIn(f"engine/{MODEL}", names)
        self.assertEqual(self.client.models.retrieve(f"engine/{MODEL}").id, f"engine/{MODEL}")

    def test_an_answer_streams_in_pieces_and_ends_with_its_usage(self):
        pieces, reasons, usage = [], [], None
        stream = self.client.chat.completions.create(
            model="goblin", messages=QUESTION, max_tokens=24, stream=True, stream_options={"include_usage": True}
        )
        for chunk in stream:
            pieces += [c.delta.content for c in chunk.choices if c.delta.content]
            reasons += [c.finish_reason for c in chunk.choices if c.finish_reason]
            usage = chunk.usage or usage
        self.assertGreater(len(pieces), 1)
        self.assertEqual(len(reasons), 1)
        self.assertLessEqual(usage.completion_tokens, 24)
        self.assertEqual(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)

    def test_a_whole_answer_is_the_stream_collected(self):
        asked = {"model": MODEL, "messages": QUESTION, "max_tokens": 16, "temperature": 0}
        whole = self.client.chat.completions.create(**asked).choices[0]
        stream = self.client.chat.completions.create(**asked, stream=True)
        pieces = [c.delta.content or "" for chunk in stream for c in chunk.choices]
        self.assertEqual("".join(pieces), whole.message.content)

    def test_logprobs_come_with_each_token(self):
        answer = self.client.chat.completions.create(
            model=MODEL, messages=QUESTION, max_tokens=4, temperature=0, logprobs=True, top_logprobs=2
        )
        tokens = answer.choices[0].logprobs.content
        self.assertEqual(len(tokens), answer.usage.completion_tokens)
        for token in tokens:
            self.assertEqual(len(token.top_logprobs), 2)
            self.assertLessEqual(token.logprob, 0)

    def test_an_answer_keeps_to_a_schema(self):
        import json

        schema = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"], "additionalProperties": False}
        answer = self.client.chat.completions.create(
            model=MODEL, messages=QUESTION, max_tokens=60, temperature=0,
            response_format={"type": "json_schema", "json_schema": {"name": "sum", "schema": schema}},
        )
        self.assertIsInstance(json.loads(answer.choices[0].message.content)["answer"], int)

    def test_errors_arrive_as_the_package_knows_them(self):
        create = self.client.chat.completions.create
        with self.assertRaises(openai.NotFoundError) as missing:
            create(model="smollm", messages=QUESTION)
        self.assertEqual(missing.exception.code, "model_not_found")
        self.assertIn(MODEL, missing.exception.message)
        with self.assertRaises(openai.BadRequestError) as wrong:
            create(model="goblin", messages=QUESTION, temperature=99)
        self.assertEqual(wrong.exception.param, "temperature")
        with self.assertRaises(openai.BadRequestError) as long:
            create(model=MODEL, messages=[{"role": "user", "content": "word " * 20_000}])
        self.assertEqual(long.exception.code, "context_length_exceeded")


if __name__ == "__main__":
    unittest.main()
