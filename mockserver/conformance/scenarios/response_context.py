"""Scenarios for responses that continue a conversation or an earlier response."""

from typing import Any

from mockserver.conformance.client import ApiClient
from mockserver.conformance.expectations import expect, require
from mockserver.conformance.names import conversation_path, items_path, response_path, unknown_id_like
from mockserver.conformance.response import ids, message_text
from mockserver.conformance.responses import HELLO, call_weather_tool, function_calls
from mockserver.conformance.samples import message
from mockserver.conformance.scenario import Scenarios

scenario = Scenarios()

_STORY = "The quick brown fox jumps over the lazy dog, and then it sleeps until the next morning. " * 4


def _items(api: ApiClient, conversation: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = api.list_items(conversation, limit=100, order="asc")["data"]
    return items


@scenario(
    "responses.conversation.is-named-by-the-response",
    "responses.conversation.gets-the-input",
    "responses.conversation.gets-the-output",
    "responses.conversation.items-name-their-response",
    "responses.conversation.keeps-its-items",
)
def a_response_is_added_to_its_conversation(api: ApiClient) -> None:
    conversation = api.create_id(message("before"))
    response = api.respond([message("one"), message("two")], conversation=conversation)
    items = _items(api, conversation)
    api.set_behaviour("responses.conversation.is-named-by-the-response")
    expect(response.get("conversation"), {"id": conversation}, "conversation")
    api.set_behaviour("responses.conversation.gets-the-input")
    expect([message_text(item) for item in items[1:3]], ["one", "two"], "texts of the added items")
    api.set_behaviour("responses.conversation.gets-the-output")
    expect(ids({"data": items[3:]}), [item["id"] for item in response["output"]], "ids after the input")
    api.set_behaviour("responses.conversation.items-name-their-response")
    expect([item.get("response_id") for item in items[1:]], [response["id"]] * (len(items) - 1), "response_id")
    api.set_behaviour("responses.conversation.keeps-its-items")
    expect(message_text(items[0]), "before", "text of the first item")


@scenario("responses.conversation.items-have-the-metadata-of-the-response")
def items_have_the_metadata_of_their_response(api: ApiClient) -> None:
    conversation = api.create_id()
    metadata = {**api.mark, "topic": "greeting"}
    api.respond(HELLO, conversation=conversation, metadata=metadata)
    items = _items(api, conversation)
    expect([item.get("metadata") for item in items], [metadata] * len(items), "metadata of the items")


@scenario("responses.conversation.can-be-an-object")
def a_conversation_can_be_an_object(api: ApiClient) -> None:
    conversation = api.create_id()
    response = api.respond(HELLO, conversation={"id": conversation})
    expect(response.get("conversation"), {"id": conversation}, "conversation")
    require(len(_items(api, conversation)) >= 2, "items", "the input and the output", _items(api, conversation))


@scenario("responses.conversation.counts-as-input")
def the_conversation_is_part_of_the_input(api: ApiClient) -> None:
    alone = api.respond(HELLO)["usage"]["input_tokens"]
    conversation = api.create_id(message(_STORY))
    together = api.respond(HELLO, conversation=conversation)["usage"]["input_tokens"]
    require(together >= alone + 30, "input_tokens", f"at least 30 more than {alone}", together)


@scenario("responses.conversation.several-turns-keep-their-order")
def turns_keep_their_order(api: ApiClient) -> None:
    conversation = api.create_id()
    turns = [api.respond(text, conversation=conversation) for text in ("one", "two", "three")]
    expected = [turn["id"] for turn in turns for _ in range(1 + len(turn["output"]))]
    expect([item.get("response_id") for item in _items(api, conversation)], expected, "responses of the items")


@scenario("responses.conversation.also-without-store")
def an_unstored_response_is_added_too(api: ApiClient) -> None:
    conversation = api.create_id()
    response = api.respond(HELLO, conversation=conversation, store=False)
    expect(len(_items(api, conversation)), 1 + len(response["output"]), "number of items")


@scenario("responses.conversation.is-updated")
def a_response_updates_its_conversation(api: ApiClient) -> None:
    first, second = api.create_id(), api.create_id()
    api.respond(HELLO, conversation=first)
    expect(api.conversation_ids(order="asc"), [second, first], "conversations by their last update")


@scenario("responses.conversation.failed-requests-change-nothing")
def a_rejected_request_changes_nothing(api: ApiClient) -> None:
    conversation = api.create_id(message("before"))
    before = api.retrieve(conversation), _items(api, conversation)
    rejected = [
        api.send_create_response(HELLO, conversation=conversation, temperature=100),
        api.send_create_response(
            [message("one"), {"type": "item_reference", "id": "msg_doesnotexist0"}], conversation=conversation
        ),
        api.send_create_response(HELLO, conversation=conversation, webhook_secret="secret"),  # noqa: S106 - no secret
    ]
    for response in rejected:
        response.expect_error()
    expect((api.retrieve(conversation), _items(api, conversation)), before, "conversation afterwards")


@scenario("responses.conversation.unknown-is-404", "responses.conversation.deleted-is-404")
def a_conversation_must_exist(api: ApiClient) -> None:
    conversation = api.create_id()
    api.set_behaviour("responses.conversation.unknown-is-404")
    api.send_create_response(HELLO, conversation=unknown_id_like(conversation)).expect_error(404)
    api.set_behaviour("responses.conversation.deleted-is-404")
    api.delete(conversation_path(conversation)).expect_ok()
    api.send_create_response(HELLO, conversation=conversation).expect_error(404)


@scenario("responses.conversation.survives-the-response")
def items_survive_their_response(api: ApiClient) -> None:
    conversation = api.create_id()
    response = api.respond(HELLO, conversation=conversation)
    before = ids({"data": _items(api, conversation)})
    api.delete(response_path(response["id"])).expect_ok()
    expect(ids({"data": _items(api, conversation)}), before, "items after the deletion of their response")


@scenario("responses.conversation.stays-alone")
def a_response_stays_in_its_conversation(api: ApiClient) -> None:
    older = api.create_id(message("older"))
    one = api.create_id(message("one"))
    newer = api.create_id(message("newer"))
    before = [_items(api, other) for other in (older, newer)]
    api.respond(HELLO, conversation=one)
    api.respond(HELLO)
    expect([_items(api, other) for other in (older, newer)], before, "items of the other conversations")


@scenario("responses.conversation.tool-outputs-can-follow")
def tool_outputs_can_follow_in_a_conversation(api: ApiClient) -> None:
    conversation = api.create_id()
    call = function_calls(call_weather_tool(api, conversation=conversation))[0]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "It rains."}
    expect(api.respond([output], conversation=conversation)["status"], "completed", "status")
    types = [item["type"] for item in _items(api, conversation)]
    require("function_call" in types and "function_call_output" in types, "items", "the call and its output", types)


@scenario("responses.previous.is-returned", "responses.previous.counts-as-input", "responses.previous.goes-far-back")
def a_response_continues_another(api: ApiClient) -> None:
    first = api.respond(_STORY)
    second = api.respond(HELLO, previous_response_id=first["id"])
    api.set_behaviour("responses.previous.is-returned")
    expect(second["previous_response_id"], first["id"], "previous_response_id")
    api.set_behaviour("responses.previous.counts-as-input")
    alone = api.respond(HELLO)["usage"]["input_tokens"]
    tokens = second["usage"]["input_tokens"]
    require(tokens >= alone + 30, "input_tokens", f"at least 30 more than {alone}", tokens)
    api.set_behaviour("responses.previous.goes-far-back")
    third = api.respond(HELLO, previous_response_id=second["id"])["usage"]["input_tokens"]
    require(third > tokens, "input_tokens of the third response", f"more than {tokens}", third)


@scenario("responses.previous.branches")
def a_response_can_be_continued_twice(api: ApiClient) -> None:
    first = api.respond(HELLO)["id"]
    branches = [api.respond(text, previous_response_id=first) for text in ("one", "two")]
    expect([one["previous_response_id"] for one in branches], [first, first], "previous_response_id of both")


@scenario(
    "responses.previous.unknown-is-404", "responses.previous.unstored-is-404", "responses.previous.deleted-is-404"
)
def a_previous_response_must_exist(api: ApiClient) -> None:
    first = api.respond(HELLO)["id"]
    api.set_behaviour("responses.previous.unknown-is-404")
    api.send_create_response(HELLO, previous_response_id=unknown_id_like(first)).expect_error(404)
    api.set_behaviour("responses.previous.unstored-is-404")
    unstored = api.respond(HELLO, store=False)["id"]
    api.send_create_response(HELLO, previous_response_id=unstored).expect_error(404)
    api.set_behaviour("responses.previous.deleted-is-404")
    api.delete(response_path(first)).expect_ok()
    api.send_create_response(HELLO, previous_response_id=first).expect_error(404)


@scenario("responses.previous.not-with-a-conversation")
def a_previous_response_excludes_a_conversation(api: ApiClient) -> None:
    previous, conversation = api.respond(HELLO)["id"], api.create_id()
    both = api.send_create_response(HELLO, previous_response_id=previous, conversation=conversation)
    both.expect_error(400)
    expect(_items(api, conversation), [], "items afterwards")


@scenario("responses.references.to-output-items", "responses.references.to-conversation-items")
def the_input_can_refer_to_items(api: ApiClient) -> None:
    output = api.respond(HELLO)["output"][0]["id"]
    api.set_behaviour("responses.references.to-output-items")
    reference = {"type": "item_reference", "id": output}
    expect(api.respond([reference, message("Say it again.")])["status"], "completed", "status")
    api.set_behaviour("responses.references.to-conversation-items")
    conversation = api.create_id(message(_STORY))
    reference = {"type": "item_reference", "id": api.item_ids(conversation)[0]}
    tokens = api.respond([reference, message("Say it again.")])["usage"]["input_tokens"]
    require(tokens >= 30, "input_tokens", "the tokens of the item too", tokens)


@scenario("responses.references.unknown-is-404")
def a_reference_must_name_an_item(api: ApiClient) -> None:
    known = api.respond(HELLO)["output"][0]["id"]
    reference = {"type": "item_reference", "id": unknown_id_like(known)}
    api.send_create_response([reference, message("Say it again.")]).expect_error(404)


@scenario("responses.references.known-items-are-not-stored-twice")
def known_items_are_not_stored_twice(api: ApiClient) -> None:
    conversation = api.create_id()
    api.respond(HELLO, conversation=conversation)
    history = [
        {name: value for name, value in item.items() if name not in ("response_id", "metadata")}
        for item in _items(api, conversation)
    ]
    second = api.respond([*history, message("Say it again.")], conversation=conversation)
    listed = ids({"data": _items(api, conversation)})
    expect(len(listed), len(history) + 1 + len(second["output"]), "number of items")
    expect(len(set(listed)), len(listed), "number of different ids")


@scenario("responses.tenancy.others-cannot-use-a-response", "responses.tenancy.others-do-not-see-a-response")
def others_have_no_access_to_a_response(api: ApiClient) -> None:
    response = api.respond(HELLO)
    path = response_path(response["id"])
    stranger = api.with_new_end_user()
    api.set_behaviour("responses.tenancy.others-cannot-use-a-response")
    tried = [
        stranger.get(path),
        stranger.get(f"{path}/input_items"),
        stranger.post(path, {"metadata": {"owner": "somebody else"}}),
        stranger.request("POST", f"{path}/cancel"),
        stranger.post(f"{path}/wake", {"input": "Go on."}),
        stranger.send_create_response(HELLO, previous_response_id=response["id"]),
        stranger.send_create_response([{"type": "item_reference", "id": response["output"][0]["id"]}]),
        stranger.delete(path),
    ]
    for one in tried:
        one.expect_error()
    expect(api.retrieve_response(response["id"]), response, "response afterwards")
    api.set_behaviour("responses.tenancy.others-do-not-see-a-response")
    expect(stranger.response_ids(), [], "responses that another end user can list")


@scenario("responses.tenancy.others-cannot-use-a-conversation")
def others_cannot_use_a_conversation(api: ApiClient) -> None:
    conversation = api.create_id(message("mine"))
    api.with_new_end_user().send_create_response(HELLO, conversation=conversation).expect_error()
    expect(len(_items(api, conversation)), 1, "number of items afterwards")


@scenario("responses.tenancy.foreign-is-as-unknown")
def a_foreign_response_is_as_an_unknown_one(api: ApiClient) -> None:
    response = api.respond(HELLO)["id"]
    stranger = api.with_new_end_user()
    foreign = stranger.get(response_path(response))
    unknown = stranger.get(response_path(unknown_id_like(response)))
    expect(foreign.status, unknown.status, "status for a foreign response")


@scenario("responses.conversation.items-can-be-read-one-by-one")
def items_of_responses_can_be_read(api: ApiClient) -> None:
    conversation = api.create_id()
    api.respond(HELLO, conversation=conversation)
    for item in _items(api, conversation):
        expect(api.get(f"{items_path(conversation)}/{item['id']}").expect_ok(), item, "item read by itself")
