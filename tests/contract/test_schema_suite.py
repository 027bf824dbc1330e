"""The JSON Schema Test Suite for 2020-12, through the compiled engine.

No installable package has it, but the source distribution of jsonschema does; `make setup` fetches that beside the
other packages.
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


def groups():
    """Every group of the suite, but for the optional ones, with the name of its file."""
    if not ARCHIVES:
        return
    with tarfile.open(ARCHIVES[-1]) as archive:
        for member in archive:
            _, _, name = member.name.partition("/json/tests/draft2020-12/")
            if name.endswith(".json") and "/" not in name:
                for group in json.load(archive.extractfile(member)):
                    yield name.removesuffix(".json"), group


def moved(node):
    """A schema whose references to itself lead to where it stands in a document."""
    if isinstance(node, list):
        return [moved(child) for child in node]
    if not isinstance(node, dict):
        return node
    is_local = isinstance(node.get("$ref"), str) and (node["$ref"] == "#" or node["$ref"].startswith("#/"))
    here = {"$ref": f"#{AT}{node['$ref'][1:]}"} if is_local else {}
    return {key: child if is_literal(key, child) else moved(child) for key, child in node.items()} | here


def compiled(group):
    document = {"openapi": "3.1.0", "components": {"schemas": {"S": moved(group["schema"])}}}
    check_dialect(document)
    return Schemas(document).at(AT)


def is_refused(group):
    """Whether a schema says where it is, or leads out of the document: that is refused at start."""
    try:
        compiled(group)
    except DocumentError as error:
        return "is not supported" in str(error) or "refers to another document" in str(error)
    return False


GROUPS = {f"{file}: {group['description']}": group for file, group in groups()}
HELD = {name: group for name, group in GROUPS.items() if not is_refused(group)}


@pytest.mark.skipif(not GROUPS, reason="the suite is not there; `make setup` fetches it")
def test_the_suite_is_there_and_little_of_it_is_refused():
    refused = Counter(name.partition(":")[0] for name in GROUPS.keys() - HELD.keys())
    assert sum(len(group["tests"]) for group in HELD.values()) > 1000
    assert set(refused) == {
        *("anchor", "defs", "dynamicRef", "ref", "refRemote", "vocabulary"),
        *("unevaluatedItems", "unevaluatedProperties"),
    }
    assert refused["unevaluatedItems"] == refused["unevaluatedProperties"] == refused["defs"] == 1


@pytest.mark.parametrize("name", HELD)
def test_a_group_of_the_suite(name):
    schema = compiled(HELD[name])
    for test in HELD[name]["tests"]:
        findings = schema.validate(test["data"], "request", "body")
        assert schema.is_valid(test["data"]) == test["valid"] == (findings == []), test["description"]
