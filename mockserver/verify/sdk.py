"""What the published MKA1 SDK makes of an answer."""

from collections.abc import Callable
from typing import Any

import httpx

from mockserver.verify.transport import WireResponse

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
    """Reads answers as `meetkai-mka1` does.

    Raises:
        ImportError: it is not installed.
    """

    def __init__(self) -> None:
        from meetkai_mka1 import SDK

        self._reply = WireResponse(200, (), b"")
        client = httpx.Client(transport=httpx.MockTransport(self._answer), trust_env=False)
        self._sdk = SDK(bearer_auth="key", server_url="http://sdk.invalid", client=client, retry_config=None)

    def complaint(self, operation: str, response: WireResponse) -> str | None:
        """Why the SDK cannot read an answer with status 200; None where it can, or has no such method."""
        if operation not in _CALLS:
            return None
        self._reply = response
        try:
            _CALLS[operation](self._sdk.llm.conversations)
        except Exception as error:  # noqa: BLE001 - whatever it is, the user of the SDK would get it
            return f"{type(error).__name__}: {error}"[:500]
        return None

    def _answer(self, request: httpx.Request) -> httpx.Response:
        headers = [(name, value) for name, value in self._reply.headers if name.lower() == "content-type"]
        return httpx.Response(self._reply.status, headers=headers, content=self._reply.body, request=request)
