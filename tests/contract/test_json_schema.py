"""Schemas that clients send."""

import socket

import pytest

from mockserver.contract.json_schema import find_schema_mistake


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"type": "objekt"}, ["type"]),
        ({"properties": {"a": {"required": "a"}}}, ["properties", "a", "required"]),
        ({"$schema": 5}, ["$schema"]),
        ({"pattern": "("}, ["pattern"]),
        ({"$ref": "#/$defs/missing"}, []),
    ],
)
def test_a_mistake_is_found_at_its_place(schema, path):
    mistake = find_schema_mistake(schema)
    assert mistake is not None
    assert list(mistake.path) == path
    assert mistake.message
    assert "\n" not in mistake.message


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (
            {"type": "objekt"},
            "must be one of array, boolean, integer, null, number, object, string, "
            "not 'objekt' (did you mean 'object'?)",
        ),
        ({"properties": {"type": "objekt"}}, '"objekt" is not of types "boolean", "object"'),
    ],
)
def test_an_unknown_type_is_a_message_with_the_known_ones(schema, message):
    mistake = find_schema_mistake(schema)
    assert mistake is not None
    assert mistake.message == message


def test_a_schema_of_an_older_draft_is_read_by_its_rules():
    schema = {"items": [{"type": "string"}]}
    assert find_schema_mistake(schema) is not None
    assert find_schema_mistake({"$schema": "http://json-schema.org/draft-07/schema#", **schema}) is None


def test_nothing_is_fetched():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        mistake = find_schema_mistake({"$ref": f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"})
        with pytest.raises(TimeoutError):
            server.accept()
    assert mistake is not None


@pytest.mark.parametrize("place", ["urn:elsewhere", "other.json"])
def test_a_reference_to_the_outside_is_named(place):
    mistake = find_schema_mistake({"properties": {"a": {"$ref": place}}})
    assert mistake is not None
    assert mistake.message == f"refers to '{place}', which is outside of the schema"
