"""The operations on conversations."""

import re
from collections.abc import Callable

from mockserver.context import Context
from mockserver.contract import json_text
from mockserver.determinism import Clock
from mockserver.errors import InvalidRequest
from mockserver.findings import Code, Finding
from mockserver.resources.id_allocator import IdAllocator
from mockserver.resources.items import ItemFactory
from mockserver.resources.serialisation import conversation_json, conversation_page_json, deleted_conversation_json
from mockserver.store.memory import MemoryStore
from mockserver.store.paging import Paging
from mockserver.store.records import Conversation

_BRACKETED = re.compile(r"metadata\[(.+)\]", re.DOTALL)


class ConversationsResource:
    """The handlers of conversations; each returns the JSON body of a 200."""

    def __init__(self, store: MemoryStore, item_factory: ItemFactory, id_allocator: IdAllocator, clock: Clock) -> None:
        self._store = store
        self._item_factory = item_factory
        self._clock = clock
        self._id_allocator = id_allocator

    def handlers(self) -> dict[str, Callable[[Context], bytes]]:
        return {
            "conversations.create": self.create,
            "conversations.list": self.list,
            "conversations.retrieve": self.retrieve,
            "conversations.update": self.update,
            "conversations.delete": self.delete,
        }

    def create(self, context: Context) -> bytes:
        items = self._item_factory.create_items(context.caller, context.body.get("items", ()))
        conversation = Conversation(
            id=self._id_allocator.new_conversation_id(context.caller),
            created_at=self._now(context),
            metadata=context.body.get("metadata", {}),
        )
        self._store.create_conversation(context.caller, conversation, items)
        return conversation_json(conversation, context.identity)

    def list(self, context: Context) -> bytes:
        query = context.query
        page = self._store.conversations(
            context.caller,
            Paging(query.get("after"), query["limit"], query["order"]),
            metadata=metadata_filter(context),
            search=query.get("search", ""),
        )
        return conversation_page_json(page, context.identity)

    def retrieve(self, context: Context) -> bytes:
        conversation = self._store.conversation(context.caller, context.path["conversation_id"])
        return conversation_json(conversation, context.identity)

    def update(self, context: Context) -> bytes:
        conversation = self._store.update_metadata(
            context.caller, context.path["conversation_id"], context.body["metadata"]
        )
        return conversation_json(conversation, context.identity)

    def delete(self, context: Context) -> bytes:
        conversation = self._store.delete_conversation(
            context.caller, context.path["conversation_id"], self._now(context)
        )
        return deleted_conversation_json(conversation)

    def _now(self, context: Context) -> int:
        return int(self._clock.now(context.caller.account))


def metadata_filter(context: Context) -> list[tuple[str, str]]:
    """Return the metadata pairs to filter by, from all query parameters that give some.

    These are `metadata` with a JSON object, `metadata[key]=value`, and `key=value` with any undeclared name, as the
    MKA1 SDK sends them (`style: form, explode: true` on an object).
    """
    pairs = [
        (bracketed[1] if (bracketed := _BRACKETED.fullmatch(name)) else name, value)
        for name, value in context.undeclared_query
    ]
    sent = context.query.get("metadata")
    if isinstance(sent, str):
        pairs += _parse_metadata_filter(sent).items()
    return pairs


def _parse_metadata_filter(text: str) -> dict[str, str]:
    expected = 'must be a JSON object of strings, such as {"user_type":"premium"}'
    try:
        pairs = json_text.parse(text.encode())
    except json_text.JsonError as error:
        raise _invalid_filter(error.code, f"{expected}: the text {error.message}") from error
    if not isinstance(pairs, dict):
        raise _invalid_filter("type", expected)
    for name, value in pairs.items():
        if not isinstance(value, str):
            raise _invalid_filter("type", f"{expected}: the value of '{name[:64]}' is no string")
    return pairs


def _invalid_filter(code: Code, message: str) -> InvalidRequest:
    return InvalidRequest([Finding("request", "query", "/metadata", code, message)])
