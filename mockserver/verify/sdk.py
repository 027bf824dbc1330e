"""The published MKA1 SDK as a second opinion on responses."""

from collections.abc import Callable
from typing import Any

import httpx

from mockserver.verify.transport import WireResponse

_MAX_ERROR = 500
_CALLS: dict[str, Callable[[Any], Any]] = {
    "conversations.create": lambda api: api.create(),
    "conversations.list": lambda api: api.list(),
    "conversations.retrieve": lambda api: api.get(conversation_id="c"),
    "conversations.update": lambda api: api.update(conversation_id="c", metadata={}),
    "conversations.delete": lambda api: api.delete(conversation_id="c"),
    "conversations.items.create": lambda api: api.create_items(conversation_id="c", items=[]),
    "conversations.items.list": lambda api: api.list_items(conversation_id="c"),
    "conversations.items.retrieve": lambda api: api.get_item(conversation_id="c", item_id="i"),
    "conversations.items.delete": lambda api: api.delete_item(conversation_id="c", item_id="i"),
    "conversations.items.deleteMany": lambda api: api.delete_items(conversation_id="c", item_ids=["i"]),
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
            _CALLS[operation](self._sdk.llm.conversations)
        except Exception as error:  # noqa: BLE001 - users of the SDK would get any of them
            return f"{type(error).__name__}: {error}"[:_MAX_ERROR]
        return None

    def _replay(self, request: httpx.Request) -> httpx.Response:
        headers = [(name, value) for name, value in self._response.headers if name.lower() == "content-type"]
        return httpx.Response(self._response.status, headers=headers, content=self._response.body, request=request)


def load_sdk() -> PublishedSdk | None:
    """Return the SDK, or None if it is not installed."""
    try:
        return PublishedSdk()
    except ImportError:
        return None
