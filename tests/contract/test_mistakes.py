"""Mistakes that people make with this API: one finding for each, at the right place."""

import json

import pytest

from mockserver.contract.document import load_document
from mockserver.contract.operations import Operations
from mockserver.contract.requests import CompiledRequestValidator

OPERATIONS = Operations(load_document())

CREATE, ADD = "conversations.create", "conversations.items.create"
UPDATE, DELETE = "conversations.update", "conversations.items.deleteMany"
ASK, WAKE = "createResponse", "wakeResponse"
LISTS, ITEMS = "conversations.list", "conversations.items.list"


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


def asking(**fields):
    return {"model": "auto", **fields}


def tool(kind, **fields):
    return asking(tools=[{"type": kind, **fields}])


def text_format(**fields):
    return asking(text={"format": fields})


BODIES = [
    # The body as a whole
    (ADD, [], "", "type"),
    (ADD, None, "", "null_not_allowed"),
    (ADD, {}, "/items", "required"),
    (ADD, {"item": []}, "/items", "required"),
    (ADD, items(), "/items", "minItems"),
    (ADD, {"items": message()["items"] * 21}, "/items", "maxItems"),
    (ADD, {"items": message()["items"][0]}, "/items", "type"),
    (ADD, {**message(), "include": "usage"}, "/include", "type"),
    (DELETE, {"item_ids": "msg_1"}, "/item_ids", "type"),
    (DELETE, {"item_ids": []}, "/item_ids", "minItems"),
    (DELETE, {"item_ids": ["msg_1", ""]}, "/item_ids/1", "minLength"),
    (DELETE, {"ids": ["msg_1"]}, "/item_ids", "required"),
    # The kind of an item
    (ADD, items("Is it raining?"), "/items/0", "type"),
    (ADD, items(None), "/items/0", "null_not_allowed"),
    (ADD, items({}), "/items/0/type", "required"),
    (ADD, message(type="text"), "/items/0/type", "enum"),
    (ADD, message(type=None), "/items/0/type", "null_not_allowed"),
    (ADD, message(type="mesage"), "/items/0/type", "enum"),
    (ADD, call(type="Function_Call"), "/items/0/type", "enum"),
    # Messages
    (ADD, items({"content": "Is it raining?"}), "/items/0/role", "required"),
    (ADD, items({"role": "user"}), "/items/0/content", "required"),
    (ADD, items({"role": "user", "contnet": "?"}), "/items/0/content", "required"),
    (ADD, message(role="usr"), "/items/0/role", "enum"),
    (ADD, message(role="User"), "/items/0/role", "enum"),
    (ADD, message(role=5), "/items/0/role", "enum"),
    (ADD, message(id=""), "/items/0/id", "minLength"),
    (ADD, message(status="complete"), "/items/0/status", "enum"),
    (ADD, message(content=None), "/items/0/content", "null_not_allowed"),
    (ADD, message(content={"text": "?"}), "/items/0/content", "type"),
    (ADD, message(content=[5]), "/items/0/content/0", "type"),
    (ADD, part(type="text", text="?"), "/items/0/content/0/type", "enum"),
    (ADD, part(text="?"), "/items/0/content/0/type", "required"),
    (ADD, part(type="input_text", text=["?"]), "/items/0/content/0/text", "type"),
    (ADD, part(type="input_image", detail="hgh"), "/items/0/content/0/detail", "enum"),
    (ADD, part(type="input_audio", input_audio={"data": "", "format": "ogg"}),
     "/items/0/content/0/input_audio/format", "enum"),
    (ADD, part(type="output_text", text="", annotations=[{"type": "url_citaton"}]),
     "/items/0/content/0/annotations/0/type", "enum"),
    # Other kinds
    (ADD, without(call(), "arguments"), "/items/0/arguments", "required"),
    (ADD, call(arguments={"q": 1}), "/items/0/arguments", "type"),
    (ADD, without(call(callId="call_1"), "call_id"), "/items/0/call_id", "required"),
    (ADD, items({"type": "function_call_output", "call_id": "c", "output": 5}), "/items/0/output", "type"),
    (ADD, items({"type": "reasoning", "id": "rs", "summary": "short"}), "/items/0/summary", "type"),
    (ADD, items({"type": "reasoning", "id": "rs", "summary": [{"type": "text", "text": ""}]}),
     "/items/0/summary/0/type", "const"),
    (ADD, items({"type": "item_reference"}), "/items/0/id", "required"),
    (ADD, click(type="clik"), "/items/0/action/type", "enum"),
    (ADD, click(x=1.5), "/items/0/action/x", "type"),
    (ADD, click(x=2**60), "/items/0/action/x", "maximum"),
    # Metadata
    (UPDATE, {}, "/metadata", "required"),
    (UPDATE, {"metadata": None}, "/metadata", "null_not_allowed"),
    (CREATE, {"metadata": ["web"]}, "/metadata", "type"),
    (CREATE, {"metadata": {"visits": 5}}, "/metadata/visits", "type"),
    (CREATE, {"metadata": {"2": True}}, "/metadata/2", "type"),
    (CREATE, {"metadata": {"007": None}}, "/metadata/007", "null_not_allowed"),
    (CREATE, {"metadata": {"a/b~c": {}}}, "/metadata/a~1b~0c", "type"),
    (CREATE, {"metadata": {str(n): "" for n in range(17)}}, "/metadata", "maxProperties"),
    (CREATE, {"metadata": {"k" * 65: ""}}, f"/metadata/{'k' * 65}", "propertyNames"),
    (CREATE, {"metadata": {"k": "v" * 513}}, "/metadata/k", "maxLength"),
    # Values in messages are cut, on one line, and printable.
    (ADD, message(role="u" * 300), "/items/0/role", "enum"),
    (ADD, message(role="a\nb"), "/items/0/role", "enum"),
    (ADD, message(role="\u202eresu\x1b[31m"), "/items/0/role", "enum"),
    (ADD, message(role=1e300), "/items/0/role", "enum"),
    # The request for a response
    (ASK, {"input": "Is it raining?"}, "/model", "required"),
    (ASK, asking(input=5), "/input", "type"),
    (ASK, asking(input=[{"role": "user"}]), "/input/0/content", "required"),
    (ASK, asking(conversation={}), "/conversation/id", "required"),
    (ASK, asking(conversation=5), "/conversation", "type"),
    (ASK, asking(temperature=3), "/temperature", "maximum"),
    (ASK, asking(temperature="1"), "/temperature", "type"),
    (ASK, asking(max_output_tokens=0), "/max_output_tokens", "minimum"),
    (ASK, asking(stream="yes"), "/stream", "type"),
    (ASK, asking(truncation="none"), "/truncation", "enum"),
    (ASK, asking(include=["logprobs"]), "/include/0", "enum"),
    (ASK, asking(reasoning={"effort": "huge"}), "/reasoning/effort", "enum"),
    (ASK, asking(text={}), "/text/format", "required"),
    (ASK, text_format(type="json_schema", schema={}), "/text/format/name", "required"),
    (ASK, text_format(type="xml"), "/text/format/type", "enum"),
    (ASK, asking(tools=["get_weather"]), "/tools/0", "type"),
    (ASK, asking(tools=[{"name": "get_weather"}]), "/tools/0/type", "required"),
    (ASK, tool("functoin", name="get_weather"), "/tools/0/type", "enum"),
    (ASK, tool("function", name="get_weather"), "/tools/0/parameters", "required"),
    (ASK, tool("function", function={"name": "get_weather"}, name="x"), "/tools/0/parameters", "required"),
    (ASK, tool("file_search", vector_store_ids="vs_1"), "/tools/0/vector_store_ids", "type"),
    (ASK, tool("code_interpreter", container={"type": "auto", "memory_limit": "4g"}),
     "/tools/0/container/memory_limit", "enum"),
    (ASK, tool("shell", environment={"type": "container_reference", "container_id": "c", "session_scope": "request"}),
     "/tools/0/environment/session_scope", "type"),
    (ASK, asking(tool_choice="any"), "/tool_choice", "enum"),
    (ASK, asking(tool_choice={"type": "function"}), "/tool_choice/name", "required"),
    (WAKE, {"input": ""}, "/input", "minLength"),
]  # fmt: skip

UNKNOWN_FIELDS = [
    (CREATE, {"metadat": {}}, "/metadat"),
    (CREATE, {"colour": "red"}, "/colour"),
    (ADD, {**message(), "includ": []}, "/includ"),
    (ADD, message(Status="completed"), "/items/0/Status"),
    (ADD, message(content="?", contnet="!"), "/items/0/contnet"),
    (ADD, part(type="input_image", file_ids="f"), "/items/0/content/0/file_ids"),
    (ADD, part(type="output_text", text="", anotations=[]), "/items/0/content/0/anotations"),
    (ADD, call(statu="completed"), "/items/0/statu"),
    (ADD, click(buton="left"), "/items/0/action/buton"),
]  # fmt: skip

TEXTS = [
    (b"", "", "required"),
    (b"{'items': []}", "", "invalid_json"),
    (b'{"items": [', "", "invalid_json"),
    (b'{"items": [], "items": []}', "/items", "duplicate_name"),
    (b'{"items": [{"role": "user", "content": "Z\xf6e"}]}', "", "invalid_encoding"),
    (b'\xef\xbb\xbf{"items": []}', "", "invalid_json"),
    (b'{"items": [NaN]}', "/items/0", "invalid_json"),
    (b'{"items": [18446744073709551616]}', "/items/0", "number_too_large"),
    (b'{"items": ["\\ud800"]}', "/items/0", "lone_surrogate"),
]  # fmt: skip

QUERIES = [
    ("listResponses", b"limit=101", "query", "/limit", "maximum"),
    ("getResponse", b"stream=yes", "query", "/stream", "type"),
    ("getResponse", b"starting_after=first", "query", "/starting_after", "type"),
    ("listInputItems", b"include=logprobs", "query", "/include/0", "enum"),
    (LISTS, b"limit=0", "query", "/limit", "minimum"),
    (LISTS, b"limit=51", "query", "/limit", "maximum"),
    (ITEMS, b"limit=101", "query", "/limit", "maximum"),
    (LISTS, b"limit=ten", "query", "/limit", "type"),
    (LISTS, b"limit=5.0", "query", "/limit", "type"),
    (LISTS, b"limit=%2B5", "query", "/limit", "type"),
    (LISTS, b"limit=", "query", "/limit", "type"),
    (LISTS, b"limit=5&limit=6", "query", "/limit", "duplicate_parameter"),
    (LISTS, b"limit=" + b"9" * 90, "query", "/limit", "maximum"),
    (LISTS, b"order=ASC", "query", "/order", "enum"),
    (LISTS, b"order=newest", "query", "/order", "enum"),
    (ITEMS, b"after=", "query", "/after", "minLength"),
    (LISTS, b"search=%ff", "query", "", "invalid_encoding"),
]


def validate_body(operation, content):
    return CompiledRequestValidator(OPERATIONS[operation]).validate_body(content)[1]


def validate_query(operation, query):
    path = {"conversation_id": "conv_1", "response_id": "resp_1"}
    return CompiledRequestValidator(OPERATIONS[operation]).validate_parameters(path, query, lambda name: [])[1]


def remove_unknown_fields(operation, body):
    validator = CompiledRequestValidator(OPERATIONS[operation])
    value, findings = validator.validate_body(json.dumps(body).encode())
    assert findings == []
    return validator.remove_unknown_fields(value)


def places(findings):
    return [(finding.location, finding.pointer, finding.code) for finding in findings]


@pytest.mark.parametrize(("operation", "body", "pointer", "code"), BODIES)
def test_invalid_body(operation, body, pointer, code):
    assert places(validate_body(operation, json.dumps(body).encode())) == [("body", pointer, code)]


@pytest.mark.parametrize(("operation", "body", "pointer"), UNKNOWN_FIELDS)
def test_unknown_field(operation, body, pointer):
    assert places(remove_unknown_fields(operation, body)) == [("body", pointer, "unknown_field")]


@pytest.mark.parametrize(("text", "pointer", "code"), TEXTS)
def test_unacceptable_json(text, pointer, code):
    assert places(validate_body(ADD, text)) == [("body", pointer, code)]


@pytest.mark.parametrize(("operation", "query", "location", "pointer", "code"), QUERIES)
def test_invalid_query(operation, query, location, pointer, code):
    assert places(validate_query(operation, query)) == [(location, pointer, code)]


def shorten(text):
    return text if len(text) <= 150 else text[:147] + "..."


def test_messages(check_snapshot):
    """`make snapshots` writes the file: read the difference before you commit it."""
    cases = [
        (operation, json.dumps(body), validate_body(operation, json.dumps(body).encode()))
        for operation, body, *_ in BODIES
    ]
    cases += [
        (operation, json.dumps(body), remove_unknown_fields(operation, body)) for operation, body, _ in UNKNOWN_FIELDS
    ]
    cases += [(ADD, ascii(text), validate_body(ADD, text)) for text, *_ in TEXTS]
    cases += [(operation, ascii(query), validate_query(operation, query)) for operation, query, *_ in QUERIES]
    blocks = [
        "\n".join(
            [
                f"{operation} {shorten(sent)}",
                *(f"    {f'{one.location} {one.pointer}'.strip()}: {one.message}" for one in findings),
            ]
        )
        for operation, sent, findings in cases
    ]
    check_snapshot("mistakes.txt", "\n\n".join(blocks) + "\n")


def test_all_mistakes_are_reported():
    body = items({"role": "usr", "content": 5}, {"type": "function_call"}, {"type": "item_reference", "id": ""})
    assert sorted(finding.pointer for finding in validate_body(ADD, json.dumps(body).encode())) == [
        "/items/0/content",
        "/items/0/role",
        "/items/1/arguments",
        "/items/1/call_id",
        "/items/1/name",
        "/items/2/id",
    ]


def test_headers_and_paths_are_validated():
    validator = CompiledRequestValidator(OPERATIONS["conversations.retrieve"])
    _, findings = validator.validate_parameters({"conversation_id": "%ff"}, b"", lambda name: [b"ada", b"bob"])
    assert places(findings) == [
        ("path", "/conversation_id", "invalid_encoding"),
        ("header", "/X-On-Behalf-Of", "duplicate_parameter"),
    ]
