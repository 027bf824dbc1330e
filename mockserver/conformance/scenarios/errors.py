"""What an error looks like, and how exactly it says what is wrong."""

from typing import Any

from mockserver.conformance.client import ApiClient
from mockserver.conformance.expectations import expect, require, require_text
from mockserver.conformance.names import unique_name, unknown_id_like
from mockserver.conformance.paths import conversation_path, items_path
from mockserver.conformance.response import ApiResponse
from mockserver.conformance.samples import message
from mockserver.conformance.scenario import OwnKey, Scenarios

scenario = Scenarios()

_TYPES = dict.fromkeys((400, 404, 405, 413, 415), "invalid_request_error") | {401: "authentication_error"}


def _about_neither(api: ApiClient) -> list[ApiResponse]:
    """Errors that are about no parameter and no place in the body."""
    return [
        api.request("PUT", "/conversations", json={}),
        api.request("POST", "/conversations", content=b"{}", headers={"Content-Type": "text/plain"}),
    ]


def _pointers(error: dict[str, Any]) -> list[str]:
    return sorted(f"{finding.get('in')} {finding.get('pointer')}" for finding in error.get("findings", []))


def _create_with(api: ApiClient, *items: Any) -> ApiResponse:
    return api.post("/conversations", {"items": list(items)})


def _has_the_envelope(answer: ApiResponse) -> None:
    error = answer.expect_error()
    received = {*error} - {"findings"}
    expect(sorted(received), ["code", "message", "param", "type"], f"fields of the error {answer.status}")
    expect(error["code"], answer.status, "code")
    require_text(error["message"], "message")


def _has_the_type(answer: ApiResponse) -> None:
    if answer.status in _TYPES:  # Which status it has is another rule.
        expect(answer.expect_error().get("type"), _TYPES[answer.status], f"type of the error {answer.status}")


def _error(api: ApiClient, rule: str, answer: ApiResponse) -> dict[str, Any]:
    """The error of what the rule refuses, once it is sure that it has the form in which the rest is said."""
    api.set_behaviour(rule)
    error = answer.expect_error()
    api.set_behaviour("errors.have-one-envelope")
    _has_the_envelope(answer)
    return error


def _are_400_if_refused(*answers: ApiResponse) -> None:
    for answer in answers:
        if 400 <= answer.status < 500:  # Whether it is refused at all is another rule.
            answer.expect_error(400)


@scenario("errors.invalid-requests-are-400")
def invalid_requests_answer_400(api: ApiClient) -> None:
    conversation = api.create_id()
    items = items_path(conversation)
    _are_400_if_refused(
        api.post(items, {}),
        api.post(items, {"items": [message("hello")] * 21}),
        api.post(items, {"items": [None]}),
        api.post(conversation_path(conversation), {"metadata": {"key": 1}}),
        api.get(items, limit=101),
        api.get(items, order="newest"),
        api.post("/conversations", ["items"]),
        api.post("/conversations", {"items": 5}),
    )


@scenario("errors.invalid-requests-are-400")
def invalid_requests_to_list_or_remove_several_answer_400(api: ApiClient) -> None:
    _are_400_if_refused(
        api.delete(items_path(api.create_id()), {"item_ids": []}),
        api.get("/conversations", limit="many"),
        api.get("/conversations", order="newest"),
    )


@scenario("errors.have-one-envelope", "errors.have-a-type")
def errors_have_one_envelope(api: ApiClient) -> None:
    conversation = api.create_id()
    answers = [
        api.get(conversation_path(unknown_id_like(conversation))),
        api.post(conversation_path(conversation), {"metadata": "text"}),
        api.get(items_path(conversation), order="newest"),
        *_about_neither(api),
    ]
    answers = [answer for answer in answers if 400 <= answer.status < 500]  # Which are refused is another rule.
    api.set_behaviour("errors.have-one-envelope")
    for answer in answers:
        _has_the_envelope(answer)
    api.set_behaviour("errors.have-a-type")
    for answer in answers:
        _has_the_type(answer)


@scenario(
    "auth.missing-key-is-refused",
    "errors.have-one-envelope",
    "errors.have-a-type",
    "errors.param-is-null-otherwise",
    needs=OwnKey(),
)
def a_refused_key_has_the_same_envelope(api: ApiClient) -> None:
    answer = api.with_key(None).get(conversation_path(api.create_id()))
    api.set_behaviour("auth.missing-key-is-refused")
    answer.expect_error()
    api.set_behaviour("errors.have-one-envelope")
    _has_the_envelope(answer)
    api.set_behaviour("errors.have-a-type")
    _has_the_type(answer)
    api.set_behaviour("errors.param-is-null-otherwise")
    expect(answer.expect_error().get("param", "absent"), None, f"param of the error {answer.status}")


@scenario(
    "items.list.refuses-other-limits",
    "items.list.refuses-other-orders",
    "errors.have-one-envelope",
    "errors.param-names-the-parameter",
)
def param_names_the_parameter(api: ApiClient) -> None:
    items = items_path(api.create_id())
    limit = _error(api, "items.list.refuses-other-limits", api.get(items, limit="many"))
    order = _error(api, "items.list.refuses-other-orders", api.get(items, order="newest"))
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
    value = _error(api, "conversations.metadata.values-are-strings", metadata)
    output = _create_with(api, {"type": "function_call_output", "output": "1"})
    item = _error(api, "items.create.refuses-missing-fields", output)
    api.set_behaviour("errors.param-names-the-body-path")
    expect(value.get("param"), "metadata.key", "param")
    expect(item.get("param"), "items[0].call_id", "param")
    api.set_behaviour("errors.findings-name-the-missing-field")
    expect(_pointers(item), ["body /items/0/call_id"], "pointers")


@scenario("errors.have-one-envelope", "errors.param-is-null-otherwise")
def param_is_null_otherwise(api: ApiClient) -> None:
    answers = [answer for answer in _about_neither(api) if 400 <= answer.status < 500]
    api.set_behaviour("errors.have-one-envelope")
    for answer in answers:
        _has_the_envelope(answer)
    api.set_behaviour("errors.param-is-null-otherwise")
    for answer in answers:
        expect(answer.expect_error().get("param", "absent"), None, f"param of the error {answer.status}")


@scenario(
    "items.list.refuses-other-limits",
    "items.create.refuses-missing-fields",
    "errors.have-one-envelope",
    "errors.findings-say-where-and-why",
    "errors.findings-are-one-per-mistake",
)
def findings_are_one_per_mistake(api: ApiClient) -> None:
    items = items_path(api.create_id())
    query = _error(api, "items.list.refuses-other-limits", api.get(items, limit=0, order="newest"))
    spoiled = _create_with(api, message("fine"), {"type": "function_call", "call_id": 1, "name": "f"})
    body = _error(api, "items.create.refuses-missing-fields", spoiled)
    errors = [
        (query, ["query /limit", "query /order"]),
        (body, ["body /items/1/arguments", "body /items/1/call_id"]),
    ]
    api.set_behaviour("errors.findings-say-where-and-why")
    for error, mistakes in errors:
        places = _pointers(error)
        require(places and set(places) <= set(mistakes), "pointers", f"some of {mistakes!r}", places)
        for finding in error["findings"]:
            expect(sorted(finding), ["code", "in", "message", "pointer"], "fields of a finding")
            require_text(finding["message"], "message")
    api.set_behaviour("errors.findings-are-one-per-mistake")
    for error, mistakes in errors:
        expect(_pointers(error), mistakes, "pointers")


@scenario(
    "items.create.refuses-missing-fields",
    "errors.have-one-envelope",
    "errors.findings-stay-in-the-kind-that-was-meant",
)
def findings_stay_in_the_kind_that_was_meant(api: ApiClient) -> None:
    click = {"type": "click", "button": "left", "y": 20}
    call = {"type": "computer_call", "id": unique_name("cu"), "call_id": "call_1", "action": click,
            "pending_safety_checks": [], "status": "completed"}  # fmt: skip
    picture = message("", content=[{"type": "input_text"}])
    of_click = _error(api, "items.create.refuses-missing-fields", _create_with(api, call))
    of_picture = _error(api, "items.create.refuses-missing-fields", _create_with(api, picture))
    api.set_behaviour("errors.findings-stay-in-the-kind-that-was-meant")
    expect(_pointers(of_click), ["body /items/0/action/x"], "pointers of a click")
    expect(_pointers(of_picture), ["body /items/0/content/0/text"], "pointers of a text part")
