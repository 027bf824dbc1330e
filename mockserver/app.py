"""The whole fake: every layer, in one ordered list."""

from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from importlib import import_module
from typing import Any

import orjson
import yaml
from starlette.types import ASGIApp, Receive, Scope, Send

from mockserver.asgi import send_error, send_response
from mockserver.context import CONTEXT, Context
from mockserver.contract.contract import Contract
from mockserver.contract.document import DocumentError, data_path
from mockserver.contract.guard import RequestGuard, ResponseGuard
from mockserver.contract.operations import Operations
from mockserver.contract.schemas import Schema
from mockserver.control import Control, ControlToken
from mockserver.determinism import Clock, IdSource
from mockserver.errors import ApiError, MethodNotAllowed
from mockserver.gateway.auth import Auth
from mockserver.gateway.faults.layer import FaultLayer
from mockserver.gateway.identity import Identity
from mockserver.gateway.journal_writer import JournalWriter
from mockserver.gateway.rate_limit import RateLimit
from mockserver.resources.conversations import ConversationsResource
from mockserver.resources.items import ItemsResource
from mockserver.settings import Settings
from mockserver.state import State
from mockserver.store.protocol import Store

Handler = Callable[[Context], bytes]

CONTROL_PATH = "/_mock"
_CONTROL_PATHS = CONTROL_PATH + "/"


def create_app(
    settings: Settings | None = None,
    *,
    clock: Clock | None = None,
    ids: IdSource | None = None,
    store: Store | None = None,
) -> "Fake":
    """A fake with a state of its own, as an ASGI application.

    Raises:
        UsageError: a seed cannot be used.
        DocumentError: the API's document cannot be used.
    """
    return Fake(settings or Settings(), clock, ids, store)


class Fake:
    """The fake as an ASGI application; `state` is all that it remembers."""

    def __init__(self, settings: Settings, clock: Clock | None, ids: IdSource | None, store: Store | None) -> None:
        self.contract = Contract.load()
        self.document = self.contract.document
        self.operations = self.contract.operations
        self._use(State(settings, self.contract.id_prefixes, clock=clock, ids=ids, store=store))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _not_http(scope, receive, send)
        elif scope["path"].startswith(_CONTROL_PATHS) and self.state.settings.control:
            await self._control(scope, receive, send)
        else:
            await self._api(scope, receive, send)

    def renew(self, settings: Settings) -> None:
        """Begin anew with other settings, faster than making another fake."""
        self._use(State(settings, self.contract.id_prefixes))

    def _use(self, state: State) -> None:
        self.state = state
        self._api = self._api_layers()
        self.__dict__.pop("_control", None)

    def _api_layers(self) -> ASGIApp:
        """The way of a request of the API, from the last layer that it reaches to the first.

        A layer that has nothing more to do once it has passed a request on is a plain function that returns what is
        to be awaited.
        """
        state, operations, settings = self.state, self.operations, self.state.settings
        engine = self.contract.engine(settings.engine)
        conversations = ConversationsResource(state.store, state.item_factory, state.id_allocator, state.clock)
        items = ItemsResource(state.store, state.item_factory)
        app: ASGIApp = Endpoint(conversations.handlers() | items.handlers(), operations)
        app = FaultLayer(app, state.faults, self._fault_schema)
        app = RequestGuard(
            app, operations, engine=engine, unknown_fields=settings.unknown_fields, max_body=settings.max_body
        )
        if state.rate_counters:
            app = RateLimit(app, state.rate_counters, state.clock)
        app = Identity(app, settings.identity_mode)
        app = Auth(app, settings.accounts())
        app = ResponseGuard(app, operations, engine=engine)
        app = JournalWriter(app, state.journal, state.clock)
        app = DocumentRoutes(app, "", self.document)
        return self._with_cors(app)

    @cached_property
    def _control(self) -> ASGIApp:
        """The way of a control request, made when the first one comes."""
        document, operations = self._control_contract.document, self._control_contract.operations
        app: ASGIApp = Endpoint(
            Control(self.state, list(self.operations), self.contract.item_types).handlers(), operations
        )
        app = RequestGuard(app, operations, unknown_fields="reject", max_body=_LARGEST_SNAPSHOT)
        app = ControlToken(app, self.state.settings.control_token)
        app = ResponseGuard(app, operations)
        app = DocumentRoutes(app, CONTROL_PATH, document)
        return self._with_cors(app)

    @cached_property
    def _control_contract(self) -> Contract:
        return Contract.load(data_path("spec/control.yaml"))

    def _fault_schema(self) -> Schema:
        return self._control_contract.schemas.at("/components/schemas/Fault")

    def _with_cors(self, app: ASGIApp) -> ASGIApp:
        origins = self.state.settings.cors_origins
        if not origins:
            return app
        cors = import_module("starlette.middleware.cors")  # Only on demand: it brings half of Starlette with it.
        layer: ASGIApp = cors.CORSMiddleware(app, allow_origins=origins, allow_methods=["*"], allow_headers=["*"])
        return layer


async def _not_http(scope: Scope, receive: Receive, send: Send) -> None:
    """Have no part in what is not HTTP: nothing to start or to end, and no WebSockets."""
    while (message := await receive())["type"] != "websocket.connect":
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
    await send({"type": "websocket.close"})


_LARGEST_SNAPSHOT = 1024 * 1024 * 1024


class Endpoint:
    """Calls the handler of the operation.

    Raises:
        DocumentError: an operation has no handler, or a handler no operation.
    """

    def __init__(self, handlers: Mapping[str, Handler], operations: Operations) -> None:
        if unmatched := set(handlers) ^ set(operations):
            raise DocumentError(f"without handler or without operation: {', '.join(sorted(unmatched))}")
        self._handlers = handlers

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        context: Context = scope[CONTEXT]
        try:
            content = self._handlers[context.operation_id](context)
        except ApiError as error:
            return send_error(send, error)
        return send_response(send, 200, content)


class DocumentRoutes:
    """A document, at `openapi.json` and `openapi.yaml` under a path."""

    def __init__(self, app: ASGIApp, path: str, document: dict[str, Any]) -> None:
        self._app = app
        self._document = document
        self._paths = (f"{path}/openapi.json", f"{path}/openapi.yaml")

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["path"] not in self._paths:
            return self._app(scope, receive, send)
        if scope["method"] not in ("GET", "HEAD"):
            return send_error(send, MethodNotAllowed(scope["method"], scope["path"], ["GET", "HEAD"]))
        if scope["path"].endswith(".json"):
            return send_response(send, 200, self._json)
        return send_response(send, 200, self._yaml, media_type=b"application/yaml")

    @cached_property
    def _json(self) -> bytes:
        return as_json(self._document)

    @cached_property
    def _yaml(self) -> bytes:
        return as_yaml(self._document)


def as_json(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def as_yaml(document: dict[str, Any]) -> bytes:
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text.encode()


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    def ignore_aliases(self, data: Any) -> bool:
        """Write out a node that occurs twice, for readers and tools that do not expect anchors."""
        return True
