"""OpenAI's own Python package meets a cascade: python openai_cascade_client.py BASE_URL

Whatever happens between models, what the package puts together is exactly one model's text, or its beginning."""

import json
import sys
import unittest
from pathlib import Path

import openai

BASE_URL = sys.argv.pop(1)
SCRIPT = json.loads(Path(__file__).with_name("cascade.json").read_text())
TEXTS = {name: " ".join(parts) for name, parts in SCRIPT["texts"].items()}


class Cascade(unittest.TestCase):
    def setUp(self):
        self.client = openai.OpenAI(base_url=BASE_URL, api_key="not needed on this machine", max_retries=0, timeout=120)
        self.addCleanup(self.client.close)

    def check(self, case, text, ends):
        self.assertEqual(ends, case["ends"])
        if "is" in case:
            self.assertEqual(text, TEXTS[case["is"]])
        else:
            self.assertTrue(TEXTS[case["begins"]].startswith(text), text)
            self.assertNotIn(case["without"], text)

    def asked(self, case):
        return {
            "model": "goblin", "messages": [{"role": "user", "content": case["ask"]}],
            "extra_body": {"goblin": {"verify": case["verify"]}},
        }

    def test_streams_are_one_models_text(self):
        for case in SCRIPT["cases"]:
            with self.subTest(case["name"]):
                text, ends = "", []
                for chunk in self.client.chat.completions.create(**self.asked(case), stream=True):
                    for choice in chunk.choices:
                        text += choice.delta.content or ""
                        ends += [choice.finish_reason] if choice.finish_reason else []
                self.assertEqual(len(ends), 1)
                self.check(case, text, ends[0])

    def test_whole_answers_are_one_models_text(self):
        for case in SCRIPT["cases"]:
            with self.subTest(case["name"]):
                [choice] = self.client.chat.completions.create(**self.asked(case)).choices
                if choice.finish_reason == "content_filter":
                    self.assertEqual(case["ends"], "content_filter")
                    self.assertTrue(choice.message.refusal)
                    self.assertFalse(choice.message.content)
                    continue
                # Of an answer nobody sees before its end, the better one is always the answer.
                wanted = "better" if case["verify"] != "off" else case["is"]
                self.assertEqual(choice.message.content, TEXTS[wanted])


if __name__ == "__main__":
    unittest.main()
