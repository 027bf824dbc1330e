"""Scenarios for items: add, retrieve, remove; their ids and references."""

from mockserver.conformance.client import ApiClient
from mockserver.conformance.expectations import ScenarioFailure, expect, require, show
from mockserver.conformance.names import item_path, items_path, unique_name, unknown_id_like
from mockserver.conformance.response import ids, message_text, texts
from mockserver.conformance.samples import message
from mockserver.conformance.scenario import FakeSettings, Scenarios
from mockserver.conformance.scenarios.item_kinds import expect_unique_ids

scenario = Scenarios()

# -- Add ---------------------------------------------------------------------------------------------------


@scenario("items.create.answers-with-the-new-items", "items.create.last-id-names-the-last-new-item")
def adding_returns_the_new_items(api: ApiClient) -> None:
    conversation = api.create_id(message("before"))
    page = api.post_items(conversation, message("one"), message("two", role="system")).expect_ok()
    api.set_behaviour("items.create.answers-with-the-new-items")
    expect(page.get("object", "list"), "list", "object")
    expect(sorted(texts(page)), ["one", "two"], "texts of the items")
    api.set_behaviour("items.create.last-id-names-the-last-new-item")
    last = {ids(page)[-1], ids(page)[texts(page).index("two")]}  # Their order is another behaviour.
    require(page.get("last_id") in last, "last_id", show(ids(page)[-1]), page.get("last_id"))
    expect(page.get("has_more"), False, "has_more")


@scenario("items.create.gives-every-item-an-id", "items.create.keeps-the-order", "items.create.appends")
def added_items_get_ids_and_follow_the_existing_ones(api: ApiClient) -> None:
    conversation = api.create_id(message("one"), message("two"))
    added = api.add_items(conversation, message("three"), message("four"))
    page = api.list_items(conversation, order="asc")
    api.set_behaviour("items.create.gives-every-item-an-id")
    expect_unique_ids(page["data"])
    api.set_behaviour("items.create.appends")
    listed = texts(page)
    expect([sorted(listed[:2]), sorted(listed[2:])], [["one", "two"], ["four", "three"]], "old and new items")
    api.set_behaviour("items.create.keeps-the-order")
    expect([message_text(item) for item in added], ["three", "four"], "order in the response")
    expect(listed, ["one", "two", "three", "four"], "order in the list")


@scenario("items.create.takes-20-items", "items.create.keeps-the-order")
def twenty_items_can_be_added(api: ApiClient) -> None:
    words = [f"{name} {number}" for name in ("pear", "Zebra", "apple", "Ärger") for number in (10, 9, 100, 2, 1)]
    conversation = api.create_id()
    api.set_behaviour("items.create.takes-20-items")
    added = api.add_items(conversation, *map(message, words))
    expect(len(added), 20, "number of added items")
    listed = texts(api.list_items(conversation, limit=100, order="asc"))
    expect(sorted(listed), sorted(words), "texts of the items afterwards")
    api.set_behaviour("items.create.keeps-the-order")
    expect([message_text(item) for item in added], words, "order in the response")
    expect(listed, words, "order in the list")


@scenario("items.create.refuses-21-items", "items.create.refuses-0-items")
def neither_21_nor_0_items_can_be_added(api: ApiClient) -> None:
    conversation = api.create_id()
    api.set_behaviour("items.create.refuses-21-items")
    api.post(items_path(conversation), {"items": [message("hello")] * 21}).expect_error()
    expect(api.item_ids(conversation), [], "items afterwards")
    api.set_behaviour("items.create.refuses-0-items")
    api.post_items(conversation).expect_error()


@scenario("items.list.shows-the-items", "items.retrieve.answers-what-create-answered")
def a_long_text_comes_back_whole(api: ApiClient) -> None:
    text = " ".join(map(str, range(15_000)))  # Some stores truncate at 64 KiB.
    conversation = api.create_id()
    response = api.post_items(conversation, message(text))
    if response.status != 200:  # No limit is documented.
        return
    added = response.body["data"][0]
    expect(len(message_text(added)), len(text), "length of the text in the response")
    api.set_behaviour("items.list.shows-the-items")
    expect(len(texts(api.list_items(conversation))[0]), len(text), "length of the text in the list")
    api.set_behaviour("items.retrieve.answers-what-create-answered")
    read = api.retrieve_item(conversation, added["id"])
    expect(len(message_text(read)), len(text), "length of the text when retrieved")
    if message_text(read) != text:
        raise ScenarioFailure("text when retrieved", "the text that was sent", "another one")


@scenario("items.create.text-stays-text", "items.create.messages-need-no-type")
def a_message_needs_only_role_and_text(api: ApiClient) -> None:
    conversation = api.create_id()
    api.set_behaviour("items.create.messages-need-no-type")
    added = api.add_items(conversation, {"role": "user", "content": "hello"})[0]
    listed = api.list_items(conversation)["data"][0]
    for where, item in (("response", added), ("list", listed)):
        expect(item.get("type", "message"), "message", f"type in the {where}")
        expect((item.get("role"), message_text(item)), ("user", "hello"), f"role and text in the {where}")
    api.set_behaviour("items.create.text-stays-text")
    expect(added["content"], "hello", "content in the response")
    expect(listed["content"], "hello", "content in the list")


@scenario("items.create.unknown-kind-is-refused", "items.create.is-all-or-nothing")
def an_item_of_an_unknown_kind_is_rejected_with_all_others(api: ApiClient) -> None:
    conversation = api.create_id()
    invalid = [message("one"), {"type": "hologram", "content": "two"}]
    api.set_behaviour("items.create.unknown-kind-is-refused")
    api.post(items_path(conversation), {"items": invalid}).expect_error()
    api.post("/conversations", {"items": invalid}).expect_error()
    api.set_behaviour("items.create.is-all-or-nothing")
    expect(api.item_ids(conversation), [], "items afterwards")


@scenario("items.create.refuses-missing-fields")
def an_item_without_a_required_field_is_rejected(api: ApiClient) -> None:
    items = items_path(api.create_id())
    for invalid in (
        {"type": "message", "role": "user"},
        {"type": "function_call", "call_id": "call_1", "name": "get_weather"},
        {"type": "function_call_output", "output": "1"},
        {"type": "reasoning", "id": unique_name("rs")},
        message("", content=[{"type": "input_text"}]),
    ):
        api.post(items, {"items": [invalid]}).expect_error()


@scenario("items.create.drops-unknown-fields")
def unknown_fields_are_dropped(api: ApiClient) -> None:
    body = {"items": [message("one", colour="red")], "metadata": {}, "colour": "red"}
    conversation = api.post("/conversations", body).expect_ok()
    item = api.list_items(conversation["id"])["data"][0]
    require("colour" not in conversation, "conversation", "no field colour", conversation)
    require("colour" not in item, "item", "no field colour", item)


@scenario("items.create.can-refuse-unknown-fields", needs=FakeSettings(unknown_fields="reject"))
def unknown_fields_can_be_rejected(api: ApiClient) -> None:
    error = api.post("/conversations", {"items": [message("one", colour="red")]}).expect_error(400)
    expect([finding["pointer"] for finding in error.get("findings", [])], ["/items/0/colour"], "pointers")
    expect(api.conversation_ids(), [], "conversations afterwards")


@scenario("items.create.ignores-include")
def include_has_no_effect_when_adding(api: ApiClient) -> None:
    conversation = api.create_id()
    api.post(items_path(conversation), {"items": [message("one")], "include": ["content"]}).expect_ok()
    expect(texts(api.list_items(conversation)), ["one"], "texts of the items")


@scenario("items.create.no-response-made-them")
def added_items_name_no_response(api: ApiClient) -> None:
    conversation = api.create_id(topic="tests")
    added = api.add_items(conversation, message("one"))[0]
    read = api.retrieve_item(conversation, added["id"])
    for where, item in (("in the response", added), ("when retrieved", read)):
        expect((item.get("response_id"), item.get("metadata")), (None, None), f"response_id and metadata {where}")


@scenario("items.create.unknown-conversation-is-404")
def adding_to_an_unknown_conversation_returns_404(api: ApiClient) -> None:
    api.post_items(unknown_id_like(api.create_id()), message("one")).expect_error(404)


# -- Ids and references ------------------------------------------------------------------------------------


@scenario("items.ids.clients-may-choose")
def a_chosen_id_is_kept(api: ApiClient) -> None:
    chosen = unique_name("msg")
    conversation = api.create_id()
    expect(api.add_items(conversation, message("one", id=chosen))[0]["id"], chosen, "id in the response")
    expect(message_text(api.retrieve_item(conversation, chosen)), "one", "text of the item with that id")


@scenario("items.ids.differ-within-a-request")
def two_items_of_a_request_cannot_share_an_id(api: ApiClient) -> None:
    conversation, chosen = api.create_id(), unique_name("msg")
    twins = [message("one", id=chosen), message("two", id=chosen)]
    response = api.post(items_path(conversation), {"items": twins})
    if response.status == 200 and chosen not in ids(response.body):
        return  # The target ignores chosen ids: another behaviour.
    response.expect_error()
    left = api.item_ids(conversation)
    require(left.count(chosen) < 2, "items afterwards", "different ids", left)


@scenario("items.ids.in-use-is-400")
def an_id_in_use_returns_400(api: ApiClient) -> None:
    first, second = api.create_id(message("one")), api.create_id()
    used = api.item_ids(first)[0]
    for conversation in (first, second):
        body = {"items": [message("new"), message("two", id=used)]}
        api.post(items_path(conversation), body).expect_error(400, param="items[1].id")
    api.post("/conversations", {"items": [message("two", id=used)]}).expect_error(400)
    found = [api.item_ids(conversation).count(used) for conversation in (first, second)]
    expect(found, [1, 0], "items with that id in either conversation")


@scenario("items.ids.clients-may-choose", "items.ids.are-free-after-removal")
def the_id_of_a_removed_item_is_free(api: ApiClient) -> None:
    chosen = unique_name("msg")
    conversation = api.create_id()
    api.set_behaviour("items.ids.clients-may-choose")
    expect(api.add_items(conversation, message("one", id=chosen))[0]["id"], chosen, "id in the response")
    api.delete(item_path(conversation, chosen)).expect_ok()
    api.set_behaviour("items.ids.are-free-after-removal")
    expect(api.add_items(conversation, message("two", id=chosen))[0]["id"], chosen, "id after removal")
    expect(message_text(api.retrieve_item(conversation, chosen)), "two", "text after removal")


@scenario("items.ids.clients-may-choose", "items.ids.belong-to-the-caller")
def another_end_user_may_choose_the_same_id(api: ApiClient) -> None:
    chosen = unique_name("msg")
    other = api.with_new_end_user()
    mine, theirs = api.create_id(), other.create_id()
    api.set_behaviour("items.ids.clients-may-choose")
    expect(api.add_items(mine, message("one", id=chosen))[0]["id"], chosen, "id in the response")
    api.set_behaviour("items.ids.belong-to-the-caller")
    expect(other.add_items(theirs, message("two", id=chosen))[0]["id"], chosen, "id of the other end user's item")
    expect(message_text(other.retrieve_item(theirs, chosen)), "two", "text of the other end user's item")


def _check_references(api: ApiClient, item: str) -> None:
    """Check that the target accepts references at all."""
    api.set_behaviour("items.create.takes-every-kind")
    api.add_items(api.create_id(), {"type": "item_reference", "id": item})


@scenario("items.create.takes-every-kind", "items.references.are-kept-as-references")
def a_reference_is_kept_as_a_reference(api: ApiClient) -> None:
    item = api.add_items(api.create_id(), message("elsewhere"))[0]["id"]
    conversation = api.create_id()
    reference = {"type": "item_reference", "id": item}
    api.set_behaviour("items.create.takes-every-kind")
    added = api.add_items(conversation, reference)[0]
    api.set_behaviour("items.references.are-kept-as-references")
    expect({name: added.get(name) for name in reference}, reference, "reference in the response")
    read = api.retrieve_item(conversation, item)
    expect({name: read.get(name) for name in reference}, reference, "reference when retrieved")


@scenario(
    "items.create.takes-every-kind", "items.references.unknown-item-is-404", "items.references.foreign-item-is-404"
)
def a_reference_to_an_unknown_or_foreign_item_returns_404(api: ApiClient) -> None:
    other = api.with_new_end_user()
    foreign = other.add_items(other.create_id(), message("theirs"))[0]["id"]
    conversation = api.create_id()
    for behaviour, item in (
        ("items.references.unknown-item-is-404", unknown_id_like(foreign)),
        ("items.references.foreign-item-is-404", foreign),
    ):
        response = api.post_items(conversation, {"type": "item_reference", "id": item})
        if response.status not in (200, 404):
            _check_references(api, api.add_items(conversation, message("one"))[0]["id"])
        api.set_behaviour(behaviour)
        response.expect_error(404)


@scenario("items.create.takes-every-kind", "items.references.same-conversation-is-400")
def a_reference_within_a_conversation_returns_400(api: ApiClient) -> None:
    conversation = api.create_id()
    item = api.add_items(conversation, message("one"))[0]["id"]
    response = api.post_items(conversation, {"type": "item_reference", "id": item})
    left = api.item_ids(conversation)
    _check_references(api, item)
    api.set_behaviour("items.references.same-conversation-is-400")
    response.expect_error(400)
    expect(left, [item], "items afterwards")


# -- Retrieve and remove -----------------------------------------------------------------------------------


@scenario("items.retrieve.answers-what-create-answered")
def retrieving_returns_the_added_item(api: ApiClient) -> None:
    conversation = api.create_id()
    for item in api.add_items(conversation, message("one"), message("two", role="developer")):
        expect(api.retrieve_item(conversation, item["id"]), item, "item")


@scenario("items.retrieve.unknown-id-is-404", "items.retrieve.through-another-conversation-is-404")
def retrieving_an_item_of_no_or_another_conversation_returns_404(api: ApiClient) -> None:
    elsewhere = api.add_items(api.create_id(), message("one"))[0]["id"]
    conversation = api.create_id()
    api.set_behaviour("items.retrieve.unknown-id-is-404")
    api.get(item_path(conversation, unknown_id_like(elsewhere))).expect_error(404)
    api.set_behaviour("items.retrieve.through-another-conversation-is-404")
    api.get(item_path(conversation, elsewhere)).expect_error(404)


@scenario("items.delete.answers-with-the-conversation", "items.delete.removes-only-that-item")
def removing_an_item_returns_the_conversation(api: ApiClient) -> None:
    conversation = api.create(message("one"), message("two"), message("three"), topic="tests")
    one, two, three = api.item_ids(conversation["id"])
    api.set_behaviour("items.delete.answers-with-the-conversation")
    response = api.delete(item_path(conversation["id"], two)).expect_ok()
    for name in ("id", "object", "created_at"):
        expect(response.get(name), conversation[name], f"{name} in the response")
    api.set_behaviour("items.delete.removes-only-that-item")
    expect(sorted(api.item_ids(conversation["id"])), sorted([one, three]), "items afterwards")


@scenario("items.create.takes-every-kind", "items.delete.removes-only-that-item")
def calls_and_outputs_are_removed_one_by_one(api: ApiClient) -> None:
    conversation = api.create_id()
    turn = [{"type": "function_call", "call_id": call, "name": "get_weather", "arguments": "{}"} for call in "ab"]
    turn += [{"type": "function_call_output", "call_id": call, "output": "21"} for call in "ab"]
    api.set_behaviour("items.create.takes-every-kind")
    added = {(item["type"], item["call_id"]): item["id"] for item in api.add_items(conversation, *turn)}
    api.set_behaviour("items.delete.removes-only-that-item")
    for removed in (("function_call", "a"), ("function_call_output", "b")):
        api.delete(item_path(conversation, added.pop(removed))).expect_ok()
    left = {item["id"]: (item["type"], item["call_id"]) for item in api.list_items(conversation)["data"]}
    expect(sorted(left.values()), sorted(added), "calls and outputs afterwards")


@scenario("items.delete.then-retrieve-is-404", "items.delete.twice-is-404")
def a_removed_item_returns_404(api: ApiClient) -> None:
    conversation = api.create_id(message("one"))
    item = api.item_ids(conversation)[0]
    api.delete(item_path(conversation, item)).expect_ok()
    api.set_behaviour("items.delete.then-retrieve-is-404")
    api.get(item_path(conversation, item)).expect_error(404)
    api.set_behaviour("items.delete.twice-is-404")
    for one in (item, unknown_id_like(item)):
        api.delete(item_path(conversation, one)).expect_error(404)


@scenario("items.delete-many.answers-with-the-conversation", "items.delete-many.removes-exactly-those")
def removing_several_items_returns_the_conversation(api: ApiClient) -> None:
    conversation = api.create(message("one"), message("two"), message("three"))
    one, two, three = api.item_ids(conversation["id"])
    api.set_behaviour("items.delete-many.answers-with-the-conversation")
    response = api.delete(items_path(conversation["id"]), {"item_ids": [three, one]}).expect_ok()
    expect((response.get("id"), response.get("object")), (conversation["id"], "conversation"), "id and object")
    api.set_behaviour("items.delete-many.removes-exactly-those")
    expect(api.item_ids(conversation["id"]), [two], "items afterwards")


@scenario("items.delete-many.refuses-none")
def removing_no_item_is_rejected(api: ApiClient) -> None:
    conversation = api.create_id(message("one"))
    api.delete(items_path(conversation), {"item_ids": []}).expect_error()
    expect(len(api.item_ids(conversation)), 1, "number of items afterwards")


@scenario("items.delete-many.is-all-or-nothing")
def one_unknown_id_removes_nothing(api: ApiClient) -> None:
    conversation = api.create_id(message("one"), message("two"))
    present = api.item_ids(conversation)
    unknown = unknown_id_like(present[0])
    response = api.delete(items_path(conversation), {"item_ids": [present[0], unknown]})
    response.expect_error(404)
    require(unknown in str(response.body), "error", f"one that names {show(unknown)}", response.body)
    expect(api.item_ids(conversation), present, "items afterwards")
    api.retrieve(conversation)


@scenario("items.delete-many.repeated-ids-count-once")
def a_repeated_id_counts_once(api: ApiClient) -> None:
    conversation = api.create_id(message("one"), message("two"))
    one, two = api.item_ids(conversation)
    api.delete(items_path(conversation), {"item_ids": [one, one]}).expect_ok()
    expect(api.item_ids(conversation), [two], "items afterwards")
