"""The document is valid and complete, and its examples are valid."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from mockserver.contract.document import load_document

DOCUMENT = load_document()
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = {
    operation["operationId"]: (path, verb, operation)
    for path, item in DOCUMENT["paths"].items()
    for verb, operation in item.items()
    if verb != "parameters"
}
KINDS = [branch["$ref"].rsplit("/", 1)[1] for branch in SCHEMAS["Item"]["anyOf"]]

_REGISTRY = Registry().with_resource("urn:document", Resource(DOCUMENT, DRAFT202012))


class Sample(NamedTuple):
    """A value in the document that must be valid against a schema in the document."""

    pointer: str
    schema: str
    value: Any


def resolved(node: Any) -> Any:
    while isinstance(node, dict) and "$ref" in node:
        _, section, name = node["$ref"].rsplit("/", 2)
        node = DOCUMENT["components"][section][name]
    return node


def samples(node: Any = DOCUMENT, pointer: str = "", *, names: bool = False) -> Iterator[Sample]:
    """Yield all examples and defaults; `names` says that the keys of `node` are names, not keywords."""
    if isinstance(node, list):
        for index, child in enumerate(node):
            yield from samples(child, f"{pointer}/{index}")
    if not isinstance(node, dict):
        return
    if not names:
        for index, value in enumerate(node.get("examples", []) if isinstance(node.get("examples"), list) else []):
            yield Sample(f"{pointer}/examples/{index}", pointer, value)
        if isinstance(node.get("examples"), dict):
            for name, example in node["examples"].items():
                if "schema" in node:
                    yield Sample(f"{pointer}/examples/{name}", f"{pointer}/schema", resolved(example)["value"])
        if "example" in node:
            yield Sample(f"{pointer}/example", f"{pointer}/schema", node["example"])
        if "default" in node:
            yield Sample(f"{pointer}/default", pointer, node["default"])
    for key, child in node.items():
        if names or key not in {"examples", "example", "value", "default", "const", "enum"}:
            path = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            yield from samples(child, path, names=not names and key == "properties")


SAMPLES = list(samples())


def validator(pointer: str) -> Draft202012Validator:
    reference = "urn:document#" + pointer.replace("{", "%7B").replace("}", "%7D")
    return Draft202012Validator({"$ref": reference}, registry=_REGISTRY)


def test_the_document_is_valid_openapi() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_the_document_has_twenty_one_operations() -> None:
    assert len(OPERATIONS) == 21
    assert sum(verb != "parameters" for item in DOCUMENT["paths"].values() for verb in item) == 21


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_an_operation_is_described(operation_id: str) -> None:
    _, _, operation = OPERATIONS[operation_id]
    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"] in (["Conversations"], ["Responses"], ["API Key"])
    for content in operation["responses"]["200"]["content"].values():
        assert content["examples"]


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_an_operation_declares_its_errors(operation_id: str) -> None:
    _, _, operation = OPERATIONS[operation_id]
    errors = {"400", "401", "403", "404", "405", "429", "500"}
    if "requestBody" in operation:
        errors |= {"413", "415"}
    if operation_id == "exchangeApiKeyToken":
        errors |= {"409", "410"}
    if operation_id == "wakeResponse":
        errors |= {"409"}
    assert operation["responses"].keys() == {"200"} | errors


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_a_body_has_examples(operation_id: str) -> None:
    _, _, operation = OPERATIONS[operation_id]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        assert content["examples"]


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_the_links_of_an_operation_are_valid(operation_id: str) -> None:
    for link in map(resolved, OPERATIONS[operation_id][2]["responses"]["200"].get("links", {}).values()):
        target = link["operationId"]
        assert link["parameters"].keys() <= _parameters(target).keys()
        required = {name for name, parameter in _parameters(target).items() if parameter.get("required")}
        assert required <= link["parameters"].keys()
        for expression in map(str, link["parameters"].values()):
            if not expression.startswith("$"):
                continue
            if source := re.fullmatch(r"\$request\.(path|query|header)\.(.+)", expression):
                place, name = source.groups()
                assert _parameters(operation_id)[name]["in"] == place
            else:
                assert re.fullmatch(r"\$response\.body#(/\w+)+", expression)


def _parameters(operation_id: str) -> dict[str, Any]:
    path, _, operation = OPERATIONS[operation_id]
    declared = DOCUMENT["paths"][path].get("parameters", []) + operation.get("parameters", [])
    return {parameter["name"]: parameter for parameter in map(resolved, declared)}


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample.pointer for sample in SAMPLES])
def test_a_sample_is_valid(sample: Sample) -> None:
    assert [error.message for error in validator(sample.schema).iter_errors(sample.value)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_item_has_examples(kind: str) -> None:
    assert SCHEMAS[kind]["examples"]
    for example in SCHEMAS[kind]["examples"]:
        assert validator("/components/schemas/Item").is_valid(example)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_item_has_a_stored_form(kind: str) -> None:
    stored = f"{kind}WithID"
    assert {"$ref": f"#/components/schemas/{stored}"} in SCHEMAS["ConversationItem"]["anyOf"]
    for example in SCHEMAS[kind]["examples"]:
        as_stored = {"id": "made_up", **example, "response_id": "resp_abc123", "metadata": None}
        assert validator(f"/components/schemas/{stored}").is_valid(as_stored)
        without_id = {name: value for name, value in as_stored.items() if name != "id"}
        assert not validator(f"/components/schemas/{stored}").is_valid(without_id)


def test_each_type_of_item_has_a_prefix_of_its_own() -> None:
    prefixes = {
        (SCHEMAS[kind]["properties"]["type"]["const"], SCHEMAS[kind].get("x-id-prefix"))
        for kind in KINDS
        if kind != "ItemReference"  # It has the id of another item.
    }
    assert None not in {prefix for _, prefix in prefixes}
    assert len(prefixes) == len(dict(prefixes)) == len({prefix for _, prefix in prefixes})


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _dicts(child)


def _kinds(union: str) -> list[str]:
    branches = SCHEMAS[union].get("anyOf", SCHEMAS[union].get("oneOf", []))
    return [branch["$ref"].rsplit("/", 1)[1] for branch in branches if "$ref" in branch]


def _parts_of_unions() -> Iterator[str]:
    """Yield the names of all object schemas that the values of unions consist of, but for responses."""
    known = {"ResponseObject"}
    waiting = list(UNIONS)
    while waiting:
        name = waiting.pop()
        if name not in known:
            known.add(name)
            waiting += [node["$ref"].rsplit("/", 1)[1] for node in _dicts(SCHEMAS[name]) if "$ref" in node]
            properties = SCHEMAS[name].get("properties", {})
            if properties and "response" not in properties:  # The examples of operations show responses.
                yield name


UNIONS = ("Item", "RequestTool", "ResponseTool", "ToolChoice", "ResponseStreamingEvent")
SHOWN = [
    part
    for union in UNIONS
    for kind in _kinds(union)
    for example in SCHEMAS[kind].get("examples", [])
    for part in _dicts(example)
]


@pytest.mark.parametrize("name", sorted(_parts_of_unions()))
def test_the_examples_show_every_field_and_null(name: str) -> None:
    schema = SCHEMAS[name]
    tags = schema["properties"].get("type", {})
    shown = [
        part
        for part in SHOWN
        if validator(f"/components/schemas/{name}").is_valid(part)
        and ("const" not in tags or part.get("type") == tags["const"])
    ]
    assert {field for part in shown for field in part} >= schema["properties"].keys()
    for field, described in schema["properties"].items():
        nullable = "null" in described.get("type", ()) or {"type": "null"} in described.get("anyOf", ())
        if nullable and described.get("type") != "null":
            assert {part[field] is None for part in shown if field in part} == {True, False}, field


STREAMS = [
    (operation_id, operation["responses"]["200"]["content"]["text/event-stream"])
    for operation_id, (_, _, operation) in OPERATIONS.items()
    if "text/event-stream" in operation["responses"]["200"]["content"]
]
EVENTS = SCHEMAS["ResponseStreamingEvent"]


@pytest.mark.parametrize(("operation_id", "content"), STREAMS, ids=[name for name, _ in STREAMS])
def test_the_data_of_an_example_of_an_event_is_valid(operation_id: str, content: dict[str, Any]) -> None:
    for event in [resolved(example)["value"] for example in content["examples"].values()]:
        data = json.loads(event["data"])
        assert data["type"] == event["event"]
        errors = validator("/components/schemas/ResponseStreamingEvent").iter_errors(data)
        assert [error.message for error in errors] == []


def test_only_two_operations_have_streams() -> None:
    assert sorted(name for name, _ in STREAMS) == ["createResponse", "getResponse"]


def test_there_are_seventy_events() -> None:
    assert len(EVENTS["discriminator"]["mapping"]) == 70


@pytest.mark.parametrize("event", EVENTS["discriminator"]["mapping"])
def test_an_event_has_a_sequence_number(event: str) -> None:
    schema = EVENTS["discriminator"]["mapping"][event].removeprefix("#")
    for wrong in ({"type": event}, {"type": event, "sequence_number": -1}):
        assert any(
            "sequence_number" in error.json_path + error.message for error in validator(schema).iter_errors(wrong)
        )


def test_a_discriminator_names_every_branch() -> None:
    for name, schema in SCHEMAS.items():
        if "discriminator" in schema:
            mapping = schema["discriminator"]["mapping"]
            assert [{"$ref": target} for target in mapping.values()] == schema["oneOf"], name
            for tag, target in mapping.items():
                assert resolved({"$ref": target})["properties"]["type"]["const"] == tag


ERRORS = {
    name: response["content"]["application/json"]
    for name, response in DOCUMENT["components"]["responses"].items()
    if not name.startswith("Exchange")  # These have no envelope.
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_has_one_status(name: str) -> None:
    schema = validator(f"/components/responses/{name}/content/application~1json/schema")
    for example in ERRORS[name]["examples"].values():
        body = example["value"]
        assert not schema.is_valid({"error": "Too many requests"})
        assert not schema.is_valid({**body, "error": None})
        if name != "TooManyRequests":
            error = body["error"]
            assert not schema.is_valid({"error": {**error, "code": 418}})
            assert not schema.is_valid({"error": {**error, "type": "rate_limit_error"}})
            for field in ("message", "type", "param", "code"):
                assert not schema.is_valid({"error": {key: error[key] for key in error.keys() - {field}}})


def test_a_bad_request_has_findings() -> None:
    schema = validator("/components/schemas/BadRequestError")
    [error, *_] = [example["value"]["error"] for example in ERRORS["BadRequest"]["examples"].values()]
    assert not schema.is_valid({"error": {**error, "findings": []}})
    assert not schema.is_valid({"error": {key: error[key] for key in error.keys() - {"findings"}}})
    assert not schema.is_valid(
        {"error": {**error, "findings": [{"in": "cookie", "pointer": "", "code": "x", "message": "x"}]}}
    )


@pytest.mark.parametrize(("name", "header"), [("Unauthorized", "WWW-Authenticate"), ("MethodNotAllowed", "Allow")])
def test_an_error_has_its_header(name: str, header: str) -> None:
    assert DOCUMENT["components"]["responses"][name]["headers"][header]["required"] is True
