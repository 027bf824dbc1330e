"""Ids for new conversations, responses and items.

Clients and seeds choose ids too, so a generated id may be in use already.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from mockserver.context import Tenant
from mockserver.determinism import IdSource
from mockserver.store.memory import MemoryStore

_GENERATED = re.compile(r"[a-z_]+_[0-9a-f]{1,32}")


class IdAllocator:
    """Generates ids that are not in use. `prefixes` holds an id prefix for each item type and resource."""

    def __init__(self, store: MemoryStore, source: IdSource, prefixes: Mapping[str, str]) -> None:
        self._store = store
        self._source = source
        self._prefixes = prefixes
        self._reserved: dict[str, set[str]] = {}

    @contextmanager
    def using(self, source: IdSource) -> Iterator[None]:
        """Take ids from another source meanwhile."""
        own, self._source = self._source, source
        try:
            yield
        finally:
            self._source = own

    def reserve(self, account: str, ids: Iterable[str]) -> None:
        """Keep ids that others have chosen from being generated for any end user of the account."""
        if generated := set(filter(_GENERATED.fullmatch, ids)):
            self._reserved.setdefault(account, set()).update(generated)

    def reset(self, account: str | None = None) -> None:
        """Forget reserved ids and restart the source, for one account or for all."""
        self._source.reset(account)
        if account is None:
            self._reserved.clear()
        else:
            self._reserved.pop(account, None)

    def new_conversation_id(self, tenant: Tenant) -> str:
        """Return a conversation id that the tenant has never used."""
        while True:
            new_id = self._source.new_id(self._prefixes["conversation"], tenant.account)
            if not self._is_reserved(tenant, new_id) and not self._store.has_conversation(tenant, new_id):
                return new_id

    def new_response_id(self, tenant: Tenant) -> str:
        """Return a response id that the tenant has never used."""
        while True:
            new_id = self._source.new_id(self._prefixes["response"], tenant.account)
            if not self._is_reserved(tenant, new_id) and not self._store.has_response(tenant, new_id):
                return new_id

    def new_item_id(self, tenant: Tenant, item_type: str) -> str:
        """Return an item id that the tenant does not use."""
        while True:
            new_id = self._source.new_id(self._prefixes[item_type], tenant.account)
            if not self._is_reserved(tenant, new_id) and not self._store.has_item(tenant, new_id):
                return new_id

    def new_id(self, prefix: str, tenant: Tenant) -> str:
        """Return an id that belongs to no record, such as that of a tool call."""
        while True:
            new_id = self._source.new_id(prefix, tenant.account)
            if not self._is_reserved(tenant, new_id):
                return new_id

    def _is_reserved(self, tenant: Tenant, new_id: str) -> bool:
        return new_id in self._reserved.get(tenant.account, ())
