"""The compiled engine agrees with openapi-core on generated requests and responses.

`make fuzz` compares many more of them; `tests/fuzz/differential.py` lists where they may differ, and why.
"""

from collections import Counter

import pytest
from jsonschema import Draft202012Validator
from jsonschema.validators import extend
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from mockserver.contract.document import load_document
from mockserver.contract.operations import Operations
from mockserver.findings import Finding

from ..fuzz.differential import DIFFERENCES, Tally, Verdict, compare, main, run
from ..fuzz.generate import Generator, Request

CASES = 4200  # A multiple of twice the number of operations.
VALUES = 90  # for each schema, and more for those with many keywords
MORE_VALUES = {
    "ImageGenerationToolDefinition": 200,
    "MCPToolDefinition": 250,
    "ResponseObject": 150,
    "ResponseStreamingEvent": 800,
    "ResponsesCreateRequest": 1000,
}
ROUNDS = 10
"""How often so many values are generated, as long as a keyword is untested."""
DOCUMENT = load_document()
OPERATIONS = Operations(DOCUMENT)


def test_both_engines_agree():
    tally = run(CASES, seed=20)
    assert tally.failures == []
    assert tally.unused == [], "a difference is listed that never occurs"
    for operation in OPERATIONS:
        for kind in ("request", "response"):
            valid, invalid = (tally.verdicts[operation, kind, is_valid] for is_valid in (True, False))
            assert valid + invalid == CASES / 2 / len(OPERATIONS)
            assert 0.2 < valid / (valid + invalid) < 0.85, f"{operation}: one kind of {kind} is rare"


LIMIT_TEN = Request(OPERATIONS["conversations.list"], {}, b"limit=10", [], b"")
LIMIT_PLUS_TEN = LIMIT_TEN._replace(query=b"limit=%2B10")
INVALID_LIMIT = Finding("request", "query", "/limit", "type", "must be an integer, not '+10'")


@pytest.mark.parametrize(
    ("case", "compiled", "reference", "agree"),
    [
        (LIMIT_TEN, Verdict([], {"query": {"limit": 10}}), Verdict([], {"query": {"limit": 10}}), True),
        (LIMIT_TEN, Verdict([], {"query": {"limit": 10}}), Verdict([], {"query": {"limit": 10.0}}), False),
        (LIMIT_TEN, Verdict([INVALID_LIMIT], {}), Verdict([], {}), False),
        (LIMIT_TEN, Verdict([], {}), Verdict([INVALID_LIMIT], {}), False),
        (LIMIT_PLUS_TEN, Verdict([INVALID_LIMIT], {}), Verdict([], {}), True),
        (LIMIT_PLUS_TEN, Verdict([], {}), Verdict([], {}), False),
    ],
)
def test_the_comparison_finds_differences(case, compiled, reference, agree):
    tally = Tally(DIFFERENCES)
    compare(case, compiled, reference, tally)
    assert (tally.failures == []) == agree


def test_the_command_prints_a_table(capsys):
    assert main(["--cases", "20", "--seed", "3"]) == 1, "so few cases do not show every difference"
    printed = capsys.readouterr().out
    assert len([line for line in printed.splitlines() if line.startswith("conversations.")]) == 10
    assert "20 cases, seed 3, 0 differences" in printed


# Keyword by keyword


def _recording_validator(seen):
    """Return jsonschema's validator, which records for every keyword whether values conform to it or violate it."""

    def recorded(keyword, check):
        def checked(validator, value, instance, schema):
            errors = list(check(validator, value, instance, schema) or ())
            seen[id(schema), keyword, not errors] += 1
            yield from errors

        return checked

    def any_of(validator, branches, instance, schema):
        # The original stops at the first branch that matches; this test needs them all.
        outcomes = [list(validator.descend(instance, branch)) for branch in branches]
        if all(outcomes):
            yield from outcomes[0]

    checks = {**Draft202012Validator.VALIDATORS, "anyOf": any_of}
    return extend(Draft202012Validator, {keyword: recorded(keyword, check) for keyword, check in checks.items()})


def _subschemas(node, pointer):
    """Yield a schema and all schemas in it, with their JSON pointers."""
    if isinstance(node, bool):
        return
    yield pointer, node
    for keyword in ("properties", "patternProperties"):
        for name, child in node.get(keyword, {}).items():
            yield from _subschemas(child, f"{pointer}/{keyword}/{name}")
    for keyword in ("allOf", "anyOf", "oneOf"):
        for index, child in enumerate(node.get(keyword, ())):
            yield from _subschemas(child, f"{pointer}/{keyword}/{index}")
    for keyword in ("items", "additionalProperties", "propertyNames", "not"):
        if keyword in node:
            yield from _subschemas(node[keyword], f"{pointer}/{keyword}")


def _untested_keywords(name, schema, seen):
    """Yield the keywords of a schema that no value has met, or none has violated."""
    for place, node in _subschemas(schema, name):
        for keyword in node.keys() & Draft202012Validator.VALIDATORS.keys() - {"format"}:
            for outcome in (True, False):
                if not seen[id(node), keyword, outcome] and node[keyword] not in (True, {}):
                    yield f"{place}/{keyword} never {'accepted' if outcome else 'rejected'} a value"


def test_every_keyword_of_every_schema_accepts_and_rejects_like_jsonschema():
    seen = Counter()
    validator_class = _recording_validator(seen)
    registry = Registry().with_resource("urn:document", DRAFT202012.create_resource(DOCUMENT))
    generator = Generator(OPERATIONS, seed=20)
    untested = []
    for name, schema in DOCUMENT["components"]["schemas"].items():
        pointer = f"/components/schemas/{name}"
        reference = validator_class({"$ref": f"urn:document#{pointer}"}, registry=registry)
        compiled = OPERATIONS.schemas.at(pointer)
        for _ in range(ROUNDS):
            for value in generator.values(pointer, MORE_VALUES.get(name, VALUES)):
                is_valid = not list(reference.iter_errors(value))
                explained = compiled.validate(value, "request", "body")
                assert is_valid == compiled.is_valid(value) == (explained == []), (name, value)
            if not (left := list(_untested_keywords(name, schema, seen))):
                break
        untested += left
    assert untested == []
