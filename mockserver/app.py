"""The whole fake as one ordered list of layers."""

from collections.abc import Awaitable
from functools import cached_property, partial

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from mockserver.asgi import wrap_in_layers
from mockserver.contract.contract import Contract, control_contract
from mockserver.contract.endpoint import Endpoint, Handler
from mockserver.contract.event_order import event_order
from mockserver.contract.event_streams import is_valid_event
from mockserver.contract.guard import RequestGuard, ResponseGuard
from mockserver.contract.responses import event_schema
from mockserver.contract.schemas import Schema
from mockserver.determinism import Clock, IdSource
from mockserver.gateway.auth import Auth
from mockserver.gateway.faults.header import FaultHeader
from mockserver.gateway.faults.layer import FaultLayer
from mockserver.gateway.identity import Identity
from mockserver.gateway.journal_writer import JournalWriter
from mockserver.gateway.message_errors import MessageErrors
from mockserver.gateway.rate_limit import RateLimit
from mockserver.gateway.token_exchange import TokenExchange
from mockserver.replies.fake_model import FakeModel
from mockserver.replies.header import ReplyHeader
from mockserver.resources.conversations import ConversationsResource
from mockserver.resources.items import ItemsResource
from mockserver.responses.resource import ResponsesResource
from mockserver.settings import API_PATH, AUTHENTICATION_PATH, MAX_VALUES, Settings
from mockserver.state import State
from mockserver.store.memory import MemoryStore

_API_PREFIX = API_PATH + "/"
_AUTHENTICATION_PREFIX = AUTHENTICATION_PATH + "/"


def create_app(
    settings: Settings | None = None,
    *,
    clock: Clock | None = None,
    ids: IdSource | None = None,
    store: MemoryStore | None = None,
) -> "Fake":
    """Create a fake with a state of its own, as an ASGI application.

    Raises:
        UsageError: a seed cannot be used, or the engine is not installed.
        DocumentError: the OpenAPI document cannot be used.
    """
    return Fake(Contract.load(), settings or Settings(), clock=clock, ids=ids, store=store)


class Fake:
    """The fake as an ASGI application; `state` holds everything that it remembers.

    A fake is cheap to create, because everything that takes time to compile belongs to the contract.
    """

    def __init__(
        self,
        contract: Contract,
        settings: Settings,
        *,
        clock: Clock | None = None,
        ids: IdSource | None = None,
        store: MemoryStore | None = None,
    ) -> None:
        self.contract = contract
        self.state = State(settings, contract, clock=clock, ids=ids, store=store)
        self._api, self._authentication = self._build_apis()
        self._app = self._allow_origins(self._dispatch)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass requests of the API directly to its layers: with a router, they would take a tenth longer."""
        if scope["type"] == "http" and scope["path"].startswith(_API_PREFIX):
            return self._api(scope, receive, send)
        if scope["type"] == "http" and scope["path"].startswith(_AUTHENTICATION_PREFIX):
            return self._authentication(scope, receive, send)
        return self._router(scope, receive, send)

    def _build_apis(self) -> tuple[ASGIApp, ASGIApp]:
        """Build the API, and the same with the errors of the authentication service.

        A request passes the layers from the first to the last, the response in reverse.
        """
        state, settings, operations = self.state, self.state.settings, self.contract.operations
        engine = self.contract.engine(settings.engine)
        conversations = ConversationsResource(state.store, state.item_factory, state.id_allocator, state.clock)
        items = ItemsResource(state.store, state.item_factory)
        rate_limit = [Middleware(RateLimit, state.rate_counters)] if state.rate_counters else []
        has_fault_header = settings.control and settings.fault_header
        fault_header = FaultHeader(_fault_schema, settings.control_token) if has_fault_header else None
        outer_layers = [
            Middleware(JournalWriter, state.journal, state.clock, state.open_requests, self.contract.secret_fields),
            Middleware(
                ResponseGuard,
                operations,
                engine=engine,
                base_paths=(API_PATH, AUTHENTICATION_PATH),
                load_order=event_order,
            ),
        ]
        message_errors = Middleware(MessageErrors, operations)  # Only for the paths of the authentication service.
        layers = [
            Middleware(Auth, settings.accounts(), state.tokens),
            Middleware(Identity, settings.identity_mode),
            *rate_limit,
            Middleware(
                RequestGuard,
                operations,
                engine=engine,
                unknown_fields=settings.unknown_fields,
                max_body=settings.max_body,
                max_values=MAX_VALUES,
            ),
            Middleware(FaultLayer, state.faults, fault_header),
        ]
        handlers: dict[str, Handler] = {
            **conversations.handlers(),
            **items.handlers(),
            **self._build_responses().handlers(),
            **TokenExchange(state.tokens).handlers(),
        }
        api = wrap_in_layers(Endpoint(handlers, operations), layers)
        return wrap_in_layers(api, outer_layers), wrap_in_layers(api, [*outer_layers, message_errors])

    def _build_responses(self) -> ResponsesResource:
        state = self.state
        has_header = state.settings.control and state.settings.fault_header
        header = ReplyHeader(state.reply_validator, state.settings.control_token) if has_header else None
        model = FakeModel(state.replies, state.id_allocator.new_id, header)
        return ResponsesResource(
            state.store,
            state.item_factory,
            state.id_allocator,
            state.clock,
            model,
            state.background,
            state.response_defaults,
            partial(is_valid_event, event_schema(self.contract.operations["createResponse"], 200)),
        )

    @cached_property
    def _router(self) -> ASGIApp:
        from mockserver.routes import build_router  # Starlette's routing would make each start slower by a tenth.

        return build_router(self.contract, self.state, self._api)

    def _allow_origins(self, app: ASGIApp) -> ASGIApp:
        if not self.state.settings.cors_origins:
            return app
        from starlette.middleware.cors import CORSMiddleware  # Takes as long to import as Starlette's routing.

        origins = self.state.settings.cors_origins
        return CORSMiddleware(app, allow_origins=origins, allow_methods=["*"], allow_headers=["*"])


def _fault_schema() -> Schema:
    return control_contract().schemas.at("/components/schemas/Fault")
