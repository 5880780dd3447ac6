"""The `llm` package against a running backend: python llm_client.py BASE_URL"""

import json
import os
import sys
import tempfile
import unittest
from pathlib import Path

BASE_URL = sys.argv.pop(1)
home = tempfile.TemporaryDirectory()
# It reads its models from there when it is imported. JSON is YAML as well.
os.environ["LLM_USER_PATH"] = home.name
MODEL = {
    "model_id": "helper", "model_name": "scripted/helper", "api_base": BASE_URL,
    "supports_tools": True, "supports_schema": True,
}
Path(home.name, "extra-openai-models.yaml").write_text(json.dumps([MODEL]))

import llm  # noqa: E402

SCHEMA = {
    "type": "object", "required": ["name", "age"],
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
}


def double(number: int) -> int:
    """Twice a number."""
    return 2 * number


class LlmClient(unittest.TestCase):
    def setUp(self):
        self.model = llm.get_model("helper")

    def test_an_answer_streams_in_pieces(self):
        pieces = list(self.model.prompt("Say hello."))
        self.assertGreater(len(pieces), 1)
        self.assertEqual("".join(pieces), "You said: Say hello.")

    def test_a_tool_is_called_and_its_result_answered(self):
        for stream in [True, False]:
            with self.subTest(stream=stream):
                chain = self.model.chain("What is twice 36?", tools=[double], stream=stream)
                self.assertEqual(chain.text(), "The tool says 72")

    def test_an_answer_keeps_to_a_schema(self):
        answer = self.model.prompt("Who is it?", schema=SCHEMA, stream=False).text()
        self.assertEqual(json.loads(answer), {"name": "Ada", "age": 36})


if __name__ == "__main__":
    unittest.main()
