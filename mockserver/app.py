"""The whole fake: every layer, in one ordered list."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import orjson
import yaml
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mockserver.asgi import send_error, send_json
from mockserver.context import Context, context_of
from mockserver.contract.document import DocumentError, load_document
from mockserver.contract.guard import RequestGuard, ResponseGuard
from mockserver.contract.operations import Operations
from mockserver.determinism import Clock, IdSource, RandomIds, SequentialIds, SystemClock
from mockserver.errors import ApiError, MethodNotAllowed
from mockserver.gateway.auth import Auth, account_of
from mockserver.gateway.identity import Identity
from mockserver.gateway.rate_limit import RateLimit
from mockserver.resources.conversations import ConversationsResource
from mockserver.resources.items import ItemMaker, ItemsResource, id_prefixes
from mockserver.resources.seeds import Seeder
from mockserver.settings import DEFAULT_API_KEY, Settings
from mockserver.store.base import Store
from mockserver.store.memory import MemoryStore

Handler = Callable[[Context], bytes]


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
    settings = settings or Settings()
    ids = ids or (SequentialIds() if settings.ids == "sequential" else RandomIds())
    return Fake(settings, clock or SystemClock(), ids, store or MemoryStore())


class Fake:
    """The fake as an ASGI application; `store` is its state."""

    def __init__(self, settings: Settings, clock: Clock, ids: IdSource, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.document = load_document()
        self.operations = Operations(self.document)
        prefixes = id_prefixes(self.document)
        maker = ItemMaker(store, ids, prefixes)
        conversations = ConversationsResource(store, maker, clock, ids, prefixes["conversation"])
        items = ItemsResource(store, maker)
        self._app = self._assembled(conversations.handlers() | items.handlers(), clock)
        if settings.seeds:
            seeder = Seeder(store, maker, clock, ids, prefixes["conversation"], self._default_account(), account_of)
            for seed in settings.seeds:
                seeder.load(seed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def _assembled(self, handlers: Mapping[str, Handler], clock: Clock) -> ASGIApp:
        """The way of a request, from the last layer that it reaches to the first."""
        settings, operations = self.settings, self.operations
        app: ASGIApp = Endpoint(handlers, operations)
        app = RequestGuard(app, operations, unknown_fields=settings.unknown_fields, max_body=settings.max_body)
        app = RateLimit(app, settings.rates(), clock)
        app = Identity(app, settings.identity_mode)
        app = Auth(app, settings.accounts())
        app = ResponseGuard(app, operations)
        app = DocumentRoutes(app, self.document)
        if settings.cors_origins:
            app = CORSMiddleware(app, allow_origins=settings.cors_origins, allow_methods=["*"], allow_headers=["*"])
        return app

    def _default_account(self) -> str:
        """Whose a seed is that names no owner: the first listed key's, else the default key's."""
        for key, account in self.settings.accounts().items():
            return account or account_of(key)
        return account_of(DEFAULT_API_KEY)


class Endpoint:
    """Calls the handler of the operation.

    Raises:
        DocumentError: an operation has no handler, or a handler no operation.
    """

    def __init__(self, handlers: Mapping[str, Handler], operations: Operations) -> None:
        if unmatched := set(handlers) ^ set(operations):
            raise DocumentError(f"without handler or without operation: {', '.join(sorted(unmatched))}")
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = context_of(scope)
        assert context is not None, "the endpoint runs behind ResponseGuard"
        try:
            content = self._handlers[context.operation_id](context)
        except ApiError as error:
            await send_error(send, error)
        else:
            await send_json(send, 200, content)


class DocumentRoutes:
    """The document itself, at `/openapi.json` and `/openapi.yaml`."""

    def __init__(self, app: ASGIApp, document: dict[str, Any]) -> None:
        self._app = app
        self._document = document

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in ("/openapi.json", "/openapi.yaml"):
            if scope["method"] not in ("GET", "HEAD"):
                await send_error(send, MethodNotAllowed(scope["method"], scope["path"], ["GET", "HEAD"]))
                return
            is_json = scope["path"].endswith(".json")
            media_type = "application/json" if is_json else "application/yaml"
            await Response(self._json if is_json else self._yaml, media_type=media_type)(scope, receive, send)
            return
        await self._app(scope, receive, send)

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
