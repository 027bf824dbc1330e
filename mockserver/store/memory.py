"""The store that keeps everything in memory."""

from collections.abc import Iterator, Mapping, Sequence

from mockserver.context import Tenant
from mockserver.store.paging import Page, Paging
from mockserver.store.protocol import TenantData
from mockserver.store.records import Conversation, Item
from mockserver.store.tenant_store import TenantStore


class MemoryStore:
    """A `Store` without persistence."""

    def __init__(self) -> None:
        self._tenants: dict[Tenant, TenantStore] = {}

    def create_conversation(self, tenant: Tenant, conversation: Conversation, items: Sequence[Item]) -> None:
        self._find_or_create(tenant).create(conversation, items)

    def conversation(self, tenant: Tenant, conversation_id: str) -> Conversation:
        return self._find(tenant).live_conversation(conversation_id).record

    def update_metadata(self, tenant: Tenant, conversation_id: str, metadata: Mapping[str, str]) -> Conversation:
        return self._find(tenant).update_metadata(conversation_id, metadata)

    def delete_conversation(self, tenant: Tenant, conversation_id: str, at: int) -> Conversation:
        return self._find(tenant).delete(conversation_id, at)

    def conversations(
        self,
        tenant: Tenant,
        paging: Paging,
        metadata: Sequence[tuple[str, str]] = (),
        search: str = "",
    ) -> Page[Conversation]:
        return self._find(tenant).page(paging, metadata, search)

    def add_items(self, tenant: Tenant, conversation_id: str, items: Sequence[Item]) -> None:
        self._find(tenant).add_items(conversation_id, items)

    def item(self, tenant: Tenant, conversation_id: str, item_id: str) -> Item:
        return self._find(tenant).conversation(conversation_id).item(item_id)

    def items(self, tenant: Tenant, conversation_id: str, paging: Paging) -> Page[Item]:
        return self._find(tenant).conversation(conversation_id).page(paging)

    def delete_item(self, tenant: Tenant, conversation_id: str, item_id: str) -> Conversation:
        return self._find(tenant).delete_item(conversation_id, item_id)

    def delete_items(self, tenant: Tenant, conversation_id: str, item_ids: Sequence[str]) -> Conversation:
        return self._find(tenant).delete_items(conversation_id, item_ids)

    def has_conversation(self, tenant: Tenant, conversation_id: str) -> bool:
        return self._find(tenant).has_conversation(conversation_id)

    def has_item(self, tenant: Tenant, item_id: str) -> bool:
        return item_id in self._find(tenant).originals

    def reset(self) -> None:
        self._tenants = {}

    def contents(self, account: str | None = None) -> Iterator[tuple[Tenant, Conversation, list[Item]]]:
        for tenant in self._tenants_of(account):
            for stored in self._tenants[tenant].conversations():
                yield tenant, stored.record, list(stored.items.walk())

    def restore_conversation(self, tenant: Tenant, conversation: Conversation, items: Sequence[Item]) -> None:
        self._find_or_create(tenant).create(conversation, items, trust_references=True)

    def erase_conversation(self, tenant: Tenant, conversation_id: str) -> None:
        self._find(tenant).erase(conversation_id)

    def detach(self, account: str | None = None) -> TenantData:
        return {tenant: self._tenants.pop(tenant) for tenant in self._tenants_of(account)}

    def attach(self, detached: TenantData) -> None:
        self._tenants.update(detached)

    def _tenants_of(self, account: str | None) -> list[Tenant]:
        return [tenant for tenant in self._tenants if account is None or tenant.account == account]

    def _find_or_create(self, tenant: Tenant) -> TenantStore:
        tenant_store = self._tenants.get(tenant)
        if tenant_store is None:
            tenant_store = self._tenants[tenant] = TenantStore()
        return tenant_store

    def _find(self, tenant: Tenant) -> TenantStore:
        tenant_store = self._tenants.get(tenant)
        return TenantStore() if tenant_store is None else tenant_store
