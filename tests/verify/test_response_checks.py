"""ResponseChecks held to the document: what is a violation, what is drift, and what each is called."""

import json
from typing import Any

import pytest

from mockserver.contract.document import load_document
from mockserver.contract.operations import Operations
from mockserver.verify.document import allow_unknown_values, relocate_document
from mockserver.verify.reproduction import ExchangeLog
from mockserver.verify.response_checks import ResponseChecks
from mockserver.verify.sdk import PublishedSdk
from mockserver.verify.transport import WireExchange, WireRequest, WireResponse

DOCUMENT = load_document()
OPERATIONS = Operations(DOCUMENT)
OPEN = Operations(allow_unknown_values(DOCUMENT))
CONVERSATION = {"id": "conv_1", "object": "conversation", "created_at": 1, "deleted_at": None, "metadata": {}}
MESSAGE = {"id": "msg_1", "type": "message", "role": "user", "content": "hello"}
METHOD_NOT_ALLOWED = {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": 405}}
WITHOUT_SDK, WITH_SDK = None, PublishedSdk()


def deviations(
    method: str, path: str, status: int, body: Any, reader: PublishedSdk | None = WITHOUT_SDK, **headers: str
):
    answers = ResponseChecks(OPERATIONS, OPEN, ExchangeLog("http://target"), reader)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {
        "content-type": "application/json",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    sent = WireRequest(method, f"/api/v1/llm{path}", (), b"")
    match = OPERATIONS.match(method, sent.target)
    answers.observe(WireExchange("behaviours", 1, sent, WireResponse(status, tuple(headers.items()), content), match))
    return [(one.case, one.verdict) for one in answers.deviations]


def retrieved(**changes: Any):
    body = {name: value for name, value in {**CONVERSATION, **changes}.items() if value != "absent"}
    return deviations("GET", "/conversations/c", 200, body)


def item(**changes: Any):
    return deviations("GET", "/conversations/c/items/i", 200, {**MESSAGE, **changes})


def test_what_the_document_says_is_nothing() -> None:
    assert retrieved() == item() == []


@pytest.mark.parametrize(
    ("found", "case", "verdict"),
    [
        (retrieved(created_at="1"), "ConversationObject/created_at", "violates"),
        (retrieved(created_at="absent"), "ConversationObject/created_at", "violates"),
        (retrieved(metadata={"key": 1}), "Metadata/type", "violates"),
        (retrieved(colour="red"), "conversations.retrieve/200/body/colour", "drift"),
        (item(role="narrator"), "drift here", "drift"),
        (item(role="assistant", content=[{"type": "hologram"}], status="completed"), "drift here", "drift"),
        (item(content=[{"type": "input_hologram"}]), "InputMessageContent/anyOf", "violates"),
        (item(content=[{"type": "input_text", "text": 1}]), "InputText/text", "violates"),
        (deviations("GET", "/conversations/c", 200, b"<html>"), "conversations.retrieve/200/body", "violates"),
        (deviations("GET", "/conversations/c", 418, {}), "conversations.retrieve/418", "violates"),
        (deviations("GET", "/conversations/c", 503, {}), "conversations.retrieve/503", "violates"),
        (deviations("GET", "/nowhere", 500, {}), "GET of no operation/500", "violates"),
        (deviations("PUT", "/conversations", 405, METHOD_NOT_ALLOWED), "MethodNotAllowed/Allow", "violates"),
        (
            deviations("GET", "/conversations/c", 200, CONVERSATION, content_type="text/html"),
            "conversations.retrieve/200/header/Content-Type",
            "violates",
        ),
    ],
)
def test_a_deviation_has_a_name_and_a_verdict(found, case: str, verdict: str) -> None:
    if case == "drift here":
        assert [one for _, one in found] == [verdict], found
    else:
        assert found == [(case, verdict)]


def test_an_error_body_is_the_same_mistake_wherever_it_is_met() -> None:
    one = deviations("GET", "/conversations/c", 404, {"detail": "Not Found"})
    other = deviations("DELETE", "/conversations/c/items/i", 404, {"detail": "Not Found"})
    assert one == other == [("NotFoundError/error", "violates")]


def test_nulls_for_what_is_not_there_are_one_deviation() -> None:
    answers = ResponseChecks(OPERATIONS, OPEN, ExchangeLog("http://target"), WITHOUT_SDK)
    call = {"type": "mcp_call", "id": "mcp_1", "name": "f", "server_label": "s", "arguments": "{}"}
    sent = WireRequest("GET", "/api/v1/llm/conversations/c/items/i", (), b"")
    for nulls in ({"output": None}, {"output": None, "error": None}):
        response = WireResponse(200, (("content-type", "application/json"),), json.dumps(call | nulls).encode())
        answers.observe(WireExchange("behaviours", 1, sent, response, OPERATIONS.match("GET", sent.target)))
    (deviation,) = answers.deviations
    assert (deviation.case, deviation.count) == ("null for absent fields", 3)
    assert deviation.fields == ("MCPToolCall/output", "MCPToolCall/error")


def test_something_else_altogether_is_one_deviation() -> None:
    found = deviations("GET", "/conversations/c", 200, {"object": "conversation"})
    assert len(found) == 1


def test_a_server_error_is_told_once_though_its_body_is_wrong_too() -> None:
    found = deviations("GET", "/conversations/c", 500, b"Traceback (most recent call last)", content_type="text/plain")
    assert found[0] == ("conversations.retrieve/500", "violates")
    assert len(found) <= 2


def suspect(body: Any) -> tuple[str, str]:
    answers = ResponseChecks(OPERATIONS, OPEN, ExchangeLog("http://target"), WITH_SDK)
    sent = WireRequest("GET", "/api/v1/llm/conversations/c", (), b"")
    response = WireResponse(200, (("content-type", "application/json"),), json.dumps(body).encode())
    answers.observe(WireExchange("behaviours", 1, sent, response, OPERATIONS.match("GET", sent.target)))
    (deviation,) = answers.deviations
    return deviation.suspect, deviation.reason


def test_the_sdk_is_asked_who_is_wrong() -> None:
    who, why = suspect({**CONVERSATION, "created_at": "yesterday"})
    assert who == "target"
    assert "cannot read the answer either" in why
    who, why = suspect({**CONVERSATION, "metadata": {f"key {number}": "" for number in range(17)}})
    assert (who, "without complaint" in why) in {("document", True), ("target", False)}


def test_the_document_moves_with_its_target() -> None:
    moved = relocate_document(DOCUMENT, "https://gateway.example.com/base", "/v1", responses=False)
    operations = Operations(moved)
    match = operations.match("GET", "/base/v1/conversations/c")
    assert match is not None
    assert match.operation.id == "conversations.retrieve"
    assert set(operations) == set(OPERATIONS)


def test_operations_that_cost_money_are_left_out_unless_asked_for() -> None:
    costly = {
        "/api/v1/llm/responses": {"post": {"tags": ["Responses"], "operationId": "responses.create", "responses": {}}}
    }
    document = {**DOCUMENT, "paths": {**DOCUMENT["paths"], **costly}}
    assert "/v1/responses" not in relocate_document(document, "", "/v1", responses=False)["paths"]
    assert "/v1/responses" in relocate_document(document, "", "/v1", responses=True)["paths"]
