"""A reverse proxy that plants one defect in the API of the application behind it."""

import inspect
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote, unquote, urlencode

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ROOT = "/api/v1/llm/conversations"

Json = Any
Change = Callable[[dict[str, Json]], None]


@dataclass
class _Headed:
    """What a request and an answer have in common; names of headers are in lower case."""

    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first header of this name."""
        return next((value.decode("latin-1") for key, value in self.headers if key == name.encode()), None)

    def set_header(self, name: str, value: str | None) -> None:
        """Put this in the place of the header; None takes it away."""
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
        """The parsed body; None when it is no JSON. Changes count only when they are assigned back."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @json.setter
    def json(self, value: Json) -> None:
        if dumped(value) != dumped(self.json):
            self.set_body(dumped(value))


@dataclass
class Request(_Headed):
    """`path` is percent-encoded, `query` as it was sent."""

    method: str
    path: str
    query: str

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The query, decoded; nothing where that cannot be done."""
        try:
            return parse_qsl(self.query, keep_blank_values=True, errors="strict")
        except ValueError:
            return []

    @property
    def parameters(self) -> dict[str, str]:
        """The query by name, without what is given more than once."""
        names = Counter(name for name, _ in self.pairs)
        return {name: value for name, value in self.pairs if names[name] == 1}

    def set_parameters(self, **changes: str | int | None) -> None:
        """Set parameters of a flawless query; None takes one away."""
        given = [name for name, _ in self.pairs]
        if (self.query and not given) or any(given.count(name) > 1 for name in changes):
            return
        pairs = [(name, value) for name, value in self.pairs if name not in changes]
        pairs += [(name, str(value)) for name, value in changes.items() if value is not None]
        self.query = urlencode(pairs)


@dataclass
class Answer(_Headed):
    status: int


def json_answer(status: int, body: Json) -> Answer:
    return whole_answer(status, dumped(body), "application/json")


def whole_answer(status: int, body: bytes, media_type: str) -> Answer:
    headers = [(b"content-type", media_type.encode()), (b"content-length", str(len(body)).encode())]
    return Answer(headers=headers, body=body, status=status)


def json_request(
    method: str,
    path: str,
    *,
    query: Mapping[str, Any] | None = None,
    body: Json = None,
    headers: Iterable[tuple[bytes, bytes]] = (),
) -> Request:
    """`path` is the rest behind the list of conversations, percent-encoded."""
    own = [(b"host", b"planted"), *headers]
    content = b"" if body is None else dumped(body)
    if body is not None:
        own += [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    return Request(headers=own, body=content, method=method, path=f"{ROOT}{path}", query=urlencode(query or {}))


@dataclass
class Exchange:
    """One request to the API, its answer as soon as there is one, and a way to ask the application behind.

    A hook for requests may change the request, or set `answer` and so keep it from the application.
    """

    request: Request
    app: ASGIApp = field(repr=False)
    answer: Answer | None = None

    @property
    def operation(self) -> str:
        """The operation's id in the document, without `conversations.` in front; empty for no operation."""
        ids = self._ids
        if ids is None or "" in ids or (len(ids) > 1 and ids[1] != "items"):
            return ""
        return _OPERATIONS.get((self.request.method, len(ids)), "")

    @property
    def conversation_id(self) -> str:
        return unquote(self._ids[0])

    @property
    def item_id(self) -> str:
        return unquote(self._ids[2])

    @property
    def caller(self) -> tuple[str | None, str | None]:
        """The Authorization header and the end user."""
        return self.request.header("authorization"), self.request.header("x-on-behalf-of")

    @property
    def succeeded(self) -> bool:
        return self.answer is not None and self.answer.status == 200

    @property
    def sent(self) -> dict[str, Json]:
        """The body of the request if it is a flawless JSON object and says so, else an empty one."""
        return self._sent_object or {}

    @property
    def sent_nothing(self) -> bool:
        """Whether the body of the request is an empty JSON object and says so."""
        return self._sent_object == {}

    @property
    def _sent_object(self) -> dict[str, Json] | None:
        if not (self.request.header("content-type") or "").lower().startswith("application/json"):
            return None
        try:
            body = json.loads(self.request.body, object_pairs_hook=_without_repeated_names, parse_constant=_refuse)
        except ValueError:
            return None
        return body if isinstance(body, dict) else None

    @property
    def received(self) -> dict[str, Json]:
        """The body of a successful answer, else an empty one."""
        return body if self.succeeded and isinstance(body := self.answer.json, dict) else {}

    @property
    def below(self) -> str:
        """The path below the list of conversations, percent-encoded."""
        return self.request.path[len(ROOT) :]

    @property
    def conversation_path(self) -> str:
        """The path of the conversation below the list, percent-encoded."""
        return "/" + self.below.split("/")[1]

    @property
    def _ids(self) -> list[str] | None:
        """The parts of the path below the list of conversations, still percent-encoded."""
        path = self.request.path
        return path[len(ROOT) :].split("/")[1:] if path == ROOT or path.startswith(f"{ROOT}/") else None

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Json = None,
        caller: tuple[str | None, str | None] | None = None,
    ) -> Answer:
        """Send a request of one's own to the application behind, for the same caller unless another is named."""
        names = (b"authorization", b"x-on-behalf-of")
        if caller is None:
            headers = [(name, value) for name, value in self.request.headers if name in names]
        else:
            pairs = zip(names, caller, strict=True)
            headers = [(name, value.encode("latin-1")) for name, value in pairs if value is not None]
        return await call(self.app, json_request(method, path, query=query, body=body, headers=headers))

    async def repeat(self, **changes: Any) -> Answer:
        """Send the request with other fields to the application behind."""
        return await call(self.app, replace(self.request, **changes))

    async def may_call(self) -> bool:
        """Whether the caller has a key that the application behind lets in, and says in one way for whom."""
        return (await self.ask("GET", "", query={"limit": 1})).status == 200

    async def refuse(self, status: int, message: str, param: str | None = None, *, where: str = "body") -> None:
        """Answer whoever may call with a flawless error."""
        if not await self.may_call():
            return
        error = {"message": message, "type": "invalid_request_error", "param": param, "code": status}
        if status == 400:
            error["findings"] = [{"in": where, "pointer": f"/{param or ''}", "message": message}]
        self.answer = json_answer(status, {"error": error})

    def change(self, body: Callable[[Json], Json]) -> None:
        """Put what the function makes of it in the place of the answer's JSON body."""
        self.answer.json = body(self.answer.json)

    def each_conversation(self, change: Change) -> None:
        """Change every conversation of a successful answer in place."""
        self._each(change, lambda thing: thing.get("object") == "conversation")

    def each_item(self, change: Change) -> None:
        """Change every item of a successful answer in place."""
        self._each(change, lambda thing: not str(thing.get("object")).startswith("conversation"))

    def _each(self, change: Change, wanted: Callable[[Json], bool]) -> None:
        body = self.received
        things = body["data"] if isinstance(body.get("data"), list) else [body] if "id" in body else []
        for thing in things:
            if isinstance(thing, dict) and wanted(thing):
                change(thing)
        if things:
            self.answer.json = body


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


class Plant:
    """A defect at work on one server: its hooks, and the state that they keep. Hooks may be coroutines."""

    def request(self, exchange: Exchange) -> Awaitable[None] | None:
        """Change the request, or answer it."""

    def answer(self, exchange: Exchange) -> Awaitable[None] | None:
        """Change the answer."""


class _Plantable(Protocol):
    plant: Callable[[], Plant]


class Planted:
    """`app` with a defect; without one, every answer is the application's own, byte for byte."""

    def __init__(self, app: ASGIApp, defect: _Plantable | None) -> None:
        self._app = app
        self._plant = defect.plant() if defect else Plant()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        exchange = Exchange(await _request_of(scope, receive), self._app)
        try:
            answer = await self._answer(exchange, scope)
        except NoAnswer:
            return
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, exchange: Exchange, scope: Scope) -> Answer:
        await _run(self._plant.request, exchange)
        if exchange.answer is None:
            exchange.answer = await call(self._app, exchange.request, scope)
            await _run(self._plant.answer, exchange)
        return exchange.answer


class NoAnswer(Exception):
    """The application cut the connection."""


async def call(app: ASGIApp, request: Request, scope: Scope | None = None) -> Answer:
    """Send a request to an application; `scope` may bring along what a server says about the connection.

    Raises:
        NoAnswer: nothing came back.
    """
    parts: list[bytes] = []
    starts: list[Message] = []
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            starts.append(message)
        else:
            parts.append(message.get("body", b""))

    await app({**(scope or _BARE_SCOPE), **_scope_of(request)}, receive, send)
    if not starts:
        raise NoAnswer
    headers = [(bytes(name), bytes(value)) for name, value in starts[0].get("headers", ())]
    return Answer(headers=headers, body=b"".join(parts), status=starts[0]["status"])


_BARE_SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.3"},
    "http_version": "1.1",
    "scheme": "http",
    "root_path": "",
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 80),
}


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


async def _run(hook: Callable[[Exchange], Awaitable[None] | None], exchange: Exchange) -> None:
    result = hook(exchange)
    if inspect.isawaitable(result):
        await result


def _without_repeated_names(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _refuse(constant: str) -> Json:
    raise ValueError(f"{constant} is no JSON")


def dumped(value: Json) -> bytes:
    """Compact JSON, as the fake writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
