"""What a refusal says: one finding for each mistake, in the branch of the union that was meant.

Against a document of our own; the table for the API's document is in `tests/parity`.
"""

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


def explained(schema, value):
    document = {"components": {"schemas": {**DOCUMENT["components"]["schemas"], "S": schema}}}
    findings = Schemas(document).at("/components/schemas/S").validate(value, "request", "body")
    return [(finding.pointer, finding.message) for finding in findings]


THING = {"$ref": "#/components/schemas/Thing"}


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"type": "string"}, 5, [("", "must be a string, not 5")]),
        ({"type": ["string", "null"]}, [], [("", "must be a string or null, not an empty array")]),
        ({"type": "integer"}, 1.5, [("", "must be an integer, not 1.5")]),
        ({"type": "number"}, True, [("", "must be a number, not true")]),
        ({"type": "object"}, "x" * 100, [("", f"must be an object, not '{'x' * 57}...'")]),
        ({"const": "a"}, "b", [("", "must be 'a', not 'b'")]),
        ({"enum": ["asc", "desc"]}, "des", [("", "must be 'asc' or 'desc', not 'des' (did you mean 'desc'?)")]),
        ({"enum": [1, None]}, {}, [("", "must be 1 or null, not an empty object")]),
        ({"minimum": 1}, 0, [("", "must be at least 1, not 0")]),
        ({"maximum": 9}, 10**30, [("", "must be at most 9, not 1000000000000000000000000000000")]),
        ({"exclusiveMinimum": 0}, 0, [("", "must be more than 0, not 0")]),
        ({"exclusiveMaximum": 0}, 0, [("", "must be less than 0, not 0")]),
        ({"multipleOf": 5}, 7, [("", "must be a multiple of 5, not 7")]),
        ({"minLength": 1}, "", [("", "must have at least 1 character, has 0")]),
        ({"maxLength": 2}, "\U0001f600" * 3, [("", "must have at most 2 characters, has 3")]),
        ({"pattern": "^a$"}, "b\n", [("", "must match ^a$, not 'b\\n'")]),
        ({"minItems": 1}, [], [("", "must have at least 1 item, has 0")]),
        ({"maxItems": 1}, [1, 2], [("", "must have at most 1 item, has 2")]),
        ({"uniqueItems": True}, [1, 1], [("", "must not contain the same item twice")]),
        ({"minProperties": 2}, {"a": 1}, [("", "must have at least 2 fields, has 1")]),
        ({"maxProperties": 0}, {"a": 1}, [("", "must have at most 0 fields, has 1")]),
        (
            {"propertyNames": {"maxLength": 1}},
            {"ab": 1, "c": 1, "de": 1},
            [
                ("/ab", "the name must have at most 1 character, has 2"),
                ("/de", "the name must have at most 1 character, has 2"),
            ],
        ),
        (
            {"additionalProperties": False, "properties": {"a": {}}},
            {"b/c": 1},
            [("/b~1c", "is not a known field")],
        ),
        ({"not": {}}, 1, [("", "breaks the keyword `not` of its schema")]),
        ({"required": ["a", "b"]}, {}, [("/a", "is required"), ("/b", "is required")]),
        (
            {"required": ["content"], "properties": {"content": {}, "role": {}}},
            {"contnet": 1, "role": 2},
            [("/content", "is required (found 'contnet'; did you mean 'content'?)")],
        ),
        # Unions: the branch is chosen by its tag, discriminator or not ...
        (SHAPE, {"kind": "square", "side": "1"}, [("/side", "must be a number, not '1'")]),
        (SHAPE, {"kind": "square", "radius": 1}, [("/side", "is required")]),
        (SHAPE, {"kind": "sqare"}, [("/kind", "must be 'circle' or 'square', not 'sqare' (did you mean 'square'?)")]),
        (SHAPE, {"radius": 1}, [("/kind", "is required: 'circle' or 'square'")]),
        (SHAPE, [], [("", "must be an object, not an empty array")]),
        (KINDS, {"kind": "c"}, [("/kind", "must be 'a', 'b' or 'Note', not 'c'")]),
        (KINDS, {"kind": "b", "size": 1}, [("/size", "must be a string, not 1")]),
        (KINDS, {"kind": "Note"}, [("/text", "is required")]),
        (KINDS, {}, [("/kind", "is required: 'a', 'b' or 'Note'")]),
        (THING, {"kind": "circle", "radius": "1"}, [("/radius", "must be a number, not '1'")]),
        (THING, {"kind": "square", "side": 1, "tilt": "x"}, [("/tilt", "must be an integer, not 'x'")]),
        # ... by the fields of those that can do without a tag ...
        (THING, {"text": 5}, [("/text", "must be a string, not 5")]),
        (THING, {"colour": 5}, [("/kind", "is required: 'circle', 'square' or 'note'")]),
        # ... and by type, through any number of unions.
        ({"$ref": "#/components/schemas/Content"}, 5, [("", "must be a string or an array, not 5")]),
        ({"$ref": "#/components/schemas/Content"}, [{"kind": "circle"}], [("/0/radius", "is required")]),
        ({"anyOf": [THING, {"type": "null"}]}, {"kind": "circle"}, [("/radius", "is required")]),
        ({"oneOf": [{}, {}]}, 3, [("", "must match exactly one schema of `oneOf`, matches several")]),
        ({"anyOf": [{"minimum": 5}, {"multipleOf": 2}]}, 3, [("", "must be at least 5, not 3")]),
    ],
)
def test_a_mistake_is_explained(schema, value, expected):
    assert explained(schema, value) == expected


def test_the_place_in_the_document_is_told():
    (finding,) = (
        Schemas(DOCUMENT).at("/components/schemas/Circle").validate({"kind": "circle"}, "response", "body", "/x")
    )
    assert finding.schema_pointer == "/components/schemas/Circle/required"
    assert finding.pointer == "/x/radius"


def test_no_more_than_twenty_findings_are_told():
    assert len(explained({"items": {"type": "string"}}, list(range(100)))) == 20
