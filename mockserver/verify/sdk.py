"""The published MKA1 SDK as a second opinion on responses."""

from collections.abc import Callable
from typing import Any

import httpx

from mockserver.verify.transport import WireResponse

_MAX_ERROR = 500
_CALLS: dict[str, Callable[[Any], Any]] = {
    "conversations.create": lambda llm: llm.conversations.create(),
    "conversations.list": lambda llm: llm.conversations.list(),
    "conversations.retrieve": lambda llm: llm.conversations.get(conversation_id="c"),
    "conversations.update": lambda llm: llm.conversations.update(conversation_id="c", metadata={}),
    "conversations.delete": lambda llm: llm.conversations.delete(conversation_id="c"),
    "conversations.items.create": lambda llm: llm.conversations.create_items(conversation_id="c", items=[]),
    "conversations.items.list": lambda llm: llm.conversations.list_items(conversation_id="c"),
    "conversations.items.retrieve": lambda llm: llm.conversations.get_item(conversation_id="c", item_id="i"),
    "conversations.items.delete": lambda llm: llm.conversations.delete_item(conversation_id="c", item_id="i"),
    "conversations.items.deleteMany": lambda llm: llm.conversations.delete_items(conversation_id="c", item_ids=["i"]),
    "createResponse": lambda llm: llm.responses.create(model="m"),
    "listResponses": lambda llm: llm.responses.list(),
    "getResponse": lambda llm: llm.responses.get(response_id="resp_1"),
    "updateResponse": lambda llm: llm.responses.update(response_id="resp_1", metadata={}),
    "deleteResponse": lambda llm: llm.responses.delete(response_id="resp_1"),
    "cancelResponse": lambda llm: llm.responses.cancel(response_id="resp_1"),
    "wakeResponse": lambda llm: llm.responses.wake(response_id="resp_1", input="Go on."),
    "listInputItems": lambda llm: llm.responses.list_input_items(response_id="resp_1"),
    "compactResponse": lambda llm: llm.responses.compact(model="m"),
}


class PublishedSdk:
    """The parser of `meetkai-mka1`, applied to recorded responses."""

    def __init__(self) -> None:
        from meetkai_mka1 import SDK

        self._response = WireResponse(200, (), b"")
        client = httpx.Client(transport=httpx.MockTransport(self._replay), trust_env=False)
        self._sdk = SDK(bearer_auth="key", server_url="http://sdk.invalid", client=client, retry_config=None)

    def parsing_error(self, operation: str, response: WireResponse) -> str | None:
        """Return why the SDK cannot parse a response with status 200; None if it can, or has no such method."""
        if operation not in _CALLS:
            return None
        self._response = response
        try:
            parsed = _CALLS[operation](self._sdk.llm)
            if response.is_stream:
                _read_stream(parsed)
        except Exception as error:  # noqa: BLE001 - users of the SDK would get any of them
            return f"{type(error).__name__}: {error}"[:_MAX_ERROR]
        return None

    def _replay(self, request: httpx.Request) -> httpx.Response:
        headers = [(name, value) for name, value in self._response.headers if name.lower() == "content-type"]
        return httpx.Response(self._response.status, headers=headers, content=self._response.body, request=request)


def _read_stream(stream: Any) -> None:
    """Read all events of a parsed stream.

    Raises:
        ValueError: the SDK takes one for an event of an unknown type, as it does when a field is missing.
    """
    for event in stream:
        if type(event.data).__name__.startswith("Unknown"):
            raise ValueError(f"{type(event.data).__name__} for {event.data.raw['type']}")


def load_sdk() -> PublishedSdk | None:
    """Return the SDK, or None if it is not installed."""
    try:
        return PublishedSdk()
    except ImportError:
        return None
