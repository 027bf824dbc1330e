"""What a store promises, whatever it keeps its records in."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from mockserver.context import Tenant
from mockserver.store.paging import Page, Paging
from mockserver.store.records import Conversation, Item


class Store(Protocol):
    """Conversations and their items, apart for each tenant.

    * Tenants share nothing: what belongs to another tenant is answered exactly as what never was.
    * A write checks everything first and then changes everything: when it raises, nothing has changed.
    * What is handed in may be kept, and what is handed out may be what is kept: do not change it.
    * Calls must not overlap in time; a store belongs to one thread.

    A conversation is updated when it is made, when its metadata is set, and when items are added to it or
    deleted from it. Deleting a conversation is soft: it is gone from everything (`ConversationNotFound`) except
    `item` and `items`, which go on answering for it.
    """

    def create_conversation(self, tenant: Tenant, conversation: Conversation, items: Sequence[Item]) -> None:
        """Keep a new conversation with its first items, under the rules of `add_items`.

        ValueError when the tenant has, or ever had, a conversation of this id. One with `deleted_at` set is kept
        as a deleted one.
        """
        ...

    def conversation(self, tenant: Tenant, conversation_id: str) -> Conversation:
        """A live conversation; else ConversationNotFound."""
        ...

    def update_metadata(self, tenant: Tenant, conversation_id: str, metadata: Mapping[str, str]) -> Conversation:
        """Put `metadata` in the place of the whole set the conversation had."""
        ...

    def delete_conversation(self, tenant: Tenant, conversation_id: str, at: int) -> Conversation:
        """Delete softly; the answer has `deleted_at` set to `at`."""
        ...

    def conversations(
        self,
        tenant: Tenant,
        paging: Paging,
        metadata: Sequence[tuple[str, str]] = (),
        search: str = "",
    ) -> Page[Conversation]:
        """The live conversations, ordered by their last update, the one updated longest ago first in `asc`.

        `metadata`: only those that have every one of these pairs. `search`: only those one of whose items
        matches by itself, by the rules of `mockserver.store.search`; blank is no filter.

        The cursor may be any conversation the tenant ever had, whether or not it passes the filters: a live one
        counts where it is now, a deleted one where it last was. Any other is an UnknownCursor.
        """
        ...

    def add_items(self, tenant: Tenant, conversation_id: str, items: Sequence[Item]) -> None:
        """Append items, in the order given.

        An id must be new among the tenant's items that are not references, and new in the conversation,
        references included; else ItemIdInUse. The id of a deleted item is free again. Items of deleted
        conversations are still in use.

        A reference must name an item of the tenant's that is no reference itself, else ItemNotFound, and one in
        another conversation, else ReferenceWithinConversation. It stays as it is when that item is deleted.
        """
        ...

    def item(self, tenant: Tenant, conversation_id: str, item_id: str) -> Item:
        """An item of a live or deleted conversation; ConversationNotFound or ItemNotFound."""
        ...

    def items(self, tenant: Tenant, conversation_id: str, paging: Paging) -> Page[Item]:
        """The items of a live or deleted conversation in the order they were added.

        The cursor may be any item the conversation ever had: one that was deleted counts where it last was, and
        one whose id was used again where it is now. Any other is an UnknownCursor.
        """
        ...

    def delete_item(self, tenant: Tenant, conversation_id: str, item_id: str) -> Conversation:
        """ItemNotFound when the conversation does not have the item."""
        ...

    def delete_items(self, tenant: Tenant, conversation_id: str, item_ids: Sequence[str]) -> Conversation:
        """Delete all of them or, when one is not there (ItemNotFound), none. Naming an item twice is no error."""
        ...

    def has_conversation(self, tenant: Tenant, conversation_id: str) -> bool:
        """Whether the tenant has, or ever had, a conversation of this id: whether the id is taken."""
        ...

    def has_item(self, tenant: Tenant, item_id: str) -> bool:
        """Whether the tenant has an item with this id that is no reference: whether the id is taken."""
        ...

    def reset(self) -> None:
        """Forget everything."""
        ...

    def contents(self, account: str | None = None) -> Iterator[tuple[Tenant, Conversation, list[Item]]]:
        """Every conversation with its items, of one account or of all.

        Tenant by tenant: first the deleted ones, then the live ones, the one updated longest ago first. What
        `restore_conversation` is given in this order answers as before, but for the cursors of what is gone.
        """
        ...

    def restore_conversation(self, tenant: Tenant, conversation: Conversation, items: Sequence[Item]) -> None:
        """As `create_conversation`, but a reference need not name an item: it may be gone, or come later."""
        ...

    def erase_conversation(self, tenant: Tenant, conversation_id: str) -> None:
        """Take away a conversation, live or deleted, with its items, as if it had never been."""
        ...

    def detach(self, account: str | None = None) -> "TenantData":
        """Take out, whole, what belongs to one account or to all."""
        ...

    def attach(self, detached: "TenantData") -> None:
        """Put back what was detached, in the place of what those tenants have by now."""
        ...


TenantData = Mapping[Tenant, Any]
"""What belongs to each of some tenants, in a form that only its store knows."""
