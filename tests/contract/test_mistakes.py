"""What people get wrong with this API, and what they are told: one finding for each mistake, where it was made."""

import json

import pytest

from mockserver.contract.document import load_document
from mockserver.contract.operations import Operations
from mockserver.contract.requests import CompiledRequestValidator

OPERATIONS = Operations(load_document())

CREATE, ADD = "conversations.create", "conversations.items.create"
UPDATE, DELETE = "conversations.update", "conversations.items.deleteMany"
LISTS, ITEMS = "conversations.list", "conversations.items.list"

TYPES = (
    "'message', 'output_audio', 'reasoning', 'function_call', 'function_call_output', 'custom_tool_call', "
    "'custom_tool_call_output', 'file_search_call', 'web_search_call', 'code_interpreter_call', "
    "'image_generation_call', 'computer_call', 'computer_call_output', 'local_shell_call', 'local_shell_call_output', "
    "'shell_call', 'shell_call_output', 'mcp_list_tools', 'mcp_call', 'mcp_approval_request', "
    "'mcp_approval_response', 'compaction' or 'item_reference'"
)
PARTS = "'input_text', 'input_image', 'input_audio', 'input_file', 'output_text' or 'refusal'"
ROLES = "'user', 'assistant', 'system' or 'developer'"
UNKNOWN = "is not a known field"


def items(*items):
    return {"items": list(items)}


def message(**fields):
    return items({"type": "message", "role": "user", "content": "Is it raining?", **fields})


def part(**fields):
    return message(content=[fields])


def call(**fields):
    return items({"type": "function_call", "call_id": "call_1", "name": "find", "arguments": "{}", **fields})


def click(**fields):
    action = {"type": "click", "button": "left", "x": 1, "y": 2, **fields}
    one = {"type": "computer_call", "id": "c", "call_id": "c", "pending_safety_checks": [], "status": "completed"}
    return items({**one, "action": action})


def without(body, name):
    return items({key: value for key, value in body["items"][0].items() if key != name})


BODIES = [
    # The body as a whole
    (ADD, [], "", "must be an object, not an empty array"),
    (ADD, None, "", "must be an object, not null"),
    (ADD, {}, "/items", "is required"),
    (ADD, {"item": []}, "/items", "is required (found 'item'; did you mean 'items'?)"),
    (ADD, items(), "/items", "must have at least 1 item, has 0"),
    (ADD, {"items": message()["items"] * 21}, "/items", "must have at most 20 items, has 21"),
    (ADD, {"items": message()["items"][0]}, "/items", "must be an array, not an object"),
    (ADD, {**message(), "include": "usage"}, "/include", "must be an array, not 'usage'"),
    (DELETE, {"item_ids": "msg_1"}, "/item_ids", "must be an array, not 'msg_1'"),
    (DELETE, {"item_ids": []}, "/item_ids", "must have at least 1 item, has 0"),
    (DELETE, {"item_ids": ["msg_1", ""]}, "/item_ids/1", "must have at least 1 character, has 0"),
    (DELETE, {"ids": ["msg_1"]}, "/item_ids", "is required"),
    # Which kind of item
    (ADD, items("Is it raining?"), "/items/0", "must be an object, not 'Is it raining?'"),
    (ADD, items(None), "/items/0", "must be an object, not null"),
    (ADD, items({}), "/items/0/type", f"is required: {TYPES}"),
    (ADD, message(type="text"), "/items/0/type", f"must be {TYPES}, not 'text'"),
    (ADD, message(type=None), "/items/0/type", f"must be {TYPES}, not null"),
    (ADD, message(type="mesage"), "/items/0/type", "must be one of 23 values, not 'mesage' (did you mean 'message'?)"),
    (ADD, call(type="Function_Call"), "/items/0/type",
     "must be one of 23 values, not 'Function_Call' (did you mean 'function_call'?)"),
    # Messages
    (ADD, items({"content": "Is it raining?"}), "/items/0/role", "is required"),
    (ADD, items({"role": "user"}), "/items/0/content", "is required"),
    (ADD, items({"role": "user", "contnet": "?"}), "/items/0/content",
     "is required (found 'contnet'; did you mean 'content'?)"),
    (ADD, message(role="usr"), "/items/0/role", f"must be {ROLES}, not 'usr' (did you mean 'user'?)"),
    (ADD, message(role="User"), "/items/0/role", f"must be {ROLES}, not 'User' (did you mean 'user'?)"),
    (ADD, message(role=5), "/items/0/role", f"must be {ROLES}, not 5"),
    (ADD, message(id=""), "/items/0/id", "must have at least 1 character, has 0"),
    (ADD, message(status="complete"), "/items/0/status",
     "must be 'in_progress', 'completed' or 'incomplete', not 'complete' (did you mean 'completed'?)"),
    (ADD, message(content=None), "/items/0/content", "must be a string or an array, not null"),
    (ADD, message(content={"text": "?"}), "/items/0/content", "must be a string or an array, not an object"),
    (ADD, message(content=[5]), "/items/0/content/0", "must be a string or an object, not 5"),
    (ADD, part(type="text", text="?"), "/items/0/content/0/type", f"must be {PARTS}, not 'text'"),
    (ADD, part(text="?"), "/items/0/content/0/type", f"is required: {PARTS}"),
    (ADD, part(type="input_text", text=["?"]), "/items/0/content/0/text", "must be a string, not an array of 1"),
    (ADD, part(type="input_image", detail="hgh"), "/items/0/content/0/detail",
     "must be 'high', 'low', 'auto' or 'original', not 'hgh' (did you mean 'high'?)"),
    (ADD, part(type="input_audio", input_audio={"data": "", "format": "ogg"}),
     "/items/0/content/0/input_audio/format", "must be 'mp3' or 'wav', not 'ogg'"),
    (ADD, part(type="output_text", text="", annotations=[{"type": "url_citaton"}]),
     "/items/0/content/0/annotations/0/type",
     "must be 'file_citation', 'url_citation', 'container_file_citation' or 'file_path', not 'url_citaton' "
     "(did you mean 'url_citation'?)"),
    # Other kinds
    (ADD, without(call(), "arguments"), "/items/0/arguments", "is required"),
    (ADD, call(arguments={"q": 1}), "/items/0/arguments", "must be a string, not an object"),
    (ADD, without(call(callId="call_1"), "call_id"), "/items/0/call_id",
     "is required (found 'callId'; did you mean 'call_id'?)"),
    (ADD, items({"type": "function_call_output", "call_id": "c", "output": 5}), "/items/0/output",
     "must be a string, not 5"),
    (ADD, items({"type": "reasoning", "id": "rs", "summary": "short"}), "/items/0/summary",
     "must be an array, not 'short'"),
    (ADD, items({"type": "reasoning", "id": "rs", "summary": [{"type": "text", "text": ""}]}),
     "/items/0/summary/0/type", "must be 'summary_text', not 'text'"),
    (ADD, items({"type": "item_reference"}), "/items/0/id", "is required"),
    (ADD, click(type="clik"), "/items/0/action/type",
     "must be 'click', 'double_click', 'drag', 'keypress', 'move', 'screenshot', 'scroll', 'type' or 'wait', "
     "not 'clik' (did you mean 'click'?)"),
    (ADD, click(x=1.5), "/items/0/action/x", "must be an integer, not 1.5"),
    (ADD, click(x=2**60), "/items/0/action/x", "must be at most 9007199254740991, not 1152921504606846976"),
    # Metadata
    (UPDATE, {}, "/metadata", "is required"),
    (UPDATE, {"metadata": None}, "/metadata", "must be an object, not null"),
    (CREATE, {"metadata": ["web"]}, "/metadata", "must be an object, not an array of 1"),
    (CREATE, {"metadata": {"visits": 5}}, "/metadata/visits", "must be a string, not 5"),
    (CREATE, {"metadata": {"2": True}}, "/metadata/2", "must be a string, not true"),
    (CREATE, {"metadata": {"007": None}}, "/metadata/007", "must be a string, not null"),
    (CREATE, {"metadata": {"a/b~c": {}}}, "/metadata/a~1b~0c", "must be a string, not an empty object"),
    (CREATE, {"metadata": {str(n): "" for n in range(17)}}, "/metadata", "must have at most 16 fields, has 17"),
    (CREATE, {"metadata": {"k" * 65: ""}}, f"/metadata/{'k' * 65}",
     "the name must have at most 64 characters, has 65"),
    (CREATE, {"metadata": {"k": "v" * 513}}, "/metadata/k", "must have at most 512 characters, has 513"),
    # What is shown of a value is cut, on one line, and safe to print.
    (ADD, message(role="u" * 300), "/items/0/role", f"must be {ROLES}, not '{'u' * 57}...'"),
    (ADD, message(role="a\nb"), "/items/0/role", f"must be {ROLES}, not 'a\\nb'"),
    (ADD, message(role="\u202eresu\x1b[31m"), "/items/0/role", f"must be {ROLES}, not '\\u202eresu\\x1b[31m'"),
    (ADD, message(role=1e300), "/items/0/role", f"must be {ROLES}, not 1e+300"),
]  # fmt: skip

UNKNOWN_FIELDS = [
    (CREATE, {"metadat": {}}, "/metadat", f"{UNKNOWN} (did you mean 'metadata'?)"),
    (CREATE, {"colour": "red"}, "/colour", UNKNOWN),
    (ADD, {**message(), "includ": []}, "/includ", f"{UNKNOWN} (did you mean 'include'?)"),
    (ADD, message(Status="completed"), "/items/0/Status", f"{UNKNOWN} (did you mean 'status'?)"),
    (ADD, message(content="?", contnet="!"), "/items/0/contnet", UNKNOWN),
    (ADD, part(type="input_image", file_ids="f"), "/items/0/content/0/file_ids",
     f"{UNKNOWN} (did you mean 'file_id'?)"),
    (ADD, part(type="output_text", text="", anotations=[]), "/items/0/content/0/anotations",
     f"{UNKNOWN} (did you mean 'annotations'?)"),
    (ADD, call(statu="completed"), "/items/0/statu", f"{UNKNOWN} (did you mean 'status'?)"),
    (ADD, click(buton="left"), "/items/0/action/buton", UNKNOWN),
]  # fmt: skip

TEXTS = [
    (b"", "", "is required"),
    (b"{'items': []}", "",
     "is not valid JSON: Expecting property name enclosed in double quotes (line 1, column 2)"),
    (b'{"items": [', "", "is not valid JSON: Expecting value (line 1, column 12)"),
    (b'{"items": [], "items": []}', "/items", "is a duplicate field"),
    (b'{"items": [{"role": "user", "content": "Z\xf6e"}]}', "", "is not UTF-8 (byte 41)"),
    (b'\xef\xbb\xbf{"items": []}', "", "is not valid JSON: starts with a byte order mark"),
    (b'{"items": [NaN]}', "/items/0", "must be a JSON value, not NaN"),
    (b'{"items": [18446744073709551616]}', "/items/0", "is out of range: 18446744073709551616"),
    (b'{"items": ["\\ud800"]}', "/items/0", "contains a lone surrogate"),
]  # fmt: skip

QUERIES = [
    (LISTS, b"limit=0", "query", "/limit", "must be at least 1, not 0"),
    (LISTS, b"limit=51", "query", "/limit", "must be at most 50, not 51"),
    (ITEMS, b"limit=101", "query", "/limit", "must be at most 100, not 101"),
    (LISTS, b"limit=ten", "query", "/limit", "must be an integer, not 'ten'"),
    (LISTS, b"limit=5.0", "query", "/limit", "must be an integer, not '5.0'"),
    (LISTS, b"limit=%2B5", "query", "/limit", "must be an integer, not '+5'"),
    (LISTS, b"limit=", "query", "/limit", "must be an integer, not ''"),
    (LISTS, b"limit=5&limit=6", "query", "/limit", "must be given once, not 2 times"),
    (LISTS, b"limit=" + b"9" * 90, "query", "/limit", "must be at most 50, not a huge integer"),
    (LISTS, b"order=ASC", "query", "/order", "must be 'asc' or 'desc', not 'ASC' (did you mean 'asc'?)"),
    (LISTS, b"order=newest", "query", "/order", "must be 'asc' or 'desc', not 'newest'"),
    (ITEMS, b"after=", "query", "/after", "must have at least 1 character, has 0"),
    (LISTS, b"search=%ff", "query", "", "is not UTF-8"),
]


def told(findings):
    return [(finding.location, finding.pointer, finding.message) for finding in findings]


@pytest.mark.parametrize(("operation", "body", "pointer", "message"), BODIES)
def test_a_wrong_body(operation, body, pointer, message):
    _, findings = CompiledRequestValidator(OPERATIONS[operation]).validate_body(json.dumps(body).encode())
    assert told(findings) == [("body", pointer, message)]


@pytest.mark.parametrize(("operation", "body", "pointer", "message"), UNKNOWN_FIELDS)
def test_a_field_that_is_not_known(operation, body, pointer, message):
    validator = CompiledRequestValidator(OPERATIONS[operation])
    value, findings = validator.validate_body(json.dumps(body).encode())
    assert findings == []
    assert told(validator.find_unknown_fields(value)) == [("body", pointer, message)]


@pytest.mark.parametrize(("text", "pointer", "message"), TEXTS)
def test_a_body_that_is_not_acceptable_json(text, pointer, message):
    _, findings = CompiledRequestValidator(OPERATIONS[ADD]).validate_body(text)
    assert told(findings) == [("body", pointer, message)]


@pytest.mark.parametrize(("operation", "query", "location", "pointer", "message"), QUERIES)
def test_a_wrong_query(operation, query, location, pointer, message):
    raw_path = {"conversation_id": "conv_1"} if operation == ITEMS else {}
    _, findings = CompiledRequestValidator(OPERATIONS[operation]).validate_parameters(raw_path, query, lambda name: [])
    assert told(findings) == [(location, pointer, message)]


def test_several_mistakes_are_told_at_once_in_the_order_of_the_document():
    body = items({"role": "usr", "content": 5}, {"type": "function_call"}, {"type": "item_reference", "id": ""})
    _, findings = CompiledRequestValidator(OPERATIONS[ADD]).validate_body(json.dumps(body).encode())
    assert sorted(finding.pointer for finding in findings) == [
        "/items/0/content",
        "/items/0/role",
        "/items/1/arguments",
        "/items/1/call_id",
        "/items/1/name",
        "/items/2/id",
    ]
    assert len(BODIES) + len(UNKNOWN_FIELDS) + len(TEXTS) + len(QUERIES) > 80


def test_a_header_and_a_path_are_explained_too():
    validator = CompiledRequestValidator(OPERATIONS["conversations.retrieve"])
    _, findings = validator.validate_parameters({"conversation_id": "%ff"}, b"", lambda name: [b"ada", b"bob"])
    assert told(findings) == [
        ("path", "/conversation_id", "is not UTF-8"),
        ("header", "/X-On-Behalf-Of", "must be given once, not 2 times"),
    ]
