"""An ASGI proxy that applies one mutant to the application behind it."""

import inspect
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote, unquote, urlencode

from starlette.types import ASGIApp, Receive, Scope, Send

from tests.support.asgi_client import call_app

ROOT = "/api/v1/llm/conversations"
RESPONSES = "/api/v1/llm/responses"

Json = Any
Change = Callable[[dict[str, Json]], object]


@dataclass
class _Headed:
    """The common part of requests and responses; header names are in lower case."""

    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first header of this name."""
        return next((value.decode("latin-1") for key, value in self.headers if key == name.encode()), None)

    def set_header(self, name: str, value: str | None) -> None:
        """Replace the header; None removes it."""
        names = [key for key, _ in self.headers]
        place = names.index(name.encode()) if name.encode() in names else len(names)
        self.headers = [(key, old) for key, old in self.headers if key != name.encode()]
        if value is not None:
            self.headers.insert(place, (name.encode(), value.encode("latin-1")))

    def set_body(self, body: bytes) -> None:
        if body != self.body:
            self.body = body
            self.set_header("content-length", str(len(body)))

    @property
    def json(self) -> Json:
        """The parsed body, None if it is not JSON. A change takes effect only when it is assigned back."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @json.setter
    def json(self, value: Json) -> None:
        if to_json(value) != to_json(self.json):
            self.set_body(to_json(value))


@dataclass
class Request(_Headed):
    """`path` is percent-encoded, `query` as it was sent."""

    method: str
    path: str
    query: str

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The decoded query; empty if it cannot be decoded."""
        try:
            return parse_qsl(self.query, keep_blank_values=True, errors="strict")
        except ValueError:
            return []

    @property
    def parameters(self) -> dict[str, str]:
        """The query by name, without repeated parameters."""
        names = Counter(name for name, _ in self.pairs)
        return {name: value for name, value in self.pairs if names[name] == 1}

    def set_parameters(self, **changes: str | int | None) -> None:
        """Set parameters of a valid query; None removes one."""
        given = [name for name, _ in self.pairs]
        if (self.query and not given) or any(given.count(name) > 1 for name in changes):
            return
        pairs = [(name, value) for name, value in self.pairs if name not in changes]
        pairs += [(name, str(value)) for name, value in changes.items() if value is not None]
        self.query = urlencode(pairs)


@dataclass
class Response(_Headed):
    status: int


def json_response(status: int, body: Json) -> Response:
    return make_response(status, to_json(body), "application/json")


def make_response(status: int, body: bytes, media_type: str) -> Response:
    headers = [(b"content-type", media_type.encode()), (b"content-length", str(len(body)).encode())]
    return Response(headers=headers, body=body, status=status)


def json_request(
    method: str,
    path: str,
    *,
    query: Mapping[str, Any] | None = None,
    body: Json = None,
    headers: Iterable[tuple[bytes, bytes]] = (),
) -> Request:
    """Build a request; `path` is percent-encoded, and relative to the list of conversations unless it is whole."""
    own = [(b"host", b"planted"), *headers]
    content = b"" if body is None else to_json(body)
    if body is not None:
        own += [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    return Request(
        headers=own,
        body=content,
        method=method,
        path=path if path.startswith("/api/") else f"{ROOT}{path}",
        query=urlencode(query or {}),
    )


@dataclass
class ProxyExchange:
    """One request to the API with its response, and access to the application behind the proxy.

    A hook for requests may change the request, or set `response` so that the application never sees it.
    """

    request: Request
    app: ASGIApp = field(repr=False)
    _response: Response | None = None

    @property
    def has_response(self) -> bool:
        return self._response is not None

    @property
    def response(self) -> Response:
        """The response.

        Raises:
            RuntimeError: there is none yet.
        """
        if self._response is None:
            raise RuntimeError("the exchange has no response yet")
        return self._response

    @response.setter
    def response(self, response: Response) -> None:
        self._response = response

    @property
    def operation(self) -> str:
        """The operation id without `conversations.`; empty if no operation matches."""
        ids = self._segments
        if not self._is_api_path or "" in ids or (len(ids) > 1 and ids[1] != "items"):
            return ""
        return _OPERATIONS.get((self.request.method, len(ids)), "")

    @property
    def response_operation(self) -> str:
        """The name of an operation on responses; empty if none matches."""
        path = self.request.path
        segments = path[len(RESPONSES) :].split("/")[1:] if path.startswith(RESPONSES) else ["", ""]
        if len(segments) == 2 and segments[1] in ("cancel", "wake", "input_items"):
            return segments[1]
        if segments == ["compact"]:
            return "compact"
        return _RESPONSE_OPERATIONS.get((self.request.method, len(segments)), "") if "" not in segments else ""

    @property
    def response_path(self) -> str:
        """The path of the response that the request names."""
        return "/".join(self.request.path.split("/")[:6])

    @property
    def is_response(self) -> bool:
        """Whether the response shows a whole response of the model."""
        return self.response_body.get("object") == "response" and "output" in self.response_body

    @property
    def creates_response(self) -> bool:
        """Whether the request has created a response that is not streamed."""
        return self.response_operation == "create" and self.is_response

    @property
    def events(self) -> list[dict[str, Json]]:
        """The data of the events of a successful stream, else an empty list."""
        return parse_events(self.response) if self.has_response else []

    @events.setter
    def events(self, events: Iterable[dict[str, Json]]) -> None:
        self.response.set_body(b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), to_json(e)) for e in events))

    @property
    def conversation_id(self) -> str:
        return unquote(self._segments[0])

    @property
    def item_id(self) -> str:
        return unquote(self._segments[2])

    @property
    def caller(self) -> tuple[str | None, str | None]:
        """The Authorization header and the end user."""
        return self.request.header("authorization"), self.request.header("x-on-behalf-of")

    @property
    def has_succeeded(self) -> bool:
        return self.has_response and self.response.status == 200

    @property
    def request_body(self) -> dict[str, Json]:
        """The body of the request if it is a valid JSON object of that media type, else an empty object."""
        return self._request_object or {}

    @property
    def has_empty_body(self) -> bool:
        """Whether the body of the request is an empty JSON object of that media type."""
        return self._request_object == {}

    @property
    def _request_object(self) -> dict[str, Json] | None:
        if not (self.request.header("content-type") or "").lower().startswith("application/json"):
            return None
        try:
            body = json.loads(
                self.request.body, object_pairs_hook=_reject_repeated_names, parse_constant=_reject_constant
            )
        except ValueError:
            return None
        return body if isinstance(body, dict) else None

    @property
    def response_body(self) -> dict[str, Json]:
        """The body of a successful response, else an empty object."""
        return body if self.has_succeeded and isinstance(body := self.response.json, dict) else {}

    @property
    def subpath(self) -> str:
        """The percent-encoded path relative to the list of conversations."""
        return self.request.path[len(ROOT) :]

    @property
    def conversation_path(self) -> str:
        """The percent-encoded path of the conversation, relative to the list."""
        return "/" + self.subpath.split("/")[1]

    @property
    def _is_api_path(self) -> bool:
        path = self.request.path
        return path == ROOT or path.startswith(f"{ROOT}/")

    @property
    def _segments(self) -> list[str]:
        """The percent-encoded segments of the path below the list of conversations."""
        return self.request.path[len(ROOT) :].split("/")[1:] if self._is_api_path else []

    async def fetch(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Json = None,
        caller: tuple[str | None, str | None] | None = None,
    ) -> Response:
        """Send another request to the application, as the same caller unless `caller` is given."""
        names = (b"authorization", b"x-on-behalf-of")
        if caller is None:
            headers = [(name, value) for name, value in self.request.headers if name in names]
        else:
            pairs = zip(names, caller, strict=True)
            headers = [(name, value.encode("latin-1")) for name, value in pairs if value is not None]
        return await call(self.app, json_request(method, path, query=query, body=body, headers=headers))

    async def resend(self, **changes: Any) -> Response:
        """Send the request with some fields replaced to the application."""
        return await call(self.app, replace(self.request, **changes))

    async def is_authorised(self) -> bool:
        """Return whether the application accepts the key and the end user of the caller."""
        return (await self.fetch("GET", "", query={"limit": 1})).status == 200

    async def reject(self, status: int, message: str, param: str | None = None, *, where: str = "body") -> None:
        """Respond to an authorised caller with a valid error body."""
        if not await self.is_authorised():
            return
        error: dict[str, Json] = {"message": message, "type": "invalid_request_error", "param": param, "code": status}
        if status == 400:
            error["findings"] = [{"in": where, "pointer": f"/{param or ''}", "code": "invalid", "message": message}]
        self.response = json_response(status, {"error": error})

    def change_body(self, body: Callable[[Json], Json]) -> None:
        """Replace the JSON body of the response by the result of a function of it."""
        self.response.json = body(self.response.json)

    def change_conversations(self, change: Change) -> None:
        """Change every conversation of a successful response in place."""
        self._change_objects(change, lambda thing: thing.get("object") == "conversation")

    def change_items(self, change: Change) -> None:
        """Change every item of a successful response in place."""
        self._change_objects(change, lambda thing: not str(thing.get("object")).startswith("conversation"))

    def _change_objects(self, change: Change, wanted: Callable[[Json], bool]) -> None:
        body = self.response_body
        things = body["data"] if isinstance(body.get("data"), list) else [body] if "id" in body else []
        for thing in things:
            if isinstance(thing, dict) and wanted(thing):
                change(thing)
        if things:
            self.response.json = body


_OPERATIONS = {
    ("GET", 0): "list",
    ("POST", 0): "create",
    ("GET", 1): "retrieve",
    ("POST", 1): "update",
    ("DELETE", 1): "delete",
    ("GET", 2): "items.list",
    ("POST", 2): "items.create",
    ("DELETE", 2): "items.deleteMany",
    ("GET", 3): "items.retrieve",
    ("DELETE", 3): "items.delete",
}

_RESPONSE_OPERATIONS = {
    ("GET", 0): "list",
    ("POST", 0): "create",
    ("GET", 1): "retrieve",
    ("POST", 1): "update",
    ("DELETE", 1): "delete",
}


class Mutation:
    """The hooks of a mutant on one server, with their state. Hooks may be coroutines."""

    def request(self, exchange: ProxyExchange) -> Awaitable[None] | None:
        """Change the request, or set the response."""

    def response(self, exchange: ProxyExchange) -> Awaitable[None] | None:
        """Change the response."""


class _Mutating(Protocol):
    @property
    def mutation(self) -> Callable[[], Mutation]: ...


class MutatedApp:
    """`app` with a mutant; without one, every response passes unchanged, byte for byte."""

    def __init__(self, app: ASGIApp, mutant: _Mutating | None) -> None:
        self._app = app
        self._mutation = mutant.mutation() if mutant else Mutation()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        exchange = ProxyExchange(await _request_of(scope, receive), self._app)
        try:
            response = await self._respond(exchange, scope)
        except NoResponse:
            return
        await send({"type": "http.response.start", "status": response.status, "headers": response.headers})
        await send({"type": "http.response.body", "body": response.body})

    async def _respond(self, exchange: ProxyExchange, scope: Scope) -> Response:
        await _run(self._mutation.request, exchange)
        if not exchange.has_response:
            exchange.response = await call(self._app, exchange.request, scope)
            await _run(self._mutation.response, exchange)
        return exchange.response


class NoResponse(Exception):
    """The application sent no response."""


async def call(app: ASGIApp, request: Request, scope: Scope | None = None) -> Response:
    """Send a request to an application; `scope` may hold what a server says about the connection.

    Raises:
        NoResponse: the application sent none.
    """
    response = await call_app(app, {**(scope or {}), **_scope_of(request)}, [request.body])
    if response is None:
        raise NoResponse
    return Response(headers=response.headers.raw, body=response.content, status=response.status_code)


def parse_events(response: Response) -> list[dict[str, Json]]:
    """Return the data of the events of a successful stream, else an empty list."""
    if response.status != 200 or "event-stream" not in (response.header("content-type") or ""):
        return []
    lines = response.body.decode().split("\n")
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def _scope_of(request: Request) -> Scope:
    return {
        "method": request.method,
        "path": unquote(request.path),
        "raw_path": request.path.encode("latin-1"),
        "query_string": request.query.encode("latin-1"),
        "headers": list(request.headers),
    }


async def _request_of(scope: Scope, receive: Receive) -> Request:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    return Request(
        headers=[(bytes(name), bytes(value)) for name, value in scope["headers"]],
        body=b"".join(parts),
        method=scope["method"],
        path=(scope.get("raw_path") or quote(scope["path"]).encode()).decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
    )


async def _run(hook: Callable[[ProxyExchange], Awaitable[None] | None], exchange: ProxyExchange) -> None:
    result = hook(exchange)
    if inspect.isawaitable(result):
        await result


def _reject_repeated_names(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name is repeated")
    return dict(pairs)


def _reject_constant(constant: str) -> Json:
    raise ValueError(f"{constant} is not JSON")


def to_json(value: Json) -> bytes:
    """Return compact JSON, as the fake writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
