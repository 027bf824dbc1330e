"""A conversation in memory, with its items."""

from mockserver.errors import ItemNotFound, UnknownCursor
from mockserver.store.paging import Page, Paging, Timeline, page_of
from mockserver.store.records import Conversation, Item


class StoredConversation:
    """A conversation, its items, and its position in the tenant's list.

    A deleted conversation keeps its last position. So does a deleted item, for it stays a valid cursor.
    """

    __slots__ = ("items", "position", "positions", "positions_of_deleted", "record")

    def __init__(self, record: Conversation) -> None:
        self.record = record
        self.position = -1
        self.items: Timeline[Item] = Timeline()
        self.positions: dict[str, int] = {}
        self.positions_of_deleted: dict[str, int] = {}

    @property
    def is_live(self) -> bool:
        """Whether the conversation has not been deleted."""
        return self.record.deleted_at is None

    def item(self, item_id: str) -> Item:
        """Return an item; ItemNotFound when the conversation does not have it."""
        if item_id not in self.positions:
            raise ItemNotFound(item_id)
        return self.items.get(self.positions[item_id])

    def page(self, paging: Paging) -> Page[Item]:
        """Return a page of items in the order they were added."""
        after: int | None = None
        if paging.after is not None:
            after = self.positions.get(paging.after, self.positions_of_deleted.get(paging.after))
            if after is None:
                raise UnknownCursor(paging.after)
        return page_of(self.items.walk(after, paging.order), paging.limit)

    def remove(self, item_id: str) -> Item:
        """Remove an item and return it."""
        position = self.positions_of_deleted[item_id] = self.positions.pop(item_id)
        return self.items.remove(position)
