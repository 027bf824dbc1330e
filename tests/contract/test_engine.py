"""The guards can run on either engine."""

import os
import subprocess
import sys

import pytest

from mockserver import Settings, UsageError
from mockserver.contract.document import load_document
from mockserver.contract.engine import create_engine
from mockserver.contract.operations import Operations
from mockserver.contract.reference import ReferenceEngine

CALL = {"type": "function_call", "call_id": "call_1", "name": "find_ticket"}


def findings(response):
    return [
        (finding["in"], finding["pointer"], finding["message"]) for finding in response.json()["error"]["findings"]
    ]


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_the_fake_runs_on_either_engine(make_client, engine):
    client = make_client(engine=engine, unknown_fields="reject")
    created = client.post("/conversations", json={"items": [{"role": "user", "content": "Is it raining?"}]})
    page = client.get(f"/conversations/{created.json()['id']}/items", params={"limit": 5})
    assert [item["content"] for item in page.json()["data"]] == ["Is it raining?"]
    rejected = client.post("/conversations", json={"items": [CALL]})
    assert rejected.status_code == 400
    assert findings(rejected)[0][1].startswith("/items/0")
    assert findings(client.get("/conversations", params={"limit": 51}))[0][:2] == ("query", "/limit")
    unknown = client.post("/conversations", json={"items": [{"role": "user", "content": "", "nme": 1}], "x": 1})
    assert {finding[1] for finding in findings(unknown)} == {"/items/0/nme", "/x"}
    text = client.post("/conversations", content=b"{}", headers={"Content-Type": "text/plain"})
    assert text.status_code == 415


def reference():
    document = load_document()
    return Operations(document), ReferenceEngine(document)


@pytest.mark.parametrize(
    ("query", "headers", "expected"),
    [
        (b"limit=51", [], ("query", "/limit", "51 is greater than the maximum of 50")),
        (b"limit=x", [], ("query", "/limit", "cannot be read: invalid literal for int() with base 10: 'x'")),
        (b"order=up", [], ("query", "/order", "'up' is not one of ['asc', 'desc']")),
        (b"search=%ff", [], ("query", "", "is not UTF-8")),
    ],
)
def test_the_reference_engine_explains_a_parameter(query, headers, expected):
    operations, engine = reference()
    _, (finding,) = engine.request_validator(operations["conversations.list"]).validate_parameters(
        {}, query, lambda name: headers
    )
    assert (finding.location, finding.pointer, finding.message) == expected


@pytest.mark.parametrize(
    ("content", "pointer", "message"),
    [
        (b"", "", "is required"),
        (b"{", "", "cannot be read: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b'{"items": [], "items": []}', "", "cannot be read: contains a duplicate name"),
        (b'{"items": 5}', "/items", "5 is not of type 'array'"),
        (b'{"items": []}', "/items", "[] should be non-empty"),
        (b"{}", "/items", "'items' is a required property"),
        (
            b'{"items": [{"type": "message", "role": "user", "content": [{"type": [1]}]}]}',
            "",
            "cannot be read: unhashable type: 'list'",
        ),
    ],
)
def test_the_reference_engine_explains_a_body(content, pointer, message):
    operations, engine = reference()
    _, (finding,) = engine.request_validator(operations["conversations.items.create"]).validate_body(content)
    assert (finding.side, finding.location, finding.pointer, finding.message) == ("request", "body", pointer, message)


JSON = (b"content-type", b"application/json")
ANOTHER = b'{"id": "c", "object": "conversation", "deleted": true}'
UNAUTHORIZED = b'{"error": {"message": "m", "type": "authentication_error", "param": null, "code": 401}}'


@pytest.mark.parametrize(
    ("status", "headers", "content", "location", "pointer", "message"),
    [
        (418, [JSON], b"{}", "status", "", "418 is not declared for this operation"),
        (200, [], b"{}", "header", "/Content-Type", "must be application/json, not ''"),
        (200, [JSON], b"", "body", "", "is required"),
        (200, [JSON], b"[}", "body", "", "cannot be read: Expecting value: line 1 column 2 (char 1)"),
        (200, [JSON], ANOTHER, "body", "/object", "'conversation.deleted' was expected"),
        (401, [JSON], UNAUTHORIZED, "header", "/WWW-Authenticate", "is required"),
    ],
)
def test_the_reference_engine_explains_a_response(status, headers, content, location, pointer, message):
    operations, engine = reference()
    (finding,) = engine.validate_response(operations["conversations.delete"], status, headers, content)
    assert (finding.side, finding.location, finding.pointer, finding.message) == (
        "response",
        location,
        pointer,
        message,
    )


def test_an_unknown_engine_is_rejected():
    with pytest.raises(UsageError, match="engine must be compiled or reference, not 'fast'"):
        Settings(engine="fast")


@pytest.mark.parametrize(("arguments", "variables"), [(["--engine", "fast"], {}), ([], {"MOCKSERVER_ENGINE": "fast"})])
def test_the_flag_and_the_variable_are_read(arguments, variables):
    command = [sys.executable, "-m", "mockserver", "serve", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **variables})
    assert result.returncode == 2
    assert "'fast' is not one of 'compiled', 'reference'" in result.stderr


def test_a_missing_library_is_a_usage_error(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "openapi_core"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "mockserver.contract.reference")
    monkeypatch.setitem(sys.modules, "openapi_core", None)
    with pytest.raises(UsageError, match=r"needs openapi-core .*: pip install 'openapi-core[<>=0-9.,]+'$"):
        create_engine("reference", load_document())


def test_openapi_core_is_only_imported_on_demand():
    code = "import sys, mockserver.app; mockserver.app.create_app(); sys.exit('openapi_core' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
