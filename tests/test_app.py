import json

import pytest
import yaml
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from mockserver import Settings, create_app, run_server
from mockserver.contract.document import DocumentError, load_document
from mockserver.contract.endpoint import Endpoint
from mockserver.contract.operations import Operations
from tests.support.asgi_client import API_PATH
from tests.support.raw_connection import RawConnection, build_request

BROKEN = b'{"id": 5, "object": "conversation", "created_at": 0, "deleted_at": null}'


def test_the_document_is_served_to_all_comers(make_client):
    client = make_client(api_keys=("k",)).root
    answer = client.get("/openapi.json")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json() == load_document()
    answer = client.get("/openapi.yaml")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/yaml")
    assert yaml.safe_load(answer.content) == load_document()
    assert client.head("/openapi.json").status_code == 200


def test_another_server_can_start_and_end_it_and_gets_no_websocket():
    with TestClient(create_app()) as client:
        assert client.get("/openapi.json").status_code == 200
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/api/v1/llm/conversations"):
            pass


def test_the_server_answers_a_websocket_request_like_any_other():
    upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
    headers = ["Authorization: Bearer k", *upgrade, "Sec-WebSocket-Key: c2l4dGVlbiBieXRlcyBsbw=="]
    request = build_request("GET", f"{API_PATH}/conversations", headers=headers)
    with run_server(create_app()) as server, RawConnection(server.url) as connection:
        response = connection.send(request).read_response()
    assert response.status_code == 200
    assert response.json()["object"] == "list"


def test_the_document_is_only_read(make_client):
    answer = make_client().root.post("/openapi.json")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert answer.json()["error"]["code"] == 405


def test_every_operation_has_its_handler_and_every_handler_its_operation():
    operations = Operations(load_document())
    handlers = dict.fromkeys(operations, lambda context: b"{}")
    Endpoint(handlers, operations)
    with pytest.raises(DocumentError, match=r"without handler or without operation: conversations\.list$"):
        Endpoint({name: handlers[name] for name in handlers if name != "conversations.list"}, operations)
    with pytest.raises(DocumentError, match=r"without handler or without operation: sing$"):
        Endpoint({**handlers, "sing": lambda context: b"{}"}, operations)


def test_an_answer_of_the_fake_that_breaks_the_document_does_not_get_out(monkeypatch, make_client):
    monkeypatch.setattr("mockserver.resources.conversations.conversation_json", lambda *_: BROKEN)
    answer = make_client().post("/conversations", json={})
    assert answer.status_code == 500
    assert answer.json()["error"]["message"] == (
        "The response of conversations.create violates the document: body /id: must be a string, not 5"
    )


def test_the_order_of_refusal(make_client):
    """404 and 405, 401, 429, 413 and 415, 400, 404 of what is not there."""
    client = make_client(api_keys=("mka1-test-key",), rate_limits=("4/d",), max_body=30)
    nobody = {"Authorization": "Bearer nobody"}
    too_large = {"content": json.dumps({"items": "x" * 40}), "headers": {"Content-Type": "text/plain"}}
    assert client.put("/conversations", headers=nobody).status_code == 405
    assert client.get("/nowhere", headers=nobody).status_code == 404
    assert client.post("/conversations/no/items", headers=nobody, content="{").status_code == 401
    assert client.post("/conversations/no/items", **too_large).status_code == 413
    assert (
        client.post("/conversations/no/items", content="{", headers={"Content-Type": "text/plain"}).status_code == 415
    )
    assert client.post("/conversations/no/items", json={}).status_code == 400
    assert client.post("/conversations/no", json={"metadata": {}}).status_code == 404
    assert client.post("/conversations/no/items", **too_large).status_code == 429


def test_a_store_can_be_brought_along():
    from mockserver.store.memory import MemoryStore

    store = MemoryStore()
    assert create_app(Settings(), store=store).state.store is store


@pytest.mark.parametrize("path", ["/api/v1/llm/conversations", "/openapi.json", "/_mock/health"])
def test_cors_preflight_requests_are_answered(make_client, path):
    client = make_client(cors_origins=("https://app.example",)).root
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    response = client.request("OPTIONS", path, headers=headers)
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
