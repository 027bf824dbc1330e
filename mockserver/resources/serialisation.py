"""What goes over the wire for each record, as JSON text."""

from collections.abc import Iterable

import orjson

from mockserver.store.paging import Page
from mockserver.store.records import Conversation, Item


def conversation_json(conversation: Conversation, identity: str) -> bytes:
    return orjson.dumps(
        {
            "id": conversation.id,
            "object": "conversation",
            "created_at": conversation.created_at,
            "deleted_at": conversation.deleted_at,
            "metadata": conversation.metadata,
            "identity": identity,
        }
    )


def deleted_conversation_json(conversation: Conversation) -> bytes:
    return orjson.dumps({"id": conversation.id, "object": "conversation.deleted", "deleted": True})


def conversation_page_json(page: Page[Conversation], identity: str) -> bytes:
    """Without `last_id` when the page is empty."""
    last_id = page.data[-1].id if page.data else None
    return _list_json((conversation_json(one, identity) for one in page.data), page.has_more, last_id)


def item_json(item: Item) -> bytes:
    """The item as it was sent, its id included, and the response that made it, if one did."""
    if item.response_id is None and item.metadata is None:
        return item.data
    response_fields = orjson.dumps({"response_id": item.response_id, "metadata": item.metadata})
    return item.data[:-1] + b"," + response_fields[1:]


def item_page_json(page: Page[Item]) -> bytes:
    """With an empty `last_id` when the page is empty: the MKA1 SDK cannot read one without it."""
    return _list_json(map(item_json, page.data), page.has_more, page.data[-1].id if page.data else "")


def _list_json(entries: Iterable[bytes], has_more: bool, last_id: str | None) -> bytes:
    last = b"" if last_id is None else b',"last_id":' + orjson.dumps(last_id)
    more = b"true" if has_more else b"false"
    return b'{"object":"list","data":[' + b",".join(entries) + b'],"has_more":' + more + last + b"}"
