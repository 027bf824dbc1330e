"""The store: the conversations, items and responses of all tenants, in memory."""

from collections.abc import Iterator, Mapping, Sequence

from mockserver.context import Tenant
from mockserver.store.paging import Page, Paging
from mockserver.store.records import Conversation, Item
from mockserver.store.stored_responses import StoredResponse, StoredResponses
from mockserver.store.tenant_store import TenantStore

TenantData = Mapping[Tenant, TenantStore]
"""The data of some tenants, detached from a store."""


class MemoryStore:
    """The conversations, items and responses of each tenant.

    * Tenants share nothing. Data of another tenant is treated exactly like data that never existed.
    * A write is atomic: when it raises, nothing has changed.
    * Callers must not modify the objects that they pass or receive, because the store may keep them.
    * A store belongs to one thread.

    A conversation is updated when it is created, when its metadata is set, when items are added to it or deleted
    from it, and when a response has ended in it. Deleting a conversation is soft: `item` and `items` still find it.
    For the other operations of the API it does not exist any more (ConversationNotFound). A deleted response is gone.
    """

    def __init__(self) -> None:
        self._tenants: dict[Tenant, TenantStore] = {}

    def create_conversation(self, tenant: Tenant, conversation: Conversation, items: Sequence[Item]) -> None:
        """Add a conversation with its first items, under the rules of `add_items`.

        ValueError if the tenant has, or had, a conversation with this id. A conversation with `deleted_at` set is
        added as a deleted one.
        """
        self._find_or_create(tenant).create(conversation, items)

    def conversation(self, tenant: Tenant, conversation_id: str) -> Conversation:
        """Return a live conversation."""
        return self._find(tenant).live_conversation(conversation_id).record

    def update_metadata(self, tenant: Tenant, conversation_id: str, metadata: Mapping[str, str]) -> Conversation:
        """Replace all metadata of a conversation."""
        return self._find(tenant).update_metadata(conversation_id, metadata)

    def delete_conversation(self, tenant: Tenant, conversation_id: str, at: int) -> Conversation:
        """Delete a conversation softly, at this Unix second."""
        return self._find(tenant).delete(conversation_id, at)

    def conversations(
        self, tenant: Tenant, paging: Paging, metadata: Sequence[tuple[str, str]] = (), search: str = ""
    ) -> Page[Conversation]:
        """Return a page of the live conversations, ordered by their last update, in `asc` the latest update last.

        `metadata` keeps the conversations that have all of these pairs. `search` keeps those with an item that
        matches by the rules of `mockserver.store.search`; a blank search keeps all.

        The cursor may be any conversation that the tenant has or had, also one that does not pass the filters. A
        deleted one counts at its last position. Any other cursor is an UnknownCursor.
        """
        return self._find(tenant).page(paging, metadata, search)

    def add_items(self, tenant: Tenant, conversation_id: str, items: Sequence[Item]) -> None:
        """Append items to a conversation.

        An item's id must be new among the tenant's items that are no references, and among all items of the
        conversation; else ItemIdInUse. Items of deleted conversations still use their ids, deleted items do not.

        A reference must name an item of the tenant that is no reference itself, else ItemNotFound, and that is in
        another conversation, else ReferenceWithinConversation. It stays when that item is deleted.
        """
        self._find(tenant).add_items(conversation_id, items)

    def item(self, tenant: Tenant, conversation_id: str, item_id: str) -> Item:
        """Return an item of a live or deleted conversation; else raise ConversationNotFound or ItemNotFound."""
        return self._find(tenant).conversation(conversation_id).item(item_id)

    def items(self, tenant: Tenant, conversation_id: str, paging: Paging) -> Page[Item]:
        """Return a page of the items of a live or deleted conversation, in the order they were added.

        The cursor may be any item that the conversation has or had. A deleted one counts at its last position, one
        whose id was used again at its new position. Any other cursor is an UnknownCursor.
        """
        return self._find(tenant).conversation(conversation_id).page(paging)

    def delete_item(self, tenant: Tenant, conversation_id: str, item_id: str) -> Conversation:
        """Delete an item and return its conversation; ItemNotFound if the conversation does not have it."""
        return self._find(tenant).delete_item(conversation_id, item_id)

    def delete_items(self, tenant: Tenant, conversation_id: str, item_ids: Sequence[str]) -> Conversation:
        """Delete items as `delete_item` does, all of them or none. Naming an item twice is no error."""
        return self._find(tenant).delete_items(conversation_id, item_ids)

    def append_turn(self, tenant: Tenant, conversation_id: str, items: Sequence[Item]) -> None:
        """Append the items of a response to a live conversation.

        An item that the conversation has already is left out. An item that another conversation has becomes a
        reference.
        """
        self._find(tenant).append_turn(conversation_id, items)

    def items_before(self, tenant: Tenant, conversation_id: str, position: int | None = None) -> list[Item]:
        """Return the items that a conversation, live or deleted, has below a position, or all of them.

        References are resolved; those to deleted items are left out. An unknown conversation has no items.
        """
        return self._find(tenant).items_before(conversation_id, position)

    def next_position(self, tenant: Tenant, conversation_id: str) -> int:
        """Return the position that the next item of a live conversation will have."""
        return self._find(tenant).live_conversation(conversation_id).items.end

    def position_of_turn(
        self, tenant: Tenant, conversation_id: str, response_id: str, items_before: int | None = None
    ) -> int:
        """Return the position that lies behind so many items of a conversation.

        By default, it lies in front of the first item of a response, or at the end if there is none.
        """
        return self._find(tenant).position_of_turn(conversation_id, response_id, items_before)

    def count_items_before(self, tenant: Tenant, conversation_id: str, position: int) -> int:
        """Return the number of items that a conversation has below a position."""
        return self._find(tenant).count_items_before(conversation_id, position)

    def original(self, tenant: Tenant, item_id: str) -> Item | None:
        """Return the item of any conversation with this id that is no reference, if there is one."""
        return self._find(tenant).original(item_id)

    def responses(self, tenant: Tenant) -> StoredResponses:
        """Return the responses of a tenant, for reading, and for removing what is there."""
        return self._find(tenant).responses

    def add_response(self, tenant: Tenant, response: StoredResponse) -> None:
        """Add a response; ValueError if there is, or was, one with its id."""
        self._find_or_create(tenant).responses.add(response)

    def all_responses(self, account: str | None = None) -> Iterator[tuple[Tenant, StoredResponse]]:
        """Iterate over the responses of one account, or of all: by tenant, then by age."""
        for tenant in self._tenants_of(account):
            for response in self._tenants[tenant].responses:
                yield tenant, response

    def has_conversation(self, tenant: Tenant, conversation_id: str) -> bool:
        """Return whether the tenant has, or had, a conversation with this id."""
        return self._find(tenant).has_conversation(conversation_id)

    def has_item(self, tenant: Tenant, item_id: str) -> bool:
        """Return whether a conversation of the tenant or the output of a response has an item with this id.

        References do not count.
        """
        tenant_store = self._find(tenant)
        return item_id in tenant_store.originals or tenant_store.responses.has_output_item(item_id)

    def has_response(self, tenant: Tenant, response_id: str) -> bool:
        """Return whether the tenant has, or had, a response with this id."""
        return self._find(tenant).responses.has_used(response_id)

    def reset(self) -> None:
        """Remove everything."""
        self._tenants = {}

    def contents(self, account: str | None = None) -> Iterator[tuple[Tenant, Conversation, list[Item]]]:
        """Iterate over all conversations with their items, of one account or of all.

        The order is by tenant, then the deleted conversations, then the live ones by last update. Restored in this
        order, they give the same responses as before, but for cursors that name deleted items.
        """
        for tenant in self._tenants_of(account):
            for stored in self._tenants[tenant].conversations():
                yield tenant, stored.record, list(stored.items.walk())

    def restore_conversation(self, tenant: Tenant, conversation: Conversation, items: Sequence[Item]) -> None:
        """Add a conversation as `create_conversation` does, but accept references to missing items."""
        self._find_or_create(tenant).create(conversation, items, trust_references=True)

    def erase_conversation(self, tenant: Tenant, conversation_id: str) -> None:
        """Remove a conversation, live or deleted, with its items, as if it had never existed."""
        self._find(tenant).erase(conversation_id)

    def detach(self, account: str | None = None) -> TenantData:
        """Remove the data of one account, or of all, and return it."""
        return {tenant: self._tenants.pop(tenant) for tenant in self._tenants_of(account)}

    def attach(self, detached: TenantData) -> None:
        """Put detached data back, in place of the data that those tenants have now."""
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
