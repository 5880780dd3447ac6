"""The `instructor` package against a running backend: python instructor_client.py BASE_URL"""

import sys
import unittest

import instructor
import openai
from pydantic import BaseModel

BASE_URL = sys.argv.pop(1)
ASKED = {"model": "scripted/helper", "messages": [{"role": "user", "content": "Who is it?"}]}


class Person(BaseModel):
    """A person."""

    name: str
    age: int


class InstructorClient(unittest.TestCase):
    def client(self, mode):
        plain = openai.OpenAI(base_url=BASE_URL, api_key="not needed on this machine", max_retries=0, timeout=120)
        self.addCleanup(plain.close)
        return instructor.from_openai(plain, mode=mode)

    def check(self, mode):
        person = self.client(mode).chat.completions.create(response_model=Person, max_retries=1, **ASKED)
        self.assertEqual((person.name, person.age), ("Ada", 36))

    def test_an_answer_comes_by_a_tool(self):
        self.check(instructor.Mode.TOOLS)

    def test_an_answer_keeps_to_a_schema(self):
        self.check(instructor.Mode.JSON_SCHEMA)

    def test_an_answer_grows_while_it_streams(self):
        client = self.client(instructor.Mode.TOOLS)
        grown = list(client.chat.completions.create_partial(response_model=Person, max_retries=1, **ASKED))
        self.assertGreater(len(grown), 1)
        self.assertEqual((grown[-1].name, grown[-1].age), ("Ada", 36))


if __name__ == "__main__":
    unittest.main()
