"""LangChain's package for OpenAI's wire against a running backend: python langchain_client.py BASE_URL"""

import sys
import unittest

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

BASE_URL = sys.argv.pop(1)


class Person(BaseModel):
    """A person."""

    name: str
    age: int


@tool
def double(number: int) -> int:
    """Twice a number."""
    return 2 * number


class LangChainClient(unittest.TestCase):
    def setUp(self):
        self.model = ChatOpenAI(
            model="scripted/helper", base_url=BASE_URL, api_key="not needed on this machine",
            max_retries=0, timeout=120, stream_usage=True,
        )

    def test_an_answer_streams_in_pieces_and_ends_with_its_usage(self):
        chunks = list(self.model.stream("Say hello."))
        self.assertGreater(len([chunk for chunk in chunks if chunk.content]), 1)
        whole = chunks[0]
        for chunk in chunks[1:]:
            whole += chunk
        self.assertEqual(whole.content, "You said: Say hello.")
        self.assertEqual((whole.usage_metadata["input_tokens"], whole.usage_metadata["output_tokens"]), (10, 4))

    def test_a_tool_is_called_whole_and_streamed_and_its_result_answered(self):
        bound = self.model.bind_tools([double])
        question = HumanMessage("What is twice 36?")
        called = bound.invoke([question])
        [call] = called.tool_calls
        self.assertEqual((call["name"], call["args"]), ("double", {"number": 36}))
        streamed = None
        for chunk in bound.stream([question]):
            streamed = chunk if streamed is None else streamed + chunk
        self.assertEqual([(c["name"], c["args"]) for c in streamed.tool_calls], [("double", {"number": 36})])
        result = ToolMessage(str(double.invoke(call["args"])), tool_call_id=call["id"])
        self.assertEqual(bound.invoke([question, called, result]).content, "The tool says 72")

    def test_an_answer_keeps_to_a_schema_by_either_way(self):
        for method in ["json_schema", "function_calling"]:
            with self.subTest(method):
                asked = self.model.with_structured_output(Person, method=method)
                self.assertEqual(asked.invoke("Who is it?"), Person(name="Ada", age=36))


if __name__ == "__main__":
    unittest.main()
