"""What an error looks like, and how exactly it says what is wrong."""

from typing import Any

from mockserver.conformance.api import Answer, Api, conversation_path, fresh_name, items_path
from mockserver.conformance.samples import says
from mockserver.conformance.scenario import Scenarios, expect

scenario = Scenarios()

_TYPES = dict.fromkeys((400, 404, 405, 413, 415), "invalid_request_error") | {401: "authentication_error"}


def _about_neither(api: Api) -> list[Answer]:
    """An error of each status that is about no parameter and no place in the body."""
    return [
        api.with_key(None).get("/conversations"),
        api.request("PUT", "/conversations", json={}),
        api.request("POST", "/conversations", content=b"{}", headers={"Content-Type": "text/plain"}),
    ]


def _pointers(error: dict[str, Any]) -> list[str]:
    return sorted(f"{finding['in']} {finding['pointer']}" for finding in error.get("findings", []))


def _create_with(api: Api, *items: Any) -> dict[str, Any]:
    return api.post("/conversations", {"items": list(items)}).refused()


@scenario("errors.invalid-requests-are-400")
def invalid_requests_answer_400(api: Api) -> None:
    items = items_path(api.create_id())
    api.get("/conversations", limit=51).refused(400)
    api.get("/conversations", order="newest").refused(400)
    api.get(items, limit=101).refused(400)
    api.post(items, {}).refused(400)
    api.post(items, {"items": [says("hello")] * 21}).refused(400)
    api.post("/conversations", {"metadata": {"key": 1}}).refused(400)
    api.delete(items, {"item_ids": []}).refused(400)
    api.post("/conversations", ["items"]).refused(400)


@scenario("errors.have-one-envelope", "errors.have-a-type")
def errors_have_one_envelope(api: Api) -> None:
    answers = [
        api.get("/conversations", limit=0),
        api.get(conversation_path(fresh_name("conv"))),
        *_about_neither(api),
    ]
    api.checks("errors.have-one-envelope")
    for answer in answers:
        error = answer.refused()
        expect({*error} - {"findings"}, {"message", "type", "param", "code"}, f"fields of the error {answer.status}")
        expect(error["code"], answer.status, "code")
        assert isinstance(error["message"], str), f"message: expected text, received {error['message']!r}"
        assert error["message"], "message: expected some text, received none"
    api.checks("errors.have-a-type")
    for answer in answers:
        if answer.status in _TYPES:  # Which status it has is another rule.
            expect(answer.refused()["type"], _TYPES[answer.status], f"type of the error {answer.status}")


@scenario("errors.param-names-the-parameter")
def param_names_the_parameter(api: Api) -> None:
    expect(api.get("/conversations", limit=0).refused().get("param"), "limit", "param")
    expect(api.get("/conversations", order="newest").refused().get("param"), "order", "param")


@scenario("errors.param-names-the-body-path", "errors.findings-name-the-missing-field")
def param_names_the_body_path(api: Api) -> None:
    api.checks("errors.param-names-the-body-path")
    expect(api.post("/conversations", {"metadata": {"key": 1}}).refused().get("param"), "metadata.key", "param")
    error = _create_with(api, {"type": "function_call_output", "output": "1"})
    expect(error.get("param"), "items[0].call_id", "param")
    api.checks("errors.findings-name-the-missing-field")
    expect(_pointers(error), ["body /items/0/call_id"], "pointers")


@scenario("errors.param-is-null-otherwise")
def param_is_null_otherwise(api: Api) -> None:
    for answer in _about_neither(api):
        expect(answer.refused().get("param", "absent"), None, f"param of the error {answer.status}")


@scenario("errors.findings-say-where-and-why", "errors.findings-are-one-per-mistake")
def findings_are_one_per_mistake(api: Api) -> None:
    spoiled = {"type": "function_call", "call_id": 1, "name": "f"}
    errors = [
        (api.get("/conversations", limit=0, order="newest").refused(), ["query /limit", "query /order"]),
        (_create_with(api, says("fine"), spoiled), ["body /items/1/arguments", "body /items/1/call_id"]),
    ]
    api.checks("errors.findings-say-where-and-why")
    for error, mistakes in errors:
        places = _pointers(error)
        assert places, "pointers: expected some, received none"
        assert set(places) <= set(mistakes), f"pointers: expected some of {mistakes!r}, received {places!r}"
        for finding in error["findings"]:
            expect(sorted(finding), ["in", "message", "pointer"], "fields of a finding")
            assert finding["message"], "message: expected some text, received none"
    api.checks("errors.findings-are-one-per-mistake")
    for error, mistakes in errors:
        expect(_pointers(error), mistakes, "pointers")


@scenario("errors.findings-stay-in-the-kind-that-was-meant")
def findings_stay_in_the_kind_that_was_meant(api: Api) -> None:
    click = {"type": "click", "button": "left", "x": "ten", "y": 20}
    call = {"type": "computer_call", "id": fresh_name("cu"), "call_id": "call_1", "action": click,
            "pending_safety_checks": [], "status": "completed"}  # fmt: skip
    expect(_pointers(_create_with(api, call)), ["body /items/0/action/x"], "pointers of a click")
    picture = says("", content=[{"type": "input_text"}])
    expect(_pointers(_create_with(api, picture)), ["body /items/0/content/0/text"], "pointers of a text part")
