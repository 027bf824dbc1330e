"""Clients that try to make the fake use more and more memory or time."""

import json
import time
import tracemalloc

import pytest

from mockserver import Settings, create_app
from mockserver.context import Tenant
from mockserver.determinism import AdjustableClock
from mockserver.gateway.faults.model import Fault
from mockserver.gateway.faults.plan import FaultPlan
from mockserver.gateway.rate_limit import RateCounter
from mockserver.settings import Rate
from tests.support.asgi_client import AsgiClient

MIB = 1024 * 1024
MANY = 100_000
KEY = {"Authorization": "Bearer key"}
MESSAGE = {"role": "user", "content": "hi"}


@pytest.fixture
def app():
    return create_app(Settings())


@pytest.fixture
def client(app):
    with AsgiClient.connect(app, KEY) as client:
        client.get("/conversations")
        client.root.get("/_mock/requests")
        yield client


def measure_growth(function, times):
    """Return how many bytes stay allocated after so many calls."""
    function(0)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(1, times + 1):
            function(number)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return after - before


def last_entry(client):
    return client.root.get("/_mock/requests", params={"limit": 1}).json()["data"][0]


# The journal

LONG = "x" * MIB
FAULT = json.dumps({"status": 400, "headers": {"a": LONG}, "body": LONG})
HEAVY_REQUESTS = {
    "path": lambda client: client.get(f"/{LONG}"),
    "query": lambda client: client.get(f"/conversations?search={LONG}"),
    "end user": lambda client: client.get("/conversations", headers={"X-On-Behalf-Of": LONG}),
    "fault": lambda client: client.get("/conversations", headers={"X-Mock-Fault": FAULT}),
    "headers": lambda client: client.get("/conversations", headers={"X-Other": LONG}),
    "name of an unknown field": lambda client: client.post("/conversations", json={LONG: 1}),
    "name of a wrong field": lambda client: client.post("/conversations", json={"metadata": {LONG: 1}}),
    "unknown fields": lambda client: client.post("/conversations", json={f"{n}{'x' * 4096}": n for n in range(100)}),
}


@pytest.mark.parametrize("attack", HEAVY_REQUESTS)
def test_the_journal_stays_within_its_bytes(app, client, attack):
    app.state.journal._max_bytes = 2 * MIB
    assert measure_growth(lambda _: HEAVY_REQUESTS[attack](client), 12) < 5 * MIB
    assert client.root.get("/_mock/requests").status_code == 200


def test_a_long_target_and_end_user_are_cut(client):
    client.get(f"/conversations/{LONG}?x={LONG}", headers={"X-On-Behalf-Of": "é" * MIB})
    entry = last_entry(client)
    assert (len(entry["path"]), len(entry["query"]), len(entry["end_user"])) == (8192, 8192, 256)


def test_a_long_fault_is_cut(client):
    client.get("/conversations", headers={"X-Mock-Fault": FAULT})
    fault = last_entry(client)["fault"]
    assert (fault.keys(), len(fault["cut"])) == ({"cut"}, 64 * 1024)


def test_coverage_counts_bodies_that_the_journal_has_cut(client):
    items = [{"role": "user", "content": "x" * MIB}, {"type": "message", **MESSAGE}]
    assert client.post("/conversations", json={"items": items}).status_code == 200
    assert client.root.get("/_mock/coverage").json()["items"] == {"message": 2}


# Keys, end users and other headers


@pytest.mark.parametrize(
    "build",
    [
        lambda number: {"Authorization": f"Bearer {number}{LONG}"},
        lambda number: {**KEY, "X-On-Behalf-Of": f"{number}{LONG}"},
        lambda number: {**KEY, "Content-Type": f"application/json; x={number}{LONG}"},
    ],
    ids=["key", "end user", "content type"],
)
def test_long_headers_are_not_kept(client, build):
    growth = measure_growth(lambda number: client.post("/conversations/none", json={}, headers=build(number)), 12)
    assert growth < 3 * MIB


def test_many_listed_keys_cost_a_control_request_nothing():
    app = create_app(Settings(api_keys=tuple(f"key-{number}" for number in range(MANY))))
    started = time.process_time()
    for number in range(20):
        app.state.reset(f"key-{number}")
    assert time.process_time() - started < 0.5


def test_one_of_many_accounts_is_reset_quickly(app, client):
    for number in range(MANY):
        app.state.store._find_or_create(Tenant(f"account-{number}"))
    started = time.process_time()
    for number in range(20):
        app.state.reset(f"key-{number}")
    assert time.process_time() - started < 20 * 0.05


# Rate limits


def test_the_clock_of_one_account_does_not_affect_the_windows_of_others():
    app = create_app(Settings(rate_limits=("1/h",)))
    app.state.clock.freeze(1000.0)
    with AsgiClient.connect(app) as client:
        statuses = []
        for number in [*range(10_001), 5, 7, 5]:
            if number == 7 and len(statuses) > 10_000:
                client.root.put("/_mock/clock", params={"api_key": "key-7"}, json={"advance": 7200})
            headers = {"Authorization": f"Bearer key-{number}"}
            statuses.append(client.get("/conversations", headers=headers).status_code)
    assert statuses[-3:] == [429, 200, 429]
    assert set(statuses[:-3]) == {200}


def test_many_keys_stay_limited_at_a_constant_cost():
    clock = AdjustableClock()
    clock.freeze(1000.0)
    counter = RateCounter(Rate(1, 60), clock)
    started = time.process_time()
    for number in range(MANY):
        counter.count(f"key-{number}", "account")
    assert time.process_time() - started < 5
    assert not any(counter.has_room(f"key-{number}") for number in range(MANY))
    clock.advance(60)
    for _ in range(MANY):
        counter.count("key-0", "account")
    assert len(counter) <= 10_000


# Planned faults


def test_faults_for_others_cost_nothing():
    plan = FaultPlan()
    for number in range(MANY):
        plan.add(Fault(status=500, operation="conversations.create", key=f"key-{number}"))
    started = time.process_time()
    for _ in range(1000):
        assert plan.fire("conversations.list", "key-1") == []
    assert plan.fire("conversations.create", "none") == []
    assert time.process_time() - started < 0.5
    assert len(plan.fire("conversations.create", "key-99999")) == 1


def test_a_planned_fault_is_small():
    plan = FaultPlan()
    assert measure_growth(lambda _: plan.add(Fault(status=500)), 1000) < 1000 * 1000
