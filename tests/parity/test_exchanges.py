"""Every documented exchange, executed."""

import re

import httpx
import pytest

from mockserver import Settings, create_app, run_server
from mockserver.contract.document import data_path
from mockserver.contract.operations import Operations
from mockserver.contract.yaml_file import read_yaml

FILES = sorted(data_path("fixtures/exchanges").glob("*.yaml"))


def substitute(template, known):
    """Replace each `<name>` by its captured value."""
    if isinstance(template, dict):
        return {name: substitute(value, known) for name, value in template.items()}
    if isinstance(template, list):
        return [substitute(value, known) for value in template]
    if isinstance(template, str):
        return re.sub(r"<(\w+)>", lambda found: known[found[1]], template)
    return template


def find_differences(expected, actual, known, at=""):
    """Describe expected values that `actual` lacks; the first `<name>` captures the actual value."""
    if isinstance(expected, str) and (found := re.fullmatch(r"<(\w+)>", expected)):
        if found[1] == "any":
            return []
        expected = known.setdefault(found[1], actual)
    if isinstance(expected, dict) and isinstance(actual, dict):
        lines = [f"{at}/{name} is missing" for name in expected if name not in actual]
        for name in (name for name in expected if name in actual):
            lines += find_differences(expected[name], actual[name], known, f"{at}/{name}")
        return lines
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return [line for index, (one, other) in pairs for line in find_differences(one, other, known, f"{at}/{index}")]
    return [] if expected == actual else [f"{at or '/'}: expected {expected!r}, received {actual!r}"]


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_exchanges(path):
    fixture = read_yaml(path)
    assert fixture["source"].startswith("docs.mka1.com: ")
    settings = {name: tuple(value) for name, value in fixture.get("settings", {}).items()}
    app = create_app(Settings(**settings))
    known = {}
    with run_server(app) as server, httpx.Client() as client:
        client.headers.update({"Authorization": "Bearer k", **fixture.get("headers", {})})
        for number, exchange in enumerate(fixture["exchanges"]):
            request = substitute(exchange["request"], known)
            body = {"json": request["body"]} if "body" in request else {}
            is_complete = request["path"].startswith("/api/")
            url = (server.url if is_complete else server.api_url) + request["path"]
            response = client.request(request["method"], url, **body)
            where = f"exchange {number}, {exchange['operation']}"
            assert find_operation(app.contract.operations, request["method"], response) == exchange["operation"], where
            assert response.status_code == exchange["response"]["status"], f"{where}: {response.text}"
            if "exactly" in exchange["response"]:
                assert response.json() == exchange["response"]["exactly"], where
            else:
                assert find_differences(exchange["response"]["body"], response.json(), known) == [], where


def find_operation(operations: Operations, method, response):
    return operations.match(method, response.request.url.raw_path.decode().partition("?")[0]).operation.id


def test_every_operation_has_an_exchange():
    shown = {exchange["operation"] for path in FILES for exchange in read_yaml(path)["exchanges"]}
    assert shown == set(create_app().contract.operations)


def test_differences_are_found():
    known = {"one": "1"}
    expected = {"id": "<one>", "new": "<two>", "again": "<two>", "any": "<any>", "list": [1], "missing": 1}
    actual = {"id": "2", "new": "a", "again": "b", "any": None, "list": [1, 2]}
    assert sorted(find_differences(expected, actual, known)) == [
        "/again: expected 'a', received 'b'",
        "/id: expected '1', received '2'",
        "/list: expected [1], received [1, 2]",
        "/missing is missing",
    ]
