"""The naive model with responses: each remembers its input and output, and what it continues."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.stateful.model import Conversation, Entry, Model, Rejection, Tenant, TenantData, item_json, item_type
from tests.stateful.naive_search import raw_texts

Item = Mapping[str, Any]

_OUTPUTS = {"function_call_output": "function_call"}


@dataclass
class StoredResponse:
    """A response, kept when it is deleted; `seen` is the number of entries that its conversation had before it."""

    id: str
    json: dict[str, Any]
    input: Sequence[Item]
    seen: int
    is_live: bool = True


class ResponseModel(Model):
    """The operations on responses beside those on conversations."""

    def __init__(self) -> None:
        super().__init__()
        self.responses: dict[Tenant, list[StoredResponse]] = {}

    def own_responses(self, tenant: Tenant) -> list[StoredResponse]:
        return self.responses.setdefault(tenant, [])

    # Creating

    def respond(
        self,
        tenant: Tenant,
        now: int,
        body: Mapping[str, Any],
        response_id: str,
        input_ids: Sequence[str],
        output_id: str,
        *,
        is_cut: bool = False,
    ) -> dict[str, Any]:
        """Create a response; the ids are those that the server has chosen, for each item of the input without one."""
        conversation, history, seen = self._continue(tenant, body)
        sent = body.get("input", [])
        sent = [{"role": "user", "content": sent}] if isinstance(sent, str) else sent
        items = self._resolve(tenant, sent)
        _check_outputs(history, items)
        new_ids = iter(input_ids)
        items = [item_json(item, item["id"] if "id" in item else next(new_ids)) for item in items]
        context = [*history, *(item for item in items if item["id"] not in [other["id"] for other in history])]
        output = [] if is_cut else [_message(output_id, _default_text(context))]
        response = _response_json(response_id, now, body, conversation, context, output)
        if is_cut:
            response |= {"status": "cancelled", "completed_at": None, "usage": _usage(0, 0)}
        elif conversation is not None:
            tag = {"response_id": response_id, "metadata": body.get("metadata", {})}
            self._append_turn(self.tenants[tenant], conversation, [*items, *output], tag)
        if body.get("store", True):
            self.own_responses(tenant).append(StoredResponse(response_id, response, items, seen))
        return response

    def _continue(self, tenant: Tenant, body: Mapping[str, Any]) -> tuple[Conversation | None, list[Item], int]:
        """Return the conversation of a request, the items that it continues, and the number of entries."""
        if "conversation" in body:
            named = body["conversation"]
            conversation = self.tenants[tenant].conversations.get(named["id"] if isinstance(named, dict) else named)
            if conversation is None or not conversation.is_live:
                raise Rejection(404, "conversation")
            seen = len(conversation.entries)
            return conversation, self._items_of(tenant, conversation, seen), seen
        if "previous_response_id" in body:
            previous = self._find_response(tenant, body["previous_response_id"])
            if previous is None:
                raise Rejection(404, "previous_response_id")
            return None, self._history_behind(tenant, previous), 0
        return None, [], 0

    def _history_behind(self, tenant: Tenant, response: StoredResponse) -> list[Item]:
        """Return the items that a response has seen, and those that it has added."""
        earlier: list[Item] = []
        if "conversation" in response.json:
            conversation = self.tenants[tenant].conversations[response.json["conversation"]["id"]]
            earlier = self._items_of(tenant, conversation, response.seen)
        elif (previous_id := response.json["previous_response_id"]) is not None:
            previous = self._find_response(tenant, previous_id)
            earlier = [] if previous is None else self._history_behind(tenant, previous)
        items = list(earlier)
        for item in [*response.input, *response.json["output"]]:
            if item["id"] not in [other["id"] for other in items]:
                items.append(item)
        return items

    def _items_of(self, tenant: Tenant, conversation: Conversation, count: int) -> list[Item]:
        """Return the live items among the first entries of a conversation, with references resolved."""
        entries = [entry for entry in conversation.entries[:count] if entry.is_live]
        resolved = [
            self._original(tenant, entry.id) if entry.is_reference else _plain(entry.json) for entry in entries
        ]
        return [item for item in resolved if item is not None]

    def _resolve(self, tenant: Tenant, sent: Sequence[Item]) -> list[Item]:
        items: list[Item] = []
        for index, item in enumerate(sent):
            param, location = f"input[{index}].id", ("body", f"/input/{index}/id")
            known = self._known_item(tenant, item["id"]) if "id" in item else None
            if item_type(item) == "item_reference":
                if known is None:
                    raise Rejection(404, param)
            elif known is not None and _kind(known) != _kind(item):
                raise Rejection(400, param, location)
            if "id" in item and item["id"] in [other.get("id") for other in sent[:index]]:
                raise Rejection(400, param, location)
            items.append(known if known is not None and item_type(item) == "item_reference" else item)
        return items

    def _known_item(self, tenant: Tenant, item_id: str) -> Item | None:
        """Return an item of a conversation, or of the output of a response."""
        live = [response for response in self.own_responses(tenant) if response.is_live]
        outputs = [item for response in live for item in response.json["output"] if item["id"] == item_id]
        return self._original(tenant, item_id) or next(iter(outputs), None)

    def _original(self, tenant: Tenant, item_id: str) -> Item | None:
        for conversation in self.tenants[tenant].conversations.values():
            entry = conversation.find(item_id)
            if entry is not None and not entry.is_reference:
                return _plain(entry.json)
        return None

    def _append_turn(
        self, data: TenantData, conversation: Conversation, items: Sequence[Item], tag: Mapping[str, Any]
    ) -> None:
        for item in items:
            if conversation.find(item["id"]) is not None:
                continue
            if data.has_original(item["id"]):
                item = {"id": item["id"], "type": "item_reference"}
            conversation.entries.append(Entry(item["id"], {**item, **tag}))
        data.updates.append(conversation.id)

    # The other operations

    def retrieve_response(self, tenant: Tenant, response_id: str) -> dict[str, Any]:
        return self._response(tenant, response_id).json

    def update_response(self, tenant: Tenant, response_id: str, metadata: Mapping[str, str]) -> dict[str, Any]:
        response = self._response(tenant, response_id)
        response.json = response.json | {"metadata": metadata}
        return response.json

    def delete_response(self, tenant: Tenant, response_id: str) -> dict[str, Any]:
        self._response(tenant, response_id).is_live = False
        return {"id": response_id, "object": "response", "deleted": True}

    def list_responses(
        self,
        tenant: Tenant,
        *,
        after: str | None = None,
        before: str | None = None,
        limit: int = 20,
        order: str = "desc",
    ) -> dict[str, Any]:
        found = self.own_responses(tenant)[:: 1 if order == "asc" else -1]
        for name, cursor in (("after", after), ("before", before)):
            if cursor is not None and cursor not in [response.id for response in found]:
                raise Rejection(400, name, ("query", f"/{name}"))
        ids = [response.id for response in found]
        found = found[0 if after is None else ids.index(after) + 1 : len(ids) if before is None else ids.index(before)]
        live = [response.json for response in found if response.is_live]
        page = live[-limit:] if after is None and before is not None else live[:limit]
        return _page(page, len(live) > limit)

    def list_input_items(
        self, tenant: Tenant, response_id: str, *, after: str | None = None, limit: int = 20, order: str = "desc"
    ) -> dict[str, Any]:
        items = list(self._response(tenant, response_id).input)[:: 1 if order == "asc" else -1]
        if after is not None:
            ids = [item["id"] for item in items]
            if after not in ids:
                raise Rejection(400, "after", ("query", "/after"))
            items = items[ids.index(after) + 1 :]
        return _page(items[:limit], len(items) > limit)

    def _find_response(self, tenant: Tenant, response_id: str) -> StoredResponse | None:
        own = [response for response in self.own_responses(tenant) if response.is_live]
        return next((response for response in own if response.id == response_id), None)

    def _response(self, tenant: Tenant, response_id: str) -> StoredResponse:
        response = self._find_response(tenant, response_id)
        if response is None:
            raise Rejection(404, "response_id")
        return response


def _check_outputs(history: Sequence[Item], items: Sequence[Item]) -> None:
    wrong = []
    for index, item in enumerate(items):
        if item_type(item) in _OUTPUTS:
            earlier = [other for other in [*history, *items[:index]] if item_type(other) == _OUTPUTS[item_type(item)]]
            if item["call_id"] not in [other["call_id"] for other in earlier]:
                wrong.append(index)
    if wrong:
        rejection = Rejection(400, f"input[{wrong[0]}].call_id")
        rejection.body["findings"] = [{"in": "body", "pointer": f"/input/{index}/call_id"} for index in wrong]
        raise rejection


def _default_text(context: Sequence[Item]) -> str:
    trailing: list[Item] = []
    while len(trailing) < len(context) and context[-1 - len(trailing)]["type"] == "function_call_output":
        trailing.insert(0, context[-1 - len(trailing)])
    if trailing:
        names = {item["call_id"]: item["name"] for item in context if item["type"] == "function_call"}
        return "\n".join(f"{names.get(item['call_id'], 'tool')} said: {item['output']}" for item in trailing)
    said = [item["content"] for item in context if item.get("role") == "user"]
    if not said:
        return "You said nothing."
    return f"You said: {said[-1]}" + (f" Before that: {said[-2]}" if len(said) > 1 else "")


def _response_json(
    response_id: str,
    now: int,
    body: Mapping[str, Any],
    conversation: Conversation | None,
    context: Sequence[Item],
    output: Sequence[Item],
) -> dict[str, Any]:
    return {
        "id": response_id,
        "object": "response",
        "created_at": now,
        "completed_at": now,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "background": body.get("background", False),
        "model": body["model"],
        "resolved_model": body["model"],
        "output": list(output),
        "output_text": "".join(item["content"][0]["text"] for item in output),
        "text": {"format": {"type": "text"}},
        "usage": _usage(_count_words(context) + len(body.get("instructions", "").split()), _count_words(output)),
        "instructions": body.get("instructions"),
        "max_output_tokens": None,
        "max_tool_calls": 64,
        "metadata": body.get("metadata", {}),
        "parallel_tool_calls": True,
        "previous_response_id": body.get("previous_response_id"),
        "service_tier": "auto",
        "store": body.get("store", True),
        "tool_choice": "auto",
        "tools": [],
        "truncation": "auto",
        "user": None,
        **({} if conversation is None else {"conversation": {"id": conversation.id}}),
    }


def _usage(input_tokens: int, output_tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input_tokens + output_tokens,
    }


def _count_words(items: Sequence[Item]) -> int:
    return sum(len(text.split()) for item in items for text in raw_texts(item))


def _message(item_id: str, text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"id": item_id, "type": "message", "role": "assistant", "status": "completed", "content": [part]}


def _page(page: Sequence[Mapping[str, Any]], has_more: bool) -> dict[str, Any]:
    ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {}
    return {"object": "list", "data": list(page), "has_more": has_more, **ends}


def _plain(item: Item) -> Item:
    return {name: value for name, value in item.items() if name not in ("response_id", "metadata")}


def _kind(item: Item) -> tuple[str, str | None]:
    return item_type(item), item.get("role")
