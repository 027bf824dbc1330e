"""The responses of seeds and snapshots."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import orjson

from mockserver.context import Tenant
from mockserver.determinism import Clock
from mockserver.errors import InvalidRequest
from mockserver.replies.items import complete_items
from mockserver.replies.prompt import Prompt
from mockserver.resources.id_allocator import IdAllocator
from mockserver.resources.items import ItemFactory
from mockserver.resources.seed_section import InvalidValue, check_id, list_ids, owner_fields, whole_second
from mockserver.responses.request import conversation_id_of, list_input, read_request
from mockserver.responses.response_object import count_usage, echoed_request, new_response, output_text
from mockserver.store.memory import MemoryStore
from mockserver.store.records import REFERENCE, item_type
from mockserver.store.stored_responses import Origin, StoredResponse

_RESULT = ("id", "output", "status", "error", "incomplete_details", "usage", "created_at", "completed_at")


class ResponseSeeds:
    """The section of a seed that holds responses. `defaults` are those of the fields of their requests."""

    def __init__(
        self,
        store: MemoryStore,
        item_factory: ItemFactory,
        id_allocator: IdAllocator,
        clock: Clock,
        defaults: Mapping[str, Any],
    ) -> None:
        self._store = store
        self._item_factory = item_factory
        self._id_allocator = id_allocator
        self._clock = clock
        self._defaults = defaults

    def check(self, data: Mapping[str, Any]) -> None:
        """Raise InvalidValue if the request breaks a rule, or if items are named only."""
        try:
            read_request(data["request"], self._defaults)
        except InvalidRequest as error:
            finding = error.findings[0]
            raise InvalidValue("/request" + finding.pointer, finding.message) from error
        for place, items in (("/request/input", list_input(data["request"])), ("/output", data.get("output", ()))):
            for index, item in enumerate(items):
                if item_type(item) == REFERENCE:
                    raise InvalidValue(f"{place}/{index}", "must be the item itself, not a reference to it")

    def ids(self, data: Mapping[str, Any]) -> Iterable[str]:
        """Return the ids that a response and its items have chosen."""
        return list_ids([data, *list_input(data["request"]), *data.get("output", ())])

    def add(self, tenant: Tenant, data: Mapping[str, Any]) -> str:
        """Add one response and return its id."""
        request = read_request(data["request"], self._defaults)
        response_id = data.get("id") or self._id_allocator.new_response_id(tenant)
        check_id(response_id, is_used=self._store.has_response(tenant, response_id))
        created_at = whole_second(data.get("created_at", self._clock.now(tenant.account)), "/created_at")
        items = self._item_factory.create_items(tenant, list_input(request))
        new_id = partial(self._id_allocator.new_id, tenant=tenant)
        output = self._item_factory.create_items(tenant, complete_items(data.get("output", ()), new_id))
        for index, item in enumerate(output):
            if self._store.responses(tenant).has_output_item(item.id):
                raise InvalidValue(f"/output/{index}/id", "is the id of an item of another response")
        status = data.get("status", "completed")
        completed_at = data.get("completed_at", created_at if status == "completed" else None)
        bodies = [orjson.loads(item.data) for item in output]
        body = new_response(response_id, created_at, request) | {
            "status": status,
            "completed_at": None if completed_at is None else whole_second(completed_at, "/completed_at"),
            "error": data.get("error"),
            "incomplete_details": data.get("incomplete_details"),
            "output": bodies,
            "output_text": output_text(bodies),
            "usage": data.get("usage") or _count_usage(request, [orjson.loads(item.data) for item in items], bodies),
        }
        stored = StoredResponse(
            response_id, orjson.dumps(body), items, self._origin(tenant, response_id, request, data)
        )
        self._store.add_response(tenant, stored)
        self._store.responses(tenant).index_output(stored)
        return response_id

    def erase(self, tenant: Tenant, response_id: str) -> None:
        """Remove a response without a trace."""
        self._store.responses(tenant).erase(response_id)

    def snapshot(self, account: str | None) -> Iterator[dict[str, Any]]:
        """Return the responses of one account, or of all, that have ended."""
        for tenant, response in self._store.all_responses(account):
            if response.run is not None:
                continue
            body = response.body
            data = {**{name: body[name] for name in _RESULT}, **owner_fields(tenant)}
            items = [orjson.loads(item.data) for item in response.input]
            data["request"] = echoed_request(body) | {"input": items}
            conversation_id, position = response.origin.conversation_id, response.origin.position
            if conversation_id is not None:
                data["conversation_items"] = self._store.count_items_before(tenant, conversation_id, position)
            yield data

    def _origin(self, tenant: Tenant, response_id: str, request: Mapping[str, Any], data: Mapping[str, Any]) -> Origin:
        conversation_id = conversation_id_of(request)
        if conversation_id is None:
            return Origin(previous_response_id=request.get("previous_response_id"))
        position = self._store.position_of_turn(tenant, conversation_id, response_id, data.get("conversation_items"))
        return Origin(conversation_id=conversation_id, position=position)


def _count_usage(
    request: Mapping[str, Any], items: list[Mapping[str, Any]], output: list[Mapping[str, Any]]
) -> dict[str, Any]:
    return count_usage(Prompt(request, items).input_words, output, {})
