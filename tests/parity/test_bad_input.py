"""Bad input: the right status, one clear message, a pointer to the place, and nothing changed.

Requests are written byte by byte, for most clients refuse to send such things.
"""

import json
import socket
from typing import NamedTuple

import pytest

from mockserver import Settings, create_app, run_server

MAX_BODY = 100_000
API = "/api/v1/llm/conversations"
MESSAGE = {"type": "message", "role": "user", "content": "hi"}
OTHER = {"conversations": [{"id": "conv_2", "items": [{"id": "msg_2", **MESSAGE}]}]}
SEED = {"conversations": [{"id": "conv_1", "metadata": {"a": "b"}, "items": [{"id": "msg_1", **MESSAGE}]}]}
KINDS = "'message', 'output_audio', 'reasoning'"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self):
        return json.loads(self.body)["error"]

    @property
    def places(self):
        return [(finding["in"], finding["pointer"]) for finding in self.error.get("findings", [])]


@pytest.fixture(scope="module")
def url():
    settings = Settings(max_body=MAX_BODY, seeds=(SEED, OTHER))
    with run_server(create_app(settings)) as server:
        yield server.url


@pytest.fixture
def send(url):
    host, port = url.removeprefix("http://").split(":")

    def send(method, path, body=b"", *headers, authorization="Authorization: Bearer mka1-test-key", raw_headers=None):
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers]
        lines += [authorization] if authorization is not None else []
        if raw_headers is None and body:
            lines.append(f"Content-Length: {len(body)}")
        lines += raw_headers or []
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, content = answer.partition(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        return Answer(int(first.split()[1]), dict(line.lower().split(": ", 1) for line in rest), content)

    return send


@pytest.fixture
def post(send):
    def post(path, body, content_type="application/json"):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return send("POST", path, content, f"Content-Type: {content_type}")

    return post


@pytest.fixture(autouse=True)
def nothing_changes(send):
    """What is stored, before and after."""

    def stored():
        return [send("GET", f"{API}{path}").body for path in ("", "/conv_1/items", "/conv_2/items")]

    before = stored()
    yield
    assert stored() == before


NOT_JSON = [
    (b"{", "the body is not JSON: Expecting property name enclosed in double quotes (line 1, column 2)", ""),
    (b'{"metadata": {"a": "b"', "the body is not JSON: Expecting ',' delimiter (line 1, column 23)", ""),
    (b"metadata=a", "the body is not JSON: Expecting value (line 1, column 1)", ""),
    (b"{} {}", "the body is not JSON: Extra data (line 1, column 4)", ""),
    (b'{"metadata": {"a": "\xff"}}', "the body is not UTF-8 (byte 20)", ""),
    (b'{"metadata": {"a": "\\ud800"}}', "metadata.a: has half a surrogate pair", "/metadata/a"),
    (b'{"metadata": {"a": NaN}}', "metadata.a: must be a JSON value, not NaN", "/metadata/a"),
    (b'{"metadata": {"a": -Infinity}}', "metadata.a: must be a JSON value, not -Infinity", "/metadata/a"),
    (b'{"metadata": {"a": "1", "a": "2"}}', "metadata.a: is there twice", "/metadata/a"),
    (b'{"metadata": {}, "metadata": {}}', "metadata: is there twice", "/metadata"),
    (b'{"metadata": {"a": 1e400}}', "metadata.a: is a number that is too large: inf", "/metadata/a"),
    (b'{"metadata": {"a": ' + b"9" * 400 + b"}}", "metadata.a: is a number that is too large: a huge", "/metadata/a"),
    (b"[" * 300 + b"]" * 300, "the body is nested deeper than 200 levels", ""),
    (b"[" * 90_000, "the body is nested deeper than 200 levels", ""),
    (b"\xef\xbb\xbf{}", "the body is not JSON: it begins with a byte order mark", ""),
    (b"", "a JSON body is required, the request has none", ""),
    (b"  \n", "a JSON body is required, the request has none", ""),
    (b"null", "must be an object, not null", ""),
    (b"[]", "must be an object, not an empty array", ""),
    (b'"{}"', "must be an object, not '{}'", ""),
    (b"5", "must be an object, not 5", ""),
]


@pytest.mark.parametrize(("body", "message", "pointer"), NOT_JSON)
@pytest.mark.parametrize("path", ["", "/conv_1", "/conv_1/items"])
def test_a_body_that_is_no_json_object(post, path, body, message, pointer):
    answer = post(API + path, body)
    assert answer.status == 400
    assert answer.error["message"].startswith(message)
    assert answer.places == [("body", pointer)]


def item(**fields):
    return {"items": [fields]}


CLICK = {"type": "click", "button": "left", "x": 1, "y": 2}
COMPUTER = {
    "type": "computer_call",
    "id": "cu_1",
    "call_id": "call_1",
    "pending_safety_checks": [],
    "status": "completed",
}
EXEC = {"type": "exec", "command": ["ls"], "env": {}}
BAD_ITEMS = [
    ({"items": []}, "items: must have at least 1 item, has 0", "/items"),
    ({"items": [MESSAGE] * 21}, "items: must have at most 20 items, has 21", "/items"),
    ({}, "items: is required", "/items"),
    ({"items": None}, "items: must be an array, not null", "/items"),
    ({"items": MESSAGE}, "items: must be an array, not an object", "/items"),
    ({"items": ["hi"]}, "items[0]: must be an object, not 'hi'", "/items/0"),
    ({"items": [MESSAGE, {}]}, f"items[1].type: is required: {KINDS}", "/items/1/type"),
    (
        item(type="mesage", role="user", content=""),
        "items[0].type: must be one of 23 values, not 'mesage' (did you mean 'message'?)",
        "/items/0/type",
    ),
    (item(type=None, role="user", content=""), f"items[0].type: must be {KINDS}", "/items/0/type"),
    (item(type="message", content="x"), "items[0].role: is required", "/items/0/role"),
    (item(role="user"), "items[0].content: is required", "/items/0/content"),
    (item(role="robot", content="x"), "items[0].role: must be 'user', 'assistant', 'system' or", "/items/0/role"),
    (item(role="user", content=5), "items[0].content: must be a string or an array, not 5", "/items/0/content"),
    (item(role="user", content="x", id=""), "items[0].id: must be at least 1 character long, is 0", "/items/0/id"),
    (
        item(role="user", content=[{"type": "input_text"}]),
        "items[0].content[0].text: is required",
        "/items/0/content/0/text",
    ),
    (
        item(role="user", content=[{"type": "input_image", "detail": "huge"}]),
        "items[0].content[0].detail: must be 'high', 'low', 'auto' or 'original', not 'huge'",
        "/items/0/content/0/detail",
    ),
    (
        item(role="user", content=[{"type": "input_audio", "input_audio": {"data": "", "format": "ogg"}}]),
        "items[0].content[0].input_audio.format: must be 'mp3' or 'wav', not 'ogg'",
        "/items/0/content/0/input_audio/format",
    ),
    (item(type="function_call", name="f", arguments="{}"), "items[0].call_id: is required", "/items/0/call_id"),
    (
        item(type="function_call", name="f", arguments={}, call_id="c"),
        "items[0].arguments: must be a string, not an empty object",
        "/items/0/arguments",
    ),
    (
        item(type="function_call_output", call_id="c", output=[]),
        "items[0].output: must be a string, not an empty array",
        "/items/0/output",
    ),
    (item(type="custom_tool_call", call_id="c", name="f"), "items[0].input: is required", "/items/0/input"),
    (
        item(type="file_search_call", id="fs_1", status="done", queries=[]),
        "items[0].status: must be",
        "/items/0/status",
    ),
    (item(type="web_search_call", id="ws_1", status="x"), "items[0].action: is required", "/items/0/action"),
    (
        item(type="web_search_call", id="ws_1", status="x", action={"type": "find", "url": "u"}),
        "items[0].action.pattern: is required",
        "/items/0/action/pattern",
    ),
    (
        item(**COMPUTER, action=CLICK | {"x": "1"}),
        "items[0].action.x: must be an integer, not '1'",
        "/items/0/action/x",
    ),
    (item(**COMPUTER, action={"type": "tap"}), "items[0].action.type: must be 'click'", "/items/0/action/type"),
    (
        item(**COMPUTER, action=CLICK | {"x": 2**64 - 1}),
        "items[0].action.x: must be at most 9007199254740991, not 18446744073709551615",
        "/items/0/action/x",
    ),
    (
        item(type="reasoning", id="rs_1", summary=[{"text": "x"}]),
        "items[0].summary[0].type: is req",
        "/items/0/summary/0/type",
    ),
    (item(type="image_generation_call", id="ig_1", status="x"), "items[0].result: is required", "/items/0/result"),
    (
        item(type="code_interpreter_call", id="ci_1", status="completed", container_id="c", outputs=None),
        "items[0].code: is required",
        "/items/0/code",
    ),
    (
        item(type="local_shell_call", id="lsh_1", call_id="c", status="x", action=EXEC | {"env": {"A": 1}}),
        "items[0].action.env.A: must be a string, not 1",
        "/items/0/action/env/A",
    ),
    (
        item(
            type="shell_call_output",
            id="sho_1",
            call_id="c",
            output={"stdout": "", "stderr": "", "outcome": {"type": "exit"}},
        ),
        "items[0].output.outcome.exit_code: is required",
        "/items/0/output/outcome/exit_code",
    ),
    (
        item(type="mcp_list_tools", id="mcpl_1", server_label="s", tools=[{"name": "t", "input_schema": []}]),
        "items[0].tools[0].input_schema: must be an object, not an empty array",
        "/items/0/tools/0/input_schema",
    ),
    (
        item(type="mcp_approval_response", approval_request_id="r", approve="yes"),
        "items[0].approve: must be a boolean, not 'yes'",
        "/items/0/approve",
    ),
    (item(type="compaction", id="cmp_1"), "items[0].content: is required", "/items/0/content"),
    (
        item(type="output_audio", id="au_1", data="", status="completed"),
        "items[0].transcript: is r",
        "/items/0/transcript",
    ),
    (
        {"items": [MESSAGE | {"id": "x"}, MESSAGE | {"id": "x"}]},
        "items[1].id: the id 'x' is already in use",
        "/items/1/id",
    ),
    ({"items": [MESSAGE, MESSAGE | {"id": "msg_1"}]}, "items[1].id: the id 'msg_1' is already in use", "/items/1/id"),
    ({"items": [MESSAGE, MESSAGE | {"id": "msg_2"}]}, "items[1].id: the id 'msg_2' is already in use", "/items/1/id"),
    (
        {"items": [{"type": "item_reference", "id": "msg_1"}]},
        "items[0].id: the item 'msg_1' is already in this conversation",
        "/items/0/id",
    ),
]


@pytest.mark.parametrize(("body", "message", "pointer"), BAD_ITEMS)
def test_items_that_are_wrong_in_one_place(post, body, message, pointer):
    answer = post(f"{API}/conv_1/items", body)
    assert answer.status == 400
    assert answer.error["message"].startswith(message)
    assert answer.places == [("body", pointer)]
    assert answer.error["param"] == message.partition(":")[0]


@pytest.mark.parametrize(
    "body", [body for body, message, _ in BAD_ITEMS if "items" in body and body["items"] != []][:32]
)
def test_the_same_items_are_refused_at_creation(post, body):
    assert post(API, body).status == 400


@pytest.mark.parametrize("number", ["1e400", "18446744073709551616", "9" * 400])
def test_a_huge_number_in_a_free_form_field(post, number):
    tools = [{"name": "t", "input_schema": {"maximum": ["NUMBER"]}}]
    body = json.dumps(item(type="mcp_list_tools", id="m", server_label="s", tools=tools))
    answer = post(f"{API}/conv_1/items", body.replace('"NUMBER"', number).encode())
    assert (answer.status, answer.places) == (400, [("body", "/items/0/tools/0/input_schema/maximum/0")])


def test_a_reference_to_nothing(post):
    answer = post(f"{API}/conv_1/items", {"items": [MESSAGE, {"type": "item_reference", "id": "msg_9"}]})
    assert (answer.status, answer.error["param"]) == (404, "items[1].id")
    assert answer.error["message"] == "No item has the id 'msg_9'."


@pytest.mark.parametrize(
    ("metadata", "message", "pointers"),
    [
        ({str(n): "" for n in range(17)}, "metadata: must have at most 16 fields, has 17", ["/metadata"]),
        ({"k" * 65: ""}, f"metadata.{'k' * 65}: the name must be at most 64 characters", [f"/metadata/{'k' * 65}"]),
        ({"a": "v" * 513}, "metadata.a: must be at most 512 characters long, is 513", ["/metadata/a"]),
        ({"a": 1}, "metadata.a: must be a string, not 1", ["/metadata/a"]),
        ({"a": None}, "metadata.a: must be a string, not null", ["/metadata/a"]),
        ({"a/b": True}, "metadata.a/b: must be a string, not true", ["/metadata/a~1b"]),
        ({"a": 1, "b": 2}, "metadata.a: must be a string, not 1 (and 1 more", ["/metadata/a", "/metadata/b"]),
        ([], "metadata: must be an object, not an empty array", ["/metadata"]),
        (None, "metadata: must be an object, not null", ["/metadata"]),
    ],
)
@pytest.mark.parametrize("path", ["", "/conv_1"])
def test_wrong_metadata(post, path, metadata, message, pointers):
    answer = post(API + path, {"metadata": metadata})
    assert answer.status == 400
    assert answer.error["message"].startswith(message)
    assert answer.places == [("body", pointer) for pointer in pointers]


@pytest.mark.parametrize(
    ("body", "message", "pointer"),
    [
        ({}, "item_ids: is required", "/item_ids"),
        ({"item_ids": []}, "item_ids: must have at least 1 item, has 0", "/item_ids"),
        ({"item_ids": "msg_1"}, "item_ids: must be an array, not 'msg_1'", "/item_ids"),
        ({"item_ids": ["msg_1", 5]}, "item_ids[1]: must be a string, not 5", "/item_ids/1"),
    ],
)
def test_wrong_item_ids(send, body, message, pointer):
    answer = send("DELETE", f"{API}/conv_1/items", json.dumps(body).encode(), "Content-Type: application/json")
    assert (answer.status, answer.error["message"], answer.places) == (400, message, [("body", pointer)])


def test_deleting_many_is_all_or_nothing(send):
    body = json.dumps({"item_ids": ["msg_1", "msg_9"]}).encode()
    answer = send("DELETE", f"{API}/conv_1/items", body, "Content-Type: application/json")
    assert (answer.status, answer.error["param"]) == (404, "item_ids[1]")
    assert answer.error["message"] == "No item has the id 'msg_9'."


@pytest.mark.parametrize(
    ("query", "message", "pointer"),
    [
        ("limit=0", "limit: must be at least 1, not 0", "/limit"),
        ("limit=-1", "limit: must be at least 1, not -1", "/limit"),
        ("limit=51", "limit: must be at most 50, not 51", "/limit"),
        ("limit=abc", "limit: must be an integer, not 'abc'", "/limit"),
        ("limit=", "limit: must be an integer, not ''", "/limit"),
        ("limit=1.5", "limit: must be an integer, not '1.5'", "/limit"),
        ("limit=+5", "limit: must be an integer, not ' 5'", "/limit"),
        ("limit=%2B5", "limit: must be an integer, not '+5'", "/limit"),
        ("limit=5%20", "limit: must be an integer, not '5 '", "/limit"),
        ("limit=1&limit=2", "limit: must be given once, not 2 times", "/limit"),
        ("limit=" + "9" * 30, "limit: must be at most 50, not " + "9" * 30, "/limit"),
        ("order=up", "order: must be 'asc' or 'desc', not 'up'", "/order"),
        ("order=ASC", "order: must be 'asc' or 'desc', not 'ASC'", "/order"),
        ("order=asc&order=asc", "order: must be given once, not 2 times", "/order"),
        ("after=conv_9", "after: 'conv_9' is not an id of this list", "/after"),
        ("after=msg_1", "after: 'msg_1' is not an id of this list", "/after"),
        ("after=conv_1&after=conv_2", "after: must be given once, not 2 times", "/after"),
        ("after=", "after: must be at least 1 character long, is 0", "/after"),
        ("metadata=%7B", "metadata: must be a JSON object of strings, such as", "/metadata"),
        ("metadata=", "metadata: must be a JSON object of strings, such as", "/metadata"),
        ("metadata=[]", "metadata: must be a JSON object of strings, such as", "/metadata"),
        ("metadata=%7B%22a%22:1%7D", "metadata: must be a JSON object of strings, such as", "/metadata"),
        ("metadata=%7B%22a%22:%221%22,%22a%22:%222%22%7D", "metadata: must be a JSON object of strings", "/metadata"),
        ("metadata=%7B%7D&metadata=%7B%7D", "metadata: must be given once, not 2 times", "/metadata"),
        ("search=a&search=b", "search: must be given once, not 2 times", "/search"),
        ("search=%ff", "is not UTF-8", ""),
    ],
)
def test_a_wrong_query_of_the_list_of_conversations(send, query, message, pointer):
    answer = send("GET", f"{API}?{query}")
    assert answer.status == 400
    assert answer.error["message"].startswith(message)
    assert answer.places == [("query", pointer)]


@pytest.mark.parametrize(
    ("query", "message", "pointer"),
    [
        ("limit=0", "limit: must be at least 1, not 0", "/limit"),
        ("limit=101", "limit: must be at most 100, not 101", "/limit"),
        ("order=down", "order: must be 'asc' or 'desc', not 'down'", "/order"),
        ("after=msg_2", "after: 'msg_2' is not an id of this list", "/after"),
        ("after=conv_1", "after: 'conv_1' is not an id of this list", "/after"),
    ],
)
def test_a_wrong_query_of_the_list_of_items(send, query, message, pointer):
    answer = send("GET", f"{API}/conv_1/items?{query}")
    assert (answer.status, answer.error["message"], answer.places) == (400, message, [("query", pointer)])


@pytest.mark.parametrize(
    "conversation_id", ["..", ".", "conv_1%2F", "a%2fb", "%2e%2e", "conv%201", "%F0%9F%98%80", "%00", "conv_1;x", "~"]
)
@pytest.mark.parametrize("rest", ["", "/items", "/items/msg_1"])
def test_an_odd_id_is_an_unknown_one(send, conversation_id, rest):
    answer = send("GET", f"{API}/{conversation_id}{rest}")
    assert (answer.status, answer.error["param"]) == (404, "conversation_id")


@pytest.mark.parametrize("item_id", ["..", "msg_1%2F", "%20", "%F0%9F%98%80", "conv_1"])
def test_an_odd_item_id_is_an_unknown_one(send, item_id):
    for method in ("GET", "DELETE"):
        answer = send(method, f"{API}/conv_1/items/{item_id}")
        assert (answer.status, answer.error["param"]) == (404, "item_id")


@pytest.mark.parametrize("path", ["/%ff", "/%C3%28/items", "/conv_1/items/%ff"])
def test_an_id_that_is_not_utf_8(send, path):
    answer = send("GET", API + path)
    assert answer.status == 400
    assert answer.error["message"].endswith(": is not UTF-8")
    assert answer.places[0][0] == "path"


@pytest.mark.parametrize(
    "path",
    ["/", "//items", "/conv_1/", "/conv_1//items", "/conv_1/items/", "/conv_1/items/msg_1/x", "/conv_1/item", "x"],
)
def test_a_path_that_is_none(send, path):
    answer = send("GET", API + path)
    assert answer.status == 404
    assert answer.error["message"] == f"No operation has the path '{API}{path}' ('GET')."


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("", "get, post"),
        ("/conv_1", "delete, get, post"),
        ("/conv_1/items", "delete, get, post"),
        ("/conv_1/items/msg_1", "delete, get"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "TRACE", "HEAD"])
def test_a_method_that_a_path_does_not_take(send, path, allowed, method):
    answer = send(method, API + path, b"" if method in ("OPTIONS", "TRACE", "HEAD") else b"{}")
    assert (answer.status, answer.headers["allow"], answer.headers["content-type"]) == (
        405,
        allowed,
        "application/json",
    )
    if method == "HEAD":
        assert answer.body == b""
    else:
        assert answer.error["code"] == 405


def test_a_method_that_http_does_not_know(send):
    assert send("BREW", API).status == 400


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
def test_a_body_of_another_type(post, content_type):
    answer = post(API, b"{}", content_type)
    assert answer.status == 415
    assert answer.error["message"].startswith("The request body must be application/json, ")


def test_a_body_of_no_type(send):
    answer = send("POST", API, b"{}")
    assert answer.status == 415
    assert answer.error["message"] == "The request body must be application/json, and the request has no Content-Type."


def test_a_body_over_the_limit(send):
    body = b'{"metadata": {"a": "' + b"x" * MAX_BODY + b'"}}'
    answer = send("POST", API, body, "Content-Type: application/json")
    assert (answer.status, answer.error["message"]) == (413, "The request body is larger than 100,000 bytes.")


def test_a_body_over_the_limit_in_chunks(send):
    chunks = b"".join(b"2710\r\n" + b"x" * 10_000 + b"\r\n" for _ in range(11)) + b"0\r\n\r\n"
    headers = ["Content-Type: application/json", "Transfer-Encoding: chunked"]
    assert send("POST", API, chunks, raw_headers=headers).status == 413


def test_a_body_over_the_limit_that_waits_for_leave(send):
    headers = ["Content-Type: application/json", f"Content-Length: {MAX_BODY + 1}", "Expect: 100-continue"]
    answer = send("POST", API, raw_headers=headers)
    assert answer.status == 413


@pytest.mark.parametrize(
    ("authorization", "message"),
    [
        (None, "No API key was sent."),
        ("Authorization:", "The Authorization header must be"),
        ("Authorization: Bearer", "The Authorization header must be"),
        ("Authorization: Bearer ", "The Authorization header must be"),
        ("Authorization: mka1-test-key", "The Authorization header must be"),
        ("Authorization: Basic bWthMQ==", "The Authorization header must be"),
        ("Authorization: Bearer a\r\nAuthorization: Bearer a", "The Authorization header was sent more than once."),
    ],
)
def test_no_bearer_key(send, authorization, message):
    answer = send("GET", API, authorization=authorization)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "bearer")
    assert answer.error["type"] == "authentication_error"
    assert answer.error["message"].startswith(message)


@pytest.mark.parametrize(
    "authorization", ["authorization: bearer mka1-test-key", "AUTHORIZATION: BEARER  mka1-test-key "]
)
def test_the_scheme_may_be_written_in_any_case(send, authorization):
    answer = send("GET", API, authorization=authorization)
    assert b"conv_1" in answer.body


def test_an_end_user_that_is_named_twice(send):
    answer = send("GET", API, b"", "X-On-Behalf-Of: ada", "X-On-Behalf-Of: ada")
    assert (answer.status, answer.places) == (400, [("header", "/X-On-Behalf-Of")])
    assert answer.error["message"] == "X-On-Behalf-Of: must be given once, not 2 times"


def test_an_empty_end_user_is_none(send):
    assert b"conv_1" in send("GET", API, b"", "X-On-Behalf-Of: ").body


def test_mistakes_in_several_places_are_told_together(send):
    answer = send(
        "POST",
        f"{API}/%ff/items",
        b'{"items": [{"role": "user"}, {"type": "reasoning", "id": 5, "summary": []}]}',
        "Content-Type: application/json",
    )
    assert answer.places == [("path", "/conversation_id"), ("body", "/items/0/content"), ("body", "/items/1/id")]
