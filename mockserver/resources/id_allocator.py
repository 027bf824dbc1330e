"""New ids: of the right form, and not taken, for a client or a seed may have used those that come next."""

from collections.abc import Container, Mapping

from mockserver.context import Tenant
from mockserver.determinism import IdSource
from mockserver.store.protocol import Store


class IdAllocator:
    """`prefixes` holds the prefix of an id for each item type, and for `conversation`."""

    def __init__(self, store: Store, source: IdSource, prefixes: Mapping[str, str]) -> None:
        self._store = store
        self._source = source
        self._prefixes = prefixes

    def new_conversation_id(self, tenant: Tenant) -> str:
        """One that the tenant has never used."""
        while True:
            new_id = self._source.new_id(self._prefixes["conversation"], tenant.account)
            if not self._store.has_conversation(tenant, new_id):
                return new_id

    def new_item_id(self, tenant: Tenant, item_type: str, reserved: Container[str]) -> str:
        """One that no item of the tenant has, and none of `reserved`."""
        while True:
            new_id = self._source.new_id(self._prefixes[item_type], tenant.account)
            if new_id not in reserved and not self._store.has_item(tenant, new_id):
                return new_id
