"""Turns of the model: the items that a response continues, and those that its request adds."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import orjson

from mockserver.context import Tenant
from mockserver.errors import ConversationNotFound, InvalidRequest, ItemIdInUse, ItemNotFound, ResponseNotFound
from mockserver.findings import MAX_FINDINGS, Finding, describe, json_pointer
from mockserver.replies.prompt import Prompt
from mockserver.resources.items import ItemFactory
from mockserver.responses.request import Request, conversation_id_of, list_input
from mockserver.store.memory import MemoryStore
from mockserver.store.records import REFERENCE, Item, item_type
from mockserver.store.stored_responses import Origin, StoredResponse

Body = Mapping[str, Any]


class _Answer(NamedTuple):
    """How an output names the call that it answers: its `field` is one of the call's `call_fields`."""

    call: str
    field: str = "call_id"
    call_fields: tuple[str, ...] = ("call_id",)


_ANSWERS: Mapping[str, _Answer] = {
    "function_call_output": _Answer("function_call"),
    "custom_tool_call_output": _Answer("custom_tool_call"),
    "computer_call_output": _Answer("computer_call"),
    "shell_call_output": _Answer("shell_call"),
    "local_shell_call_output": _Answer("local_shell_call", "id", ("call_id", "id")),
    "mcp_approval_response": _Answer("mcp_approval_request", "approval_request_id", ("id",)),
}
_CALL_FIELDS = {answer.call: answer.call_fields for answer in _ANSWERS.values()}


class Turn(NamedTuple):
    """A turn of the model; `input` has the items of the request, with ids and with references resolved."""

    prompt: Prompt
    input: Sequence[Item]
    origin: Origin


class TurnBuilder:
    """Builds turns from requests and what the store has."""

    def __init__(self, store: MemoryStore, item_factory: ItemFactory) -> None:
        self._store = store
        self._item_factory = item_factory

    def build(self, tenant: Tenant, request: Request, key: str) -> Turn:
        """Return the turn of a request.

        Raises:
            NotFound: the request names an unknown conversation, response or item.
            InvalidRequest: an item of the input cannot follow the others.
        """
        origin = self._find_origin(tenant, request)
        history = self._history(tenant, origin)
        bodies = self._resolve_input(tenant, list_input(request))
        _check_outputs([*history, *bodies], len(history))
        items = self._item_factory.create_items(tenant, bodies)
        context = _distinct([*history, *(orjson.loads(item.data) for item in items)])
        prompt = Prompt(request, context, key, origin.conversation_id)
        return Turn(prompt, items, origin)

    def _find_origin(self, tenant: Tenant, request: Request) -> Origin:
        if (conversation_id := conversation_id_of(request)) is not None:
            try:
                position = self._store.next_position(tenant, conversation_id)
            except ConversationNotFound as error:
                raise ConversationNotFound(conversation_id, param="conversation") from error
            return Origin(conversation_id=conversation_id, position=position)
        previous_id = request.get("previous_response_id")
        if previous_id is not None:
            previous = self._store.responses(tenant).find(previous_id)
            if previous is None:
                raise ResponseNotFound(previous_id, param="previous_response_id")
            if previous.run is not None:
                message = f"the response {describe(previous_id)} has not ended"
                finding = Finding("request", "body", "/previous_response_id", "response_not_ended", message)
                raise InvalidRequest([finding])
        return Origin(previous_response_id=previous_id)

    def _history(self, tenant: Tenant, origin: Origin) -> list[Body]:
        """Return the items that a response continues, the oldest first."""
        chain: list[StoredResponse] = []
        while origin.previous_response_id is not None:
            previous = self._store.responses(tenant).find(origin.previous_response_id)
            if previous is None:
                break  # A deleted response takes along what came before it.
            chain.append(previous)
            origin = previous.origin
        items: list[Body] = []
        if origin.conversation_id is not None:
            stored = self._store.items_before(tenant, origin.conversation_id, origin.position)
            items += [orjson.loads(item.data) for item in stored]
        for response in reversed(chain):
            items += [orjson.loads(item.data) for item in response.input]
            items += response.body["output"]
        return items

    def _resolve_input(self, tenant: Tenant, sent: Sequence[Body]) -> list[Body]:
        """Return the items of an input, with references replaced by the items that they name."""
        seen: set[str] = set()
        bodies: list[Body] = []
        for index, item in enumerate(sent):
            item_id = item.get("id")
            known = None if item_id is None else self._find_item(tenant, item_id)
            if item_type(item) == REFERENCE:
                if known is None:
                    raise ItemNotFound(item["id"], param=f"input[{index}].id")
                body = known
            else:
                body = item
                if known is not None and _kind_of(known) != _kind_of(item):
                    raise ItemIdInUse(item["id"], index, "input")
            if item_id is not None and item_id in seen:
                raise ItemIdInUse(item_id, index, "input")
            if item_id is not None:
                seen.add(item_id)
            bodies.append(body)
        return bodies

    def _find_item(self, tenant: Tenant, item_id: str) -> Body | None:
        """Return the item with this id, of a conversation or of the output of a response."""
        original = self._store.original(tenant, item_id)
        if original is None:
            return self._store.responses(tenant).output_item(item_id)
        body: Body = orjson.loads(original.data)
        return body


def _check_outputs(items: Sequence[Body], start: int) -> None:
    """Check that each output from `start` on follows the call that it answers.

    Raises:
        InvalidRequest: nothing has made the call.
    """
    if findings := list(islice(_find_outputs_without_call(items, start), MAX_FINDINGS)):
        raise InvalidRequest(findings)


def _find_outputs_without_call(items: Sequence[Body], start: int) -> Iterator[Finding]:
    calls: set[tuple[str, str | None]] = set()
    for index, item in enumerate(items):
        kind = item_type(item)
        if (answer := _ANSWERS.get(kind)) and index >= start and (answer.call, item[answer.field]) not in calls:
            message = f"answers no {answer.call} before it: {describe(item[answer.field])}"
            pointer = json_pointer(["input", index - start, answer.field])
            yield Finding("request", "body", pointer, "unknown_call", message)
        calls.update((kind, item.get(field)) for field in _CALL_FIELDS.get(kind, ()))


def _distinct(items: Iterable[Body]) -> list[Body]:
    """Return the items without those whose id an earlier one has."""
    distinct: dict[str, Body] = {}
    for item in items:
        distinct.setdefault(item["id"], item)
    return list(distinct.values())


def _kind_of(item: Body) -> tuple[str, str | None]:
    return item_type(item), item.get("role")
