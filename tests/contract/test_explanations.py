"""Explanations of mistakes, with a small document: one finding for each, in the branch of the union that was meant."""

import pytest

from mockserver.contract.schemas import Schemas

CIRCLE = {"required": ["kind", "radius"], "properties": {"kind": {"const": "circle"}, "radius": {"type": "number"}}}
SQUARE = {"required": ["kind", "side"], "properties": {"kind": {"const": "square"}, "side": {"type": "number"}}}
NOTE = {"type": "object", "required": ["text"], "properties": {"kind": {"const": "note"}, "text": {"type": "string"}}}
SHAPE = {
    "oneOf": [{"type": "object", **CIRCLE}, {"type": "object", **SQUARE}],
    "discriminator": {"propertyName": "kind"},
}
KINDS = {
    "oneOf": [
        {
            "type": "object",
            "required": ["kind"],
            "properties": {"kind": {"enum": ["a", "b"]}, "size": {"type": "string"}},
        },
        {"$ref": "#/components/schemas/Note"},
    ],
    "discriminator": {"propertyName": "kind"},
}
DOCUMENT = {
    "components": {
        "schemas": {
            "Circle": {"type": "object", **CIRCLE},
            "Note": {"type": "object", "required": ["kind", "text"], "properties": {"kind": {}, "text": {}}},
            "Square": {"allOf": [{"type": "object", **SQUARE}, {"properties": {"tilt": {"type": "integer"}}}]},
            "Thing": {
                "anyOf": [{"$ref": "#/components/schemas/Circle"}, {"$ref": "#/components/schemas/Square"}, NOTE]
            },
            "Content": {
                "anyOf": [{"type": "string"}, {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}]
            },
        }
    }
}


THING = {"$ref": "#/components/schemas/Thing"}
CASES = [
    ({"type": "string"}, 5, [("", "type")]),
    ({"type": ["string", "null"]}, [], [("", "type")]),
    ({"type": "integer"}, 1.5, [("", "type")]),
    ({"type": "number"}, True, [("", "type")]),
    ({"type": "object"}, "x" * 100, [("", "type")]),
    ({"const": "a"}, "b", [("", "const")]),
    ({"enum": ["asc", "desc"]}, "des", [("", "enum")]),
    ({"enum": [1, None]}, {}, [("", "enum")]),
    ({"minimum": 1}, 0, [("", "minimum")]),
    ({"maximum": 9}, 10**30, [("", "maximum")]),
    ({"exclusiveMinimum": 0}, 0, [("", "exclusiveMinimum")]),
    ({"exclusiveMaximum": 0}, 0, [("", "exclusiveMaximum")]),
    ({"multipleOf": 5}, 7, [("", "multipleOf")]),
    ({"minLength": 1}, "", [("", "minLength")]),
    ({"maxLength": 2}, "\U0001f600" * 3, [("", "maxLength")]),
    ({"pattern": "^a$"}, "b\n", [("", "pattern")]),
    ({"minItems": 1}, [], [("", "minItems")]),
    ({"maxItems": 1}, [1, 2], [("", "maxItems")]),
    ({"uniqueItems": True}, [1, 1], [("", "uniqueItems")]),
    ({"minProperties": 2}, {"a": 1}, [("", "minProperties")]),
    ({"maxProperties": 0}, {"a": 1}, [("", "maxProperties")]),
    (
        {"propertyNames": {"maxLength": 1}},
        {"ab": 1, "c": 1, "de": 1},
        [
            ("/ab", "propertyNames"),
            ("/de", "propertyNames"),
        ],
    ),
    (
        {"additionalProperties": False, "properties": {"a": {}}},
        {"b/c": 1},
        [("/b~1c", "unknown_field")],
    ),
    ({"not": {}}, 1, [("", "not")]),
    ({"required": ["a", "b"]}, {}, [("/a", "required"), ("/b", "required")]),
    (
        {"required": ["content"], "properties": {"content": {}, "role": {}}},
        {"contnet": 1, "role": 2},
        [("/content", "required")],
    ),
    # Unions: the branch is chosen by its tag, discriminator or not ...
    (SHAPE, {"kind": "square", "side": "1"}, [("/side", "type")]),
    (SHAPE, {"kind": "square", "radius": 1}, [("/side", "required")]),
    (SHAPE, {"kind": "sqare"}, [("/kind", "enum")]),
    (SHAPE, {"radius": 1}, [("/kind", "required")]),
    (SHAPE, [], [("", "type")]),
    (KINDS, {"kind": "c"}, [("/kind", "enum")]),
    (KINDS, {"kind": "b", "size": 1}, [("/size", "type")]),
    (KINDS, {"kind": "Note"}, [("/text", "required")]),
    (KINDS, {}, [("/kind", "required")]),
    (THING, {"kind": "circle", "radius": "1"}, [("/radius", "type")]),
    (THING, {"kind": "square", "side": 1, "tilt": "x"}, [("/tilt", "type")]),
    # ... by the fields of those that can do without a tag ...
    (THING, {"text": 5}, [("/text", "type")]),
    (THING, {"colour": 5}, [("/kind", "required")]),
    # ... and by type, through any number of unions.
    ({"$ref": "#/components/schemas/Content"}, 5, [("", "type")]),
    ({"$ref": "#/components/schemas/Content"}, [{"kind": "circle"}], [("/0/radius", "required")]),
    ({"anyOf": [THING, {"type": "null"}]}, {"kind": "circle"}, [("/radius", "required")]),
    ({"oneOf": [{}, {}]}, 3, [("", "oneOf")]),
    ({"anyOf": [{"minimum": 5}, {"multipleOf": 2}]}, 3, [("", "minimum")]),
]


def validate(schema, value):
    document = {"components": {"schemas": {**DOCUMENT["components"]["schemas"], "S": schema}}}
    return Schemas(document).at("/components/schemas/S").validate(value, "request", "body")


@pytest.mark.parametrize(("schema", "value", "expected"), CASES)
def test_each_mistake_has_a_place_and_a_code(schema, value, expected):
    assert [(finding.pointer, finding.code) for finding in validate(schema, value)] == expected


def test_messages(check_snapshot):
    blocks = [
        "\n".join(
            [
                f"{schema} {value!a}",
                *(f"    {one.pointer or '(root)'}: {one.message}" for one in validate(schema, value)),
            ]
        )
        for schema, value, _ in CASES
    ]
    check_snapshot("explanations.txt", "\n\n".join(blocks) + "\n")


def test_a_finding_names_the_place_in_the_document():
    (finding,) = (
        Schemas(DOCUMENT).at("/components/schemas/Circle").validate({"kind": "circle"}, "response", "body", "/x")
    )
    assert finding.schema_pointer == "/components/schemas/Circle/required"
    assert finding.pointer == "/x/radius"


def test_at_most_twenty_findings_are_reported():
    assert len(validate({"items": {"type": "string"}}, list(range(100)))) == 20


def test_a_value_with_too_many_possible_meanings_is_explained_in_a_bounded_time():
    nested = {"$ref": "#/components/schemas/S"}
    branches = [{"properties": {"a": nested}}, {"properties": {"a": nested, "b": {}}}]
    value = 5
    for _ in range(60):
        value = {"a": value}
    (finding,) = validate({"type": "object", "anyOf": branches}, value)
    assert finding.code in ("type", "schema")
