"""The operations on responses."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson

from mockserver.context import Context, Tenant
from mockserver.contract.endpoint import AsyncResponse, Handler
from mockserver.determinism import Clock
from mockserver.errors import ConversationNotFound, NotCancellable, NotSleeping
from mockserver.replies.fake_model import FakeModel
from mockserver.replies.output import ModelOutput
from mockserver.resources.id_allocator import IdAllocator
from mockserver.resources.items import ItemFactory
from mockserver.resources.serialisation import list_json
from mockserver.responses.background import Background
from mockserver.responses.compaction import compact_items
from mockserver.responses.events import Event
from mockserver.responses.followed_stream import FollowedStream
from mockserver.responses.generated_items import fit_output
from mockserver.responses.request import Request, drop_nulls, read_request
from mockserver.responses.response_object import count_usage, new_response
from mockserver.responses.run import ResponseRun
from mockserver.responses.stream import respond, with_fault
from mockserver.responses.turns import Turn, TurnBuilder
from mockserver.responses.webhooks import Webhook
from mockserver.store.memory import MemoryStore
from mockserver.store.paging import Paging
from mockserver.store.stored_responses import ResponsePaging, StoredResponse, page_of_items


class ResponsesResource:
    """The handlers of responses.

    `defaults` holds the defaults of the fields of a request that creates a response. `conforms` says whether an event
    conforms to the document.
    """

    def __init__(
        self,
        store: MemoryStore,
        item_factory: ItemFactory,
        id_allocator: IdAllocator,
        clock: Clock,
        model: FakeModel,
        background: Background,
        defaults: Mapping[str, Any],
        conforms: Callable[[Event], bool],
    ) -> None:
        self._store = store
        self._item_factory = item_factory
        self._id_allocator = id_allocator
        self._clock = clock
        self._model = model
        self._background = background
        self._defaults = defaults
        self._conforms = conforms
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
        turn = self._build_turn(context, request)
        is_used = partial(self._store.has_item, context.caller)
        output = fit_output(self._model.respond(context, turn.prompt), request, is_used)
        if request["background"]:
            return self._start_in_background(context, request, turn, output)
        run = self._start(context, request, turn, output)
        has_pauses = bool(output.delay or output.delta_delay)
        return respond(run, context, stream=request["stream"], has_pauses=has_pauses, fault=output.fault)

    def retrieve(self, context: Context) -> bytes | AsyncResponse:
        query = context.query
        stored = self._store.responses(context.caller).get(context.path["response_id"])
        if query.get("stream"):
            return FollowedStream(self._background, stored, query.get("starting_after"))
        self._background.settle([stored])
        return stored.data

    def list(self, context: Context) -> bytes:
        query = context.query
        self._background.settle_tenant(context.caller)
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
        stored = self._store.responses(context.caller).get(context.path["response_id"])
        self._background.delete(stored)
        response = self._store.responses(context.caller).remove(stored.id)
        return orjson.dumps({"id": response.id, "object": "response", "deleted": True})

    def cancel(self, context: Context) -> bytes:
        stored = self._store.responses(context.caller).get(context.path["response_id"])
        if not self._background.cancel(stored):
            response = stored.body
            if not response["background"]:
                raise NotCancellable("cannot be cancelled, because it is not in the background")
            raise NotCancellable(f"cannot be cancelled, because it is {response['status']} already")
        return stored.data

    def wake(self, context: Context) -> bytes:
        stored = self._store.responses(context.caller).get(context.path["response_id"])
        if not self._background.wake(stored, context.body["input"]):
            raise NotSleeping(stored.id)
        created_at = datetime.fromtimestamp(self._clock.now(context.caller.account), UTC)
        return orjson.dumps({"object": "response.sleep_wake", "response_id": stored.id, "created_at": created_at})

    def list_input_items(self, context: Context) -> bytes:
        query = context.query
        paging = Paging(query.get("after"), query["limit"], query.get("order", "desc"))
        page = page_of_items(self._find(context).input, paging)
        return list_json((item.data for item in page.data), page.has_more, [item.id for item in page.data])

    def compact(self, context: Context) -> bytes:
        tenant = context.caller
        turn = self._build_turn(context, drop_nulls(context.body))
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
        stored = self._store.responses(context.caller).get(context.path["response_id"])
        self._background.settle([stored])
        return stored

    def _build_turn(self, context: Context, request: Request) -> Turn:
        if "conversation" in request or "previous_response_id" in request:
            self._background.settle_tenant(context.caller)  # The turn may continue responses in the background.
        return self._turns.build(context.caller, request, context.key)

    def _start(self, context: Context, request: Request, turn: Turn, output: ModelOutput) -> ResponseRun:
        """Return the run of a new response, which is stored when it ends."""
        response = self._new_response(context, request)
        commit, now = partial(self._commit, context.caller, turn), partial(self._now, context)
        return self._create_run(context.caller, request, turn, output, response, commit=commit, now=now)

    def _new_response(self, context: Context, request: Request) -> dict[str, Any]:
        return new_response(self._id_allocator.new_response_id(context.caller), self._now(context), request)

    def _create_run(
        self,
        tenant: Tenant,
        request: Request,
        turn: Turn,
        output: ModelOutput,
        response: dict[str, Any],
        *,
        commit: Callable[[ResponseRun], None],
        now: Callable[[], int],
        keeps_events: bool = False,
    ) -> ResponseRun:
        return ResponseRun(
            response,
            output,
            new_item_id=partial(self._id_allocator.new_item_id, tenant),
            count_usage=partial(count_usage, turn.prompt.input_words, planned=output.usage),
            commit=commit,
            now=now,
            conforms=self._conforms,
            has_deltas=request["stream"] or request.get("stream_events", False),
            keeps_events=keeps_events,
        )

    def _start_in_background(
        self, context: Context, request: Request, turn: Turn, output: ModelOutput
    ) -> bytes | AsyncResponse:
        """Store a new response, which is queued, and start its run."""
        tenant = context.caller
        response = self._new_response(context, request)
        stored = StoredResponse(response["id"], b"", turn.input, turn.origin)
        commit = partial(self._commit_in_background, tenant, turn, stored)

        def create_run(now: Callable[[], int]) -> ResponseRun:
            return self._create_run(tenant, request, turn, output, response, commit=commit, now=now, keeps_events=True)

        webhook = None
        if "webhook_url" in request and context.past is None:
            secret = request.get("webhook_secret")
            webhook = Webhook(request["webhook_url"], secret, stored.id, tenant, context.key)
        has_pauses = bool(output.queued or output.delay or output.delta_delay or output.sleep is not None)
        self._store.add_response(tenant, stored)
        self._background.start(tenant, stored, create_run, has_pauses=has_pauses, webhook=webhook)
        if context.past is not None:  # The state was reset meanwhile, which ends what is running.
            self._background.cancel(stored)
        if request["stream"]:
            return with_fault(FollowedStream(self._background, stored, -1), output.fault)
        return stored.data

    def _commit(self, tenant: Tenant, turn: Turn, run: ResponseRun) -> None:
        """Store what a run has made, or fail its response if that is not possible any more."""
        response = run.response
        self._append_to_conversation(tenant, turn, response)
        if response["store"]:
            stored = StoredResponse(response["id"], b"%b" % orjson.dumps(response), turn.input, turn.origin)
            self._store.add_response(tenant, stored)
            self._store.responses(tenant).index_output(stored)

    def _commit_in_background(self, tenant: Tenant, turn: Turn, stored: StoredResponse, run: ResponseRun) -> None:
        """Do the same as `_commit` for a response that is stored already."""
        self._append_to_conversation(tenant, turn, run.response)
        stored.end()
        self._store.responses(tenant).index_output(stored)

    def _append_to_conversation(self, tenant: Tenant, turn: Turn, response: dict[str, Any]) -> None:
        conversation_id = turn.origin.conversation_id
        if conversation_id is None or response["status"] not in ("completed", "incomplete"):
            return
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

    def _now(self, context: Context) -> int:
        return int(self._clock.now(context.caller.account))
