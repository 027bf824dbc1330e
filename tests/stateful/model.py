"""What the fake must answer, worked out the slow and simple way: lists that are searched from end to end.

Written from the design, not from `mockserver`, of which it uses nothing.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .naive_search import matches


class Tenant(NamedTuple):
    account: str
    end_user: str | None

    @property
    def identity(self) -> str:
        return hashlib.sha256(f"{self.account}:{self.end_user or ''}".encode()).hexdigest()


class Refusal(Exception):
    """An answer other than 200, without its messages; `at` is the place of the one finding."""

    def __init__(self, status: int, param: str | None, at: tuple[str, str] | None = None) -> None:
        super().__init__(status, param, at)
        self.status = status
        self.body: dict[str, Any] = {"type": "invalid_request_error", "param": param, "code": status}
        if at:
            self.body["findings"] = [{"in": at[0], "pointer": at[1]}]


@dataclass
class Entry:
    """An item, also after it was deleted."""

    id: str
    shown: Mapping[str, Any]
    is_live: bool = True

    @property
    def is_reference(self) -> bool:
        return self.shown["type"] == "item_reference"


@dataclass
class Conversation:
    id: str
    created_at: int
    metadata: Mapping[str, str]
    is_live: bool = True
    entries: list[Entry] = field(default_factory=list)
    """In the order in which they were added."""

    def live(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.is_live]

    def find(self, item_id: str) -> Entry | None:
        return next((entry for entry in self.live() if entry.id == item_id), None)


@dataclass
class Space:
    """What one tenant has."""

    conversations: dict[str, Conversation] = field(default_factory=dict)
    updates: list[str] = field(default_factory=list)
    """The id of a conversation for each time that it was updated."""

    def by_last_update(self) -> list[Conversation]:
        last = {conversation_id: place for place, conversation_id in enumerate(self.updates)}
        return sorted(self.conversations.values(), key=lambda conversation: last[conversation.id])


class Model:
    """Each method takes what a request says and gives the body of a 200, or raises `Refusal`."""

    def __init__(self) -> None:
        self.spaces: defaultdict[Tenant, Space] = defaultdict(Space)

    # -- conversations

    def create(
        self, tenant: Tenant, now: int, new_id: str, body: Mapping[str, Any], item_ids: Sequence[str]
    ) -> dict[str, Any]:
        """`item_ids` are the ids under which the items were then found, for those that had none."""
        space = self.spaces[tenant]
        conversation = Conversation(new_id, now, body.get("metadata", {}))
        self._check(space, conversation, body.get("items", ()))
        assert new_id not in space.conversations
        space.conversations[new_id] = conversation
        self._append(space, conversation, body.get("items", ()), item_ids)
        return _shown(tenant, conversation)

    def retrieve(self, tenant: Tenant, conversation_id: str) -> dict[str, Any]:
        return _shown(tenant, self._live(tenant, conversation_id))

    def update(self, tenant: Tenant, conversation_id: str, metadata: Mapping[str, str]) -> dict[str, Any]:
        conversation = self._live(tenant, conversation_id)
        conversation.metadata = metadata
        self.spaces[tenant].updates.append(conversation_id)
        return _shown(tenant, conversation)

    def delete(self, tenant: Tenant, conversation_id: str) -> dict[str, Any]:
        self._live(tenant, conversation_id).is_live = False
        return {"id": conversation_id, "object": "conversation.deleted", "deleted": True}

    def listed(
        self,
        tenant: Tenant,
        *,
        after: str | None = None,
        limit: int = 20,
        order: str = "asc",
        pairs: Sequence[tuple[str, str]] = (),
        search: str = "",
    ) -> dict[str, Any]:
        space = self.spaces[tenant]
        if after is not None and after not in space.conversations:
            raise Refusal(400, "after", ("query", "/after"))
        data = [
            _shown(tenant, conversation)
            for conversation in _behind(space.by_last_update(), after, order)
            if conversation.is_live
            and all(conversation.metadata.get(name) == value for name, value in pairs)
            and (not search.strip() or any(matches(search, entry.shown) for entry in conversation.live()))
        ]
        page = {"object": "list", "data": data[:limit], "has_more": len(data) > limit}
        return page | {"last_id": page["data"][-1]["id"]} if data else page

    # -- items

    def add(
        self, tenant: Tenant, conversation_id: str, items: Sequence[Mapping[str, Any]], item_ids: Sequence[str]
    ) -> dict[str, Any]:
        """`item_ids` are those in the answer, for items that had none."""
        conversation = self._live(tenant, conversation_id)
        self._check(self.spaces[tenant], conversation, items)
        added = self._append(self.spaces[tenant], conversation, items, item_ids)
        return {
            "object": "list",
            "data": [entry.shown for entry in added],
            "has_more": False,
            "last_id": added[-1].id,
        }

    def items(
        self, tenant: Tenant, conversation_id: str, *, after: str | None = None, limit: int = 20, order: str = "asc"
    ) -> dict[str, Any]:
        entries = self._any(tenant, conversation_id).entries
        if after is not None and after not in [entry.id for entry in entries]:
            raise Refusal(400, "after", ("query", "/after"))
        found = [entry for entry in _behind(entries, after, order) if entry.is_live]
        page = found[:limit]
        return {
            "object": "list",
            "data": [entry.shown for entry in page],
            "has_more": len(found) > limit,
            "last_id": page[-1].id if page else "",
        }

    def item(self, tenant: Tenant, conversation_id: str, item_id: str) -> Mapping[str, Any]:
        entry = self._any(tenant, conversation_id).find(item_id)
        if entry is None:
            raise Refusal(404, "item_id")
        return entry.shown

    def delete_item(self, tenant: Tenant, conversation_id: str, item_id: str) -> dict[str, Any]:
        conversation = self._live(tenant, conversation_id)
        entry = conversation.find(item_id)
        if entry is None:
            raise Refusal(404, "item_id")
        entry.is_live = False
        self.spaces[tenant].updates.append(conversation_id)
        return _shown(tenant, conversation)

    def delete_items(self, tenant: Tenant, conversation_id: str, item_ids: Sequence[str]) -> dict[str, Any]:
        conversation = self._live(tenant, conversation_id)
        entries = [conversation.find(item_id) for item_id in item_ids]
        for index, entry in enumerate(entries):
            if entry is None:
                raise Refusal(404, f"item_ids[{index}]")
        for entry in filter(None, entries):
            entry.is_live = False
        self.spaces[tenant].updates.append(conversation_id)
        return _shown(tenant, conversation)

    # -- what several of them need

    def _any(self, tenant: Tenant, conversation_id: str) -> Conversation:
        conversation = self.spaces[tenant].conversations.get(conversation_id)
        if conversation is None:
            raise Refusal(404, "conversation_id")
        return conversation

    def _live(self, tenant: Tenant, conversation_id: str) -> Conversation:
        conversation = self._any(tenant, conversation_id)
        if not conversation.is_live:
            raise Refusal(404, "conversation_id")
        return conversation

    def _check(self, space: Space, into: Conversation, items: Sequence[Mapping[str, Any]]) -> None:
        """Whether all the items may be added, looking at them in turn, each with those before it in place."""
        there = into.live()
        elsewhere = [entry for each in space.conversations.values() if each is not into for entry in each.live()]
        for index, item in enumerate(items):
            if "id" not in item:
                continue
            same_here = [entry for entry in there if entry.id == item["id"]]
            original_elsewhere = any(entry.id == item["id"] and not entry.is_reference for entry in elsewhere)
            at = f"items[{index}].id", ("body", f"/items/{index}/id")
            if kind(item) == "item_reference":
                if not original_elsewhere and all(entry.is_reference for entry in same_here):
                    raise Refusal(404, at[0])
                if same_here:
                    raise Refusal(400, *at)
            elif same_here or original_elsewhere:
                raise Refusal(400, *at)
            there = [*there, Entry(item["id"], _stored(item, item["id"]))]

    def _append(
        self, space: Space, conversation: Conversation, items: Sequence[Mapping[str, Any]], item_ids: Sequence[str]
    ) -> list[Entry]:
        ids = [item.get("id", item_id) for item, item_id in zip(items, item_ids, strict=True)]
        added = [Entry(item_id, _stored(item, item_id)) for item, item_id in zip(items, ids, strict=True)]
        conversation.entries += added
        space.updates.append(conversation.id)
        return added


def kind(item: Mapping[str, Any]) -> str:
    return item.get("type") or ("message" if "role" in item else "item_reference")


def _stored(item: Mapping[str, Any], item_id: str) -> dict[str, Any]:
    """An item as it comes back; what the tests send beside the fields of the document starts with `x_`."""
    known: dict[str, Any] = json.loads(json.dumps(item), object_hook=_without_unknown)
    return known | {"id": item_id, "type": kind(item)}


def _without_unknown(value: dict[str, Any]) -> dict[str, Any]:
    return {name: inner for name, inner in value.items() if not name.startswith("x_")}


def _shown(tenant: Tenant, conversation: Conversation) -> dict[str, Any]:
    return {
        "id": conversation.id,
        "object": "conversation",
        "created_at": conversation.created_at,
        "deleted_at": None,
        "metadata": conversation.metadata,
        "identity": tenant.identity,
    }


def _behind(ordered: Sequence[Any], after: str | None, order: str) -> list[Any]:
    """What follows the thing with the id `after` (the last one of that id), in this order."""
    if after is None:
        return list(ordered) if order == "asc" else list(reversed(ordered))
    place = max(index for index, thing in enumerate(ordered) if thing.id == after)
    return list(ordered[place + 1 :]) if order == "asc" else list(reversed(ordered[:place]))
