"""The state of a fake: resets, seeds, snapshots."""

import json
import time

import httpx
import pytest
import yaml

from mockserver.contract.contract import Contract
from mockserver.gateway.auth import default_account, key_fingerprint
from tests.support.fake_client import MESSAGE, MINE, YOURS, FakeClient

from .test_cli import serving

SCHEMAS = Contract.load().document["components"]["schemas"]


@pytest.fixture
def make_fake(make_client):
    return lambda **options: FakeClient(make_client(**options))


# Reset

SEED = {
    "conversations": [
        {"id": "conv_mine", "api_key": MINE, "created_at": 5, "items": [{"id": "msg_1", **MESSAGE}]},
        {"api_key": MINE, "created_at": 6, "metadata": {"made": "up"}},
        {"id": "conv_yours", "api_key": YOURS, "end_user": "ada", "created_at": 7},
    ],
    "replies": [{"text": "Hi.", "api_key": MINE}, {"text": "Hello.", "api_key": YOURS}],
}
SETTINGS = {"ids": "sequential", "seeds": (SEED,), "rate_limits": ("6/d", "9/d")}


def use_everything(fake, key):
    """Change every part of the state that belongs to a key."""
    fake.create(key, items=[MESSAGE])
    fake.request_api("DELETE", "/conversations/conv_mine", key)
    fake.request_api("POST", key=key, json={"colour": 1})
    fake.send("POST", "/faults", {"status": 503, "api_key": key})
    fake.request_api("GET", key=key)
    fake.send("POST", "/faults", {"status": 503, "times": 5, "api_key": key})
    fake.send("DELETE", "/replies", api_key=key)
    fake.send("POST", "/replies", {"text": "Hey.", "api_key": key})
    fake.send("PUT", "/clock", {"advance": 120}, api_key=key)  # Less than the window of the rate limits.
    fake.send("PUT", "/clock", {"freeze": None}, api_key=key)


def observe(fake, key=None):
    """Return all that the control API shows of a fake, or of what belongs to one key."""
    query = {} if key is None else {"api_key": key}
    clock = fake.get("/clock", **query)
    return {
        "now": clock["now"] == pytest.approx(time.time(), abs=60),
        "frozen": clock["frozen"],
        "state": fake.get("/state", **query),
        "requests": fake.get("/requests", **query)["data"],
        "faults": fake.get("/faults", **query)["data"],
        "replies": [reply["text"] for reply in fake.get("/replies", **query)["data"]],
        "coverage": fake.get("/coverage", **query),
    }


def continue_with(fake, key):
    """Send more requests and return the results, which depend on the rate counters and the ids."""
    responses = [fake.create(key, items=[MESSAGE]) for _ in range(7)]
    items = [fake.get("/state", api_key=key)["conversations"][-1]["items"]]
    return [(response.status_code, response.json().get("id")) for response in responses], items


def test_a_reset_restores_the_initial_state(make_fake):
    used, fresh = make_fake(**SETTINGS), make_fake(**SETTINGS)
    use_everything(used, MINE)
    use_everything(used, YOURS)
    used.send("PUT", "/clock", {"freeze": 2000})
    used.send("POST", "/faults", {"delay": 1, "times": None, "operation": "conversations.list"})
    before = observe(used)
    assert all(before[name] != value for name, value in observe(fresh).items()), "a part of the state is unused"
    used.send("POST", "/reset")
    assert observe(used) == observe(fresh)
    for key in (MINE, YOURS):
        assert continue_with(used, key) == continue_with(fresh, key)
        assert fresh.create(key).status_code == 429
    fault = {"status": 500}
    assert used.send("POST", "/faults", fault) == fresh.send("POST", "/faults", fault)


def test_a_reset_for_one_key_does_not_affect_the_others(make_fake):
    used, fresh, control = make_fake(**SETTINGS), make_fake(**SETTINGS), make_fake(**SETTINGS)
    for fake in (used, control):
        use_everything(fake, YOURS)
    use_everything(used, MINE)
    yours = observe(used, YOURS)
    used.send("POST", "/reset", api_key=MINE)
    assert observe(used, YOURS) == yours
    assert observe(used, MINE) == observe(fresh, MINE)
    assert continue_with(used, MINE) == continue_with(fresh, MINE)
    used.send("DELETE", "/faults", api_key=YOURS)
    control.send("DELETE", "/faults", api_key=YOURS)
    assert continue_with(used, YOURS) == continue_with(control, YOURS)


def test_the_fake_and_the_caller_do_not_share_a_seed(make_fake):
    seed = {"conversations": [{"id": "conv_1", "api_key": MINE, "metadata": {"a": "b"}}]}
    fake = make_fake(seeds=(seed,))
    seed["conversations"][0]["metadata"]["a"] = "changed"
    seed["conversations"].append({"id": "conv_2", "api_key": MINE})
    assert fake.request_api("GET", "/conversations/conv_1").json()["metadata"] == {"a": "b"}
    assert fake.request_api("POST", "/conversations/conv_1", json={"metadata": {"c": "d"}}).status_code == 200
    fake.send("POST", "/reset")
    (conversation,) = fake.get("/state")["conversations"]
    assert (conversation["id"], conversation["metadata"]) == ("conv_1", {"a": "b"})


# Snapshot and restore

RICH = {"api_keys": (MINE, YOURS, "third-key=acme"), "ids": "sequential"}
KINDS = [branch["$ref"].rpartition("/")[2] for branch in SCHEMAS["Item"]["anyOf"]]


@pytest.fixture
def rich(make_fake):
    """A fake with data of every kind."""
    fake = make_fake(**RICH)
    every_kind = [  # One end user each, because the examples share ids.
        {"id": f"conv_{kind}", "end_user": kind, "items": SCHEMAS[kind]["examples"], "created_at": 1704067200}
        for kind in KINDS
    ]
    account_data = {
        "id": "conv_made",
        "account": "acme",
        "items": [{**MESSAGE, "response_id": "resp_1", "metadata": {"k": "v", "k2": ""}}, MESSAGE],
    }
    fake.send("POST", "/state", {"conversations": [*every_kind, account_data, {"account": "account that no key has"}]})
    first = fake.create(MINE, items=[{"id": "msg_first", **MESSAGE}], metadata={"a": "ä\n"}).json()["id"]
    second = fake.create(MINE, items=[{"type": "item_reference", "id": "msg_first"}]).json()["id"]
    third = fake.create(MINE, items=[{"id": "msg_third", **MESSAGE}, MESSAGE]).json()["id"]
    fake.create(YOURS, items=[MESSAGE])
    fake.request_api("POST", key=YOURS, json={}, headers={"X-On-Behalf-Of": "ada"})
    assert fake.request_api("DELETE", f"/conversations/{first}/items/msg_first").status_code == 200
    assert fake.request_api("DELETE", f"/conversations/{third}").status_code == 200
    last = {"metadata": {"touched": "last"}}
    assert fake.request_api("POST", f"/conversations/{second}", json=last).status_code == 200
    return fake


def read_all(fake, key, end_user=""):
    """Return all that a tenant can read."""
    headers = {"X-On-Behalf-Of": end_user}
    page = fake.request_api("GET", "/conversations?limit=50", key, headers=headers).json()
    items = [
        fake.request_api("GET", f"/conversations/{one['id']}/items?limit=100", key, headers=headers).json()
        for one in [*page["data"], {"id": "conv_" + "3".rjust(32, "0")}]
    ]
    found = fake.request_api("GET", "/conversations?search=hi&order=desc", key, headers=headers).json()
    return page, items, found


def test_a_restored_snapshot_gives_the_same_snapshot(rich, make_fake):
    snapshot = rich.get("/state")
    kinds = {item["type"] for one in snapshot["conversations"] for item in one["items"]}
    assert len(kinds) == 23, "messages are two of the 24 kinds"
    assert [one["deleted_at"] for one in snapshot["conversations"] if "deleted_at" in one] != []
    assert {"response_id", "metadata"} <= {
        name for one in snapshot["conversations"] for item in one["items"] for name in item
    }
    other = make_fake(**RICH)
    other.send("PUT", "/state", snapshot)
    assert other.get("/state") == snapshot
    for key, end_user in [(MINE, ""), (YOURS, ""), (YOURS, "ada"), ("third-key", ""), (MINE, "Message")]:
        assert read_all(other, key, end_user) == read_all(rich, key, end_user)
    assert other.create(MINE, items=[MESSAGE]).status_code == 200, "new ids differ from the restored ones"
    rich.send("PUT", "/state", snapshot)
    assert rich.get("/state") == snapshot


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_a_snapshot_is_a_seed_for_the_command(rich, tmp_path, suffix):
    snapshot = rich.get("/state")
    path = tmp_path / f"snapshot.{suffix}"
    path.write_text(json.dumps(snapshot) if suffix == "json" else yaml.safe_dump(snapshot, allow_unicode=True))
    with serving("--seed", str(path)) as (_, url):
        assert httpx.get(f"{url}/_mock/state").json() == snapshot


def test_the_snapshot_of_one_key_is_restored_for_that_key_only(rich):
    snapshot, yours = rich.get("/state", api_key=MINE), rich.get("/state", api_key=YOURS)
    assert {one["account"] for one in snapshot["conversations"]} == {default_account(MINE)}
    rich.create(MINE)
    rich.send("PUT", "/state", snapshot, api_key=MINE)
    assert rich.get("/state", api_key=MINE) == snapshot
    assert rich.get("/state", api_key=YOURS) == yours


BAD_SEEDS = [
    [{"id": "conv_new"}, {"id": "conv_new"}],
    [{"id": "conv_new", "items": [{"id": "a", **MESSAGE}] * 2}],
    [{"id": "conv_new"}, {"id": "conv_late", "created_at": -1}],
    [{"id": "conv_new"}, {"id": "conv_late", "deleted_at": 1e300}],
    [{"id": "conv_new"}, {"colour": 1}],
]


@pytest.mark.parametrize("query", [{}, {"api_key": MINE}])
@pytest.mark.parametrize("conversations", BAD_SEEDS)
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_an_invalid_seed_changes_nothing(rich, method, conversations, query):
    before = rich.get("/state"), read_all(rich, MINE), read_all(rich, YOURS), read_all(rich, YOURS, "ada")
    response = rich.request_control(method, "/state", json={"conversations": conversations}, params=query)
    assert response.status_code == 400
    after = rich.get("/state"), read_all(rich, MINE), read_all(rich, YOURS), read_all(rich, YOURS, "ada")
    for tenants in (before[0]["conversations"], after[0]["conversations"]):
        tenants.sort(key=lambda one: one["account"])  # The order of accounts is unspecified.
    assert after == before


# Replies


def list_replies(fake):
    return [(reply["id"], reply["text"], reply["times"]) for reply in fake.get("/replies")["data"]]


def test_a_seed_plans_replies_and_a_snapshot_holds_those_that_may_still_fire(make_fake):
    fake = make_fake(seeds=({"replies": [{"text": "a"}, {"text": "b", "times": None}]},))
    fake.send("POST", "/state", {"replies": [{"text": "c", "times": 2}]}, api_key=MINE)
    assert list_replies(fake) == [(1, "a", 1), (2, "b", None), (3, "c", 2)]
    snapshot = fake.get("/state")
    assert snapshot["replies"] == [
        {"text": "a", "times": 1},
        {"text": "b", "times": None},
        {"key": key_fingerprint(MINE), "text": "c", "times": 2},
    ]
    assert fake.get("/state", api_key=MINE)["replies"] == snapshot["replies"][2:]
    assert "replies" not in fake.get("/state", api_key=YOURS)
    fake.send("PUT", "/state", {"replies": [{"text": "d"}]}, api_key=MINE)
    assert [text for _, text, _ in list_replies(fake)] == ["a", "b", "d"]
    fake.send("PUT", "/state", {})
    assert list_replies(fake) == []
    fake.send("PUT", "/state", snapshot)
    assert fake.get("/state") == snapshot


def test_a_seed_with_an_invalid_conversation_plans_no_reply(make_fake):
    fake = make_fake()
    fake.send("POST", "/replies", {"text": "a"})
    for method in ("POST", "PUT"):
        seed = {"conversations": [{"id": "conv_1"}, {"id": "conv_1"}], "replies": [{"text": "b"}]}
        assert fake.request_control(method, "/state", json=seed).status_code == 400
    assert list_replies(fake) == [(1, "a", 1)]
