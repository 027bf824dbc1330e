"""The store and a naive model in plain lists answer every sequence of calls alike, errors included."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from mockserver.context import Tenant
from mockserver.errors import (
    ApiError,
    ConversationNotFound,
    ItemIdInUse,
    ItemNotFound,
    ReferenceWithinConversation,
    UnknownCursor,
)
from mockserver.store.memory import MemoryStore
from mockserver.store.paging import Page, Paging
from mockserver.store.protocol import Store
from mockserver.store.records import Conversation, Item


@dataclass
class Entry:
    """An item at a place, and whether it has been deleted from there."""

    item: Item
    deleted: bool = False


@dataclass
class Kept:
    record: Conversation
    updated: int
    entries: list[Entry] = field(default_factory=list)

    def items(self) -> list[Item]:
        return [entry.item for entry in self.entries if not entry.deleted]

    def ids(self) -> list[str]:
        return [item.id for item in self.items()]

    def named(self) -> list[tuple[str, bool]]:
        return [(item.id, item.is_reference) for item in self.items()]


class Model:
    """One flat list of conversations for each tenant, searched from end to end by every call."""

    def __init__(self) -> None:
        self.kept: list[tuple[Tenant, Kept]] = []
        self.updates = 0

    def of(self, tenant: Tenant) -> list[Kept]:
        return [kept for owner, kept in self.kept if owner == tenant]

    def ever(self, tenant: Tenant, conversation_id: str) -> Kept:
        for kept in self.of(tenant):
            if kept.record.id == conversation_id:
                return kept
        raise ConversationNotFound(conversation_id)

    def live(self, tenant: Tenant, conversation_id: str) -> Kept:
        kept = self.ever(tenant, conversation_id)
        if kept.record.deleted_at is not None:
            raise ConversationNotFound(conversation_id)
        return kept

    def updated(self, kept: Kept) -> Conversation:
        self.updates += 1
        kept.updated = self.updates
        return kept.record

    def create_conversation(self, tenant: Tenant, conversation: Conversation, items: Sequence[Item]) -> None:
        if conversation.id in [kept.record.id for kept in self.of(tenant)]:
            raise ValueError
        kept = Kept(conversation, 0)
        self.kept.append((tenant, kept))
        try:
            self.put(tenant, kept, items)
        except ApiError:
            self.kept.pop()
            raise
        self.updated(kept)

    def conversation(self, tenant: Tenant, conversation_id: str) -> Conversation:
        return self.live(tenant, conversation_id).record

    def update_metadata(self, tenant: Tenant, conversation_id: str, metadata: Mapping[str, str]) -> Conversation:
        kept = self.live(tenant, conversation_id)
        kept.record = kept.record._replace(metadata=metadata)
        return self.updated(kept)

    def delete_conversation(self, tenant: Tenant, conversation_id: str, at: int) -> Conversation:
        kept = self.live(tenant, conversation_id)
        kept.record = kept.record._replace(deleted_at=at)
        return kept.record

    def conversations(
        self, tenant: Tenant, paging: Paging, metadata: Sequence[tuple[str, str]] = (), search: str = ""
    ) -> Page[Conversation]:
        place = None
        if paging.after is not None:
            try:
                place = self.ever(tenant, paging.after).updated
            except ConversationNotFound:
                raise UnknownCursor(paging.after) from None
        chosen = []
        for kept in sorted(self.of(tenant), key=lambda kept: kept.updated, reverse=paging.order == "desc"):
            if kept.record.deleted_at is not None:
                continue
            if place is not None and (kept.updated <= place if paging.order == "asc" else kept.updated >= place):
                continue
            if not all(kept.record.metadata.get(key) == value for key, value in metadata):
                continue
            if search.split() and not any(has_all_words(item, search) for item in kept.items()):
                continue
            chosen.append(kept.record)
        return Page(chosen[: paging.limit], len(chosen) > paging.limit)

    def put(self, tenant: Tenant, kept: Kept, items: Sequence[Item]) -> None:
        before = list(kept.entries)
        try:
            for index, item in enumerate(items):
                homes = [one for one in self.of(tenant) if (item.id, False) in one.named()]
                if item.is_reference and not homes:
                    raise ItemNotFound(item.id, param=f"items[{index}].id")
                if item.is_reference and homes == [kept]:
                    raise ReferenceWithinConversation(item.id, index)
                if (homes and not item.is_reference) or item.id in kept.ids():
                    raise ItemIdInUse(item.id, index)
                kept.entries.append(Entry(item))
        except ApiError:
            kept.entries = before
            raise

    def add_items(self, tenant: Tenant, conversation_id: str, items: Sequence[Item]) -> None:
        kept = self.live(tenant, conversation_id)
        self.put(tenant, kept, items)
        self.updated(kept)

    def item(self, tenant: Tenant, conversation_id: str, item_id: str) -> Item:
        for item in self.ever(tenant, conversation_id).items():
            if item.id == item_id:
                return item
        raise ItemNotFound(item_id)

    def items(self, tenant: Tenant, conversation_id: str, paging: Paging) -> Page[Item]:
        entries = list(self.ever(tenant, conversation_id).entries)
        if paging.after is not None:
            places = [place for place, entry in enumerate(entries) if entry.item.id == paging.after]
            if not places:
                raise UnknownCursor(paging.after)
            entries = entries[places[-1] + 1 :] if paging.order == "asc" else entries[: places[-1]]
        if paging.order == "desc":
            entries.reverse()
        items = [entry.item for entry in entries if not entry.deleted]
        return Page(items[: paging.limit], len(items) > paging.limit)

    def delete_item(self, tenant: Tenant, conversation_id: str, item_id: str) -> Conversation:
        kept = self.live(tenant, conversation_id)
        self.item(tenant, conversation_id, item_id)
        return self.take(kept, [item_id])

    def delete_items(self, tenant: Tenant, conversation_id: str, item_ids: Sequence[str]) -> Conversation:
        kept = self.live(tenant, conversation_id)
        for index, item_id in enumerate(item_ids):
            if item_id not in kept.ids():
                raise ItemNotFound(item_id, param=f"item_ids[{index}]")
        return self.take(kept, item_ids)

    def take(self, kept: Kept, item_ids: Sequence[str]) -> Conversation:
        for entry in kept.entries:
            if entry.item.id in item_ids:
                entry.deleted = True
        return self.updated(kept)

    def has_item(self, tenant: Tenant, item_id: str) -> bool:
        return any((item_id, False) in kept.named() for kept in self.of(tenant))

    def reset(self) -> None:
        self.kept = []


def has_all_words(item: Item, search: str) -> bool:
    """For the words in use here, which have no script, case or punctuation to think of."""
    words = orjson.loads(item.data).get("content", "").split()
    return all(word in words for word in search.split())


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except ApiError as error:
        return type(error), error.body()
    except ValueError:
        return ValueError


WORDS = ["sun", "rain", "snow"]
TENANTS = st.sampled_from([Tenant("acme"), Tenant("acme"), Tenant("acme", "anna")])
CONVERSATIONS = st.sampled_from([f"conv_{number}" for number in range(6)])
ITEMS = st.sampled_from([f"msg_{number}" for number in range(8)])
METADATA = st.dictionaries(st.sampled_from("kl"), st.sampled_from("vw"))
TEXTS = st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join)


@st.composite
def new_items(draw, most: int = 3) -> list[Item]:
    return [draw(new_item()) for _ in range(draw(st.integers(0, most)))]


@st.composite
def new_item(draw) -> Item:
    item_id = draw(ITEMS)
    if draw(st.integers(0, 3)) == 0:
        return Item(item_id, orjson.dumps({"type": "item_reference", "id": item_id}), is_reference=True)
    data = orjson.dumps({"type": "message", "role": "user", "id": item_id, "content": draw(TEXTS)})
    return Item(item_id, data, False, draw(st.sampled_from([None, "resp_1"])), draw(st.none() | METADATA))


def pages(cursors: st.SearchStrategy[str]) -> st.SearchStrategy[Paging]:
    return st.builds(Paging, st.none() | cursors, st.integers(1, 4), st.sampled_from(["asc", "desc"]))


class StoreAgainstModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.store: Store = MemoryStore()
        self.model: Store = Model()

    def both(self, name: str, *arguments: Any) -> None:
        expected = outcome(lambda: getattr(self.model, name)(*arguments))
        assert outcome(lambda: getattr(self.store, name)(*arguments)) == expected

    @initialize()
    def start(self):
        for number in range(3):
            self.both("create_conversation", Tenant("acme"), Conversation(f"conv_{number}", 1, {"k": "v"}), [])

    @rule(
        tenant=TENANTS,
        conversation_id=CONVERSATIONS,
        metadata=METADATA,
        deleted=st.sampled_from([None] * 9 + [1]),
        items=new_items(),
    )
    def create_conversation(self, tenant, conversation_id, metadata, deleted, items):
        self.both("create_conversation", tenant, Conversation(conversation_id, 1, metadata, deleted), items)

    @rule(tenant=TENANTS, conversation_id=CONVERSATIONS, metadata=METADATA)
    def update_metadata(self, tenant, conversation_id, metadata):
        self.both("update_metadata", tenant, conversation_id, metadata)

    @rule(tenant=TENANTS, conversation_id=CONVERSATIONS)
    def delete_conversation(self, tenant, conversation_id):
        self.both("delete_conversation", tenant, conversation_id, 7)

    @rule(tenant=TENANTS, conversation_id=CONVERSATIONS, items=new_items())
    def add_items(self, tenant, conversation_id, items):
        self.both("add_items", tenant, conversation_id, items)

    @rule(tenant=TENANTS, conversation_id=CONVERSATIONS, item_id=ITEMS)
    def delete_item(self, tenant, conversation_id, item_id):
        self.both("delete_item", tenant, conversation_id, item_id)

    @rule(tenant=TENANTS, conversation_id=CONVERSATIONS, item_ids=st.lists(ITEMS, min_size=1, max_size=3))
    def delete_items(self, tenant, conversation_id, item_ids):
        self.both("delete_items", tenant, conversation_id, item_ids)

    @rule(tenant=TENANTS, conversation_id=CONVERSATIONS, item_id=ITEMS)
    def read_one(self, tenant, conversation_id, item_id):
        self.both("conversation", tenant, conversation_id)
        self.both("item", tenant, conversation_id, item_id)
        self.both("has_item", tenant, item_id)

    @rule(tenant=TENANTS, conversation_id=CONVERSATIONS, paging=pages(ITEMS))
    def read_items(self, tenant, conversation_id, paging):
        self.both("items", tenant, conversation_id, paging)

    @rule(
        tenant=TENANTS,
        paging=pages(CONVERSATIONS),
        metadata=st.lists(st.tuples(st.sampled_from("kl"), st.sampled_from("vw")), max_size=2),
        search=st.sampled_from(["", " "]) | TEXTS,
    )
    def read_conversations(self, tenant, paging, metadata, search):
        self.both("conversations", tenant, paging, metadata, search)

    @rule(sure=st.integers(0, 9))
    def reset(self, sure):
        if sure == 0:
            self.both("reset")


StoreAgainstModel.TestCase.settings = settings(max_examples=80, stateful_step_count=50, deadline=None)
TestStoreAgainstModel = StoreAgainstModel.TestCase
