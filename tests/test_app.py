import pytest
import yaml
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from mockserver import Fake, Settings, create_app, run_server
from mockserver.contract.document import DocumentError, load_document
from mockserver.contract.endpoint import Endpoint
from mockserver.store.memory import MemoryStore
from tests.support.asgi_client import API_PATH, AsgiClient
from tests.support.raw_connection import RawConnection, build_request

BROKEN = b'{"id": 5, "object": "conversation", "created_at": 0, "deleted_at": null}'


def test_the_document_is_served_without_a_key(make_client):
    client = make_client(api_keys=("k",)).root
    response = client.get("/openapi.json")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    assert response.json() == load_document()
    response = client.get("/openapi.yaml")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/yaml")
    assert yaml.safe_load(response.content) == load_document()
    assert client.head("/openapi.json").status_code == 200


def test_the_document_accepts_no_other_method(make_client):
    response = make_client().root.post("/openapi.json")
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")
    assert response.json()["error"]["code"] == 405


@pytest.mark.parametrize("path", ["/nowhere", "/openapi", "/_mock", "/a%0Ab"])
def test_other_paths_are_answered_like_unknown_operations(make_client, path):
    response = make_client().root.get(path)
    assert response.status_code == response.json()["error"]["code"] == 404


def test_any_asgi_server_can_run_the_fake_and_websockets_are_closed():
    with TestClient(create_app()) as client:
        assert client.get("/openapi.json").status_code == 200
        for path in ("/api/v1/llm/conversations", "/_mock/health"):
            with pytest.raises(WebSocketDisconnect), client.websocket_connect(path):
                pass


def test_the_server_answers_a_websocket_request_like_any_other():
    upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
    headers = ["Authorization: Bearer k", *upgrade, "Sec-WebSocket-Key: c2l4dGVlbiBieXRlcyBsbw=="]
    request = build_request("GET", f"{API_PATH}/conversations", headers=headers)
    with run_server(create_app()) as server, RawConnection(server.url) as connection:
        response = connection.send(request).read_response()
    assert response.status_code == 200
    assert response.json()["object"] == "list"


def test_operations_and_handlers_must_match(contract):
    handlers = dict.fromkeys(contract.operations, lambda context: b"{}")
    Endpoint(handlers, contract.operations)
    with pytest.raises(DocumentError, match=r"conversations\.list$"):
        Endpoint({name: handlers[name] for name in handlers if name != "conversations.list"}, contract.operations)
    with pytest.raises(DocumentError, match=r"sing$"):
        Endpoint({**handlers, "sing": lambda context: b"{}"}, contract.operations)


def test_a_response_of_the_fake_that_breaks_the_document_is_replaced(monkeypatch, make_client):
    monkeypatch.setattr("mockserver.resources.conversations.conversation_json", lambda *_: BROKEN)
    response = make_client().post("/conversations", json={})
    assert response.status_code == 500
    assert "conversations.create" in response.json()["error"]["message"]
    assert "body /id" in response.json()["error"]["message"]


def test_the_order_of_rejections(make_client):
    client = make_client(api_keys=("mka1-test-key",), rate_limits=("4/d",), max_body=30)
    unknown_key = {"headers": {"Authorization": "Bearer unknown"}}
    text = {"Content-Type": "text/plain"}
    too_large = {"content": b"x" * 40, "headers": text}
    items = "/conversations/no/items"
    for method, path, options, status in [
        ("PUT", "/conversations", unknown_key, 405),
        ("GET", "/nowhere", unknown_key, 404),
        ("POST", items, {**unknown_key, "content": b"{"}, 401),
        ("POST", items, too_large, 413),
        ("POST", items, {"content": b"{", "headers": text}, 415),
        ("POST", items, {"json": {}}, 400),
        ("POST", "/conversations/no", {"json": {"metadata": {}}}, 404),
        ("POST", items, too_large, 429),
    ]:
        assert client.request(method, path, **options).status_code == status


def test_fakes_of_one_contract_share_no_state(contract):
    one, other = Fake(contract, Settings()), Fake(contract, Settings())
    with AsgiClient.connect(one, {"Authorization": "Bearer k"}) as client:
        assert client.post("/conversations", json={}).status_code == 200
    assert len(one.state.snapshot()["conversations"]) == 1
    assert other.state.snapshot()["conversations"] == []


def test_a_store_can_be_passed_in(contract):
    store = MemoryStore()
    assert Fake(contract, Settings(), store=store).state.store is store


@pytest.mark.parametrize("path", ["/api/v1/llm/conversations", "/openapi.json", "/_mock/health"])
def test_cors_preflight_requests_are_answered(make_client, path):
    client = make_client(cors_origins=("https://app.example",)).root
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    response = client.request("OPTIONS", path, headers=headers)
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
