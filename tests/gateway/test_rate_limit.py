import pytest

from mockserver.determinism import AdjustableClock
from mockserver.gateway.rate_limit import RateCounter
from mockserver.settings import Rate


@pytest.fixture
def clock():
    clock = AdjustableClock()
    clock.freeze(1000.0)
    return clock


def statuses(client, count, key="mka1-test-key"):
    return [client.get("/conversations", headers={"Authorization": f"Bearer {key}"}).status_code for _ in range(count)]


def test_a_key_over_its_limit_waits_for_the_end_of_its_window(make_client, clock):
    client = make_client(clock=clock, rate_limits=("2/m",))
    assert statuses(client, 3) == [200, 200, 429]
    clock.advance(59.9)
    assert statuses(client, 1) == [429]
    clock.advance(0.1)
    assert statuses(client, 3) == [200, 200, 429]


def test_the_response_is_the_documented_one(make_client):
    client = make_client(rate_limits=("1/d",))
    client.get("/conversations")
    response = client.get("/conversations")
    assert (response.status_code, response.content) == (429, b'{"error":"Rate limit exceeded"}')
    assert response.headers["Content-Type"] == "application/json"


def test_each_key_has_its_own_limit(make_client):
    client = make_client(rate_limits=("1/h",))
    assert statuses(client, 2, "a") + statuses(client, 2, "b") == [200, 429, 200, 429]


def test_a_request_rejected_by_one_limit_does_not_count_for_the_others(make_client, clock):
    client = make_client(clock=clock, rate_limits=("1/s", "3/m"))
    received = []
    for _ in range(5):
        received += statuses(client, 2)
        clock.advance(1)
    assert received == [200, 429, 200, 429, 200, 429, 429, 429, 429, 429]


def test_a_request_with_a_wrong_key_or_path_does_not_count(make_client):
    client = make_client(rate_limits=("1/h",), api_keys=("known",))
    assert statuses(client, 2, "unknown") == [401, 401]
    known = {"Authorization": "Bearer known"}
    assert client.get("/nowhere", headers=known).status_code == 404
    assert client.post("/conversations", content=b"{", headers=known).status_code == 415
    assert client.post("/conversations", content=b"{", headers=known).status_code == 429


def test_expired_windows_are_removed():
    clock = AdjustableClock()
    counter = RateCounter(Rate(1, 1), clock)
    for number in range(25_000):
        clock.freeze(number / 1000)
        counter.count(str(number), "account")
    assert len(counter) < 11_002
