"""An assistant that answers tickets with the OpenAI client, and looks up orders on its own."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from openai import OpenAI

TOOLS: list[Any] = [
    {
        "type": "function",
        "name": "find_order",
        "description": "Return the state of an order.",
        "parameters": {
            "type": "object",
            "properties": {"number": {"type": "string"}},
            "required": ["number"],
            "additionalProperties": False,
        },
        "strict": True,
    }
]


class Assistant:
    """Answers the questions of one ticket, whose conversation keeps the history."""

    def __init__(self, ticket: str, find_order: Callable[[str], str]) -> None:
        self._client = OpenAI()
        self._request: dict[str, Any] = {"model": "auto", "conversation": ticket, "tools": TOOLS}
        self._find_order = find_order

    def ask(self, question: str) -> str:
        """Return the answer, after all orders that it needs have been looked up."""
        response = self._client.responses.create(input=question, **self._request)
        while outputs := self._call_tools(response):
            response = self._client.responses.create(input=outputs, **self._request)
        return response.output_text

    def stream(self, question: str) -> Iterator[str]:
        """Yield the answer piece by piece."""
        request: Any = question
        while request:
            with self._client.responses.stream(input=request, **self._request) as stream:
                yield from (event.delta for event in stream if event.type == "response.output_text.delta")
                request = self._call_tools(stream.get_final_response())

    def _call_tools(self, response: Any) -> list[Any]:
        return [
            {
                "type": "function_call_output",
                "call_id": call.call_id,
                "output": self._find_order(json.loads(call.arguments)["number"]),
            }
            for call in response.output
            if call.type == "function_call"
        ]
