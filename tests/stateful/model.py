"""A naive model of the API's conversations: lists that every call searches from end to end.

It is written from the design and uses nothing of `mockserver`.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.stateful.naive_search import item_matches


class Tenant(NamedTuple):
    account: str
    end_user: str | None = None

    @property
    def identity(self) -> str:
        return hashlib.sha256(f"{self.account}:{self.end_user or ''}".encode()).hexdigest()


class Rejection(Exception):
    """An error response without its messages; `location` is that of its one finding."""

    def __init__(self, status: int, param: str | None, location: tuple[str, str] | None = None) -> None:
        super().__init__(status, param, location)
        self.status = status
        self.body: dict[str, Any] = {"type": "invalid_request_error", "param": param, "code": status}
        if location:
            self.body["findings"] = [{"in": location[0], "pointer": location[1]}]


@dataclass
class Entry:
    """An item at its place in a conversation, kept when it is deleted."""

    id: str
    json: Mapping[str, Any]
    is_live: bool = True

    @property
    def is_reference(self) -> bool:
        return bool(self.json["type"] == "item_reference")


@dataclass
class Conversation:
    """A conversation with its items in the order in which they were added."""

    id: str
    created_at: int
    metadata: Mapping[str, str]
    is_live: bool = True
    entries: list[Entry] = field(default_factory=list)

    def live_entries(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.is_live]

    def find(self, item_id: str) -> Entry | None:
        return next((entry for entry in self.live_entries() if entry.id == item_id), None)


@dataclass
class TenantData:
    """The conversations of one tenant; `updates` names a conversation for each time it was updated."""

    conversations: dict[str, Conversation] = field(default_factory=dict)
    updates: list[str] = field(default_factory=list)

    def by_last_update(self) -> list[Conversation]:
        last = {conversation_id: position for position, conversation_id in enumerate(self.updates)}
        return sorted(self.conversations.values(), key=lambda conversation: last[conversation.id])

    def has_original(self, item_id: str) -> bool:
        """Whether an item that is no reference has this id."""
        entries = [entry for each in self.conversations.values() for entry in each.live_entries()]
        return any(entry.id == item_id and not entry.is_reference for entry in entries)


class Model:
    """The operations of the API: each method returns the body of a 200, or raises `Rejection`."""

    def __init__(self) -> None:
        self.tenants: defaultdict[Tenant, TenantData] = defaultdict(TenantData)

    # Conversations

    def create(
        self, tenant: Tenant, now: int, new_id: str, body: Mapping[str, Any], item_ids: Sequence[str]
    ) -> dict[str, Any]:
        """Create a conversation; `new_id` and `item_ids` are the ids that the server has chosen."""
        data = self.tenants[tenant]
        conversation = Conversation(new_id, now, body.get("metadata", {}))
        self._check_items(data, conversation, body.get("items", ()))
        if new_id in data.conversations:
            raise AssertionError(f"the id {new_id} was used before")
        data.conversations[new_id] = conversation
        self._append_items(data, conversation, body.get("items", ()), item_ids)
        return _conversation_json(tenant, conversation)

    def retrieve(self, tenant: Tenant, conversation_id: str) -> dict[str, Any]:
        return _conversation_json(tenant, self._live_conversation(tenant, conversation_id))

    def update(self, tenant: Tenant, conversation_id: str, metadata: Mapping[str, str]) -> dict[str, Any]:
        conversation = self._live_conversation(tenant, conversation_id)
        conversation.metadata = metadata
        self.tenants[tenant].updates.append(conversation_id)
        return _conversation_json(tenant, conversation)

    def delete(self, tenant: Tenant, conversation_id: str) -> dict[str, Any]:
        self._live_conversation(tenant, conversation_id).is_live = False
        return {"id": conversation_id, "object": "conversation.deleted", "deleted": True}

    def list_conversations(
        self,
        tenant: Tenant,
        *,
        after: str | None = None,
        limit: int = 20,
        order: str = "asc",
        pairs: Sequence[tuple[str, str]] = (),
        search: str = "",
    ) -> dict[str, Any]:
        data = self.tenants[tenant]
        if after is not None and after not in data.conversations:
            raise Rejection(400, "after", ("query", "/after"))
        found = [
            _conversation_json(tenant, conversation)
            for conversation in _following(data.by_last_update(), after, order)
            if conversation.is_live
            and all(conversation.metadata.get(name) == value for name, value in pairs)
            and (not search.strip() or any(item_matches(search, entry.json) for entry in conversation.live_entries()))
        ]
        page = found[:limit]
        last_id = {"last_id": page[-1]["id"]} if page else {}
        return {"object": "list", "data": page, "has_more": len(found) > limit, **last_id}

    # Items

    def add_items(
        self, tenant: Tenant, conversation_id: str, items: Sequence[Mapping[str, Any]], item_ids: Sequence[str]
    ) -> dict[str, Any]:
        """Add items; `item_ids` are their ids in the response."""
        conversation = self._live_conversation(tenant, conversation_id)
        self._check_items(self.tenants[tenant], conversation, items)
        added = self._append_items(self.tenants[tenant], conversation, items, item_ids)
        data = [entry.json for entry in added]
        return {"object": "list", "data": data, "has_more": False, "last_id": added[-1].id if added else ""}

    def list_items(
        self, tenant: Tenant, conversation_id: str, *, after: str | None = None, limit: int = 20, order: str = "asc"
    ) -> dict[str, Any]:
        entries = self._conversation(tenant, conversation_id).entries
        if after is not None and after not in [entry.id for entry in entries]:
            raise Rejection(400, "after", ("query", "/after"))
        found = [entry for entry in _following(entries, after, order) if entry.is_live]
        page = found[:limit]
        return {
            "object": "list",
            "data": [entry.json for entry in page],
            "has_more": len(found) > limit,
            "last_id": page[-1].id if page else "",
        }

    def retrieve_item(self, tenant: Tenant, conversation_id: str, item_id: str) -> Mapping[str, Any]:
        entry = self._conversation(tenant, conversation_id).find(item_id)
        if entry is None:
            raise Rejection(404, "item_id")
        return entry.json

    def delete_item(self, tenant: Tenant, conversation_id: str, item_id: str) -> dict[str, Any]:
        return self._delete_items(tenant, conversation_id, {"item_id": item_id})

    def delete_items(self, tenant: Tenant, conversation_id: str, item_ids: Sequence[str]) -> dict[str, Any]:
        by_param = {f"item_ids[{index}]": item_id for index, item_id in enumerate(item_ids)}
        return self._delete_items(tenant, conversation_id, by_param)

    # Helpers

    def _delete_items(self, tenant: Tenant, conversation_id: str, by_param: Mapping[str, str]) -> dict[str, Any]:
        conversation = self._live_conversation(tenant, conversation_id)
        entries = []
        for param, item_id in by_param.items():
            entry = conversation.find(item_id)
            if entry is None:
                raise Rejection(404, param)
            entries.append(entry)
        for entry in entries:
            entry.is_live = False
        self.tenants[tenant].updates.append(conversation_id)
        return _conversation_json(tenant, conversation)

    def _conversation(self, tenant: Tenant, conversation_id: str) -> Conversation:
        conversation = self.tenants[tenant].conversations.get(conversation_id)
        if conversation is None:
            raise Rejection(404, "conversation_id")
        return conversation

    def _live_conversation(self, tenant: Tenant, conversation_id: str) -> Conversation:
        conversation = self._conversation(tenant, conversation_id)
        if not conversation.is_live:
            raise Rejection(404, "conversation_id")
        return conversation

    def _check_items(self, data: TenantData, into: Conversation, items: Sequence[Mapping[str, Any]]) -> None:
        """Raise if one of the items may not be added, given those before it in the request."""
        present = into.live_entries()
        elsewhere = [
            entry for each in data.conversations.values() if each is not into for entry in each.live_entries()
        ]
        for index, item in enumerate(items):
            if "id" not in item:
                continue
            same_here = [entry for entry in present if entry.id == item["id"]]
            original_elsewhere = any(entry.id == item["id"] and not entry.is_reference for entry in elsewhere)
            param, location = f"items[{index}].id", ("body", f"/items/{index}/id")
            if item_type(item) == "item_reference":
                if not original_elsewhere and all(entry.is_reference for entry in same_here):
                    raise Rejection(404, param)
                if same_here:
                    raise Rejection(400, param, location)
            elif same_here or original_elsewhere:
                raise Rejection(400, param, location)
            present = [*present, Entry(item["id"], item_json(item, item["id"]))]

    def _append_items(
        self, data: TenantData, conversation: Conversation, items: Sequence[Mapping[str, Any]], item_ids: Sequence[str]
    ) -> Sequence[Entry]:
        ids = [item.get("id", item_id) for item, item_id in zip(items, item_ids, strict=True)]
        added = [Entry(item_id, item_json(item, item_id)) for item, item_id in zip(items, ids, strict=True)]
        conversation.entries += added
        data.updates.append(conversation.id)
        return added


def item_type(item: Mapping[str, Any]) -> str:
    return item.get("type") or ("message" if "role" in item else "item_reference")


def item_json(item: Mapping[str, Any], item_id: str) -> dict[str, Any]:
    """Return an item as responses show it; the tests' unknown fields start with `x_`."""
    known: dict[str, Any] = json.loads(json.dumps(item), object_hook=_drop_unknown_fields)
    return known | {"id": item_id, "type": item_type(item)}


def _drop_unknown_fields(value: dict[str, Any]) -> dict[str, Any]:
    return {name: inner for name, inner in value.items() if not name.startswith("x_")}


def _conversation_json(tenant: Tenant, conversation: Conversation) -> dict[str, Any]:
    return {
        "id": conversation.id,
        "object": "conversation",
        "created_at": conversation.created_at,
        "deleted_at": None,
        "metadata": conversation.metadata,
        "identity": tenant.identity,
    }


def _following(ordered: Sequence[Any], after: str | None, order: str) -> Sequence[Any]:
    """Return the elements that follow the last one with the id `after` in this order."""
    if after is None:
        return ordered if order == "asc" else ordered[::-1]
    position = max(index for index, element in enumerate(ordered) if element.id == after)
    return ordered[position + 1 :] if order == "asc" else ordered[:position][::-1]
