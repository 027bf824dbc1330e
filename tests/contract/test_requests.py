"""Parameters are read in their style and bodies parsed, both validated by their schemas."""

import pytest

from mockserver.contract.operations import Operations
from mockserver.contract.requests import CompiledRequestValidator


def validator(*parameters, body=None, path="/a"):
    operation = {"operationId": "a", "responses": {"200": {"description": "OK"}}, "parameters": list(parameters)}
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    paths = {path: {"post": operation}}
    document = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": paths}
    return CompiledRequestValidator(Operations(document)["a"])


def query(schema, **fields):
    return {"name": "q", "in": "query", "schema": schema, **fields}


def read(validator, *, path=None, query=b"", headers=()):
    parameters, findings = validator.validate_parameters(
        path or {}, query, lambda name: [value for key, value in headers if key == name]
    )
    return parameters, [(finding.location, finding.pointer, finding.message) for finding in findings]


INTEGERS = {"type": "array", "items": {"type": "integer"}}
PAIR = {"type": "object", "properties": {"x": {"type": "integer"}}, "additionalProperties": {"type": "string"}}


@pytest.mark.parametrize(
    ("parameter", "sent", "value"),
    [
        (query({"type": "string"}), b"q=5", "5"),
        (query({"type": "string"}), b"q=a+b%20c%2B", "a b c+"),
        (query({"type": "string"}), "q=gr\u00fcn".encode(), "gr\u00fcn"),
        (query({"type": "string"}), b"q=gr%C3%BCn", "gr\u00fcn"),
        (query({"type": "string"}), b"q=", ""),
        (query({"type": "string"}), b"q", ""),
        (query({"type": "integer"}), b"q=-5", -5),
        (query({"type": "number"}), b"q=1.5e3", 1500.0),
        (query({"type": "boolean"}), b"q=true", True),
        (query({"type": ["integer", "null"]}), b"q=5", 5),
        (query({"anyOf": [{"type": "integer"}, {"type": "string"}]}), b"q=5", 5),
        (query({"anyOf": [{"type": "integer"}, {"type": "string"}]}), b"q=x", "x"),
        (query({"allOf": [{"type": "integer"}, {"minimum": 1}]}), b"q=5", 5),
        (query(INTEGERS), b"q=1&q=2", [1, 2]),
        (query(PAIR), b"x=1&y=2", {"x": 1, "y": "2"}),
        (query({"anyOf": [{"type": "string"}, PAIR]}), b"q=text", "text"),
        (query({"anyOf": [{"type": "string"}, PAIR]}), b"y=2", {"y": "2"}),
    ],
)
def test_a_query_parameter_is_read_by_its_types(parameter, sent, value):
    parameters, findings = read(validator(parameter), query=sent)
    assert findings == []
    assert parameters.query == {"q": value}


@pytest.mark.parametrize("text", ["+5", " 5", "5.0", "05", "0x5", "", "\u0665", "5 ", "1e1"])
def test_an_integer_must_be_written_as_in_json(text):
    sent = b"q=" + "".join(f"%{byte:02X}" for byte in text.encode()).encode()
    _, findings = read(validator(query({"type": "integer"})), query=sent)
    assert findings == [("query", "/q", f"must be an integer, not {text!r}")]


def test_absent_parameters_have_their_defaults():
    limit = query({"type": "integer", "default": 20})
    assert read(validator(limit))[0].query == {"q": 20}
    assert read(validator(limit), query=b"other=1")[0].query == {"q": 20}


def test_undeclared_query_pairs_keep_their_order():
    parameters, findings = read(validator(query({"type": "string"})), query=b"b=1&q=x&a=2&b=3")
    assert findings == []
    assert parameters.undeclared_query == [("b", "1"), ("a", "2"), ("b", "3")]


@pytest.mark.parametrize(
    ("parameter", "sent", "finding"),
    [
        (query({"type": "integer", "maximum": 9}), b"q=10", ("query", "/q", "must be at most 9, not 10")),
        (query({"type": "string"}), b"q=1&q=2&q=3", ("query", "/q", "must be given once, not 3 times")),
        (query({"type": "string"}, required=True), b"", ("query", "/q", "is required")),
        (query({"type": "string"}, required=True), b"r=1", ("query", "/q", "is required")),
        (query(INTEGERS), b"q=1&q=x", ("query", "/q/1", "must be an integer, not 'x'")),
        (query({"type": "string"}), b"q=%ff", ("query", "", "is not UTF-8")),
        (query({"type": "string"}), b"q=\xff", ("query", "", "is not UTF-8")),
        (query(PAIR), b"x=a", ("query", "/q/x", "must be an integer, not 'a'")),
    ],
)
def test_an_invalid_query_is_explained(parameter, sent, finding):
    assert read(validator(parameter), query=sent)[1] == [finding]


def test_a_path_parameter_is_decoded_and_validated():
    parameter = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 3}}
    one = validator(parameter, path="/a/{id}")
    assert read(one, path={"id": "a%2Fb"})[0].path == {"id": "a/b"}
    assert read(one, path={"id": "abcd"})[1] == [("path", "/id", "must have at most 3 characters, has 4")]
    assert read(one, path={"id": "%ff"})[1] == [("path", "/id", "is not UTF-8")]


def test_a_header_is_decoded_and_may_not_be_repeated():
    parameter = {"name": "X-Who", "in": "header", "schema": {"type": "string"}}
    one = validator(parameter)
    assert read(one, headers=[(b"x-who", "Zo\u00eb".encode())])[0].header == {"X-Who": "Zo\u00eb"}
    assert read(one, headers=[(b"x-who", "Zo\u00eb".encode("latin-1"))])[0].header == {"X-Who": "Zo\u00eb"}
    assert read(one)[0].header == {}
    twice = [(b"x-who", b"a"), (b"x-who", b"b")]
    assert read(one, headers=twice)[1] == [("header", "/X-Who", "must be given once, not 2 times")]
    assert read(validator({**parameter, "required": True}))[1] == [("header", "/X-Who", "is required")]


def test_a_body_is_parsed_and_validated():
    one = validator(body={"type": "object", "required": ["a"]})
    assert one.validate_body(b' {"a": 1} ') == ({"a": 1}, [])
    for sent, message in [
        (b"", "is required"),
        (b" \n", "is required"),
        (b"{", "is not valid JSON: Expecting property name enclosed in double quotes (line 1, column 2)"),
        (b"null", "must be an object, not null"),
    ]:
        _, (finding,) = one.validate_body(sent)
        assert (finding.location, finding.pointer, finding.message) == ("body", "", message)


@pytest.mark.parametrize(
    ("schema", "body", "unknown"),
    [
        ({"properties": {"a": {}}}, {"a": 1, "b": 2}, ["/b"]),
        ({"type": "object"}, {"a": 1, "b": 2}, []),
        ({"properties": {"a": {}}, "additionalProperties": {"type": "integer"}}, {"a": 1, "b": 2}, []),
        ({"properties": {"a": {}}, "patternProperties": {"^x": {}}}, {"a": 1, "xb": 2, "y": 3}, ["/y"]),
        ({"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}, {"a": 1, "b": 2, "c": 3}, ["/c"]),
        ({"properties": {"c": {}}, "allOf": [{"properties": {"a": {}}}]}, {"a": 1, "c": 2}, []),
        (
            {
                "anyOf": [
                    {"properties": {"t": {"const": "x"}, "a": {}}},
                    {"properties": {"t": {"const": "y"}, "b": {}}},
                ]
            },
            {"t": "x", "a": 1, "b": 2},
            ["/b"],
        ),
        ({"items": {"properties": {"a/b": {}}}}, [{"a/b": {"any": 1}}, {"c~d": 2}], ["/1/c~0d"]),
        ({"properties": {"a": {"properties": {"b": {}}}}}, {"a": {"b": {"free": 1}, "c": 1}}, ["/a/c"]),
    ],
)
def test_unknown_fields_are_those_that_no_schema_declares(schema, body, unknown):
    assert [finding.pointer for finding in validator(body=schema).remove_unknown_fields(body)] == unknown
