"""What becomes of a response: how it ends, what is stored, and what its conversation gets."""

import asyncio
import json

import pytest

from mockserver import Fake, Settings
from mockserver.settings import API_PATH
from tests.support.asgi_client import AsgiClient, call_app

from .support import create_conversation, list_items, respond, text_of, user

REASONING = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Rain is likely."}]}


def plan(client, **fields):
    response = client.root.post("/_mock/replies", json=fields)
    assert response.status_code == 200, response


@pytest.mark.parametrize(
    ("planned", "status", "is_appended"),
    [
        ({"text": "x"}, "completed", True),
        ({"text": "x", "incomplete": "content_filter"}, "incomplete", True),
        ({"text": "x", "failed": "The model failed."}, "failed", False),
    ],
)
@pytest.mark.parametrize("store", [True, False])
def test_only_a_response_that_has_not_failed_is_added_to_the_conversation(
    make_client, planned, status, is_appended, store
):
    client = make_client()
    conversation_id = create_conversation(client, "first")
    before = client.root.get("/_mock/state").json()["conversations"]
    plan(client, **planned)
    response = respond(client, "second", conversation=conversation_id, store=store)
    assert response["status"] == status
    assert len(list_items(client, conversation_id)) == (3 if is_appended else 1)
    if not is_appended:
        assert client.root.get("/_mock/state").json()["conversations"] == before
    retrieved = client.get(f"/responses/{response['id']}")
    assert retrieved.status_code == (200 if store else 404)
    if store:
        assert retrieved.json() == response
        assert len(client.get(f"/responses/{response['id']}/input_items").json()["data"]) == 1


def test_the_output_of_a_failed_response_is_continued_by_a_chain(make_client):
    client = make_client()
    plan(client, text="Half", failed="The model failed.")
    response = respond(client, "one")
    assert respond(client, "two", previous_response_id=response["id"])["usage"]["input_tokens"] == 3


def test_usage_can_be_planned(make_client):
    client = make_client()
    plan(client, text="x", reasoning="a b c", usage={"cached_tokens": 1})
    assert respond(client, "one two")["usage"] == {
        "input_tokens": 2,
        "input_tokens_details": {"cached_tokens": 1},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 6,
    }
    plan(client, text="x", usage={"input_tokens": 10, "output_tokens": 20, "reasoning_tokens": 5})
    usage = respond(client)["usage"]
    assert (usage["total_tokens"], usage["output_tokens_details"]["reasoning_tokens"]) == (30, 5)


def test_a_rejected_request_uses_up_no_reply(make_client):
    client = make_client()
    plan(client, text="planned")
    rejected = [{"tool_choice": "required"}, {"conversation": "conv_none"}, {"input": [{"id": "msg_none"}]}]
    for fields in rejected:
        assert client.post("/responses", json={"model": "auto", **fields}).status_code in (400, 404)
    assert text_of(respond(client)) == "planned"


# Ids and encrypted reasoning


def test_a_planned_id_is_kept_while_it_is_free(make_client):
    client = make_client()
    items = [{"type": "message", "id": "msg_mine", "content": [{"type": "output_text", "text": "x"}]}] * 2
    plan(client, items=items, times=2)
    conversation_id = create_conversation(client)
    ids = []
    for _ in range(2):
        response = respond(client, conversation=conversation_id, store=False)
        ids += [item["id"] for item in response["output"]]
    assert ids[0] == "msg_mine"
    assert len(set(ids)) == 4
    assert len(list_items(client, conversation_id)) == 6


def test_reasoning_is_encrypted_on_request(make_client):
    client = make_client()
    plan(client, items=[REASONING], times=2)
    assert "encrypted_content" not in respond(client)["output"][0]
    (reasoning,) = respond(client, include=["reasoning.encrypted_content"], store=False)["output"]
    assert reasoning["encrypted_content"]
    assert "Rain" not in reasoning["encrypted_content"]
    later = respond(client, [user("one"), reasoning, user("two")], store=False)
    assert later["usage"]["input_tokens"] == 5


def test_planned_encrypted_reasoning_is_kept(make_client):
    client = make_client()
    plan(client, items=[REASONING | {"encrypted_content": "mine"}])
    (reasoning,) = respond(client, include=["reasoning.encrypted_content"])["output"]
    assert reasoning["encrypted_content"] == "mine"


# A response that takes time


async def send(app, method, path, body=None):
    scope = {
        "method": method,
        "path": API_PATH + path,
        "raw_path": (API_PATH + path).encode(),
        "query_string": b"",
        "headers": [(b"authorization", b"Bearer mka1-test-key"), (b"content-type", b"application/json")],
    }
    return await call_app(app, scope, [b"" if body is None else json.dumps(body).encode()])


@pytest.mark.parametrize("store", [True, False])
def test_a_response_fails_if_its_conversation_is_deleted_meanwhile(contract, store):
    app = Fake(contract, Settings())
    with AsgiClient.connect(app, {"Authorization": "Bearer mka1-test-key"}) as client:
        conversation_id = create_conversation(client, "first")
        plan(client, text="planned", delay=0.05)

        async def race():
            body = {"model": "auto", "input": "x", "conversation": conversation_id, "store": store}
            creating = asyncio.create_task(send(app, "POST", "/responses", body))
            await asyncio.sleep(0.01)
            await send(app, "DELETE", f"/conversations/{conversation_id}")
            return await creating

        response = client.runner.run(race()).json()
        assert response["status"] == "failed"
        assert response["error"]["code"] == "conversation_not_found"
        assert conversation_id in response["error"]["message"]
        assert response["completed_at"] is None
        assert len(list_items(client, conversation_id)) == 1
        retrieved = client.get(f"/responses/{response['id']}")
        assert retrieved.json() == response if store else retrieved.status_code == 404
