"""The data of one tenant, in memory."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import nsmallest
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from mockserver.errors import (
    ConversationNotFound,
    ItemIdInUse,
    ItemNotFound,
    ReferenceWithinConversation,
    UnknownCursor,
)
from mockserver.store.paging import Order, Page, Paging, Timeline, page_of
from mockserver.store.records import Conversation, Item
from mockserver.store.search import SearchIndex
from mockserver.store.stored_conversation import StoredConversation
from mockserver.store.stored_responses import StoredResponses


class _Filter(NamedTuple):
    """A condition on live conversations. At most `size` of them pass; `passing` yields these, some repeatedly."""

    size: int
    passes: Callable[[StoredConversation], bool]
    passing: Callable[[], Iterator[StoredConversation]]


class TenantStore:
    """The conversations of one tenant, with indexes of their metadata, their item ids and their words; its responses.

    `originals` holds the conversation of each item that is no reference, by item id.
    """

    __slots__ = ("_by_metadata", "_conversations", "_live", "_search_index", "originals", "responses")

    def __init__(self) -> None:
        self._conversations: dict[str, StoredConversation] = {}  # Live and deleted ones.
        self._live: Timeline[StoredConversation] = Timeline()  # Ordered by last update.
        self._by_metadata: dict[tuple[str, str], set[StoredConversation]] = {}  # Live ones, by key and value.
        self._search_index: SearchIndex[StoredConversation] | None = None  # Built by the first search.
        self.originals: dict[str, StoredConversation] = {}
        self.responses = StoredResponses()

    # Reading

    def conversation(self, conversation_id: str) -> StoredConversation:
        """Return a conversation, live or deleted; else raise ConversationNotFound."""
        conversation = self._conversations.get(conversation_id)
        if conversation is None:
            raise ConversationNotFound(conversation_id)
        return conversation

    def live_conversation(self, conversation_id: str) -> StoredConversation:
        """Return a live conversation; else raise ConversationNotFound."""
        conversation = self._conversations.get(conversation_id)
        if conversation is None or conversation.record.deleted_at is not None:
            raise ConversationNotFound(conversation_id)
        return conversation

    def has_conversation(self, conversation_id: str) -> bool:
        """Return whether there is, or was, a conversation with this id."""
        return conversation_id in self._conversations

    def conversations(self) -> Iterator[StoredConversation]:
        """Yield the deleted conversations, then the live ones in the order of their last update."""
        yield from (conversation for conversation in self._conversations.values() if not conversation.is_live)
        yield from self._live.walk()

    def page(self, paging: Paging, metadata: Sequence[tuple[str, str]], search: str) -> Page[Conversation]:
        """Return a page of the live conversations that pass all filters, in the order of their last update."""
        after = None
        if paging.after is not None:
            if paging.after not in self._conversations:
                raise UnknownCursor(paging.after)
            after = self._conversations[paging.after].position
        filters = [self._metadata_filter(pair) for pair in metadata]
        if search.strip():
            filters.append(self._search_filter(search))
        if filters:
            found = iter(self._select(filters, after, paging.order, paging.limit + 1))
        else:
            found = self._live.walk(after, paging.order)
        page = page_of(found, paging.limit)
        return Page([conversation.record for conversation in page.data], page.has_more)

    def _select(
        self, filters: Sequence[_Filter], after: int | None, order: Order, count: int
    ) -> list[StoredConversation]:
        """Return the first `count` live conversations behind a position that pass all filters.

        Where many conversations pass, walking along the list finds them soon, at any size of the store. Where few
        pass, it is faster to gather and sort all that pass. So walk for a quarter of the steps that gathering takes,
        then gather the rest.
        """
        rarest, *others = sorted(filters, key=attrgetter("size"))
        walk = self._live.walk(after, order)
        passing = _filter(filters, islice(walk, rarest.size // 4))
        found = list(islice(passing, count))
        if len(found) == count or next(walk, None) is None:
            return found
        if found:
            after = found[-1].position
        passing = _filter(others, rarest.passing())
        sign = 1 if order == "asc" else -1
        positions = {sign * conversation.position for conversation in passing}
        if after is not None:
            positions = {position for position in positions if position > sign * after}
        rest = nsmallest(count - len(found), positions)
        return found + [self._live.get(sign * position) for position in rest]

    def _metadata_filter(self, pair: tuple[str, str]) -> _Filter:
        passing = self._by_metadata.get(pair, set())
        return _Filter(len(passing), passing.__contains__, passing.__iter__)

    def _search_filter(self, search: str) -> _Filter:
        if self._search_index is None:
            self._search_index = SearchIndex()
            for conversation in self._live.walk():
                for item in conversation.items.walk():
                    if not item.is_reference:
                        self._search_index.add(conversation, item)
        matches = self._search_index.search(search)
        size = min(matches.upper_bound(), len(self._conversations))
        return _Filter(size, matches.has_owner, matches.owners)

    # Writing conversations

    def create(self, record: Conversation, items: Sequence[Item], *, trust_references: bool = False) -> None:
        """Add a conversation with its items; see `MemoryStore.create_conversation`."""
        if record.id in self._conversations:
            raise ValueError(f"there is, or was, a conversation {record.id!r}")
        conversation = StoredConversation(record)
        self._check_items(conversation, items, trust_references=trust_references)
        self._conversations[record.id] = conversation
        conversation.position = self._live.append(conversation)
        self._add_to_metadata_index(conversation)
        self._append_items(conversation, items)
        if not conversation.is_live:
            self._unlist(conversation)

    def update_metadata(self, conversation_id: str, metadata: Mapping[str, str]) -> Conversation:
        """Replace the metadata of a live conversation."""
        conversation = self.live_conversation(conversation_id)
        self._remove_from_metadata_index(conversation)
        conversation.record = conversation.record._replace(metadata=metadata)
        self._add_to_metadata_index(conversation)
        self._move_to_end(conversation)
        return conversation.record

    def delete(self, conversation_id: str, at: int) -> Conversation:
        """Mark a live conversation as deleted."""
        conversation = self.live_conversation(conversation_id)
        conversation.record = conversation.record._replace(deleted_at=at)
        self._unlist(conversation)
        return conversation.record

    def erase(self, conversation_id: str) -> None:
        """Remove a conversation and its items without a trace."""
        conversation = self.conversation(conversation_id)
        if conversation.is_live:
            self._unlist(conversation)
        del self._conversations[conversation_id]
        for item in conversation.items.walk():
            if not item.is_reference:
                del self.originals[item.id]

    def _unlist(self, conversation: StoredConversation) -> None:
        """Remove a conversation from the list and from the indexes that filter it."""
        self._live.remove(conversation.position)
        self._remove_from_metadata_index(conversation)
        for item in conversation.items.walk():
            self._remove_from_search_index(conversation, item)

    def _move_to_end(self, conversation: StoredConversation) -> None:
        """Make a conversation the one that was updated last."""
        if not self._live.is_newest(conversation.position):
            self._live.remove(conversation.position)
            conversation.position = self._live.append(conversation)

    # Writing items

    def add_items(self, conversation_id: str, items: Sequence[Item]) -> None:
        """Append items to a live conversation; see `MemoryStore.add_items`."""
        conversation = self.live_conversation(conversation_id)
        self._check_items(conversation, items)
        self._append_items(conversation, items)
        self._move_to_end(conversation)

    def append_turn(self, conversation_id: str, items: Sequence[Item]) -> None:
        """Append the items of a response to a live conversation; see `MemoryStore.append_turn`."""
        conversation = self.live_conversation(conversation_id)
        turn: dict[str, Item] = {}
        for item in items:
            if item.id not in conversation.positions:
                turn.setdefault(item.id, item.as_reference() if item.id in self.originals else item)
        self._append_items(conversation, list(turn.values()))
        self._move_to_end(conversation)

    def items_before(self, conversation_id: str, position: int | None = None) -> list[Item]:
        """Return the items below a position of a conversation, live or deleted; see `MemoryStore.items_before`."""
        conversation = self._conversations.get(conversation_id)
        if conversation is None:
            return []
        items = list(conversation.items.walk(position, "desc"))[::-1]
        return [original for item in items if (original := self.original(item.id) if item.is_reference else item)]

    def position_of_turn(self, conversation_id: str, response_id: str, items_before: int | None = None) -> int:
        """Return a position within a conversation; see `MemoryStore.position_of_turn`."""
        if conversation_id not in self._conversations:
            return 0
        conversation = self._conversations[conversation_id]
        items = list(conversation.items.walk())
        if items_before is None:
            own = (number for number, item in enumerate(items) if item.response_id == response_id)
            items_before = next(own, len(items))
        return conversation.positions[items[items_before].id] if items_before < len(items) else conversation.items.end

    def count_items_before(self, conversation_id: str, position: int) -> int:
        """Return the number of items that a conversation has below a position."""
        if conversation_id not in self._conversations:
            return 0
        return sum(each < position for each in self._conversations[conversation_id].positions.values())

    def original(self, item_id: str) -> Item | None:
        """Return the item with this id that is no reference, if there is one."""
        conversation = self.originals.get(item_id)
        return None if conversation is None else conversation.item(item_id)

    def delete_item(self, conversation_id: str, item_id: str) -> Conversation:
        """Remove an item from a live conversation."""
        conversation = self.live_conversation(conversation_id)
        if item_id not in conversation.positions:
            raise ItemNotFound(item_id)
        self._remove_items(conversation, [item_id])
        return conversation.record

    def delete_items(self, conversation_id: str, item_ids: Sequence[str]) -> Conversation:
        """Remove items from a live conversation, all of them or none."""
        conversation = self.live_conversation(conversation_id)
        for index, item_id in enumerate(item_ids):
            if item_id not in conversation.positions:
                raise ItemNotFound(item_id, param=f"item_ids[{index}]")
        self._remove_items(conversation, dict.fromkeys(item_ids))
        return conversation.record

    def _check_items(
        self, conversation: StoredConversation, items: Sequence[Item], *, trust_references: bool = False
    ) -> None:
        """Raise if one of the items may not be added to a conversation."""
        originals, positions = self.originals, conversation.positions
        earlier: dict[str, bool] = {}  # By id of the items before: is it a reference?
        for index, item in enumerate(items):
            item_id = item.id
            if item.is_reference and not trust_references:
                home = conversation if earlier.get(item_id) is False else originals.get(item_id)
                if home is None:
                    raise ItemNotFound(item_id, param=f"items[{index}].id")
                if home is conversation:
                    raise ReferenceWithinConversation(item_id, index)
            elif not item.is_reference and item_id in originals:
                raise ItemIdInUse(item_id, index)
            if item_id in positions or item_id in earlier:
                raise ItemIdInUse(item_id, index)
            earlier[item_id] = item.is_reference

    def _append_items(self, conversation: StoredConversation, items: Sequence[Item]) -> None:
        for item in items:
            conversation.positions[item.id] = conversation.items.append(item)
            if not item.is_reference:
                self.originals[item.id] = conversation
                if self._search_index is not None:
                    self._search_index.add(conversation, item)

    def _remove_items(self, conversation: StoredConversation, item_ids: Iterable[str]) -> None:
        for item_id in item_ids:
            item = conversation.remove(item_id)
            if not item.is_reference:
                del self.originals[item_id]
            self._remove_from_search_index(conversation, item)
        self._move_to_end(conversation)

    # Indexes

    def _add_to_metadata_index(self, conversation: StoredConversation) -> None:
        for pair in conversation.record.metadata.items():
            self._by_metadata.setdefault(pair, set()).add(conversation)

    def _remove_from_metadata_index(self, conversation: StoredConversation) -> None:
        for pair in conversation.record.metadata.items():
            self._by_metadata[pair].discard(conversation)
            if not self._by_metadata[pair]:
                del self._by_metadata[pair]

    def _remove_from_search_index(self, conversation: StoredConversation, item: Item) -> None:
        if self._search_index is not None and not item.is_reference:
            self._search_index.remove(conversation, item.id)


def _filter(filters: Sequence[_Filter], conversations: Iterable[StoredConversation]) -> Iterator[StoredConversation]:
    """Return the conversations that pass all filters."""
    if len(filters) == 1:
        return filter(filters[0].passes, conversations)
    return (one for one in conversations if all(each.passes(one) for each in filters))
