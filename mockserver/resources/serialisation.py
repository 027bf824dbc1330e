"""The JSON of records and pages, as responses contain it."""

from collections.abc import Iterable, Sequence

import orjson

from mockserver.store.paging import Page
from mockserver.store.records import Conversation, Item

_TRUTH = {True: b"true", False: b"false"}


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
    """Return a page as JSON; an empty page has no `last_id`."""
    last_id = page.data[-1].id if page.data else None
    return _list_json((conversation_json(one, identity) for one in page.data), page.has_more, last_id)


def item_json(item: Item) -> bytes:
    """Return an item as JSON, with the fields of the response that created it, if any."""
    if item.response_id is None and item.metadata is None:
        return item.data
    response_fields = orjson.dumps({"response_id": item.response_id, "metadata": item.metadata})
    return item.data[:-1] + b"," + response_fields[1:]


def item_page_json(page: Page[Item]) -> bytes:
    """Return a page as JSON; an empty page has an empty `last_id`, for the MKA1 SDK requires one."""
    return _list_json(map(item_json, page.data), page.has_more, page.data[-1].id if page.data else "")


def list_json(entries: Iterable[bytes], has_more: bool, ids: Sequence[str]) -> bytes:
    """Return a page of entries with these ids as JSON; an empty page has no `first_id` and no `last_id`."""
    ends = b"" if not ids else b',"first_id":%b,"last_id":%b' % (orjson.dumps(ids[0]), orjson.dumps(ids[-1]))
    return b'{"object":"list","data":[%b],"has_more":%b%b}' % (b",".join(entries), _TRUTH[has_more], ends)


def _list_json(entries: Iterable[bytes], has_more: bool, last_id: str | None) -> bytes:
    last = b"" if last_id is None else b',"last_id":' + orjson.dumps(last_id)
    return b'{"object":"list","data":[' + b",".join(entries) + b'],"has_more":' + _TRUTH[has_more] + last + b"}"
