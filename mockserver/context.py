"""What the layers in front of a handler have found out about a request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mockserver.asgi import Headers
from mockserver.findings import Finding

CONTEXT = "mockserver.context"
"""Where in the ASGI scope the context stands: `ResponseGuard` puts it there, for all layers behind it."""


class Tenant(NamedTuple):
    """Who owns a thing: an account, and the end user it acts for, if any."""

    account: str
    end_user: str | None = None


@dataclass(eq=False, repr=False)
class Context:
    """One request on its way to a handler; every layer fills in what it is there for.

    `raw_path` holds the path's parameters still percent-encoded; `path`, `query` and `header` hold the declared
    parameters, decoded and with their defaults. `key` is the fingerprint of the caller's API key, never the key.
    `content` is the body as it was sent, `body` the same parsed. `status` and `answer` are what went out, and `fault`
    the planned fault that it was made by, if any.
    `undeclared_query` holds the query pairs that belong to no declared parameter, in the order sent.
    `findings` are what was wrong with the request or its answer, `notes` what was let through, such as a field that
    the document does not know.
    """

    operation_id: str
    headers: Headers
    raw_path: Mapping[str, str]
    # Not set one by one for each request: what no layer has filled in is what stands here.
    key: str = field(default="", init=False)
    tenant: Tenant | None = field(default=None, init=False)
    identity: str = field(default="", init=False)
    path: dict[str, Any] = field(init=False)
    query: dict[str, Any] = field(init=False)
    header: dict[str, Any] = field(init=False)
    undeclared_query: list[tuple[str, str]] = field(init=False)
    content: bytes = field(default=b"", init=False)
    body: Any = field(default=None, init=False)
    fault: dict[str, Any] | None = field(default=None, init=False)
    status: int = field(default=0, init=False)
    answer: bytes = field(default=b"", init=False)
    findings: tuple[Finding, ...] = field(default=(), init=False)
    notes: tuple[Finding, ...] = field(default=(), init=False)

    @property
    def caller(self) -> Tenant:
        """The tenant of a request that has passed authentication."""
        assert self.tenant is not None, "a handler runs behind Auth"
        return self.tenant


def context_of(scope: Mapping[str, Any]) -> Context | None:
    """The context of a request, None where it has not come as far as that."""
    context: Context | None = scope.get(CONTEXT)
    return context
