"""The JSON Schema Test Suite for 2020-12, with the compiled schemas.

It is part of the source distribution of jsonschema, which `make setup` downloads.
"""

import json
import sys
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from mockserver.contract.dialect import check_dialect
from mockserver.contract.document import DocumentError, is_literal
from mockserver.contract.schemas import Schemas

ARCHIVES = sorted((Path(sys.prefix) / "sdists").glob("jsonschema-*.tar.gz"))
AT = "/components/schemas/S"


def read_groups():
    """Yield every required group of the suite with the name of its file."""
    if not ARCHIVES:
        return
    with tarfile.open(ARCHIVES[-1]) as archive:
        for member in archive:
            _, _, name = member.name.partition("/json/tests/draft2020-12/")
            if name.endswith(".json") and "/" not in name:
                for group in json.load(archive.extractfile(member)):
                    yield name.removesuffix(".json"), group


def relocate(node):
    """Return a schema whose references to itself lead to its place in a document."""
    if isinstance(node, list):
        return [relocate(child) for child in node]
    if not isinstance(node, dict):
        return node
    is_local = isinstance(node.get("$ref"), str) and (node["$ref"] == "#" or node["$ref"].startswith("#/"))
    here = {"$ref": f"#{AT}{node['$ref'][1:]}"} if is_local else {}
    return {key: child if is_literal(key, child) else relocate(child) for key, child in node.items()} | here


def compile_schema(group):
    document = {"openapi": "3.1.0", "components": {"schemas": {"S": relocate(group["schema"])}}}
    check_dialect(document)
    return Schemas(document).at(AT)


def is_unsupported(group):
    """Whether a schema has an id or refers to another document, which is rejected at start."""
    try:
        compile_schema(group)
    except DocumentError as error:
        return "is not supported" in str(error) or "refers to another document" in str(error)
    return False


GROUPS = {f"{file}: {group['description']}": group for file, group in read_groups()}
SUPPORTED = {name: group for name, group in GROUPS.items() if not is_unsupported(group)}


@pytest.mark.skipif(not GROUPS, reason="the suite is missing; `make setup` downloads it")
def test_little_of_the_suite_is_unsupported():
    unsupported = Counter(name.partition(":")[0] for name in GROUPS.keys() - SUPPORTED.keys())
    assert sum(len(group["tests"]) for group in SUPPORTED.values()) > 1000
    assert set(unsupported) == {
        *("anchor", "defs", "dynamicRef", "ref", "refRemote", "vocabulary"),
        *("unevaluatedItems", "unevaluatedProperties"),
    }
    assert unsupported["unevaluatedItems"] == unsupported["unevaluatedProperties"] == unsupported["defs"] == 1


@pytest.mark.parametrize("name", SUPPORTED)
def test_a_group_of_the_suite(name):
    schema = compile_schema(SUPPORTED[name])
    for test in SUPPORTED[name]["tests"]:
        findings = schema.validate(test["data"], "request", "body")
        assert schema.is_valid(test["data"]) == test["valid"] == (findings == []), test["description"]
