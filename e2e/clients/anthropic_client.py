"""The `anthropic` Python package against a running model tier: python anthropic_client.py ADDRESS KEY"""

import sys
import unittest

import anthropic

KEY = sys.argv.pop(2)
ADDRESS = sys.argv.pop(1)
MODEL = "smollm2-135m-instruct"
ASKED = {
    "model": MODEL,
    "max_tokens": 16,
    # The package has no argument for it any more; the wire has the field.
    "extra_body": {"temperature": 0},
    "system": "Answer in one word.",
    "messages": [{"role": "user", "content": "What is 2+2?"}],
}


class AnthropicClient(unittest.TestCase):
    def setUp(self):
        self.client = anthropic.Anthropic(base_url=ADDRESS, api_key=KEY, max_retries=0, timeout=120)
        self.addCleanup(self.client.close)

    def test_a_message_is_answered(self):
        message = self.client.messages.create(**ASKED)
        self.assertEqual((message.type, message.role, message.model), ("message", "assistant", MODEL))
        self.assertTrue(message.content[0].text)
        self.assertIn(message.stop_reason, ["end_turn", "max_tokens"])
        self.assertLessEqual(message.usage.output_tokens, 16)
        self.assertGreater(message.usage.input_tokens, 0)

    def test_a_stream_collected_is_the_whole_message(self):
        whole = self.client.messages.create(**ASKED)
        with self.client.messages.stream(**ASKED) as stream:
            pieces = list(stream.text_stream)
            final = stream.get_final_message()
        self.assertGreater(len(pieces), 1)
        self.assertEqual("".join(pieces), whole.content[0].text)
        self.assertEqual(final.content[0].text, whole.content[0].text)
        self.assertEqual(final.stop_reason, whole.stop_reason)
        self.assertEqual(final.usage.output_tokens, whole.usage.output_tokens)

    def test_tokens_are_counted_as_the_answer_counts_them(self):
        asked = {name: ASKED[name] for name in ["model", "system", "messages"]}
        counted = self.client.messages.count_tokens(**asked)
        used = self.client.messages.create(**ASKED).usage
        self.assertEqual(counted.input_tokens, used.input_tokens + (used.cache_read_input_tokens or 0))

    def test_errors_arrive_as_the_package_knows_them(self):
        with self.assertRaises(anthropic.NotFoundError) as missing:
            self.client.messages.create(**{**ASKED, "model": "smollm"})
        self.assertEqual(missing.exception.body["error"]["type"], "not_found_error")
        self.assertIn(MODEL, missing.exception.body["error"]["message"])
        with self.assertRaises(anthropic.BadRequestError) as wrong:
            self.client.messages.create(**{**ASKED, "extra_body": {"temperature": 99}})
        self.assertEqual(wrong.exception.body["error"]["type"], "invalid_request_error")
        self.assertIn("temperature", wrong.exception.body["error"]["message"])
        with anthropic.Anthropic(base_url=ADDRESS, api_key="wrong", max_retries=0) as stranger:
            with self.assertRaises(anthropic.AuthenticationError):
                stranger.messages.create(**ASKED)


if __name__ == "__main__":
    unittest.main()
