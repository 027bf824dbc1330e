"""How the mutants of validation show."""

from collections.abc import Callable
from typing import Any

from tests.mutants.client import KEY_ONE, MutantClient, user_message
from tests.mutants.probe import Probe
from tests.mutants.proxy import json_request

SEVENTEEN = {str(number): "x" for number in range(17)}
SIXTEEN = {str(number): "x" for number in range(16)}
COMPACTION = {"type": "compaction", "id": "cmp_1", "content": "x"}
RUN = {
    "type": "code_interpreter_call",
    "id": "ci_1",
    "container_id": "c",
    "code": None,
    "outputs": None,
    "status": "completed",
}
IMAGE = user_message([{"type": "input_image", "file_id": "f"}])


def _created(**body: Any) -> Callable[[MutantClient], int]:
    return lambda api: api.post(body=body).status


def _updated(body: Any) -> Callable[[MutantClient], int]:
    return lambda api: api.post(api.create(), body).status


def _added(*items: Any, **more: Any) -> Callable[[MutantClient], int]:
    return lambda api: api.post(f"{api.create()}/items", {"items": list(items), **more}).status


def _listed(**query: Any) -> Callable[[MutantClient], int]:
    return lambda api: api.get(**query).status


def _items_listed(**query: Any) -> Callable[[MutantClient], int]:
    return lambda api: api.get(f"{api.create()}/items", **query).status


def _telepathy(api: MutantClient) -> str:
    response = api.post(f"{api.create()}/items", {"items": [{"type": "telepathy", "thought": "x"}]})
    return response.json["data"][0]["type"] if response.status == 200 else ""


def _deleted_with_json_type(api: MutantClient) -> int:
    headers = [(b"authorization", KEY_ONE.encode()), (b"content-type", b"application/json")]
    return api.send(json_request("DELETE", api.create(), headers=headers)).status


def _included_twice(api: MutantClient) -> int:
    request = json_request("GET", f"{api.create()}/items", headers=[(b"authorization", KEY_ONE.encode())])
    request.query = "include=a&include=b"
    return api.send(request).status


VALIDATIONS = {
    "21-items-can-be-added": Probe(_added(*[user_message("x")] * 21), 400, 200),
    "21-items-can-be-given-at-creation": Probe(_created(items=[user_message("x")] * 21), 400, 200),
    "17-pairs-are-taken": Probe(_updated({"metadata": SEVENTEEN}), 400, 200),
    "17-pairs-are-taken-beside-items": Probe(
        lambda api: [_created(metadata=SEVENTEEN)(api), _created(metadata=SEVENTEEN, items=[user_message("x")])(api)],
        [400, 400],
        [400, 200],
    ),
    "long-metadata-keys-are-taken": Probe(_created(metadata={"k" * 65: "x"}), 400, 200),
    "long-values-are-taken-by-update": Probe(
        lambda api: [_created(metadata={"k": "x" * 513})(api), _updated({"metadata": {"k": "x" * 513}})(api)],
        [400, 400],
        [400, 200],
    ),
    "metadata-numbers-are-taken": Probe(_created(metadata={"k": 1}), 400, 200),
    "null-metadata-clears": Probe(_updated({"metadata": None}), 400, 200),
    "update-without-metadata-is-taken": Probe(_updated({}), 400, 200),
    "limit-0-is-taken": Probe(_listed(limit=0), 400, 200),
    "items-limit-is-clamped": Probe(_items_listed(limit=101), 400, 200),
    "conversations-limit-is-100": Probe(_listed(limit=51), 400, 200),
    "limit-that-is-no-number-is-ignored": Probe(_listed(limit="many"), 400, 200),
    "unknown-order-is-ascending": Probe(_listed(order="sideways"), 400, 200),
    "unknown-kinds-are-kept": Probe(_telepathy, "", "telepathy"),
    "outputs-need-no-call-id": Probe(_added({"type": "function_call_output", "output": "x"}), 400, 200),
    "adding-nothing-is-taken": Probe(_added(), 400, 200),
    "removing-nothing-is-taken": Probe(
        lambda api: api.delete(f"{api.create()}/items", {"item_ids": []}).status, 400, 200
    ),
    "ids-may-be-repeated-in-a-request": Probe(_added(user_message("x", id="a"), user_message("y", id="a")), 400, 200),
    "16-pairs-are-refused": Probe(_created(metadata=SIXTEEN), 200, 400),
    "20-items-are-refused": Probe(_added(*[user_message("x")] * 20), 200, 400),
    "limit-50-is-refused": Probe(_listed(limit=50), 200, 400),
    "metadata-length-counts-bytes": Probe(
        lambda api: [_created(metadata={"k": letter * 512})(api) for letter in "eé"], [200, 200], [200, 400]
    ),
    "typeless-messages-are-refused": Probe(
        lambda api: [_added(user_message("x", type="message"))(api), _added(user_message("x"))(api)],
        [200, 200],
        [200, 400],
    ),
    "compactions-are-refused": Probe(_added(COMPACTION), 200, 400),
    "code-must-be-text": Probe(_added(RUN), 200, 400),
    "images-need-a-url": Probe(_added(IMAGE), 200, 400),
    "empty-object-is-refused-at-creation": Probe(_created(), 200, 400),
    "repeated-include-is-refused": Probe(_included_twice, 200, 400),
    "include-in-the-body-is-refused": Probe(_added(user_message("x"), include=["a"]), 200, 400),
    "json-type-without-body-is-refused": Probe(_deleted_with_json_type, 200, 400),
}
