"""Response checks: violations, drift, and the names of cases."""

import json
from typing import Any

import pytest

from mockserver.contract.contract import Contract
from mockserver.verify.document import allow_unknown_values, relocate_document
from mockserver.verify.report.model import Deviation
from mockserver.verify.reproduction import ExchangeLog
from mockserver.verify.response_checks import NULL_FIELDS, ResponseChecks
from mockserver.verify.sdk import PublishedSdk
from mockserver.verify.transport import WireExchange, WireRequest, WireResponse

CONTRACT = Contract.load()
OPEN_CONTRACT = Contract.from_document(allow_unknown_values(CONTRACT.document))
CONVERSATION = {"id": "conv_1", "object": "conversation", "created_at": 1, "deleted_at": None, "metadata": {}}
MESSAGE = {"id": "msg_1", "type": "message", "role": "user", "content": "hello"}
METHOD_NOT_ALLOWED = {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": 405}}
WITHOUT_CREATED_AT = {name: value for name, value in CONVERSATION.items() if name != "created_at"}

ABOUT_CONVERSATION = ("GET", "/conversations/c", 200)
ABOUT_ITEM = ("GET", "/conversations/c/items/i", 200)


def check(
    *responses: tuple[str, str, int, Any], sdk: PublishedSdk | None = None, content_type: str = "application/json"
) -> list[Deviation]:
    """Return the deviations of responses, given as method, path, status and body."""
    checks = ResponseChecks(CONTRACT.operations, OPEN_CONTRACT.operations, ExchangeLog("http://target"), sdk)
    for number, (method, path, status, body) in enumerate(responses, start=1):
        request = WireRequest(method, f"/api/v1/llm{path}", (), b"")
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = WireResponse(status, (("content-type", content_type),), content)
        match = CONTRACT.operations.match(method, request.path)
        checks.check(WireExchange("behaviours", number, request, response, match))
    return list(checks.deviations)


def test_a_valid_response_has_no_deviation() -> None:
    assert check((*ABOUT_CONVERSATION, CONVERSATION), (*ABOUT_ITEM, MESSAGE)) == []


@pytest.mark.parametrize(
    ("response", "case"),
    [
        ((*ABOUT_CONVERSATION, CONVERSATION | {"created_at": "1"}), "ConversationObject/created_at"),
        ((*ABOUT_CONVERSATION, WITHOUT_CREATED_AT), "ConversationObject/created_at"),
        ((*ABOUT_CONVERSATION, CONVERSATION | {"metadata": {"key": 1}}), "Metadata/type"),
        ((*ABOUT_ITEM, MESSAGE | {"content": [{"type": "input_hologram"}]}), "InputMessageContent/anyOf"),
        ((*ABOUT_ITEM, MESSAGE | {"content": [{"type": "input_text", "text": 1}]}), "InputText/text"),
        ((*ABOUT_CONVERSATION, b"<html>"), "conversations.retrieve/200/body"),
        (("GET", "/conversations/c", 418, {}), "conversations.retrieve/418"),
        (("GET", "/conversations/c", 503, {}), "conversations.retrieve/503"),
        (("GET", "/nowhere", 500, {}), "GET of no operation/500"),
        (("PUT", "/conversations", 405, METHOD_NOT_ALLOWED), "MethodNotAllowed/Allow"),
    ],
)
def test_a_violation_is_named_by_the_part_of_the_document_that_it_breaks(response: Any, case: str) -> None:
    assert [(one.case, one.verdict) for one in check(response)] == [(case, "violates")]


def test_a_wrong_content_type_is_a_violation() -> None:
    (deviation,) = check((*ABOUT_CONVERSATION, CONVERSATION), content_type="text/html")
    assert deviation.case == "conversations.retrieve/200/header/Content-Type"


@pytest.mark.parametrize(
    "response",
    [
        (*ABOUT_CONVERSATION, CONVERSATION | {"colour": "red"}),
        (*ABOUT_ITEM, MESSAGE | {"role": "narrator"}),
        (*ABOUT_ITEM, MESSAGE | {"role": "assistant", "content": [{"type": "hologram"}], "status": "completed"}),
    ],
)
def test_an_unknown_value_at_an_extensible_place_is_drift(response: Any) -> None:
    assert {one.verdict for one in check(response)} == {"drift"}


def test_operations_share_the_case_of_an_error_body() -> None:
    detail = {"detail": "Not Found"}
    (deviation,) = check(("GET", "/conversations/c", 404, detail), ("DELETE", "/conversations/c/items/i", 404, detail))
    assert (deviation.case, deviation.count) == ("NotFoundError/error", 2)
    assert deviation.operations == ("conversations.retrieve", "conversations.items.delete")


def test_nulls_for_absent_fields_are_one_deviation() -> None:
    call = {"type": "mcp_call", "id": "mcp_1", "name": "f", "server_label": "s", "arguments": "{}"}
    responses = [(*ABOUT_ITEM, call | nulls) for nulls in ({"output": None}, {"output": None, "error": None})]
    (deviation,) = check(*responses)
    assert (deviation.case, deviation.count) == (NULL_FIELDS, 3)
    assert deviation.fields == ("MCPToolCall/output", "MCPToolCall/error")


def test_an_object_of_another_kind_is_one_deviation() -> None:
    assert len(check((*ABOUT_CONVERSATION, {"object": "conversation"}))) == 1


def test_a_server_error_is_one_deviation_besides_its_body() -> None:
    found = check(("GET", "/conversations/c", 500, b"Traceback"), content_type="text/plain")
    assert (found[0].case, found[0].verdict) == ("conversations.retrieve/500", "violates")
    assert len(found) <= 2


def test_the_sdk_helps_to_find_the_suspect() -> None:
    sdk = PublishedSdk()
    (deviation,) = check((*ABOUT_CONVERSATION, CONVERSATION | {"created_at": "yesterday"}), sdk=sdk)
    assert deviation.suspect == "target"
    assert "cannot parse the response either" in deviation.reason
    too_many = {f"key {number}": "" for number in range(17)}
    (deviation,) = check((*ABOUT_CONVERSATION, CONVERSATION | {"metadata": too_many}), sdk=sdk)
    assert deviation.suspect == "document"
    assert "too strict" in deviation.reason


def test_the_document_is_relocated_to_its_target() -> None:
    moved = relocate_document(CONTRACT.document, "https://gateway.example.com/base", "/v1", responses=False)
    operations = Contract.from_document(moved).operations
    match = operations.match("GET", "/base/v1/conversations/c")
    assert match is not None
    assert match.operation.id == "conversations.retrieve"
    assert {operation.partition(".")[0] for operation in operations} == {"conversations"}


def test_operations_that_cost_money_are_included_on_request_only() -> None:
    assert "/v1/responses" not in relocate_document(CONTRACT.document, "", "/v1", responses=False)["paths"]
    assert "/v1/responses" in relocate_document(CONTRACT.document, "", "/v1", responses=True)["paths"]
