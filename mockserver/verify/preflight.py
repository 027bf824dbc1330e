"""Which operations a target offers at all."""

from contextlib import suppress
from typing import Any

from mockserver.conformance.client import ApiClient, NoResponse
from mockserver.conformance.paths import conversation_path, item_path, items_path
from mockserver.conformance.samples import message
from mockserver.verify.reproduction import ExchangeLog
from mockserver.verify.transport import WireExchange

PHASE = "preflight"


def find_missing_operations(api: ApiClient, log: ExchangeLog) -> dict[str, WireExchange]:
    """Call every operation, validly; the exchanges of those that the target does not offer, by operation."""
    conversation = _field(_called(api, "POST", "/conversations", {}), "id") or "conv_none"
    whole, items = conversation_path(conversation), items_path(conversation)
    added = _field(_called(api, "POST", items, {"items": [message("Hello"), message("Hello")]}), "data")
    ids = [_field(item, "id") or "item_none" for item in added] if isinstance(added, list) else []
    one, other = (*ids, "item_none", "item_none")[:2]
    for method, path, body in (
        ("GET", "/conversations", None),
        ("GET", whole, None),
        ("POST", whole, {"metadata": {}}),
        ("GET", items, None),
        ("GET", item_path(conversation, one), None),
        ("DELETE", item_path(conversation, one), None),
        ("DELETE", items, {"item_ids": [other]}),
        ("DELETE", whole, None),
    ):
        _called(api, method, path, body)
    return {
        exchange.match.operation.id: exchange
        for exchange in log.since(PHASE, 0)
        if exchange.match is not None and _is_not_offered(exchange)
    }


def _called(api: ApiClient, method: str, path: str, body: Any) -> Any:
    with suppress(NoResponse):  # The phases will meet it again, and tell.
        return api.request(method, path, json=body).body
    return None


def _is_not_offered(exchange: WireExchange) -> bool:
    assert exchange.match is not None
    status = exchange.response.status if exchange.response else 0
    return status in (405, 501) or (status == 404 and not exchange.match.parameters)


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None
