"""The compiled engine and openapi-core, asked about the same requests and responses.

`make fuzz` asks far more of them; what may differ, and why, is listed in `tests/fuzz/differential.py`.
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

CASES = 2400
VALUES = 90  # for each schema
DOCUMENT = load_document()
OPERATIONS = Operations(DOCUMENT)


def test_both_engines_say_the_same():
    tally = run(CASES, seed=20)
    assert tally.failures == []
    assert tally.unused == [], "a difference is allowed that is not needed"
    for operation in OPERATIONS:
        for kind in ("request", "response"):
            valid, invalid = (tally.verdicts[operation, kind, is_valid] for is_valid in (True, False))
            assert valid + invalid == CASES / 2 / len(OPERATIONS)
            assert 0.2 < valid / (valid + invalid) < 0.85, f"{operation}: one kind of {kind} is rare"


LIMIT_TEN = Request(OPERATIONS["conversations.list"], {}, b"limit=10", [], b"")
LIMIT_PLUS_TEN = LIMIT_TEN._replace(query=b"limit=%2B10")
WRONG = Finding("request", "query", "/limit", "type", "must be an integer, not '+10'")


@pytest.mark.parametrize(
    ("case", "compiled", "reference", "agree"),
    [
        (LIMIT_TEN, Verdict([], {"query": {"limit": 10}}), Verdict([], {"query": {"limit": 10}}), True),
        (LIMIT_TEN, Verdict([], {"query": {"limit": 10}}), Verdict([], {"query": {"limit": 10.0}}), False),
        (LIMIT_TEN, Verdict([WRONG], {}), Verdict([], {}), False),
        (LIMIT_TEN, Verdict([], {}), Verdict([WRONG], {}), False),
        (LIMIT_PLUS_TEN, Verdict([WRONG], {}), Verdict([], {}), True),
        (LIMIT_PLUS_TEN, Verdict([], {}), Verdict([], {}), False),
    ],
)
def test_the_comparison_sees_what_differs(case, compiled, reference, agree):
    tally = Tally(DIFFERENCES)
    compare(case, compiled, reference, tally)
    assert (tally.failures == []) == agree


def test_the_command_prints_a_table(capsys):
    assert main(["--cases", "20", "--seed", "3"]) == 1, "so few cases do not need every difference"
    printed = capsys.readouterr().out
    assert len([line for line in printed.splitlines() if line.startswith("conversations.")]) == 10
    assert "20 cases, seed 3, 0 differences" in printed


# Schema by schema


def _recording(seen):
    """jsonschema's validator, which notes for every keyword of every schema whether a value held to it or broke it."""

    def recorded(keyword, check):
        def checked(validator, value, instance, schema):
            errors = list(check(validator, value, instance, schema) or ())
            seen[id(schema), keyword, not errors] += 1
            yield from errors

        return checked

    def any_of(validator, branches, instance, schema):
        # As it is, it stops at the first branch that fits; here all are to be seen.
        outcomes = [list(validator.descend(instance, branch)) for branch in branches]
        if all(outcomes):
            yield from outcomes[0]

    checks = {**Draft202012Validator.VALIDATORS, "anyOf": any_of}
    return extend(Draft202012Validator, {keyword: recorded(keyword, check) for keyword, check in checks.items()})


def _within(node, pointer):
    """A schema and all that stand in it, by JSON pointer."""
    if isinstance(node, bool):
        return
    yield pointer, node
    for keyword in ("properties", "patternProperties"):
        for name, child in node.get(keyword, {}).items():
            yield from _within(child, f"{pointer}/{keyword}/{name}")
    for keyword in ("allOf", "anyOf", "oneOf"):
        for index, child in enumerate(node.get(keyword, ())):
            yield from _within(child, f"{pointer}/{keyword}/{index}")
    for keyword in ("items", "additionalProperties", "propertyNames", "not"):
        if keyword in node:
            yield from _within(node[keyword], f"{pointer}/{keyword}")


def test_every_keyword_of_every_schema_is_held_and_broken_and_judged_the_same():
    seen = Counter()
    validator_class = _recording(seen)
    registry = Registry().with_resource("urn:document", DRAFT202012.create_resource(DOCUMENT))
    generator = Generator(OPERATIONS, seed=20)
    one_sided = []
    for name in DOCUMENT["components"]["schemas"]:
        pointer = f"/components/schemas/{name}"
        reference = validator_class({"$ref": f"urn:document#{pointer}"}, registry=registry)
        compiled = OPERATIONS.schemas.at(pointer)
        for value in generator.values(pointer, VALUES):
            is_valid = not list(reference.iter_errors(value))
            explained = compiled.validate(value, "request", "body")
            assert is_valid == compiled.is_valid(value) == (explained == []), (name, value)
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for place, node in _within(schema, name):
            one_sided += [
                f"{place}/{keyword} was never {'held' if outcome else 'broken'}"
                for keyword in node.keys() & Draft202012Validator.VALIDATORS.keys() - {"format"}
                for outcome in (True, False)
                if not seen[id(node), keyword, outcome] and node[keyword] not in (True, {})
            ]
    assert one_sided == []
