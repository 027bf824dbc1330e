"""Records for tests of the store."""

import orjson

from mockserver.store.paging import Page
from mockserver.store.records import Conversation, Item


def message(item_id: str, content: object = "hi") -> Item:
    return Item(item_id, orjson.dumps({"type": "message", "role": "user", "content": content, "id": item_id}))


def reference(item_id: str) -> Item:
    return Item(item_id, orjson.dumps({"type": "item_reference", "id": item_id}), is_reference=True)


def joined_ids(page: Page[Conversation] | Page[Item]) -> str:
    return "".join(record.id for record in page.data)
