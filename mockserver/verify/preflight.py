"""Preflight: whether the target can be tested, and which operations it does not have."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

from mockserver.conformance.client import ApiClient, NoResponse, Withheld
from mockserver.conformance.names import conversation_path, item_path, items_path, response_path
from mockserver.conformance.samples import message
from mockserver.contract.operations import Match
from mockserver.errors import UsageError
from mockserver.verify.cleanup import MARK
from mockserver.verify.report.model import Deviation, Weight
from mockserver.verify.reproduction import Evidence, ExchangeLog
from mockserver.verify.transport import WireExchange

MISSING = "/missing"
"""The end of the case of a missing operation."""


def check_access(client: ApiClient) -> None:
    """Send a first request.

    Raises:
        UsageError: the target does not respond, rejects the key, or has no API under the prefix.
    """
    try:
        response = client.get("/conversations", limit=1)
        is_unknown = response.status == 404 and client.post("/conversations", {"metadata": client.mark}).status == 404
    except NoResponse as error:
        raise UsageError(f"{client.base_url} cannot be called: {error}") from error
    if response.status in (401, 403):
        problem = "rejects the API key" if client.api_key else "requires an API key"
        raise UsageError(f"{client.base_url} {problem}: {response.path} returned {response.status}")
    if is_unknown:
        raise UsageError(f"{response.url} returned 404; does the API have another --prefix?")


def is_open_mockserver(client: ApiClient) -> bool:
    """Return whether the target says that it is a mockserver that accepts every API key."""
    try:
        health = replace(client, prefix="", api_key=None).get("/_mock/health").body
    except NoResponse:
        return False
    return isinstance(health, dict) and health.get("accepts_any_key") is True


class Preflight(NamedTuple):
    """What a run knows about its target before its first phase."""

    missing: dict[str, Deviation]
    """The deviations of missing operations, by operation."""
    evidence: dict[str, Evidence]
    """How to show them again, by case."""
    accepts_mark: bool
    """Whether the target creates conversations with the mark of the client."""


def find_missing_operations(client: ApiClient, log: ExchangeLog, *, responses: bool) -> Preflight:
    """Send a valid request to every operation; with `responses`, also to those of responses."""
    with log.capture() as exchanges:
        accepts_mark = _call_all_operations(client)
        if responses:
            _call_response_operations(client)
    missing, evidence = dict[str, Deviation](), dict[str, Evidence]()
    for exchange in exchanges:
        match, response = exchange.match, exchange.response
        if match is not None and response is not None and _is_missing(response.status, match):
            operation = match.operation
            missing[operation.id] = Deviation(
                case=operation.id + MISSING,
                verdict="violates",
                statement=f"The target has {operation.method} {operation.path}.",
                source="openapi.yaml",
                expected="a status that says that the operation exists: not 405, not 501, and for a list not 404",
                received=f"{response.status} {response.excerpt}",
                suspect="target",
                reason="it does not have the operation; whatever needs it cannot be checked",
                operations=(operation.id,),
                place="status",
                weight=Weight.MISSING_OPERATION,
                phases=(exchange.phase,),
                first_request=exchange.number,
            )
            evidence[operation.id + MISSING] = Evidence(log.select_steps(exchange), _shows_status(response.status))
    return Preflight(missing, evidence, accepts_mark)


def _shows_status(status: int) -> Callable[[WireExchange], bool]:
    return lambda exchange: exchange.response is not None and exchange.response.status == status


def _call_all_operations(client: ApiClient) -> bool:
    """Call every operation, and return whether the target creates a conversation with the client's mark."""
    marked = _id_of(_call(client, "POST", "/conversations", {"metadata": client.mark}))
    conversation = marked or _id_of(_call(client, "POST", "/conversations", {})) or f"conv_{client.mark[MARK]}"
    whole, items = conversation_path(conversation), items_path(conversation)
    page = _call(client, "POST", items, {"items": [message("Hello"), message("Hello")]})
    added = page.get("data") if isinstance(page, dict) else None
    ids = [_id_of(item) or "item_none" for item in added] if isinstance(added, list) else []
    first, second = (*ids, "item_none", "item_none")[:2]
    for method, path, body in (
        ("GET", "/conversations", None),
        ("GET", whole, None),
        ("POST", whole, {"metadata": {}}),
        ("GET", items, None),
        ("GET", item_path(conversation, first), None),
        ("DELETE", item_path(conversation, first), None),
        ("DELETE", items, {"item_ids": [second]}),
        ("DELETE", whole, None),
    ):
        _call(client, method, path, body)
    return marked is not None


def _call_response_operations(client: ApiClient) -> None:
    metadata = {"metadata": dict(client.mark)}
    created = _call(client, "POST", "/responses", {"model": client.model, "input": "Say hello.", **metadata})
    response = _id_of(created) or f"resp_{client.mark[MARK]}"
    for method, path, body in (
        ("GET", "/responses", None),
        ("GET", response_path(response), None),
        ("POST", response_path(response), metadata),
        ("GET", response_path(response, "input_items"), None),
        ("POST", response_path(response, "cancel"), None),
        ("POST", response_path(response, "wake"), {"input": "Go on."}),
        ("DELETE", response_path(response), None),
        ("POST", "/responses/compact", {"model": client.model, "input": "Say hello."}),
    ):
        _call(client, method, path, body)


def _call(client: ApiClient, method: str, path: str, body: Any) -> Any:
    with suppress(NoResponse, Withheld):  # The phases report it.
        return client.request(method, path, json=body).body
    return None


def _is_missing(status: int, match: Match) -> bool:
    return status in (405, 501) or (status == 404 and not match.parameters)


def _id_of(value: Any) -> str | None:
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, str) else None
