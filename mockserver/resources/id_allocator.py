"""Ids for new conversations and items.

Clients and seeds choose ids too, so a generated id may be in use already.
"""

from collections.abc import Container, Mapping

from mockserver.context import Tenant
from mockserver.determinism import IdSource
from mockserver.store.memory import MemoryStore


class IdAllocator:
    """Generates ids that are not in use. `prefixes` holds an id prefix for each item type and for `conversation`."""

    def __init__(self, store: MemoryStore, source: IdSource, prefixes: Mapping[str, str]) -> None:
        self._store = store
        self._source = source
        self._prefixes = prefixes

    def new_conversation_id(self, tenant: Tenant) -> str:
        """Return a conversation id that the tenant has never used."""
        while True:
            new_id = self._source.new_id(self._prefixes["conversation"], tenant.account)
            if not self._store.has_conversation(tenant, new_id):
                return new_id

    def new_item_id(self, tenant: Tenant, item_type: str, reserved: Container[str]) -> str:
        """Return an item id that the tenant does not use and that is not in `reserved`."""
        while True:
            new_id = self._source.new_id(self._prefixes[item_type], tenant.account)
            if new_id not in reserved and not self._store.has_item(tenant, new_id):
                return new_id
