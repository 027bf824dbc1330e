"""Creating responses: the response object, and what it continues."""

import pytest

from .support import CALL, FUNCTION, OUTPUT, create_conversation, list_items, reject, respond, text_of, user

ECHOED = {
    "context_management": [{"type": "compaction", "compact_threshold": 1000}],
    "frequency_penalty": 0.5,
    "instructions": "Be brief.",
    "max_output_tokens": 400,
    "max_tool_calls": 3,
    "metadata": {"k": "v"},
    "model": "meetkai:functionary-medium",
    "parallel_tool_calls": False,
    "presence_penalty": 0.25,
    "prompt": {"id": "pmpt_1", "version": "2", "variables": {"city": "Oslo"}},
    "prompt_cache_key": "cache",
    "reasoning": {"effort": "low", "summary": "auto"},
    "safety_identifier": "somebody",
    "service_tier": "flex",
    "store": False,
    "temperature": 0.1,
    "text": {"format": {"type": "json_object"}, "verbosity": "low"},
    "tool_choice": {"type": "function", "name": "get_weather"},
    "tools": [FUNCTION],
    "top_logprobs": 2,
    "top_p": 0.9,
    "truncation": "disabled",
    "user": "somebody",
}


def test_a_text_is_answered(make_client):
    client = make_client(ids="sequential")
    client.root.put("/_mock/clock", json={"freeze": 1704067200.75})
    assert respond(client, "Is it raining?") == {
        "id": "resp_00000000000000000000000000000001",
        "object": "response",
        "created_at": 1704067200,
        "completed_at": 1704067200,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": "auto",
        "resolved_model": "auto",
        "output": [
            {
                "id": "msg_00000000000000000000000000000002",
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [
                    {"type": "output_text", "text": "You said: Is it raining?", "annotations": [], "logprobs": []}
                ],
            }
        ],
        "output_text": "You said: Is it raining?",
        "text": {"format": {"type": "text"}},
        "usage": {
            "input_tokens": 3,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 8,
        },
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "previous_response_id": None,
        "tool_choice": "auto",
        "tools": [],
        "user": None,
        "background": False,
        "max_tool_calls": 64,
        "parallel_tool_calls": True,
        "service_tier": "auto",
        "store": True,
        "truncation": "auto",
    }


def test_a_response_echoes_its_request(make_client):
    response = respond(make_client(), [user("x"), CALL, OUTPUT], **ECHOED)
    assert {name: response[name] for name in ECHOED} == ECHOED


def test_every_field_that_request_and_response_share_is_echoed(contract):
    schemas = contract.document["components"]["schemas"]
    shared = set(schemas["ResponsesCreateRequest"]["properties"]) & set(schemas["ResponseObject"]["properties"])
    assert shared == {*ECHOED, "background", "conversation", "previous_response_id"}


def test_null_means_absent(make_client, contract):
    fields = contract.document["components"]["schemas"]["ResponsesCreateRequest"]["properties"]
    client = make_client()
    nulls = respond(client, **dict.fromkeys(set(fields) - {"model", "input"}))
    plain = respond(client)
    for response in (nulls, plain):
        del response["id"], response["output"][0]["id"]
    assert nulls == plain


def test_null_in_a_tool_means_absent(make_client):
    tool = {"type": "function", "name": "f", "parameters": {"default": None}, "strict": None, "description": None}
    interpreter = {"type": "code_interpreter", "container": {"type": "auto", "file_ids": None, "memory_limit": None}}
    assert respond(make_client(), tools=[tool, interpreter])["tools"] == [
        {"type": "function", "name": "f", "parameters": {"default": None}, "strict": False},
        {"type": "code_interpreter", "container": {"type": "auto"}},
    ]


def test_a_request_without_input_is_answered(make_client):
    client = make_client()
    response = client.post("/responses", json={"model": "auto"}).json()
    assert text_of(response) == "You said nothing."
    assert client.get(f"/responses/{response['id']}/input_items").json()["data"] == []


def test_a_stored_response_can_be_retrieved(make_client):
    client = make_client()
    response = respond(client)
    assert client.get(f"/responses/{response['id']}").json() == response


def test_a_response_that_is_not_stored_cannot(make_client):
    client = make_client()
    response = respond(client, store=False)
    assert response["store"] is False
    assert client.get(f"/responses/{response['id']}").status_code == 404
    assert client.get("/responses").json()["data"] == []
    assert reject(client, 404, previous_response_id=response["id"])["param"] == "previous_response_id"


# Conversations


@pytest.mark.parametrize("form", [str, lambda conversation_id: {"id": conversation_id}])
def test_a_response_continues_its_conversation(make_client, form):
    client = make_client()
    conversation_id = create_conversation(client, "Is it raining?")
    response = respond(client, "And tomorrow?", conversation=form(conversation_id))
    assert response["conversation"] == {"id": conversation_id}
    assert text_of(response) == "You said: And tomorrow? Before that: Is it raining?"
    assert response["usage"]["input_tokens"] == 5


@pytest.mark.parametrize("store", [True, False])
def test_input_and_output_are_appended_to_the_conversation(make_client, store):
    client = make_client()
    conversation_id = create_conversation(client, "Is it raining?")
    response = respond(client, "And tomorrow?", conversation=conversation_id, metadata={"k": "v"}, store=store)
    (first, *added) = list_items(client, conversation_id)
    assert "response_id" not in first
    tag = {"response_id": response["id"], "metadata": {"k": "v"}}
    assert added == [
        {"id": added[0]["id"], "type": "message", "role": "user", "content": "And tomorrow?", **tag},
        response["output"][0] | tag,
    ]
    assert client.get(f"/conversations/{conversation_id}/items/{added[0]['id']}").json() == added[0]


def test_a_response_updates_its_conversation(make_client):
    client = make_client()
    first, second = create_conversation(client), create_conversation(client)
    respond(client, conversation=first)
    assert [each["id"] for each in client.get("/conversations").json()["data"]] == [second, first]
    assert client.get("/conversations?search=hi").json()["data"][0]["id"] == first


def test_two_responses_in_one_conversation_follow_each_other(make_client):
    client = make_client()
    conversation_id = create_conversation(client)
    for text in ("one", "two", "three"):
        response = respond(client, text, conversation=conversation_id)
    assert text_of(response) == "You said: three Before that: two"
    assert [item["role"] for item in list_items(client, conversation_id)] == ["user", "assistant"] * 3


# Chains


def test_a_chain_is_continued_across_many_turns(make_client):
    client = make_client()
    response = respond(client, "one", instructions="A B C")
    for text in ("two", "three", "four"):
        response = respond(client, text, previous_response_id=response["id"])
    assert text_of(response) == "You said: four Before that: three"
    assert response["instructions"] is None
    outputs = ["You said: one", "You said: two Before that: one", "You said: three Before that: two"]
    assert response["usage"]["input_tokens"] == 4 + sum(len(text.split()) for text in outputs)


def test_a_chain_branches(make_client):
    client = make_client()
    first = respond(client, "one")
    respond(client, "two", previous_response_id=first["id"])
    assert text_of(respond(client, "2", previous_response_id=first["id"])) == "You said: 2 Before that: one"


def test_a_deleted_response_takes_along_what_came_before_it(make_client):
    client = make_client()
    first = respond(client, "one")
    second = respond(client, "two", previous_response_id=first["id"])
    third = respond(client, "three", previous_response_id=second["id"])
    client.delete(f"/responses/{second['id']}")
    assert reject(client, 404, previous_response_id=second["id"])["param"] == "previous_response_id"
    fourth = respond(client, "four", previous_response_id=third["id"])
    assert text_of(fourth) == "You said: four Before that: three"
    assert fourth["usage"]["input_tokens"] == 2 + len(text_of(third).split())


def test_a_chain_may_start_in_a_conversation(make_client):
    client = make_client()
    conversation_id = create_conversation(client, "one")
    first = respond(client, "two", conversation=conversation_id)
    respond(client, "unseen", conversation=conversation_id)
    second = respond(client, "three", previous_response_id=first["id"])
    assert text_of(second) == "You said: three Before that: two"
    assert second["usage"]["input_tokens"] == 3 + len(text_of(first).split())
    assert "conversation" not in second
    assert len(list_items(client, conversation_id)) == 5


# Items with ids, and references


def test_a_reference_to_an_item_of_another_conversation_is_kept_as_a_reference(make_client):
    client = make_client()
    source, target = create_conversation(client, "original"), create_conversation(client)
    (original,) = list_items(client, source)
    response = respond(client, [{"type": "item_reference", "id": original["id"]}], conversation=target)
    assert text_of(response) == "You said: original"
    reference, _ = list_items(client, target)
    assert (reference["type"], reference["id"]) == ("item_reference", original["id"])
    assert client.get(f"/responses/{response['id']}/input_items").json()["data"] == [original]


def test_a_reference_in_the_conversation_stands_for_its_item(make_client):
    client = make_client()
    source, target = create_conversation(client, "original"), create_conversation(client)
    (original,) = list_items(client, source)
    client.post(f"/conversations/{target}/items", json={"items": [{"id": original["id"]}]})
    assert text_of(respond(client, "new", conversation=target)) == "You said: new Before that: original"
    client.delete(f"/conversations/{source}/items/{original['id']}")
    assert text_of(respond(client, "newer", conversation=target)) == "You said: newer Before that: new"


def test_a_reference_to_an_output_item_of_a_response_is_resolved(make_client):
    client = make_client()
    (answer,) = respond(client, "one")["output"]
    conversation_id = create_conversation(client)
    response = respond(client, [{"id": answer["id"]}, user("two")], conversation=conversation_id)
    assert response["usage"]["input_tokens"] == 4
    stored = list_items(client, conversation_id)
    assert [item["type"] for item in stored] == ["message"] * 3
    assert stored[0]["content"] == answer["content"]


def test_a_reference_to_an_item_of_the_same_conversation_adds_nothing(make_client):
    client = make_client()
    conversation_id = create_conversation(client, "one")
    (first,) = list_items(client, conversation_id)
    response = respond(client, [{"type": "item_reference", "id": first["id"]}], conversation=conversation_id)
    assert response["usage"]["input_tokens"] == 1
    assert [item["id"] for item in list_items(client, conversation_id)] == [first["id"], response["output"][0]["id"]]


@pytest.mark.parametrize("type_", [{}, {"type": "item_reference"}])
def test_an_unknown_reference_is_404(make_client, type_):
    client = make_client()
    own = create_conversation(client)
    client.post(f"/conversations/{own}/items", json={"items": [user("x", id="msg_x")]})
    ada = {"X-On-Behalf-Of": "ada"}
    for headers, item_id in (({}, "msg_none"), (ada, "msg_x")):
        error = reject(client, 404, input=[user("y"), {"id": item_id, **type_}], headers=headers)
        assert error["param"] == "input[1].id"
        assert item_id in error["message"]


def test_an_item_that_the_conversation_has_is_not_stored_twice(make_client):
    client = make_client()
    conversation_id = create_conversation(client)
    first = respond(client, "one", conversation=conversation_id)
    history = list_items(client, conversation_id)
    second = respond(client, [*history, user("two")], conversation=conversation_id)
    assert second["usage"]["input_tokens"] == 2 + len(text_of(first).split())
    stored = list_items(client, conversation_id)
    assert [item["id"] for item in stored[:2]] == [item["id"] for item in history]
    assert len(stored) == 4
    assert stored[1]["response_id"] == first["id"]


def test_an_item_of_a_previous_response_is_in_the_context_once(make_client):
    client = make_client()
    first = respond(client, "one")
    second = respond(client, [*first["output"], user("two")], previous_response_id=first["id"])
    assert second["usage"]["input_tokens"] == 2 + len(text_of(first).split())


def test_an_item_of_another_kind_with_a_known_id_is_a_clash(make_client):
    client = make_client()
    (answer,) = respond(client)["output"]
    conversation_id = create_conversation(client)
    error = reject(client, 400, input=[user("x"), user("y", id=answer["id"])], conversation=conversation_id)
    assert error["param"] == "input[1].id"
    assert error["findings"][0]["code"] == "id_in_use"
    assert list_items(client, conversation_id) == []


def test_an_id_may_occur_once_in_an_input(make_client):
    error = reject(make_client(), 400, input=[user("x", id="a"), user("y", id="a")])
    assert (error["param"], error["findings"][0]["code"]) == ("input[1].id", "id_in_use")


# What agent frameworks send


def test_the_whole_history_may_be_in_the_input(make_client):
    client = make_client()
    history = [
        {"role": "system", "content": "You are a clerk."},
        user("Is it raining?"),
        {"role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}]},
        {"id": "msg_theirs", "role": "assistant", "type": "message", "content": "One moment."},
        CALL,
        OUTPUT,
    ]
    conversation_id = create_conversation(client)
    fields = {"instructions": "Be brief.", "include": [], "tools": [FUNCTION], "conversation": conversation_id}
    response = respond(client, history, **fields)
    assert text_of(response) == "get_weather said: 3 degrees"
    stored = list_items(client, conversation_id)
    assert [item["type"] for item in stored] == [*["message"] * 4, "function_call", "function_call_output", "message"]
    assert stored[3]["id"] == "msg_theirs"
    assert text_of(respond(client, "Thanks", conversation=conversation_id)).startswith("You said: Thanks Before that")


def test_encrypted_reasoning_comes_back_in_the_next_request(make_client):
    client = make_client()
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "secret", "content": None}
    del reasoning["content"]
    fields = {"include": ["reasoning.encrypted_content"], "store": False}
    assert (
        text_of(respond(client, [user("one"), reasoning, user("two")], **fields)) == "You said: two Before that: one"
    )
