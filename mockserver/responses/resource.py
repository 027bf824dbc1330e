"""The operations on responses."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson

from mockserver.context import Context
from mockserver.contract.endpoint import AsyncResponse, Handler
from mockserver.determinism import Clock
from mockserver.errors import ConversationNotFound
from mockserver.replies.fake_model import FakeModel
from mockserver.replies.output import ModelOutput
from mockserver.resources.id_allocator import IdAllocator
from mockserver.resources.items import ItemFactory
from mockserver.resources.serialisation import list_json
from mockserver.responses.compaction import compact_items
from mockserver.responses.generated_items import fit_output
from mockserver.responses.request import Request, drop_nulls, read_request
from mockserver.responses.response_object import count_usage, new_response
from mockserver.responses.run import ResponseRun
from mockserver.responses.stream import respond
from mockserver.responses.turns import Turn, TurnBuilder
from mockserver.store.memory import MemoryStore
from mockserver.store.paging import Paging
from mockserver.store.stored_responses import ResponsePaging, StoredResponse, page_of_items


class ResponsesResource:
    """The handlers of responses.

    `defaults` holds the defaults of the fields of a request that creates a response.
    """

    def __init__(
        self,
        store: MemoryStore,
        item_factory: ItemFactory,
        id_allocator: IdAllocator,
        clock: Clock,
        model: FakeModel,
        defaults: Mapping[str, Any],
    ) -> None:
        self._store = store
        self._item_factory = item_factory
        self._id_allocator = id_allocator
        self._clock = clock
        self._model = model
        self._defaults = defaults
        self._turns = TurnBuilder(store, item_factory)

    def handlers(self) -> dict[str, Handler]:
        return {
            "createResponse": self.create,
            "getResponse": self.retrieve,
            "listResponses": self.list,
            "updateResponse": self.update,
            "deleteResponse": self.delete,
            "cancelResponse": self.cancel,
            "wakeResponse": self.wake,
            "listInputItems": self.list_input_items,
            "compactResponse": self.compact,
        }

    def create(self, context: Context) -> bytes | AsyncResponse:
        request = read_request(context.body, self._defaults)
        turn = self._turns.build(context.caller, request, context.key)
        is_used = partial(self._store.has_item, context.caller)
        output = fit_output(self._model.respond(context, turn.prompt), request, is_used)
        run = self._start(context, request, turn, output)
        has_pauses = bool(output.delay or output.delta_delay)
        return respond(run, context, stream=request["stream"], has_pauses=has_pauses)

    def retrieve(self, context: Context) -> bytes:
        return self._find(context).data

    def list(self, context: Context) -> bytes:
        query = context.query
        page = self._store.responses(context.caller).page(
            ResponsePaging(query.get("after"), query.get("before"), query["limit"], query["order"])
        )
        ids = [response.id for response in page.data]
        return list_json((response.data for response in page.data), page.has_more, ids)

    def update(self, context: Context) -> bytes:
        response = self._find(context)
        response.update_metadata(context.body["metadata"])
        return response.data

    def delete(self, context: Context) -> bytes:
        response = self._store.responses(context.caller).remove(context.path["response_id"])
        return orjson.dumps({"id": response.id, "object": "response", "deleted": True})

    def cancel(self, context: Context) -> bytes:
        raise NotImplementedError

    def wake(self, context: Context) -> bytes:
        raise NotImplementedError

    def list_input_items(self, context: Context) -> bytes:
        query = context.query
        paging = Paging(query.get("after"), query["limit"], query.get("order", "desc"))
        page = page_of_items(self._find(context).input, paging)
        return list_json((item.data for item in page.data), page.has_more, [item.id for item in page.data])

    def compact(self, context: Context) -> bytes:
        tenant = context.caller
        turn = self._turns.build(tenant, drop_nulls(context.body), context.key)
        item = compact_items(self._id_allocator.new_item_id(tenant, "compaction"), turn.prompt.items)
        compacted = {
            "id": self._id_allocator.new_response_id(tenant),
            "object": "response.compaction",
            "created_at": self._now(context),
            "output": [item],
            "usage": count_usage(turn.prompt.input_words, [item], {}),
        }
        return orjson.dumps(compacted)

    def _find(self, context: Context) -> StoredResponse:
        return self._store.responses(context.caller).get(context.path["response_id"])

    def _start(self, context: Context, request: Request, turn: Turn, output: ModelOutput) -> ResponseRun:
        """Return the run of a new response, which is stored when it ends."""
        tenant = context.caller
        response = new_response(self._id_allocator.new_response_id(tenant), self._now(context), request)
        return ResponseRun(
            response,
            output,
            new_item_id=partial(self._id_allocator.new_item_id, tenant),
            count_usage=partial(count_usage, turn.prompt.input_words, planned=output.usage),
            commit=partial(self._commit, context, turn),
            now=partial(self._now, context),
            has_deltas=request["stream"] or request.get("stream_events", False),
        )

    def _commit(self, context: Context, turn: Turn, run: ResponseRun) -> None:
        """Store what a run has made, or fail its response if that is not possible any more."""
        tenant, response = context.caller, run.response
        conversation_id = turn.origin.conversation_id
        if conversation_id is not None and response["status"] in ("completed", "incomplete"):
            items = [*turn.input, *self._item_factory.create_items(tenant, response["output"])]
            tagged = [item._replace(response_id=response["id"], metadata=response["metadata"]) for item in items]
            try:
                self._store.append_turn(tenant, conversation_id, tagged)
            except ConversationNotFound as error:
                response |= {
                    "status": "failed",
                    "error": {"code": "conversation_not_found", "message": error.message},
                    "completed_at": None,
                    "incomplete_details": None,
                }
        if response["store"]:
            stored = StoredResponse(response["id"], b"%b" % orjson.dumps(response), turn.input, turn.origin)
            self._store.add_response(tenant, stored)
            self._store.responses(tenant).index_output(stored)

    def _now(self, context: Context) -> int:
        return int(self._clock.now(context.caller.account))
