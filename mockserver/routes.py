"""Starlette's routes for everything but the API: the documents and the control API."""

from collections.abc import Callable
from typing import Any

from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from mockserver.asgi import send_error, wrap_in_layers
from mockserver.contract.contract import Contract, control_contract
from mockserver.contract.document import dump_json
from mockserver.contract.endpoint import Endpoint
from mockserver.contract.guard import RequestGuard, ResponseGuard
from mockserver.contract.yaml_file import dump_yaml
from mockserver.control import CONTROL_PATH, Control
from mockserver.control_access import ControlAccess
from mockserver.errors import MethodNotAllowed
from mockserver.settings import MAX_VALUES
from mockserver.state import State

_MAX_SNAPSHOT = 1024 * 1024 * 1024


def build_router(contract: Contract, state: State, api: ASGIApp) -> Router:
    """Build the router; the API responds 404 on every path that has no route."""
    routes = _document_routes("", contract.document)
    if state.settings.control:
        routes += _document_routes(CONTROL_PATH, control_contract().document)
        routes += [Route(CONTROL_PATH + "/{path:path}", _build_control(contract, state))]
    return _ApiFallback(routes, api)


def _build_control(contract: Contract, state: State) -> ASGIApp:
    """Build the control API. A request passes the layers from the first to the last."""
    operations = control_contract().operations
    engine = control_contract().engine("compiled")
    settings = state.settings
    layers = [
        Middleware(ResponseGuard, operations, engine=engine),
        Middleware(
            ControlAccess,
            token=settings.control_token,
            allowed_hosts=settings.allowed_hosts,
            allowed_origins=settings.cors_origins,
        ),
        Middleware(
            RequestGuard,
            operations,
            engine=engine,
            unknown_fields="reject",
            max_body=settings.max_body,
            max_values=MAX_VALUES,
            large_bodies={"state.put": _MAX_SNAPSHOT, "state.add": _MAX_SNAPSHOT},
        ),
    ]
    control = Control(state, list(contract.operations), contract.item_types)
    return wrap_in_layers(Endpoint(control.handlers(), operations), layers)


class _ApiFallback(Router):
    """A router that passes HTTP requests without a route on to the API, and closes WebSockets."""

    def __init__(self, routes: list[Route], api: ASGIApp) -> None:
        super().__init__(routes, redirect_slashes=False)
        self._api = api

    async def not_found(self, scope: Scope, receive: Receive, send: Send) -> None:
        respond = self._api if scope["type"] == "http" else super().not_found
        await respond(scope, receive, send)


def _document_routes(path: str, document: dict[str, Any]) -> list[Route]:
    return [
        Route(f"{path}/openapi.json", _DocumentEndpoint(document, dump_json, "application/json")),
        Route(f"{path}/openapi.yaml", _DocumentEndpoint(document, dump_yaml, "application/yaml")),
    ]


class _DocumentEndpoint:
    """An OpenAPI document in one format; it responds 405 in the API's envelope, which Starlette does not know."""

    def __init__(self, document: dict[str, Any], dump: Callable[[dict[str, Any]], bytes], media_type: str) -> None:
        self._document = document
        self._dump = dump
        self._media_type = media_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in ("GET", "HEAD"):
            await Response(self._dump(self._document), media_type=self._media_type)(scope, receive, send)
        else:
            await send_error(send, MethodNotAllowed(scope["method"], scope["path"], ["GET", "HEAD"]))
