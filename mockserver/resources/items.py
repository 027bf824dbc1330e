"""The operations on the items of a conversation."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from mockserver.context import Context, Tenant
from mockserver.resources.id_allocator import IdAllocator
from mockserver.resources.serialisation import conversation_json, item_json, item_page_json
from mockserver.store.memory import MemoryStore
from mockserver.store.paging import Page, Paging
from mockserver.store.records import REFERENCE, Item, item_type


class ItemFactory:
    """Creates the records of items from request bodies, with new ids for those that have none."""

    def __init__(self, id_allocator: IdAllocator) -> None:
        self._id_allocator = id_allocator

    def create_items(self, tenant: Tenant, bodies: Sequence[Mapping[str, Any]]) -> list[Item]:
        client_ids = [body["id"] for body in bodies if "id" in body]
        if client_ids:
            self._id_allocator.reserve(tenant.account, client_ids)
        return [self._create_item(tenant, body) for body in bodies]

    def _create_item(self, tenant: Tenant, body: Mapping[str, Any]) -> Item:
        kind = item_type(body)
        item_id = body.get("id") or self._id_allocator.new_item_id(tenant, kind)
        stored = {"id": item_id, "type": kind, **body}
        response_id = stored.pop("response_id", None)
        metadata = stored.pop("metadata", None)
        # Copied, because bytes from orjson keep its whole buffer of 4 KiB alive.
        return Item(item_id, b"%b" % orjson.dumps(stored), kind == REFERENCE, response_id, metadata)


class ItemsResource:
    """The handlers of items; each returns the JSON body of a 200."""

    def __init__(self, store: MemoryStore, item_factory: ItemFactory) -> None:
        self._store = store
        self._item_factory = item_factory

    def handlers(self) -> dict[str, Callable[[Context], bytes]]:
        return {
            "conversations.items.create": self.create,
            "conversations.items.list": self.list,
            "conversations.items.retrieve": self.retrieve,
            "conversations.items.delete": self.delete,
            "conversations.items.deleteMany": self.delete_many,
        }

    def create(self, context: Context) -> bytes:
        tenant = context.caller
        items = self._item_factory.create_items(tenant, context.body["items"])
        self._store.add_items(tenant, context.path["conversation_id"], items)
        return item_page_json(Page(items, has_more=False))

    def list(self, context: Context) -> bytes:
        query = context.query
        paging = Paging(query.get("after"), query["limit"], query["order"])
        return item_page_json(self._store.items(context.caller, context.path["conversation_id"], paging))

    def retrieve(self, context: Context) -> bytes:
        return item_json(self._store.item(context.caller, context.path["conversation_id"], context.path["item_id"]))

    def delete(self, context: Context) -> bytes:
        path = context.path
        conversation = self._store.delete_item(context.caller, path["conversation_id"], path["item_id"])
        return conversation_json(conversation, context.identity)

    def delete_many(self, context: Context) -> bytes:
        conversation = self._store.delete_items(
            context.caller, context.path["conversation_id"], context.body["item_ids"]
        )
        return conversation_json(conversation, context.identity)
