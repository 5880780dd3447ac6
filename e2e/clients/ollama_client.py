"""The `ollama` Python package against a running model tier: python ollama_client.py ADDRESS KEY"""

import sys
import unittest

import ollama

KEY = sys.argv.pop(2)
ADDRESS = sys.argv.pop(1)
MODEL = "smollm2-135m-instruct"
QUESTION = [{"role": "user", "content": "What is 2+2?"}]
EXACT = {"temperature": 0, "num_predict": 16}


class OllamaClient(unittest.TestCase):
    def setUp(self):
        self.client = ollama.Client(host=ADDRESS, headers={"Authorization": f"Bearer {KEY}"}, timeout=120)
        self.addCleanup(self.client.close)

    def test_models_are_listed_shown_and_running(self):
        listed = {model.model: model for model in self.client.list().models}
        self.assertIn(MODEL, listed)
        self.assertGreater(listed[MODEL].size, 0)
        shown = self.client.show(MODEL)
        self.assertIn("completion", shown.capabilities)
        running = {model.model: model for model in self.client.ps().models}
        self.assertGreater(running[MODEL].context_length, 0)

    def test_a_chat_streams_in_pieces_and_ends_with_its_counts(self):
        parts = list(self.client.chat(MODEL, QUESTION, stream=True, options=EXACT))
        self.assertGreater(len([p for p in parts if p.message.content]), 1)
        self.assertEqual([p.done for p in parts], [False] * (len(parts) - 1) + [True])
        last = parts[-1]
        self.assertIn(last.done_reason, ["stop", "length"])
        self.assertLessEqual(last.eval_count, EXACT["num_predict"])
        self.assertGreater(last.prompt_eval_count, 0)
        self.assertGreater(last.total_duration, 0)

    def test_a_whole_chat_is_the_stream_collected(self):
        whole = self.client.chat(MODEL, QUESTION, options=EXACT)
        parts = self.client.chat(MODEL, QUESTION, stream=True, options=EXACT)
        self.assertTrue(whole.done)
        self.assertEqual("".join(p.message.content or "" for p in parts), whole.message.content)

    def test_a_text_is_continued_streamed_and_whole(self):
        whole = self.client.generate(MODEL, "Say hello.", options=EXACT)
        self.assertTrue(whole.response)
        parts = self.client.generate(MODEL, "Say hello.", stream=True, options=EXACT)
        self.assertEqual("".join(p.response or "" for p in parts), whole.response)

    def test_an_answer_keeps_to_a_schema(self):
        import json

        schema = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}
        answer = self.client.chat(MODEL, QUESTION, format=schema, options={"temperature": 0, "num_predict": 60})
        self.assertIsInstance(json.loads(answer.message.content)["answer"], int)

    def test_a_model_without_embeddings_says_so(self):
        with self.assertRaises(ollama.ResponseError) as refused:
            self.client.embed(MODEL, "hello")
        self.assertEqual(refused.exception.status_code, 400)
        self.assertIn("embeddings", refused.exception.error)

    def test_errors_arrive_as_the_package_knows_them(self):
        with self.assertRaises(ollama.ResponseError) as missing:
            self.client.chat("smollm", QUESTION)
        self.assertEqual(missing.exception.status_code, 404)
        self.assertIn(MODEL, missing.exception.error)
        with self.assertRaises(ollama.ResponseError) as wrong:
            self.client.chat(MODEL, QUESTION, options={"temperature": 99})
        self.assertEqual(wrong.exception.status_code, 400)
        self.assertIn("options.temperature", wrong.exception.error)

    def test_changing_models_needs_an_admin_key(self):
        for change in [lambda: self.client.pull("x"), lambda: self.client.delete(MODEL), lambda: self.client.copy(MODEL, "y")]:
            with self.assertRaises(ollama.ResponseError) as refused:
                change()
            self.assertEqual(refused.exception.status_code, 403)
            self.assertIn("admin", refused.exception.error)

    def test_a_wrong_key_is_refused(self):
        with ollama.Client(host=ADDRESS, headers={"Authorization": "Bearer wrong"}) as stranger:
            with self.assertRaises(ollama.ResponseError) as refused:
                stranger.list()
        self.assertEqual(refused.exception.status_code, 401)


if __name__ == "__main__":
    unittest.main()
