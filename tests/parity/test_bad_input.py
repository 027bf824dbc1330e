"""Invalid requests return the right status, findings and key phrase, and change nothing.

Requests are sent as bytes, because most HTTP clients would not send them.
"""

import json
import re

import pytest

from mockserver import Settings, create_app, run_server
from tests.support.raw_connection import RawConnection, build_request

MAX_BODY = 100_000
API = "/api/v1/llm/conversations"
AUTHORIZATION = "Authorization: Bearer mka1-test-key"
MESSAGE = {"type": "message", "role": "user", "content": "hi"}
OTHER = {"conversations": [{"id": "conv_2", "items": [{"id": "msg_2", **MESSAGE}]}]}
SEED = {"conversations": [{"id": "conv_1", "metadata": {"a": "b"}, "items": [{"id": "msg_1", **MESSAGE}]}]}


@pytest.fixture(scope="module")
def url():
    with run_server(create_app(Settings(max_body=MAX_BODY, seeds=(SEED, OTHER)))) as server:
        yield server.url


@pytest.fixture
def send(url):
    def send(method, path, body=None, *headers, authorization=AUTHORIZATION):
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        lines = ["Connection: close", *headers, *([authorization] if authorization is not None else [])]
        with RawConnection(url, timeout=30) as connection:
            return connection.send(build_request(method, API + path, content, lines)).read_response()

    return send


@pytest.fixture(autouse=True)
def nothing_changes(send):
    def read_all():
        return [send("GET", path).json() for path in ("", "/conv_1/items", "/conv_2/items")]

    before = read_all()
    yield
    assert read_all() == before


def check_400(response, *findings, phrase="", param=None):
    """Check the findings, each of them place and code, and that the message contains the phrase."""
    error = response.json()["error"]
    assert response.status_code == 400
    assert [(one["in"], one["pointer"], one["code"]) for one in error["findings"]] == list(findings)
    assert phrase in error["message"]
    assert param in (None, error["param"])


@pytest.mark.parametrize(
    ("body", "pointer", "code", "phrase"),
    [
        (b"{", "", "invalid_json", "line 1, column 2"),
        (b'{"metadata": {"a": "b"', "", "invalid_json", "line 1, column 23"),
        (b"metadata=a", "", "invalid_json", "line 1, column 1"),
        (b"{} {}", "", "invalid_json", "line 1, column 4"),
        (b"\xef\xbb\xbf{}", "", "invalid_json", "byte order mark"),
        (b'{"metadata": {"a": NaN}}', "/metadata/a", "invalid_json", "NaN"),
        (b'{"metadata": {"a": -Infinity}}', "/metadata/a", "invalid_json", "-Infinity"),
        (b'{"metadata": {"a": "\xff"}}', "", "invalid_encoding", "byte 20"),
        (b'{"metadata": {"a": "\\ud800"}}', "/metadata/a", "lone_surrogate", "metadata.a"),
        (b'{"metadata": {"a": "1", "a": "2"}}', "/metadata/a", "duplicate_name", "metadata.a"),
        (b'{"metadata": {}, "metadata": {}}', "/metadata", "duplicate_name", "metadata"),
        (b'{"metadata": {"a": 1e400}}', "/metadata/a", "number_too_large", "inf"),
        (b'{"metadata": {"a": ' + b"9" * 400 + b"}}", "/metadata/a", "number_too_large", "a huge integer"),
        (b"[" * 300 + b"]" * 300, "", "nested_too_deeply", "200 levels"),
        (b"[" * 14_000, "", "nested_too_deeply", "200 levels"),
        (None, "", "required", "is required"),
        (b"  \n", "", "required", "is required"),
        (b"null", "", "null_not_allowed", "object"),
        (b"[]", "", "type", "an empty array"),
        (b'"{}"', "", "type", "'{}'"),
        (b"5", "", "type", "5"),
    ],
)
@pytest.mark.parametrize("path", ["", "/conv_1", "/conv_1/items"])
def test_body_is_not_a_json_object(send, path, body, pointer, code, phrase):
    response = send("POST", path, body, "Content-Type: application/json")
    check_400(response, ("body", pointer, code), phrase=phrase)


def item(**fields):
    return {"items": [fields]}


def twins(first, second):
    return {"items": [MESSAGE | first, MESSAGE | second]}


CLICK = {"type": "click", "button": "left", "x": 1, "y": 2}
COMPUTER = {"type": "computer_call", "id": "a", "call_id": "b", "pending_safety_checks": [], "status": "completed"}
COMMAND = {"type": "exec", "command": ["ls"], "env": {"A": 1}}
EXIT = {"stdout": "", "stderr": "", "outcome": {"type": "exit"}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "", "format": "ogg"}}
TOOL = {"name": "t", "input_schema": []}
BAD_ITEMS = [
    ({"items": []}, "/items", "minItems", "1"),
    ({"items": [MESSAGE] * 21}, "/items", "maxItems", "20"),
    ({}, "/items", "required", ""),
    ({"items": None}, "/items", "null_not_allowed", "array"),
    ({"items": MESSAGE}, "/items", "type", "array"),
    ({"items": ["hi"]}, "/items/0", "type", "'hi'"),
    ({"items": [MESSAGE, {}]}, "/items/1/type", "required", "'message', 'output_audio', 'reasoning'"),
    (item(type="mesage", role="user", content=""), "/items/0/type", "enum", "did you mean 'message'?"),
    (item(type=None, role="user", content=""), "/items/0/type", "null_not_allowed", "'message', 'output_audio'"),
    (item(type="message", content="x"), "/items/0/role", "required", ""),
    (item(role="user"), "/items/0/content", "required", ""),
    (item(role="robot", content="x"), "/items/0/role", "enum", "'user', 'assistant', 'system' or 'developer'"),
    (item(role="user", content=5), "/items/0/content", "type", "a string or an array"),
    (item(role="user", content="x", id=""), "/items/0/id", "minLength", "1"),
    (item(role="user", content=[{"type": "input_text"}]), "/items/0/content/0/text", "required", ""),
    (item(role="user", content=[{"type": "input_image", "detail": "x"}]), "/items/0/content/0/detail", "enum", "'x'"),
    (item(role="user", content=[AUDIO]), "/items/0/content/0/input_audio/format", "enum", "'mp3' or 'wav'"),
    (item(type="function_call", name="f", arguments="{}"), "/items/0/call_id", "required", ""),
    (item(type="function_call", name="f", arguments={}, call_id="c"), "/items/0/arguments", "type", "string"),
    (item(type="function_call_output", call_id="c", output=[]), "/items/0/output", "type", "string"),
    (item(type="custom_tool_call", call_id="c", name="f"), "/items/0/input", "required", ""),
    (item(type="file_search_call", id="a", status="done", queries=[]), "/items/0/status", "enum", "'done'"),
    (item(type="web_search_call", id="a", status="x"), "/items/0/action", "required", ""),
    (
        item(type="web_search_call", id="a", status="x", action={"type": "find", "url": "u"}),
        "/items/0/action/pattern",
        "required",
        "",
    ),
    (item(**COMPUTER, action=CLICK | {"x": "1"}), "/items/0/action/x", "type", "integer"),
    (item(**COMPUTER, action={"type": "tap"}), "/items/0/action/type", "enum", "'click'"),
    (item(**COMPUTER, action=CLICK | {"x": 2**64 - 1}), "/items/0/action/x", "maximum", "9007199254740991"),
    (item(type="reasoning", id="a", summary=[{"text": "x"}]), "/items/0/summary/0/type", "required", ""),
    (item(type="image_generation_call", id="a", status="x"), "/items/0/result", "required", ""),
    (
        item(type="code_interpreter_call", id="a", status="completed", container_id="c", outputs=None),
        "/items/0/code",
        "required",
        "",
    ),
    (
        item(type="local_shell_call", id="a", call_id="c", status="x", action=COMMAND),
        "/items/0/action/env/A",
        "type",
        "string",
    ),
    (
        item(type="shell_call_output", id="a", call_id="c", output=EXIT),
        "/items/0/output/outcome/exit_code",
        "required",
        "",
    ),
    (
        item(type="mcp_list_tools", id="a", server_label="s", tools=[TOOL]),
        "/items/0/tools/0/input_schema",
        "type",
        "object",
    ),
    (
        item(type="mcp_approval_response", approval_request_id="r", approve="yes"),
        "/items/0/approve",
        "type",
        "boolean",
    ),
    (item(type="compaction", id="a"), "/items/0/content", "required", ""),
    (item(type="output_audio", id="a", data="", status="completed"), "/items/0/transcript", "required", ""),
    (twins({"id": "x"}, {"id": "x"}), "/items/1/id", "id_in_use", "'x'"),
    (twins({}, {"id": "msg_1"}), "/items/1/id", "id_in_use", "'msg_1'"),
    (twins({}, {"id": "msg_2"}), "/items/1/id", "id_in_use", "'msg_2'"),
]


@pytest.mark.parametrize(("body", "pointer", "code", "phrase"), BAD_ITEMS)
def test_items_with_one_mistake(send, body, pointer, code, phrase):
    param = re.sub(r"/(\d+)", r"[\1]", pointer)[1:].replace("/", ".")
    check_400(send("POST", "/conv_1/items", body), ("body", pointer, code), phrase=phrase, param=param)


@pytest.mark.parametrize("body", [body for body, *_ in BAD_ITEMS if body.get("items")])
def test_the_same_items_are_rejected_at_creation(send, body):
    assert send("POST", "", body).status_code == 400


def test_a_reference_within_the_conversation(send):
    response = send("POST", "/conv_1/items", item(type="item_reference", id="msg_1"))
    check_400(response, ("body", "/items/0/id", "reference_within_conversation"), phrase="'msg_1'")


@pytest.mark.parametrize("number", ["1e400", "18446744073709551616", "9" * 400])
def test_a_huge_number_in_a_free_form_field(send, number):
    tools = [{"name": "t", "input_schema": {"maximum": ["NUMBER"]}}]
    body = json.dumps(item(type="mcp_list_tools", id="m", server_label="s", tools=tools))
    response = send("POST", "/conv_1/items", body.replace('"NUMBER"', number).encode())
    check_400(response, ("body", "/items/0/tools/0/input_schema/maximum/0", "number_too_large"))


@pytest.mark.parametrize(
    ("method", "body", "param"),
    [
        ("POST", {"items": [MESSAGE, {"type": "item_reference", "id": "msg_9"}]}, "items[1].id"),
        ("DELETE", {"item_ids": ["msg_1", "msg_9"]}, "item_ids[1]"),
    ],
)
def test_an_unknown_item_in_a_body(send, method, body, param):
    response = send(method, "/conv_1/items", body)
    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (404, param)
    assert "'msg_9'" in error["message"]


@pytest.mark.parametrize(
    ("metadata", "findings", "phrase"),
    [
        ({str(n): "" for n in range(17)}, [("", "maxProperties")], "16"),
        ({"k" * 65: ""}, [(f"/{'k' * 65}", "propertyNames")], "64"),
        ({"a": "v" * 513}, [("/a", "maxLength")], "512"),
        ({"a": 1}, [("/a", "type")], "string"),
        ({"a": None}, [("/a", "null_not_allowed")], "string"),
        ({"a/b": True}, [("/a~1b", "type")], "metadata.a/b"),
        ({"a": 1, "b": 2}, [("/a", "type"), ("/b", "type")], "1 more"),
        ([], [("", "type")], "object"),
        (None, [("", "null_not_allowed")], "object"),
    ],
)
@pytest.mark.parametrize("path", ["", "/conv_1"])
def test_invalid_metadata(send, path, metadata, findings, phrase):
    expected = [("body", f"/metadata{pointer}", code) for pointer, code in findings]
    check_400(send("POST", path, {"metadata": metadata}), *expected, phrase=phrase)


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "/item_ids", "required"),
        ({"item_ids": []}, "/item_ids", "minItems"),
        ({"item_ids": "msg_1"}, "/item_ids", "type"),
        ({"item_ids": ["msg_1", 5]}, "/item_ids/1", "type"),
    ],
)
def test_invalid_item_ids(send, body, pointer, code):
    check_400(send("DELETE", "/conv_1/items", body), ("body", pointer, code))


@pytest.mark.parametrize(
    ("query", "code", "phrase"),
    [
        ("?limit=0", "minimum", "1"),
        ("?limit=-1", "minimum", "-1"),
        ("?limit=51", "maximum", "50"),
        ("?limit=" + "9" * 30, "maximum", "9" * 30),
        ("?limit=abc", "type", "'abc'"),
        ("?limit=", "type", "''"),
        ("?limit=1.5", "type", "'1.5'"),
        ("?limit=+5", "type", "' 5'"),
        ("?limit=%2B5", "type", "'+5'"),
        ("?limit=5%20", "type", "'5 '"),
        ("?limit=1&limit=2", "duplicate_parameter", "2 times"),
        ("?order=up", "enum", "'asc' or 'desc'"),
        ("?order=ASC", "enum", "did you mean 'asc'?"),
        ("?order=asc&order=asc", "duplicate_parameter", "2 times"),
        ("?after=conv_9", "unknown_cursor", "'conv_9'"),
        ("?after=msg_1", "unknown_cursor", "'msg_1'"),
        ("?after=conv_1&after=conv_2", "duplicate_parameter", "2 times"),
        ("?after=", "minLength", "1"),
        ("?metadata=%7B", "invalid_json", "JSON object of strings"),
        ("?metadata=", "invalid_json", "JSON object of strings"),
        ("?metadata=[]", "type", "JSON object of strings"),
        ("?metadata=%7B%22a%22:1%7D", "type", "'a'"),
        ("?metadata=%7B%22a%22:%221%22,%22a%22:%222%22%7D", "duplicate_name", "JSON object of strings"),
        ("?metadata=%7B%7D&metadata=%7B%7D", "duplicate_parameter", "2 times"),
        ("?search=a&search=b", "duplicate_parameter", "2 times"),
        ("/conv_1/items?limit=0", "minimum", "1"),
        ("/conv_1/items?limit=101", "maximum", "100"),
        ("/conv_1/items?order=down", "enum", "'asc' or 'desc'"),
        ("/conv_1/items?after=msg_2", "unknown_cursor", "'msg_2'"),
        ("/conv_1/items?after=conv_1", "unknown_cursor", "'conv_1'"),
    ],
)
def test_an_invalid_query_of_a_list(send, query, code, phrase):
    name = re.search(r"\?(\w+)", query)[1]
    check_400(send("GET", query), ("query", f"/{name}", code), phrase=phrase, param=name)


def test_a_query_that_is_not_utf_8(send):
    check_400(send("GET", "?search=%ff"), ("query", "", "invalid_encoding"))


@pytest.mark.parametrize(
    "conversation_id", ["..", ".", "conv_1%2F", "a%2fb", "%2e%2e", "conv%201", "%F0%9F%98%80", "%00", "conv_1;x", "~"]
)
@pytest.mark.parametrize("rest", ["", "/items", "/items/msg_1"])
def test_an_odd_conversation_id_is_unknown(send, conversation_id, rest):
    response = send("GET", f"/{conversation_id}{rest}")
    assert (response.status_code, response.json()["error"]["param"]) == (404, "conversation_id")


@pytest.mark.parametrize("item_id", ["..", "msg_1%2F", "%20", "%F0%9F%98%80", "conv_1"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_odd_item_id_is_unknown(send, item_id, method):
    response = send(method, f"/conv_1/items/{item_id}")
    assert (response.status_code, response.json()["error"]["param"]) == (404, "item_id")


@pytest.mark.parametrize(
    ("path", "param"),
    [("/%ff", "conversation_id"), ("/%C3%28/items", "conversation_id"), ("/conv_1/items/%ff", "item_id")],
)
def test_an_id_that_is_not_utf_8(send, path, param):
    check_400(send("GET", path), ("path", f"/{param}", "invalid_encoding"), param=param)


@pytest.mark.parametrize(
    "path",
    ["/", "//items", "/conv_1/", "/conv_1//items", "/conv_1/items/", "/conv_1/items/msg_1/x", "/conv_1/item", "x"],
)
def test_an_unknown_path(send, path):
    response = send("GET", path)
    assert response.status_code == 404
    assert f"'{API}{path}'" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("", "GET, POST"),
        ("/conv_1", "DELETE, GET, POST"),
        ("/conv_1/items", "DELETE, GET, POST"),
        ("/conv_1/items/msg_1", "DELETE, GET"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "TRACE", "HEAD"])
def test_an_unsupported_method(send, path, allowed, method):
    response = send(method, path, b"{}" if method in ("PUT", "PATCH") else None)
    assert (response.status_code, response.headers["allow"]) == (405, allowed)
    assert response.headers["content-type"] == "application/json"
    assert (response.content == b"") if method == "HEAD" else (response.json()["error"]["code"] == 405)


def test_a_method_that_is_not_http(send):
    assert send("BREW", "").status_code == 400


@pytest.mark.parametrize(
    ("headers", "phrase"),
    [(["Content-Type:"], "no Content-Type")]
    + [
        ([f"Content-Type: {kind}"], kind)
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp")
    ],
)
def test_a_body_of_another_type(send, headers, phrase):
    response = send("POST", "", b"{}", *headers)
    assert response.status_code == 415
    assert phrase in response.json()["error"]["message"]


CHUNKS = b"2710\r\n" + b"x" * 10_000 + b"\r\n"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'{"metadata": {"a": "' + b"x" * MAX_BODY + b'"}}', []),
        (CHUNKS * 11 + b"0\r\n\r\n", ["Transfer-Encoding: chunked"]),
        (b"", [f"Content-Length: {MAX_BODY + 1}", "Expect: 100-continue"]),
    ],
    ids=["declared", "chunked", "expected"],
)
def test_a_body_over_the_limit(send, body, headers):
    response = send("POST", "", body, *headers)
    assert response.status_code == 413
    assert "100,000 bytes" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("authorization", "phrase"),
    [
        (None, "No API key"),
        ("Authorization:", "Bearer"),
        ("Authorization: Bearer", "Bearer"),
        ("Authorization: Bearer ", "Bearer"),
        ("Authorization: mka1-test-key", "Bearer"),
        ("Authorization: Basic bWthMQ==", "Bearer"),
        ("Authorization: Bearer a\r\nAuthorization: Bearer a", "more than once"),
    ],
)
def test_no_valid_bearer_key(send, authorization, phrase):
    response = send("GET", "", authorization=authorization)
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
    error = response.json()["error"]
    assert error["type"] == "authentication_error"
    assert phrase in error["message"]


@pytest.mark.parametrize(
    "authorization", ["authorization: bearer mka1-test-key", "AUTHORIZATION: BEARER  mka1-test-key "]
)
def test_the_scheme_is_case_insensitive(send, authorization):
    assert b"conv_1" in send("GET", "", authorization=authorization).content


def test_a_repeated_end_user(send):
    response = send("GET", "", None, "X-On-Behalf-Of: ada", "X-On-Behalf-Of: ada")
    check_400(response, ("header", "/X-On-Behalf-Of", "duplicate_parameter"), phrase="2 times")


def test_an_empty_end_user_is_none(send):
    assert b"conv_1" in send("GET", "", None, "X-On-Behalf-Of: ").content


def test_mistakes_in_several_places_are_reported_together(send):
    body = {"items": [{"role": "user"}, {"type": "reasoning", "id": 5, "summary": []}]}
    check_400(
        send("POST", "/%ff/items", body),
        ("path", "/conversation_id", "invalid_encoding"),
        ("body", "/items/0/content", "required"),
        ("body", "/items/1/id", "type"),
    )
