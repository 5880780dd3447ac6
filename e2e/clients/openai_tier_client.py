"""OpenAI's own Python package against a running model tier: python openai_tier_client.py ADDRESS KEY"""

import sys
import unittest

import openai

KEY = sys.argv.pop(2)
ADDRESS = sys.argv.pop(1)
MODEL = "smollm2-135m-instruct"
ASKED = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "What is 2+2?"}],
    "max_tokens": 16,
    "temperature": 0,
}


class OpenAiTierClient(unittest.TestCase):
    def setUp(self):
        self.client = openai.OpenAI(base_url=f"{ADDRESS}/v1", api_key=KEY, max_retries=0, timeout=120)
        self.addCleanup(self.client.close)

    def test_models_are_listed_and_found_by_name(self):
        self.assertIn(MODEL, [model.id for model in self.client.models.list()])
        self.assertEqual(self.client.models.retrieve(MODEL).id, MODEL)

    def test_a_whole_answer_is_the_stream_collected(self):
        whole = self.client.chat.completions.create(**ASKED).choices[0]
        stream = self.client.chat.completions.create(**ASKED, stream=True)
        pieces = [c.delta.content or "" for chunk in stream for c in chunk.choices]
        self.assertGreater(len(pieces), 1)
        self.assertEqual("".join(pieces), whole.message.content)

    def test_a_model_without_embeddings_says_so(self):
        with self.assertRaises(openai.BadRequestError) as refused:
            self.client.embeddings.create(model=MODEL, input="hello")
        self.assertEqual(refused.exception.param, "model")
        self.assertIn("embeddings", refused.exception.message)

    def test_a_wrong_key_is_refused(self):
        with openai.OpenAI(base_url=f"{ADDRESS}/v1", api_key="wrong", max_retries=0) as stranger:
            with self.assertRaises(openai.AuthenticationError):
                stranger.models.list()


if __name__ == "__main__":
    unittest.main()
