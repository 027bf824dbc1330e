"""The state of one request, which the layers in front of a handler fill in."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from mockserver.asgi import Headers
from mockserver.findings import Finding

CONTEXT = "mockserver.context"
"""Scope key of the context. `ResponseGuard` creates it, for all layers behind it."""
RECORD = "mockserver.record"
"""Scope key of the callback that becomes `Context.record`; a layer in front of `ResponseGuard` may set it."""
BODY_FOLLOWS = "mockserver.body_follows"
"""Key of a message `http.response.start` whose next message has the whole body and is sent at once."""
TRANSPORT = "mockserver.transport"
"""Scope key of the asyncio transport of the connection, which the server sets and faults close."""


class Tenant(NamedTuple):
    """The owner of a record: an account, and the end user for whom it acts, if any."""

    account: str
    end_user: str | None = None


StreamEnd = Literal["finished", "client_gone", "fault", "violation", "failure"]

_MAX_EVENTS = 32 * 1024


class StreamRecord:
    """What became of an event stream: the number of its events, the first of them as sent, and how it ended."""

    def __init__(self) -> None:
        self.count = 0
        self.events: list[bytes] = []
        self.end: StreamEnd = "client_gone"
        """An application sends no end to a client that is gone."""
        self._room = _MAX_EVENTS

    def add(self, data: bytes) -> None:
        """Record an event."""
        self.count += 1
        self._room -= len(data)
        if self._room >= 0:
            self.events.append(data)


@dataclass(eq=False, repr=False)
class Context:
    """One request on its way to a handler.

    `raw_path` has the path parameters still percent-encoded; `path`, `query` and `header` have the declared
    parameters, decoded and with their defaults; `undeclared_query` has the other query pairs in the order sent. `key`
    is the fingerprint of the API key. `content` is the body as sent, `body` the parsed body. `status` and
    `response_content` are the response. An event stream has a `stream`, and its content is the final response object.
    `findings` are the mistakes in the request or the response; `notes` are findings that do no harm, such as unknown
    fields.

    `reply` is the id of the planned reply that answered the request, or `header` for one that the request carries.
    `fault` describes the faults that fired. `bypasses_contract` is set when they alter the response: the guard then
    sends it as it is, and only notes its findings. `record` adds the exchange to the journal before it ends, for a
    request that gets no response. `paused_until` is the time, by the event loop, until which the response waits on
    purpose. `past` is set if the state has been reset since the request began: while its context
    manager is active, the state is the old one.
    """

    operation_id: str
    headers: Headers
    raw_path: Mapping[str, str]
    record: Callable[[], None] | None = None
    # Class attributes until a layer sets them, because that is faster than setting each for every request.
    key: str = field(default="", init=False)
    tenant: Tenant | None = field(default=None, init=False)
    identity: str = field(default="", init=False)
    path: dict[str, Any] = field(init=False)
    query: dict[str, Any] = field(init=False)
    header: dict[str, Any] = field(init=False)
    undeclared_query: list[tuple[str, str]] = field(init=False)
    content: bytes = field(default=b"", init=False)
    body: Any = field(default=None, init=False)
    reply: int | str | None = field(default=None, init=False)
    fault: dict[str, Any] | None = field(default=None, init=False)
    bypasses_contract: bool = field(default=False, init=False)
    past: Callable[[], AbstractContextManager[None]] | None = field(default=None, init=False)
    status: int = field(default=0, init=False)
    response_content: bytes = field(default=b"", init=False)
    stream: StreamRecord | None = field(default=None, init=False)
    paused_until: float = field(default=0.0, init=False)
    findings: tuple[Finding, ...] = field(default=(), init=False)
    notes: tuple[Finding, ...] = field(default=(), init=False)

    @property
    def caller(self) -> Tenant:
        """The tenant of an authenticated request."""
        if self.tenant is None:
            raise RuntimeError("the request has not been authenticated")
        return self.tenant


def get_context(scope: Mapping[str, Any]) -> Context | None:
    """Return the context of a request, or None before `ResponseGuard` has created it."""
    context: Context | None = scope.get(CONTEXT)
    return context
