"""Response checks: violations, drift, and the names of cases."""

import json
from typing import Any

import pytest

from mockserver.contract.contract import Contract
from mockserver.verify.document import allow_unknown_values, relocate_document
from mockserver.verify.report.model import Deviation, Kind
from mockserver.verify.reproduction import ExchangeLog
from mockserver.verify.response_checks import ERROR_BODIES, NULL_FIELDS, ResponseChecks
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
    *responses: tuple[Any, ...],
    sdk: PublishedSdk | None = None,
    content_type: str = "application/json",
    is_shape_assumed: bool = False,
) -> list[Deviation]:
    """Return the deviations of responses, given as method, path, status and body, perhaps with the request body."""
    checks = ResponseChecks(CONTRACT.operations, OPEN_CONTRACT.operations, ExchangeLog("http://target"), sdk)
    for number, (method, path, status, body, *sent) in enumerate(responses, start=1):
        headers = (("content-type", "application/json"),)
        request = WireRequest(method, f"/api/v1/llm{path}", headers, json.dumps(sent[0]).encode() if sent else b"")
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = WireResponse(status, (("content-type", content_type),), content)
        match = CONTRACT.operations.match(method, request.path)
        exchange = WireExchange("behaviours", number, request, response, match)
        checks.check(exchange, is_shape_assumed=is_shape_assumed)
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
    assert (deviation.case, deviation.count) == (ERROR_BODIES, 2)
    assert deviation.kinds == (Kind("404 body/error: is required", 2),)
    assert deviation.operations == ("conversations.retrieve", "conversations.items.delete")


def test_nulls_for_absent_fields_are_one_deviation() -> None:
    call = {"type": "mcp_call", "id": "mcp_1", "name": "f", "server_label": "s", "arguments": "{}"}
    responses = [(*ABOUT_ITEM, call | nulls) for nulls in ({"output": None}, {"output": None, "error": None})]
    (deviation,) = check(*responses)
    assert (deviation.case, deviation.count) == (NULL_FIELDS, 3)
    assert deviation.kinds == (Kind("MCPToolCall/output", 2), Kind("MCPToolCall/error", 1))


def test_a_null_that_makes_a_union_fail_is_nothing_but_a_null() -> None:
    file = {"type": "input_file", "file_id": "file_1", "filename": None, "file_url": None}
    (deviation,) = check((*ABOUT_ITEM, MESSAGE | {"status": None, "content": [file]}))
    assert deviation.case == NULL_FIELDS
    assert {kind.name.rpartition("/")[2] for kind in deviation.kinds} == {"status", "filename", "file_url"}


CREATE = ("POST", "/conversations", 200)
ADD = ("POST", "/conversations/c/items", 200)
SEARCH = {"type": "file_search_call", "id": "fs_1", "queries": ["x"], "status": "AAA"}
PAGE = {"object": "list", "data": [SEARCH], "has_more": False, "last_id": "fs_1"}
TOO_LONG = {"metadata": {"key": "v" * 513}}


@pytest.mark.parametrize(
    "responses",
    [
        [(*CREATE, CONVERSATION | TOO_LONG, TOO_LONG)],
        [(*CREATE, CONVERSATION | TOO_LONG, TOO_LONG), ("GET", "/conversations/conv_1", 200, CONVERSATION | TOO_LONG)],
        [(*ADD, PAGE, {"items": [SEARCH]})],
        [(*ADD, PAGE, {"items": [SEARCH]}), ("GET", "/conversations/c/items", 200, PAGE)],
        [("POST", "/conversations/conv_1", 200, CONVERSATION | TOO_LONG, TOO_LONG)],
    ],
)
def test_a_response_that_shows_what_the_run_sent_invalidly_does_not_deviate(responses: Any) -> None:
    assert check(*responses) == []
    valid = {"items": [MESSAGE], "metadata": {}}
    assert check(*[(*one[:4], valid) if len(one) > 4 else one for one in responses]) != []


def test_a_field_that_the_run_sent_itself_is_no_drift() -> None:
    known = {"items": [MESSAGE | {"mood": "good"}]}
    page = PAGE | {"data": [MESSAGE | {"mood": "good", "tone": "low"}]}
    assert [one.case.rpartition("/")[2] for one in check((*ADD, page, known))] == ["tone"]


def test_the_form_of_a_response_that_was_assumed_to_be_an_error_is_not_judged() -> None:
    assert check((*ABOUT_CONVERSATION, {"object": "list", "data": []}), is_shape_assumed=True) == []
    (failure,) = check((*ABOUT_CONVERSATION[:2], 500, {}), is_shape_assumed=True)
    assert failure.case == "conversations.retrieve/500"


def test_an_object_of_another_kind_is_one_deviation() -> None:
    assert len(check((*ABOUT_CONVERSATION, {"object": "conversation"}))) == 1


def test_a_server_error_is_one_deviation_with_its_body() -> None:
    (found,) = check(("GET", "/conversations/c", 500, b"Traceback"), content_type="text/plain")
    assert (found.case, found.verdict) == ("conversations.retrieve/500", "violates")


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
