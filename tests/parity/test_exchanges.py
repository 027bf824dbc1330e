"""Every documented exchange, executed."""

import re

import httpx
import pytest

from mockserver import Settings, create_app, run_server
from mockserver.contract.document import data_path, read_yaml
from mockserver.contract.operations import Operations

FILES = sorted(data_path("fixtures/exchanges").glob("*.yaml"))


def filled(template, known):
    """`template` with what is known in the place of `<name>`."""
    if isinstance(template, dict):
        return {name: filled(value, known) for name, value in template.items()}
    if isinstance(template, list):
        return [filled(value, known) for value in template]
    if isinstance(template, str):
        return re.sub(r"<(\w+)>", lambda found: known[found[1]], template)
    return template


def differences(expected, actual, known, at=""):
    """Where `actual` lacks what is expected; `<name>` takes what is there the first time."""
    if isinstance(expected, str) and (found := re.fullmatch(r"<(\w+)>", expected)):
        if found[1] == "any":
            return []
        expected = known.setdefault(found[1], actual)
    if isinstance(expected, dict) and isinstance(actual, dict):
        lines = [f"{at}/{name} is missing" for name in expected if name not in actual]
        for name in (name for name in expected if name in actual):
            lines += differences(expected[name], actual[name], known, f"{at}/{name}")
        return lines
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return [line for index, (one, other) in pairs for line in differences(one, other, known, f"{at}/{index}")]
    return [] if expected == actual else [f"{at or '/'}: expected {expected!r}, received {actual!r}"]


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_exchanges(path):
    fixture = read_yaml(path)
    assert fixture["source"].startswith("docs.mka1.com: ")
    settings = {name: tuple(value) for name, value in fixture.get("settings", {}).items()}
    app = create_app(Settings(**settings))
    known = {}
    with run_server(app) as server, httpx.Client(base_url=server.api_url) as client:
        client.headers.update({"Authorization": "Bearer k", **fixture.get("headers", {})})
        for number, exchange in enumerate(fixture["exchanges"]):
            request = filled(exchange["request"], known)
            body = {"json": request["body"]} if "body" in request else {}
            answer = client.request(request["method"], request["path"], **body)
            where = f"exchange {number}, {exchange['operation']}"
            assert operation_of(app.contract.operations, request["method"], answer) == exchange["operation"], where
            assert answer.status_code == exchange["response"]["status"], f"{where}: {answer.text}"
            if "exactly" in exchange["response"]:
                assert answer.json() == exchange["response"]["exactly"], where
            else:
                assert differences(exchange["response"]["body"], answer.json(), known) == [], where


def operation_of(operations: Operations, method, answer):
    return operations.match(method, answer.request.url.raw_path.decode().partition("?")[0]).operation.id


def test_every_operation_has_an_exchange():
    shown = {exchange["operation"] for path in FILES for exchange in read_yaml(path)["exchanges"]}
    assert shown == set(create_app().contract.operations)


def test_a_difference_is_seen():
    known = {"one": "1"}
    expected = {"id": "<one>", "new": "<two>", "again": "<two>", "any": "<any>", "list": [1], "missing": 1}
    actual = {"id": "2", "new": "a", "again": "b", "any": None, "list": [1, 2]}
    assert sorted(differences(expected, actual, known)) == [
        "/again: expected 'a', received 'b'",
        "/id: expected '1', received '2'",
        "/list: expected [1], received [1, 2]",
        "/missing is missing",
    ]
