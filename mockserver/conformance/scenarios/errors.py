"""Scenarios for error responses: the envelope, `param` and findings."""

from collections.abc import Iterable
from typing import Any

from mockserver.conformance.client import ApiClient
from mockserver.conformance.expectations import ABSENT, expect, require, require_text, show
from mockserver.conformance.names import conversation_path, items_path, unique_name, unknown_id_like
from mockserver.conformance.response import ApiResponse
from mockserver.conformance.samples import message
from mockserver.conformance.scenario import OwnKey, Scenarios

scenario = Scenarios()

_TYPES = dict.fromkeys((400, 404, 405, 413, 415), "invalid_request_error") | {401: "authentication_error"}


def _errors_without_param(api: ApiClient) -> list[ApiResponse]:
    """Provoke errors that concern neither a parameter nor a place in the body."""
    return [
        api.request("PUT", "/conversations", json={}),
        api.request("POST", "/conversations", content=b"{}", headers={"Content-Type": "text/plain"}),
    ]


def _pointers(error: dict[str, Any]) -> list[str]:
    return sorted(f"{finding.get('in')} {finding.get('pointer')}" for finding in error.get("findings", []))


def _create_with(api: ApiClient, *items: Any) -> ApiResponse:
    return api.post("/conversations", {"items": list(items)})


def _client_errors(responses: Iterable[ApiResponse]) -> list[ApiResponse]:
    """Return the rejections; whether an invalid request is rejected is another behaviour."""
    return [response for response in responses if response.is_client_error]


def _check_envelope(response: ApiResponse) -> None:
    error = response.expect_error()
    received = {*error} - {"findings"}
    expect(
        sorted(received),
        ["code", "message", "param", "type"],
        f"fields of the error {response.status}",
        response=response,
    )
    expect(error["code"], response.status, "code", response=response)
    require_text(error["message"], "message")


def _check_type(response: ApiResponse) -> None:
    if response.status in _TYPES:  # Another status is another behaviour.
        found = response.expect_error().get("type")
        expect(found, _TYPES[response.status], f"type of the error {response.status}", response=response)


def _expect_error(api: ApiClient, behaviour: str, response: ApiResponse) -> dict[str, Any]:
    """Return the error; check first that the behaviour holds and that the error has the envelope."""
    api.set_behaviour(behaviour)
    error = response.expect_error()
    api.set_behaviour("errors.have-one-envelope")
    _check_envelope(response)
    return error


@scenario("errors.invalid-requests-are-400")
def invalid_requests_return_400(api: ApiClient) -> None:
    conversation = api.create_id()
    items = items_path(conversation)
    responses = [
        api.post(items, {}),
        api.post(items, {"items": [message("hello")] * 21}),
        api.post(items, {"items": [None]}),
        api.post(conversation_path(conversation), {"metadata": {"key": 1}}),
        api.get(items, limit=101),
        api.get(items, order="newest"),
        api.post("/conversations", ["items"]),
        api.post("/conversations", {"items": 5}),
    ]
    for response in _client_errors(responses):
        response.expect_error(400)


@scenario("errors.invalid-requests-are-400")
def invalid_lists_and_removals_return_400(api: ApiClient) -> None:
    responses = [
        api.delete(items_path(api.create_id()), {"item_ids": []}),
        api.get("/conversations", limit="many"),
        api.get("/conversations", order="newest"),
    ]
    for response in _client_errors(responses):
        response.expect_error(400)


@scenario("errors.have-one-envelope", "errors.have-a-type")
def errors_have_one_envelope(api: ApiClient) -> None:
    conversation = api.create_id()
    responses = [
        api.get(conversation_path(unknown_id_like(conversation))),
        api.post(conversation_path(conversation), {"metadata": "text"}),
        api.get(items_path(conversation), order="newest"),
        *_errors_without_param(api),
    ]
    responses = _client_errors(responses)
    api.set_behaviour("errors.have-one-envelope")
    for response in responses:
        _check_envelope(response)
    api.set_behaviour("errors.have-a-type")
    for response in responses:
        _check_type(response)


@scenario(
    "auth.missing-key-is-refused",
    "errors.have-one-envelope",
    "errors.have-a-type",
    "errors.param-is-null-otherwise",
    needs=OwnKey(),
)
def authentication_errors_have_the_same_envelope(api: ApiClient) -> None:
    response = api.with_key(None).get(conversation_path(api.create_id()))
    api.set_behaviour("auth.missing-key-is-refused")
    response.expect_error()
    api.set_behaviour("errors.have-one-envelope")
    _check_envelope(response)
    api.set_behaviour("errors.have-a-type")
    _check_type(response)
    api.set_behaviour("errors.param-is-null-otherwise")
    expect(response.expect_error().get("param", ABSENT), None, f"param of the error {response.status}")


@scenario(
    "items.list.refuses-other-limits",
    "items.list.refuses-other-orders",
    "errors.have-one-envelope",
    "errors.param-names-the-parameter",
)
def param_names_the_parameter(api: ApiClient) -> None:
    items = items_path(api.create_id())
    limit = _expect_error(api, "items.list.refuses-other-limits", api.get(items, limit="many"))
    order = _expect_error(api, "items.list.refuses-other-orders", api.get(items, order="newest"))
    api.set_behaviour("errors.param-names-the-parameter")
    expect(limit.get("param"), "limit", "param")
    expect(order.get("param"), "order", "param")


@scenario(
    "conversations.metadata.values-are-strings",
    "items.create.refuses-missing-fields",
    "errors.have-one-envelope",
    "errors.param-names-the-body-path",
    "errors.findings-name-the-missing-field",
)
def param_names_the_body_path(api: ApiClient) -> None:
    metadata = api.post("/conversations", {"metadata": {"key": 1}})
    value = _expect_error(api, "conversations.metadata.values-are-strings", metadata)
    output = _create_with(api, {"type": "function_call_output", "output": "1"})
    item = _expect_error(api, "items.create.refuses-missing-fields", output)
    api.set_behaviour("errors.param-names-the-body-path")
    expect(value.get("param"), "metadata.key", "param")
    expect(item.get("param"), "items[0].call_id", "param")
    api.set_behaviour("errors.findings-name-the-missing-field")
    expect(_pointers(item), ["body /items/0/call_id"], "pointers")


@scenario("errors.have-one-envelope", "errors.param-is-null-otherwise")
def param_is_null_otherwise(api: ApiClient) -> None:
    responses = _client_errors(_errors_without_param(api))
    api.set_behaviour("errors.have-one-envelope")
    for response in responses:
        _check_envelope(response)
    api.set_behaviour("errors.param-is-null-otherwise")
    for response in responses:
        expect(response.expect_error().get("param", ABSENT), None, f"param of the error {response.status}")


@scenario(
    "items.list.refuses-other-limits",
    "items.create.refuses-missing-fields",
    "errors.have-one-envelope",
    "errors.findings-say-where-and-why",
    "errors.findings-are-one-per-mistake",
)
def findings_are_one_per_mistake(api: ApiClient) -> None:
    items = items_path(api.create_id())
    query = _expect_error(api, "items.list.refuses-other-limits", api.get(items, limit=0, order="newest"))
    invalid = _create_with(api, message("fine"), {"type": "function_call", "call_id": 1, "name": "f"})
    body = _expect_error(api, "items.create.refuses-missing-fields", invalid)
    errors = [
        (query, ["query /limit", "query /order"]),
        (body, ["body /items/1/arguments", "body /items/1/call_id"]),
    ]
    api.set_behaviour("errors.findings-say-where-and-why")
    for error, expected in errors:
        found = _pointers(error)
        require(found and set(found) <= set(expected), "pointers", f"some of {show(expected)}", found)
        for finding in error["findings"]:
            expect(sorted(finding), ["code", "in", "message", "pointer"], "fields of a finding")
            require_text(finding["message"], "message")
    api.set_behaviour("errors.findings-are-one-per-mistake")
    for error, expected in errors:
        expect(_pointers(error), expected, "pointers")


@scenario(
    "items.create.refuses-missing-fields",
    "errors.have-one-envelope",
    "errors.findings-stay-in-the-kind-that-was-meant",
)
def findings_concern_the_intended_kind(api: ApiClient) -> None:
    click = {"type": "click", "button": "left", "y": 20}
    call = {"type": "computer_call", "id": unique_name("cu"), "call_id": "call_1", "action": click,
            "pending_safety_checks": [], "status": "completed"}  # fmt: skip
    part = message("", content=[{"type": "input_text"}])
    of_click = _expect_error(api, "items.create.refuses-missing-fields", _create_with(api, call))
    of_part = _expect_error(api, "items.create.refuses-missing-fields", _create_with(api, part))
    api.set_behaviour("errors.findings-stay-in-the-kind-that-was-meant")
    expect(_pointers(of_click), ["body /items/0/action/x"], "pointers of a click")
    expect(_pointers(of_part), ["body /items/0/content/0/text"], "pointers of a text part")
