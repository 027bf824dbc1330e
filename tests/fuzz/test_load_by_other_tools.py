"""Other tools can validate the document and generate requests from it."""

from collections.abc import Iterator

import httpx
import pytest
import schemathesis
import yaml
from openapi_spec_validator import validate

from mockserver import create_app, run_server


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with run_server(create_app()) as server:
        yield server.url


def test_json_and_yaml_are_one_valid_document(url: str) -> None:
    document = httpx.get(f"{url}/openapi.json").json()
    assert yaml.safe_load(httpx.get(f"{url}/openapi.yaml").text) == document
    validate(document)


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_schemathesis_loads_every_operation(url: str, form: str) -> None:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.{form}")
    loaded = [operation.ok().definition.raw["operationId"] for operation in schema.get_all_operations()]
    paths = httpx.get(f"{url}/openapi.json").json()["paths"].values()
    declared = [node["operationId"] for path in paths for node in path.values() if "operationId" in node]
    assert sorted(loaded) == sorted(declared)
