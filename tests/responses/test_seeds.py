"""Seeds and snapshots of responses."""

import pytest

from mockserver import Settings, create_app
from mockserver.resources.seeds import SeedError

from .support import CALL, FUNCTION, OUTPUT, create_conversation, list_items, reject, respond, text_of, user

ANSWER = {"type": "message", "role": "assistant", "content": "Yes."}
SEED = {
    "conversations": [
        {
            "id": "conv_1",
            "items": [
                {"id": "msg_0", **user("Hello")},
                {"id": "msg_1", **user("Is it raining?"), "response_id": "resp_1"},
                {"id": "msg_2", **ANSWER, "response_id": "resp_1"},
            ],
        }
    ],
    "responses": [
        {
            "id": "resp_1",
            "request": {
                "model": "auto",
                "conversation": "conv_1",
                "input": [{"id": "msg_1", **user("Is it raining?")}],
                "metadata": {"k": "v"},
            },
            "output": [{"id": "msg_2", **ANSWER}],
            "created_at": 1704067200,
        },
        {"id": "resp_2", "request": {"model": "auto", "input": "And tomorrow?", "previous_response_id": "resp_1"}},
    ],
}


def text_part(text):
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def test_a_seeded_response_is_like_any_other(make_client):
    client = make_client(seeds=(SEED,))
    response = client.get("/responses/resp_1").json()
    expected = {
        "id": "resp_1",
        "created_at": 1704067200,
        "completed_at": 1704067200,
        "status": "completed",
        "conversation": {"id": "conv_1"},
        "metadata": {"k": "v"},
        "output": [{"id": "msg_2", **ANSWER, "content": [text_part("Yes.")], "status": "completed"}],
        "output_text": "Yes.",
        "truncation": "auto",
    }
    assert {name: response[name] for name in expected} == expected
    assert response["usage"]["total_tokens"] == 4
    assert [each["id"] for each in client.get("/responses").json()["data"]] == ["resp_2", "resp_1"]
    (item,) = client.get("/responses/resp_1/input_items").json()["data"]
    assert item["id"] == "msg_1"
    assert len(list_items(client, "conv_1")) == 3


def test_seeded_responses_can_be_continued(make_client):
    client = make_client(seeds=(SEED,))
    response = respond(client, "x", previous_response_id="resp_2")
    assert text_of(response) == "You said: x Before that: And tomorrow?"
    assert response["usage"]["input_tokens"] == 8
    assert respond(client, [{"id": "msg_2"}])["usage"]["input_tokens"] == 1


def test_seeded_responses_belong_to_the_tenants_they_name(make_client):
    request = {"model": "auto"}
    seed = {
        "responses": [
            {"id": "resp_1", "request": request},
            {"id": "resp_2", "request": request, "api_key": "k", "end_user": "ada"},
            {"id": "resp_3", "request": request, "account": "acme"},
        ]
    }
    client = make_client(api_keys=("mka1-test-key", "k", "other=acme"), seeds=(seed,))

    def seen(**headers):
        headers = {name.replace("_", "-"): text for name, text in headers.items()}
        return [each["id"] for each in client.get("/responses", headers=headers).json()["data"]]

    assert seen() == ["resp_1"]
    assert seen(Authorization="Bearer k", X_On_Behalf_Of="ada") == ["resp_2"]
    assert seen(Authorization="Bearer other") == ["resp_3"]


def snapshot_of(client):
    return client.root.get("/_mock/state").json()


def read_all(client):
    """Return all that the API shows of responses and conversations."""
    shown = {}
    for listed in ("/responses", "/conversations"):
        for each in client.get(listed).json()["data"]:
            tail = "/input_items" if listed == "/responses" else "/items"
            path = f"{listed}/{each['id']}"
            shown[path] = client.get(path).json(), client.get(path + tail).json()
    return shown


def test_a_snapshot_restores_everything(make_client):
    client = make_client(ids="sequential")
    conversation_id = create_conversation(client, "one", "two")
    first = respond(client, [user("three"), CALL, OUTPUT], conversation=conversation_id, tools=[FUNCTION])
    second = respond(client, "four", conversation={"id": conversation_id}, metadata={"a": "b"}, temperature=0.5)
    chained = respond(client, "five", previous_response_id=first["id"], instructions="Be brief.")
    client.post(f"/responses/{second['id']}", json={"metadata": {"c": "d"}})
    client.delete(f"/conversations/{conversation_id}/items/{list_items(client, conversation_id)[0]['id']}")
    usage = {
        response["id"]: respond(client, "x", previous_response_id=response["id"])["usage"]
        for response in (second, chained)
    }
    snapshot, shown = snapshot_of(client), read_all(client)

    other = make_client(ids="sequential", seeds=(snapshot,))
    assert read_all(other) == shown
    assert snapshot_of(other) == snapshot
    for response_id, counted in usage.items():
        assert respond(other, "x", previous_response_id=response_id)["usage"] == counted
    assert snapshot_of(other) != snapshot
    other.root.put("/_mock/state", json=snapshot)
    assert read_all(other) == shown


def test_generated_ids_do_not_clash_with_seeded_ones(make_client):
    ids = {kind: f"{kind}_{1:032x}" for kind in ("resp", "msg")}
    record = {"id": ids["resp"], "request": {"model": "auto"}, "output": [{"id": ids["msg"], **ANSWER}]}
    client = make_client(ids="sequential", seeds=({"responses": [record]},))
    response = respond(client)
    assert response["id"] == f"resp_{2:032x}"
    assert response["output"][0]["id"] == f"msg_{3:032x}"


@pytest.mark.parametrize(
    ("responses", "place", "reason"),
    [
        ([{}], "responses[0].request", "is required"),
        ([{"request": {}}], "responses[0].request.model", "is required"),
        ([{"request": {"model": "auto"}, "status": "queued"}], "responses[0].status", "must be 'completed'"),
        ([{"request": {"model": "auto"}, "colour": 1}], "responses[0].colour", "is not a known field"),
        ([{"id": "x", "request": {"model": "auto"}}], "responses[0].id", "match"),
        (
            [{"request": {"model": "auto", "conversation": "c", "previous_response_id": "resp_1"}}],
            "responses[0].request.previous_response_id",
            "cannot be combined",
        ),
        (
            [{"id": "resp_1", "request": {"model": "auto"}}, {"id": "resp_1", "request": {"model": "auto"}}],
            "responses[1].id",
            "already in use",
        ),
        (
            [{"request": {"model": "auto"}, "output": [{"id": "a", **ANSWER}]}] * 2,
            "responses[1].output[0].id",
            "another response",
        ),
        (
            [{"request": {"model": "auto", "input": [{"id": "msg_1"}]}}],
            "responses[0].request.input[0]",
            "must be the item itself",
        ),
        (
            [{"request": {"model": "auto"}, "output": [{"type": "item_reference", "id": "msg_1"}]}],
            "responses[0].output[0]",
            "must be the item itself",
        ),
        ([{"request": {"model": "auto"}, "created_at": -1}], "responses[0].created_at", "Unix seconds"),
    ],
)
def test_a_bad_seed_is_rejected_as_a_whole(make_client, responses, place, reason):
    seed = {"conversations": [{"id": "conv_1"}], "responses": responses}
    with pytest.raises(SeedError) as caught:
        create_app(Settings(seeds=(seed,)))
    assert caught.value.place == place
    assert reason in caught.value.reason

    client = make_client()
    rejected = client.root.post("/_mock/state", json=seed)
    assert rejected.status_code == 400
    assert rejected.json()["error"]["param"] == place
    assert client.get("/conversations").json()["data"] == []
    assert client.get("/responses").json()["data"] == []


def test_a_seed_for_one_key_must_not_have_responses_of_another(make_client):
    client = make_client(api_keys=("mka1-test-key", "k"))
    seed = {"responses": [{"request": {"model": "auto"}, "account": "acme"}]}
    rejected = client.root.post("/_mock/state", params={"api_key": "k"}, json=seed)
    assert rejected.json()["error"]["param"] == "responses[0]"


def test_a_reset_restores_seeded_responses(make_client):
    client = make_client(seeds=(SEED,))
    client.delete("/responses/resp_1")
    assert reject(client, 404, previous_response_id="resp_1")
    client.root.post("/_mock/reset")
    assert client.get("/responses/resp_1").status_code == 200
