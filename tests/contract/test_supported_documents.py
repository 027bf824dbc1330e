"""The parts of OpenAPI 3.1 that are supported, with both engines; anything else is rejected with its place."""

import json

import pytest

from mockserver.contract.document import DocumentError
from mockserver.contract.engine import CompiledEngine
from mockserver.contract.operations import Operations
from mockserver.contract.reference import ReferenceEngine

JSON = "application/json"
INTEGERS = {"type": "array", "items": {"type": "integer"}}
COLOUR = {"type": "object", "properties": {"R": {"type": "integer"}, "G": {"type": "integer"}}}


def document_with(operation, path="/a", **components):
    operation = {"operationId": "a", "responses": {"200": {"description": "OK"}}, **operation}
    info = {"title": "t", "version": "1"}
    return {"openapi": "3.1.0", "info": info, "paths": {path: {"post": operation}}, "components": components}


def with_parameter(schema, location="query", **fields):
    declared = {"name": "p", "in": location, "schema": schema, **fields}
    if location == "path":
        return document_with({"parameters": [{**declared, "required": True}]}, "/a/{p}")
    return document_with({"parameters": [declared]})


def with_body(schema, media_type=JSON, **components):
    return document_with({"requestBody": {"content": {media_type: {"schema": schema}}}}, **components)


def with_response(schema, media_type=JSON, headers=None, **components):
    response = {"description": "OK", "headers": headers or {}, "content": {media_type: {"schema": schema}}}
    return document_with({"responses": {"200": response}}, **components)


def engines(document):
    return CompiledEngine(), ReferenceEngine(document)


@pytest.mark.parametrize(
    ("location", "schema", "text", "value"),
    [
        ("query", {"type": "integer"}, "p=5", 5),
        ("query", {"type": "string"}, "p=a/b?c", "a/b?c"),
        ("query", {"type": "boolean", "default": True}, "", True),
        ("query", INTEGERS, "p=1&p=2", [1, 2]),
        ("path", {"type": "integer"}, "5", 5),
        ("path", {"type": "string"}, "a%2Fb", "a/b"),
        ("header", {"type": "integer"}, "5", 5),
    ],
)
def test_a_parameter_is_read_in_the_default_style(location, schema, text, value):
    document = with_parameter(schema, location)
    operation = Operations(document)["a"]
    path = {"p": text} if location == "path" else {}
    query = text.encode() if location == "query" else b""
    header = [text.encode()] if location == "header" else []
    for engine in engines(document):
        validator = engine.request_validator(operation)
        parameters, findings = validator.validate_parameters(path, query, lambda name: header)
        assert (getattr(parameters, location).get("p"), findings) == (value, [])


SHAPE = {
    "oneOf": [{"$ref": "#/components/schemas/Circle"}, {"$ref": "#/components/schemas/Square"}],
    "discriminator": {"propertyName": "kind", "mapping": {"circle": "#/components/schemas/Circle"}},
}
SCHEMAS = {
    "Word": {"type": "string"},
    "Circle": {"type": "object", "required": ["kind", "r"], "properties": {"kind": {"type": "string"}, "r": {}}},
    "Square": {"type": "object", "required": ["kind", "a"], "properties": {"kind": {"type": "string"}, "a": {}}},
}


@pytest.mark.parametrize(
    ("schema", "value", "is_valid"),
    [
        ({"exclusiveMinimum": 5}, 5, False),
        ({"type": ["string", "null"]}, None, True),
        ({"items": {"$ref": "#/components/schemas/Word", "minLength": 2}}, ["a"], False),
        # A discriminator does not change what is valid, as long as the tag is right.
        (SHAPE, {"kind": "circle", "r": 1}, True),
        (SHAPE, {"kind": "Square", "a": 1}, True),
        (SHAPE, {"kind": "circle"}, False),
        ({"if": {"required": ["a"]}, "then": {"required": ["b"]}}, {"a": 1}, False),
        ({"patternProperties": {"^x": {"type": "string"}}}, {"x": 1}, False),
        ({"prefixItems": [{"type": "string"}]}, [1], False),
        ({"not": {"type": "string"}}, "a", False),
    ],
)
def test_a_schema_means_what_openapi_3_1_says(schema, value, is_valid):
    content = json.dumps(value).encode()
    document = with_body(schema, schemas=SCHEMAS)
    for engine in engines(document):
        _, findings = engine.request_validator(Operations(document)["a"]).validate_body(content)
        assert (findings == []) == is_valid
    document = with_response(schema, schemas=SCHEMAS)
    for engine in engines(document):
        findings = engine.validate_response(
            Operations(document)["a"], 200, [(b"content-type", JSON.encode())], content
        )
        assert (findings == []) == is_valid


@pytest.mark.parametrize(
    ("schema", "texts", "codes"),
    [
        ({"type": "integer", "maximum": 9}, [b"5"], []),
        ({"type": "integer", "maximum": 9}, [b"10"], ["maximum"]),
        ({"type": "integer"}, [b"many"], ["type"]),
        ({"type": "string"}, [], ["required"]),
    ],
)
def test_response_headers_are_validated(schema, texts, codes):
    headers = {"X-Left": {"required": True, "schema": schema}, "Content-Type": {"schema": {}}}
    operation = Operations(with_response({}, headers=headers))["a"]
    sent = [(b"content-type", JSON.encode()), *((b"x-left", text) for text in texts)]
    assert [finding.code for finding in CompiledEngine().validate_response(operation, 200, sent, b"{}")] == codes


def test_bodies_of_several_media_types_have_their_own_schemas():
    content = {JSON: {"schema": {"type": "object"}}, "application/vnd.list+json": {"schema": {"type": "array"}}}
    operation = Operations(document_with({"requestBody": {"required": True, "content": content}}))["a"]
    validator = CompiledEngine().request_validator(operation)
    assert validator.match_media_type("Application/VND.list+JSON; charset=utf-8") == "application/vnd.list+json"
    assert validator.match_media_type("application/xml") is None
    assert validator.validate_body(b"[]", "application/vnd.list+json") == ([], [])
    assert [finding.code for finding in validator.validate_body(b"[]", JSON)[1]] == ["type"]


def test_a_body_may_be_absent_unless_it_is_required():
    document = with_body({"type": "object"})
    for engine in engines(document):
        assert engine.request_validator(Operations(document)["a"]).validate_body(b"") == (None, [])


def test_parameters_that_describe_http_headers_are_ignored():
    document = with_parameter({"type": "integer"}, "header")
    document["paths"]["/a"]["post"]["parameters"][0]["name"] = "Authorization"
    assert Operations(document)["a"].parameters == ()


@pytest.mark.parametrize("levels", [300, 1020])
def test_a_response_may_be_nested_deeply(levels):
    document = with_response({"type": "string"})
    content = b"[" * levels + b"]" * levels
    for engine in engines(document):
        headers = [(b"content-type", JSON.encode())]
        (finding,) = engine.validate_response(Operations(document)["a"], 200, headers, content)
        assert (finding.location, finding.pointer) == ("body", "")


def test_a_path_may_be_a_reference_and_have_extensions():
    document = document_with({}, pathItems={"A": document_with({"operationId": "b"})["paths"]["/a"]})
    document["paths"] |= {"/b": {"$ref": "#/components/pathItems/A"}, "x-note": "no path"}
    assert list(Operations(document)) == ["a", "b"]


def test_an_example_or_a_name_may_look_like_a_keyword():
    properties = {"$id": {"type": "string"}, "$ref": {"type": "string"}, "schema": {"type": "string"}}
    schema = {"properties": properties, "example": {"$ref": "nowhere", "$id": 5}, "x-more": {"$ref": "nowhere"}}
    validator = CompiledEngine().request_validator(Operations(with_body(schema))["a"])
    _, (finding,) = validator.validate_body(b'{"$id": "a", "schema": 5}')
    assert finding.pointer == "/schema"


PARAMETER = "#/paths/~1a/post/parameters/0"
CONTENT = "#/paths/~1a/post/requestBody/content/application~1"
BODY = f"{CONTENT}json/schema"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"openapi": "3.0.3"}, "#/openapi: version 3.0.3 is not supported; use 3.1"),
        ({"openapi": "3.2.0"}, "#/openapi: version 3.2.0 is not supported"),
        ({"openapi": 3.1}, "#/openapi: version 3.1 is not supported"),
        ({"swagger": "2.0"}, "#/openapi: version None is not supported"),
        (document_with({}) | {"jsonSchemaDialect": "https://example.com/d"}, "#/jsonSchemaDialect: https://example"),
        (with_body({"$schema": "http://json-schema.org/draft-07/schema#"}), f"{BODY}/$schema: $schema is not"),
        (with_body({"$id": "https://example.com/a"}), f"{BODY}/$id: $id is not supported"),
        (with_body({"$dynamicRef": "#a"}), f"{BODY}/$dynamicRef: $dynamicRef is not supported"),
        (with_body({"$ref": "other.yaml#/A"}), f"{BODY}/$ref: other.yaml#/A refers to another document"),
        (with_body({"$ref": "#anchor"}), f"{BODY}/$ref: #anchor refers to another document"),
        (with_body({"$ref": "#/components/schemas/A"}), "/components/schemas/A"),
        (with_body({"exclusiveMinimum": True, "minimum": 1}), f"{BODY}/exclusiveMinimum"),
        (with_parameter({}, "cookie"), f"{PARAMETER}: a cookie parameter is not supported"),
        (with_parameter({}, "querystring"), f"{PARAMETER}: a querystring parameter is not supported"),
        (with_parameter({}, "path", style="label"), "/parameters/0/style: label is not supported for a path"),
        (with_parameter(COLOUR, style="deepObject"), f"{PARAMETER}/style: deepObject is not supported"),
        (with_parameter(INTEGERS, style="pipeDelimited"), f"{PARAMETER}/style: pipeDelimited is not supported"),
        (with_parameter(INTEGERS, explode=False), f"{PARAMETER}/explode: False is not supported"),
        (with_parameter(INTEGERS, "header"), f"{PARAMETER}/schema: an array or object is supported in a query"),
        (with_parameter({"type": "array", "items": INTEGERS}), f"{PARAMETER}/schema: an array or object within"),
        (
            with_parameter({"type": "object", "additionalProperties": COLOUR}),
            f"{PARAMETER}/schema: an array or object within another cannot be written as text",
        ),
        (
            document_with({"parameters": [{"name": "p", "in": "query", "content": {JSON: {}}}]}),
            f"{PARAMETER}: a parameter without a schema is not supported",
        ),
        (with_parameter({}, allowEmptyValue=True), f"{PARAMETER}/allowEmptyValue: is not supported"),
        (with_body(COLOUR, "application/xml"), f"{CONTENT}xml: only JSON media types"),
        (with_body({}, "application/*"), f"{CONTENT}*: only JSON media types"),
        (with_body({}, "application/json; v=2"), f"{CONTENT}json; v=2: only JSON media types"),
        (document_with({"requestBody": {"content": {JSON: {}}}}), f"{CONTENT}json: content without a schema"),
        (with_response({}, headers={"X": {"content": {}}}), "headers/X: a parameter without a schema"),
        (document_with({"responses": {"2xx": {"description": "OK"}}}), "responses/2xx: must be a status such as 200"),
        (document_with({"servers": [{"url": "/v2"}]}), "#/paths/~1a/post/servers: servers of a path or an operation"),
        (document_with({}, path="/a?b=1"), "#/paths/~1a?b=1: a path has no query and no fragment"),
        (
            {"openapi": "3.1.0", "paths": {"/a": {"head": {"operationId": "a"}}}},
            "#/paths/~1a/head: operations for HEAD are not supported",
        ),
    ],
)
def test_unsupported_parts_are_rejected_with_their_place(document, message):
    with pytest.raises(DocumentError) as caught:
        Operations(document)
    assert message in str(caught.value)
