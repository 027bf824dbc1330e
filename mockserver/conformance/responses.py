"""Requests for responses of the model that any model can fulfil, and the parts of responses."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from mockserver.conformance.client import ApiClient
from mockserver.conformance.expectations import ScenarioFailure

HELLO = "Say hello."

WEATHER_TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "Returns the weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
WEATHER_CHOICE = {"type": "function", "name": "get_weather"}

_MAX_POLLS = 60
_POLLING_INTERVAL = 2.0
"""Seconds, as the documentation recommends for background responses."""


def call_weather_tool(api: ApiClient, **fields: Any) -> dict[str, Any]:
    """Return a response whose output has a call of the weather tool."""
    question = "What is the weather in Oslo?"
    return api.respond(question, tools=[WEATHER_TOOL], tool_choice=WEATHER_CHOICE, **fields)


def function_calls(response: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """Return the function calls of a response, at least one.

    Raises:
        ScenarioFailure: there is none.
    """
    calls = [item for item in response["output"] if item["type"] == "function_call"]
    if not calls:
        raise ScenarioFailure("output", "a function call", repr([item["type"] for item in response["output"]]))
    return calls


def output_text(response: Mapping[str, Any]) -> str:
    """Return the text of all messages of a response."""
    parts = [part for item in response["output"] if item["type"] == "message" for part in item["content"]]
    return "".join(part["text"] for part in parts if part["type"] == "output_text")


def wait_for_end(api: ApiClient, response_id: str) -> dict[str, Any]:
    """Retrieve a background response until it has ended.

    Raises:
        ScenarioFailure: it does not end within two minutes.
    """
    for attempt in range(_MAX_POLLS):
        if attempt:
            time.sleep(_POLLING_INTERVAL)
        response = api.retrieve_response(response_id)
        if response["status"] not in ("queued", "in_progress"):
            return response
    raise ScenarioFailure("status", "an end within two minutes", repr(response["status"]))
