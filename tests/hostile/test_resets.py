"""Requests that are under way when the state is reset, and ids that are taken when one is generated."""

import threading
import time

import httpx
import pytest

from mockserver import Settings, create_app, run_server
from mockserver.contract.contract import Contract
from tests.support.asgi_client import AsgiClient
from tests.support.fake_client import MESSAGE, FakeClient
from tests.support.raw_connection import RawConnection, build_request

KEY = "a-key"
HEADERS = {"Authorization": f"Bearer {KEY}"}
POST = build_request("POST", "/api/v1/llm/conversations", b'{"metadata":{"a":"b"}}', [f"Authorization: Bearer {KEY}"])


def numbered(prefix, number):
    return f"{prefix}_{number:032x}"


# Resets


@pytest.fixture(params=[{"api_key": KEY}, {}], ids=["of the key", "of everything"])
def reset(request):
    return lambda url: httpx.post(f"{url}/_mock/reset", params=request.param).raise_for_status()


@pytest.fixture
def server():
    with run_server(create_app(Settings(ids="sequential"))) as server:
        yield server


def get_control(server, route):
    return httpx.get(f"{server.url}/_mock{route}").json()


def test_a_delayed_request_ends_in_the_old_state(server, reset):
    def update():
        body = {"metadata": {"is": "late"}}
        headers = {**HEADERS, "X-Mock-Fault": '{"delay": 0.6}'}
        received.append(httpx.post(f"{conversations}/{created['id']}", json=body, headers=headers, timeout=20))
        received.append(httpx.post(conversations, json={}, headers=headers, timeout=20))

    conversations, received = f"{server.api_url}/conversations", []
    created = httpx.post(conversations, json={}, headers=HEADERS).json()
    thread = threading.Thread(target=update)
    thread.start()
    time.sleep(0.3)
    reset(server.url)
    while not received:
        time.sleep(0.01)
    assert received[0].status_code == 200
    assert (received[0].json()["id"], received[0].json()["metadata"]) == (created["id"], {"is": "late"})
    assert get_control(server, "/state") == {"conversations": [], "responses": []}
    assert get_control(server, "/requests")["data"] == []
    thread.join()
    assert [one["id"] for one in get_control(server, "/state")["conversations"]] == [numbered("conv", 1)]
    assert len(get_control(server, "/requests")["data"]) == 1


def test_a_request_whose_body_arrives_after_a_reset_ends_in_the_old_state(server, reset):
    httpx.post(f"{server.api_url}/conversations", json={}, headers=HEADERS)
    with RawConnection(server.url) as connection:
        connection.send(POST[:-5])
        httpx.get(f"{server.api_url}/conversations", headers=HEADERS)
        reset(server.url)
        httpx.post(f"{server.url}/_mock/faults", json={"status": 503}).raise_for_status()
        response = connection.send(POST[-5:]).read_response()
    assert (response.status_code, response.json()["id"]) == (200, numbered("conv", 2))
    assert get_control(server, "/state") == {"conversations": [], "responses": []}
    assert get_control(server, "/requests")["data"] == []
    assert [fault["seen"] for fault in get_control(server, "/faults")["data"]] == [0]
    httpx.delete(f"{server.url}/_mock/faults").raise_for_status()
    created = httpx.post(f"{server.api_url}/conversations", json={}, headers=HEADERS).json()
    assert created["id"] == numbered("conv", 1)


# Sequential ids


@pytest.fixture
def make_fake():
    clients = []

    def make(*seeds):
        clients.append(AsgiClient.connect(create_app(Settings(ids="sequential", seeds=seeds))))
        return FakeClient(clients[-1])

    yield make
    for client in clients:
        client.runner.close()


def conversation(number, **fields):
    return {"id": numbered("conv", number), "api_key": KEY, **fields}


def create_for(fake, end_user, **body):
    return fake.request_api("POST", key=KEY, json=body, headers={"X-On-Behalf-Of": end_user}).json()


def all_ids(fake):
    found = fake.get("/state")["conversations"]
    return [one["id"] for one in found], [item["id"] for one in found for item in one["items"]]


def assert_new_ids_are_free(fake):
    for end_user in ("ada", "bob"):
        create_for(fake, end_user, items=[MESSAGE, MESSAGE])
    for ids in all_ids(fake):
        assert len(ids) == len(set(ids))


SEED = {
    "conversations": [
        {"api_key": KEY, "end_user": "ada", "items": [MESSAGE, {**MESSAGE, "id": numbered("msg", 1)}]},
        conversation(1, end_user="bob", items=[{**MESSAGE, "id": numbered("msg", 2)}]),
        conversation(2, end_user="ada", items=[{**MESSAGE, "id": numbered("msg", 3)}, MESSAGE]),
    ]
}


def test_a_seed_may_name_ids_that_would_be_generated(make_fake):
    fake = make_fake(SEED)
    assert_new_ids_are_free(fake)
    for query in ({"api_key": KEY}, {}):
        fake.send("POST", "/reset", **query)
        assert_new_ids_are_free(fake)


def test_an_added_seed_and_a_snapshot_take_ids(make_fake):
    fake = make_fake()
    fake.send("POST", "/state", SEED)
    assert_new_ids_are_free(fake)
    snapshot = fake.get("/state")
    other = make_fake()
    other.send("PUT", "/state", snapshot)
    assert_new_ids_are_free(other)


def test_an_id_of_a_client_is_taken_for_all_end_users(make_fake):
    fake = make_fake()
    create_for(fake, "ada", items=[{**MESSAGE, "id": numbered("msg", 1)}])
    assert create_for(fake, "bob", items=[MESSAGE])
    assert_new_ids_are_free(fake)


def test_a_reference_to_a_missing_item_takes_its_id(make_fake):
    reference = {"type": "item_reference", "id": numbered("msg", 1)}
    fake = make_fake({"conversations": [conversation(7, items=[reference])]})
    path = f"/conversations/{numbered('conv', 7)}/items"
    assert fake.request_api("POST", path, KEY, json={"items": [MESSAGE]}).status_code == 200


def test_all_prefixes_have_the_form_that_is_reserved():
    assert all(
        prefix.replace("_", "").isalpha() and prefix.islower() for prefix in Contract.load().id_prefixes.values()
    )
