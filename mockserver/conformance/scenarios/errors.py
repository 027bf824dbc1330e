"""What an error looks like, and how exactly it says what is wrong."""

from typing import Any

from mockserver.conformance.api import Answer, Api, conversation_path, fresh_name, items_path
from mockserver.conformance.samples import says
from mockserver.conformance.scenario import Scenarios, expect

scenario = Scenarios()


def _all_statuses(api: Api) -> dict[int, Answer]:
    """One error of each status that needs no other settings."""
    return {
        400: api.get("/conversations", limit=0),
        401: api.with_key(None).get("/conversations"),
        404: api.get(conversation_path(fresh_name("conv"))),
        405: api.request("PUT", "/conversations", json={}),
        415: api.request("POST", "/conversations", content=b"{}", headers={"Content-Type": "text/plain"}),
    }


def _pointers(error: dict[str, Any]) -> list[str]:
    return sorted(f"{finding['in']} {finding['pointer']}" for finding in error["findings"])


def _create_with(api: Api, *items: Any) -> dict[str, Any]:
    return api.post("/conversations", {"items": list(items)}).refused(400)


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


@scenario("errors.have-one-envelope", "errors.have-a-type")
def errors_have_one_envelope(api: Api) -> None:
    for status, answer in _all_statuses(api).items():
        error = answer.refused(status)
        expect({*error} - {"findings"}, {"message", "type", "param", "code"}, f"fields of the error {status}")
        expect(error["code"], status, "code")
        expect(error["type"], "authentication_error" if status == 401 else "invalid_request_error", "type")
        assert isinstance(error["message"], str), f"message: expected text, received {error['message']!r}"
        assert error["message"], "message: expected some text, received none"


@scenario("errors.param-names-the-parameter")
def param_names_the_parameter(api: Api) -> None:
    expect(api.get("/conversations", limit=0).refused(400)["param"], "limit", "param")
    expect(api.get("/conversations", order="newest").refused(400)["param"], "order", "param")


@scenario("errors.param-names-the-body-path", "errors.findings-name-the-missing-field")
def param_names_the_body_path(api: Api) -> None:
    output = {"type": "function_call_output", "output": "1"}
    error = _create_with(api, output)
    expect(error["param"], "items[0].call_id", "param")
    expect(_pointers(error), ["body /items/0/call_id"], "pointers")
    error = api.post("/conversations", {"metadata": {"key": 1}}).refused(400)
    expect(error["param"], "metadata.key", "param")


@scenario("errors.param-is-null-otherwise")
def param_is_null_otherwise(api: Api) -> None:
    for status in (401, 405, 415):
        expect(_all_statuses(api)[status].refused(status)["param"], None, f"param of the error {status}")


@scenario("errors.findings-say-where-and-why", "errors.findings-are-one-per-mistake")
def findings_are_one_per_mistake(api: Api) -> None:
    answer = api.get("/conversations", limit=0, order="newest").refused(400)
    expect(_pointers(answer), ["query /limit", "query /order"], "pointers")
    spoiled = {"type": "function_call", "call_id": 1, "name": "f"}
    error = _create_with(api, says("fine"), spoiled)
    expect(_pointers(error), ["body /items/1/arguments", "body /items/1/call_id"], "pointers")
    for finding in error["findings"]:
        expect(sorted(finding), ["in", "message", "pointer"], "fields of a finding")
        assert finding["message"], "message: expected some text, received none"


@scenario("errors.findings-stay-in-the-kind-that-was-meant")
def findings_stay_in_the_kind_that_was_meant(api: Api) -> None:
    click = {"type": "click", "button": "left", "x": "ten", "y": 20}
    call = {"type": "computer_call", "id": fresh_name("cu"), "call_id": "call_1", "action": click,
            "pending_safety_checks": [], "status": "completed"}  # fmt: skip
    expect(_pointers(_create_with(api, call)), ["body /items/0/action/x"], "pointers of a click")
    picture = says("", content=[{"type": "input_text"}])
    expect(_pointers(_create_with(api, picture)), ["body /items/0/content/0/text"], "pointers of a text part")
