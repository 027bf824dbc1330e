import pytest

from mockserver.determinism import AdjustableClock


@pytest.fixture
def clock():
    clock = AdjustableClock()
    clock.freeze(1000.0)
    return clock


def statuses(client, count, key="mka1-test-key"):
    return [client.get("/conversations", headers={"Authorization": f"Bearer {key}"}).status_code for _ in range(count)]


def test_a_key_has_its_requests_and_no_more_until_its_window_is_over(make_client, clock):
    client = make_client(clock=clock, rate_limits=("2/m",))
    assert statuses(client, 3) == [200, 200, 429]
    clock.advance(59.9)
    assert statuses(client, 1) == [429]
    clock.advance(0.1)
    assert statuses(client, 3) == [200, 200, 429]


def test_the_answer_is_exactly_the_documented_one(make_client):
    client = make_client(rate_limits=("1/d",))
    client.get("/conversations")
    answer = client.get("/conversations")
    assert (answer.status_code, answer.content) == (429, b'{"error":"Rate limit exceeded"}')
    assert answer.headers["Content-Type"] == "application/json"


def test_each_key_counts_for_itself(make_client):
    client = make_client(rate_limits=("1/h",))
    assert statuses(client, 2, "a") + statuses(client, 2, "b") == [200, 429, 200, 429]


def test_limits_combine_and_a_refused_request_uses_up_nothing(make_client, clock):
    client = make_client(clock=clock, rate_limits=("1/s", "3/m"))
    seen = []
    for _ in range(5):
        seen += statuses(client, 2)
        clock.advance(1)
    assert seen == [200, 429, 200, 429, 200, 429, 429, 429, 429, 429]


def test_a_request_that_is_refused_for_its_key_or_its_path_does_not_count(make_client):
    client = make_client(rate_limits=("1/h",), api_keys=("known",))
    assert statuses(client, 2, "unknown") == [401, 401]
    known = {"Authorization": "Bearer known"}
    assert client.get("/nowhere", headers=known).status_code == 404
    assert client.post("/conversations", content=b"{", headers=known).status_code == 415
    assert client.post("/conversations", content=b"{", headers=known).status_code == 429


def test_keys_whose_windows_are_over_are_forgotten():
    from mockserver.gateway.rate_limit import RateCounter
    from mockserver.settings import Rate

    counter = RateCounter(Rate(1, 1))
    for number in range(25_000):
        counter.count(str(number), number / 1000)
    assert len(counter) < 11_002
