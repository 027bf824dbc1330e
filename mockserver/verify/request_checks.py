"""Request checks: the mistakes in the requests of a run, which a target should have rejected."""

from collections.abc import Mapping
from typing import Any

from mockserver.contract.json_text import JsonError, parse_response
from mockserver.contract.operations import Match
from mockserver.contract.requests import CompiledRequestValidator
from mockserver.findings import Finding
from mockserver.verify.places import Mistake, describe_mistake
from mockserver.verify.transport import WireExchange, WireRequest

_MAX_TYPES = 3


def find_mistakes(request: WireRequest, match: Match | None) -> list[Finding]:
    """Return the mistakes in a request; keys are not checked."""
    if match is None:
        return []
    operation = match.operation
    validator = CompiledRequestValidator(operation)
    query = request.target.partition("?")[2]

    def read_header(name: bytes) -> list[bytes]:
        wanted = name.decode("latin-1")
        return [value.encode("latin-1", "replace") for key, value in request.headers if key.lower() == wanted]

    _, findings = validator.validate_parameters(match.parameters, query.encode("ascii", "replace"), read_header)
    if not operation.body_content:
        return findings
    media_type = validator.match_media_type(request.header("content-type") or "")
    if request.body and media_type is None:
        return [*findings, Finding("request", "header", "/Content-Type", "unexpected_content_type", "must be JSON")]
    return findings + validator.validate_body(request.body, media_type or "application/json")[1]


def list_mistakes(exchange: WireExchange) -> tuple[Mistake, ...]:
    """Return the mistakes in the request of an exchange, without repetitions."""
    match = exchange.match
    if match is None:
        return ()
    return tuple(
        dict.fromkeys(describe_mistake(one, match.operation) for one in find_mistakes(exchange.request, match))
    )


def describe_content(exchange: WireExchange) -> str:
    """Return a short description of a request: the types of its items, else its fields or its parameters."""
    body: Any = None
    try:
        body = parse_response(exchange.request.body) if exchange.request.body else None
    except JsonError:
        return "a body that is not JSON"
    items = body.get("items") if isinstance(body, Mapping) else None
    if isinstance(items, list) and items:
        types = sorted({_type_of(item) for item in items})
        return "items of type " + ", ".join(types if len(types) <= _MAX_TYPES else [*types[:_MAX_TYPES], "and more"])
    if isinstance(body, Mapping) and body:
        return f"body with {', '.join(sorted(map(str, body)))}"
    pairs = exchange.request.target.partition("?")[2].split("&")
    names = sorted({pair.partition("=")[0] for pair in pairs if pair})
    return f"query with {', '.join(names)}" if names else "no content"


def _type_of(item: Any) -> str:
    if not isinstance(item, Mapping):
        return "none"
    return str(
        item.get("type") or ("message" if "role" in item else "item_reference" if set(item) == {"id"} else "none")
    )
