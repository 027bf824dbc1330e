import json

import pytest

from mockserver import Settings, UsageError, create_app
from mockserver.contract.document import data_path
from mockserver.resources.seeds import SeedError, shipped_seeds

MESSAGE = {"type": "message", "role": "user", "content": "hi"}


def load(seed):
    return create_app(Settings(seeds=(seed,)))


def test_the_shipped_seeds_are_listed_by_name():
    assert shipped_seeds() == ["support-thread", "two-end-users"]


@pytest.mark.parametrize("name", shipped_seeds())
def test_a_shipped_seed_loads_by_name_and_by_path(name):
    load(name)
    load(data_path(f"fixtures/seeds/{name}.yaml"))
    load(str(data_path(f"fixtures/seeds/{name}.yaml")))


def test_seeded_conversations_belong_to_the_tenants_they_name(make_client):
    seed = {
        "conversations": [
            {"id": "conv_default"},
            {"id": "conv_key", "api_key": "k"},
            {"id": "conv_ada", "api_key": "k", "end_user": "ada"},
            {"id": "conv_account", "account": "acme", "api_key": "k"},
        ]
    }
    client = make_client(api_keys=("mka1-test-key", "k", "other=acme"), seeds=(seed,))

    def seen(**headers):
        answer = client.get("/conversations", headers={name.replace("_", "-"): text for name, text in headers.items()})
        return [conversation["id"] for conversation in answer.json()["data"]]

    assert seen() == ["conv_default"]
    assert seen(Authorization="Bearer k") == ["conv_key"]
    assert seen(Authorization="Bearer k", X_On_Behalf_Of="ada") == ["conv_ada"]
    assert seen(Authorization="Bearer other") == ["conv_account"]


def test_seeded_data_is_returned_unchanged(make_client):
    items = [{"id": "msg_1", **MESSAGE, "response_id": "resp_1", "metadata": {"k": "v"}}, {"id": "msg_2", **MESSAGE}]
    items.append({"id": "msg_3", **MESSAGE, "response_id": None, "metadata": {"k": "v"}})
    conversation = {"id": "conv_1", "created_at": 1704067200, "metadata": {"a": "b"}, "items": items}
    client = make_client(seeds=({"conversations": [conversation]},))
    shown = client.get("/conversations/conv_1").json()
    assert (shown["created_at"], shown["metadata"], shown["deleted_at"]) == (1704067200, {"a": "b"}, None)
    assert client.get("/conversations/conv_1/items").json()["data"] == items
    assert client.get("/conversations/conv_1/items/msg_1").json() == items[0]


def test_missing_ids_and_times_are_generated(make_client):
    client = make_client(ids="sequential", seeds=({"conversations": [{"items": [MESSAGE]}]},))
    (conversation,) = client.get("/conversations").json()["data"]
    assert conversation["id"] == "conv_00000000000000000000000000000001"
    assert conversation["created_at"] > 1704067200
    (item,) = client.get(f"/conversations/{conversation['id']}/items").json()["data"]
    assert item == {"id": "msg_00000000000000000000000000000001", **MESSAGE}


def test_a_seed_may_contain_more_items_than_a_request(make_client):
    client = make_client(seeds=({"conversations": [{"id": "conv_1", "items": [MESSAGE] * 50}]},))
    assert len(client.get("/conversations/conv_1/items?limit=100").json()["data"]) == 50


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_a_seed_can_be_a_file(make_client, tmp_path, suffix):
    path = tmp_path / f"mine.{suffix}"
    path.write_text(json.dumps({"conversations": [{"id": "conv_mine"}]}))
    client = make_client(seeds=(str(path),))
    assert client.get("/conversations/conv_mine").status_code == 200


@pytest.mark.parametrize(
    ("seed", "place", "reason"),
    [
        ({"conversations": {}}, "conversations", "must be an array"),
        ({"conversation": []}, "conversation", "is not a known field"),
        ({"conversations": [{"itms": []}]}, "conversations[0].itms", "is not a known field"),
        (
            {"conversations": [{"items": [{"type": "message", "role": "user"}]}]},
            "conversations[0].items[0].content",
            "is required",
        ),
        ({"conversations": [{"metadata": {"a": 1}}]}, "conversations[0].metadata.a", "must be a string"),
        ({"conversations": [{"id": ""}]}, "conversations[0].id", "at least 1 character"),
        ({"conversations": [{"id": "x"}, {"id": "x"}]}, "conversations[1].id", "in use"),
        ({"conversations": [{}, {"created_at": -1}]}, "conversations[1].created_at", "Unix seconds"),
        ({"conversations": [{"deleted_at": 1e300}]}, "conversations[0].deleted_at", "Unix seconds"),
        ({"conversations": [{"items": [{"id": "m", **MESSAGE}] * 2}]}, "conversations[0].items[1].id", "in use"),
        ([], "", "must be an object"),
        ("nothing", "", "support-thread, two-end-users"),
    ],
)
def test_an_unusable_seed_is_rejected_with_place_and_reason(seed, place, reason, tmp_path):
    if not isinstance(seed, str | dict):
        path = tmp_path / "seed.yaml"
        path.write_text(json.dumps(seed))
        seed = str(path)
    with pytest.raises(SeedError, match=r"^seed ") as caught:
        load(seed)
    assert caught.value.seed_name == ("(given as a mapping)" if isinstance(seed, dict) else seed)
    assert caught.value.place == place
    assert reason in caught.value.reason


def test_a_seed_file_must_be_yaml(tmp_path):
    path = tmp_path / "seed.yaml"
    path.write_text("a: [")
    with pytest.raises(UsageError, match=r"seed .*seed\.yaml: is not valid YAML"):
        load(path)


def test_generated_ids_are_not_in_use(make_client):
    taken = [{"id": f"msg_{number:032x}", **MESSAGE} for number in (1, 2, 4)]
    client = make_client(ids="sequential", seeds=({"conversations": [{"id": "conv_1", "items": taken}]},))
    created = client.post("/conversations/conv_1/items", json={"items": [MESSAGE, MESSAGE]}).json()
    assert [item["id"] for item in created["data"]] == [f"msg_{number:032x}" for number in (3, 5)]


def test_two_fakes_share_nothing(make_client):
    one, two = make_client(), make_client()
    one.post("/conversations", json={})
    assert len(one.get("/conversations").json()["data"]) == 1
    assert two.get("/conversations").json()["data"] == []
