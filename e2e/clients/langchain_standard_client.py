"""LangChain's own standard tests (`langchain-tests`) of a chat model, at each door LangChain has a package for:
GOBLIN_URL=… python -m pytest langchain_standard_client.py

The model is `scripted_helper.py`, which does what these tests ask of a model. What is switched off is what it cannot do:
images, documents and sound, and tests that replay recordings."""

import os

from langchain_anthropic import ChatAnthropic
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests

URL = os.environ["GOBLIN_URL"]
MODEL = "scripted/helper"
NO_KEY = "not needed on this machine"


class Door(ChatModelIntegrationTests):
    """What holds for each door."""

    # What pytest collects are the doors.
    __test__ = False
    with_json_mode = True
    supports_anthropic_inputs = False
    model_override_value = "editor"
    more = {}

    @property
    def chat_model_class(self):
        """LangChain's package."""
        return self.package

    @property
    def chat_model_params(self):
        """How it is set up."""
        return {"model": MODEL, **self.more}

    @property
    def supports_json_mode(self):
        """Does the door have an answer that is some object?"""
        return self.with_json_mode


class TestChatCompletions(Door):
    """OpenAI's chat completions."""

    __test__ = True
    package = ChatOpenAI
    more = {"base_url": f"{URL}/v1", "api_key": NO_KEY, "max_retries": 0, "stream_usage": True}


class TestResponses(TestChatCompletions):
    """OpenAI's responses."""

    more = {**TestChatCompletions.more, "use_responses_api": True}


class TestMessages(Door):
    """Anthropic's messages."""

    __test__ = True
    package = ChatAnthropic
    with_json_mode = False
    supports_anthropic_inputs = True
    more = {"base_url": URL, "api_key": NO_KEY, "max_retries": 0}


class TestOllama(Door):
    """Ollama's chat."""

    __test__ = True
    package = ChatOllama
    more = {"base_url": URL}
    # It sends no `tool_choice`: Ollama's wire has none.
    has_tool_choice = False
