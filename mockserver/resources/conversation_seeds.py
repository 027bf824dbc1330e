"""The conversations of seeds and snapshots."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from mockserver.context import Tenant
from mockserver.determinism import Clock
from mockserver.errors import ItemIdInUse
from mockserver.resources.id_allocator import IdAllocator
from mockserver.resources.items import ItemFactory
from mockserver.resources.seed_section import InvalidValue, check_id, list_ids, owner_fields, whole_second
from mockserver.resources.serialisation import item_json
from mockserver.store.memory import MemoryStore
from mockserver.store.records import Conversation


class ConversationSeeds:
    """The section of a seed that holds conversations."""

    def __init__(self, store: MemoryStore, item_factory: ItemFactory, id_allocator: IdAllocator, clock: Clock) -> None:
        self._store = store
        self._item_factory = item_factory
        self._id_allocator = id_allocator
        self._clock = clock

    def check(self, data: Mapping[str, Any]) -> None:
        """Do nothing: the schema says it all."""

    def ids(self, data: Mapping[str, Any]) -> Iterable[str]:
        """Return the ids that a conversation and its items have chosen."""
        return list_ids([data, *data.get("items", ())])

    def add(self, tenant: Tenant, data: Mapping[str, Any]) -> str:
        """Add one conversation and return its id."""
        conversation_id = data.get("id") or self._id_allocator.new_conversation_id(tenant)
        check_id(conversation_id, is_used=self._store.has_conversation(tenant, conversation_id))
        deleted_at = data.get("deleted_at")
        conversation = Conversation(
            id=conversation_id,
            created_at=whole_second(data.get("created_at", self._clock.now(tenant.account)), "/created_at"),
            metadata=data.get("metadata", {}),
            deleted_at=None if deleted_at is None else whole_second(deleted_at, "/deleted_at"),
        )
        items = self._item_factory.create_items(tenant, data.get("items", ()))
        try:
            self._store.restore_conversation(tenant, conversation, items)
        except ItemIdInUse as error:
            finding = error.findings[0]
            raise InvalidValue(finding.pointer, finding.message) from error
        return conversation_id

    def erase(self, tenant: Tenant, conversation_id: str) -> None:
        """Remove a conversation without a trace."""
        self._store.erase_conversation(tenant, conversation_id)

    def snapshot(self, account: str | None) -> Iterator[dict[str, Any]]:
        """Return the conversations of one account, or of all."""
        for tenant, conversation, items in self._store.contents(account):
            yield {
                "id": conversation.id,
                **owner_fields(tenant),
                "metadata": dict(conversation.metadata),
                "created_at": conversation.created_at,
                **({} if conversation.deleted_at is None else {"deleted_at": conversation.deleted_at}),
                "items": [orjson.loads(item_json(item)) for item in items],
            }
