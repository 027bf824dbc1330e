"""Items: add, retrieve, remove; their ids and references."""

from typing import Any

from mockserver.conformance.api import Api, conversation_path, fresh_name, ids, item_path, items_path
from mockserver.conformance.samples import item_of_every_kind, says
from mockserver.conformance.scenario import FakeSettings, Scenarios, expect
from mockserver.conformance.scenarios.reading import text_of, texts

scenario = Scenarios()


def _fields(item: dict[str, Any], sent: dict[str, Any]) -> dict[str, Any]:
    """What an item has of the fields that were sent."""
    return {name: value for name, value in item.items() if name in sent}


def _kind(item: dict[str, Any]) -> str:
    """The type; the role tells the two kinds of messages apart."""
    return f"message of the {item.get('role')}" if item.get("type") == "message" else str(item.get("type"))


def _have_ids_of_their_own(page: dict[str, Any]) -> None:
    assert all(isinstance(one, str) and one for one in ids(page)), f"ids: expected text, received {ids(page)!r}"
    expect(len(set(ids(page))), len(ids(page)), "how many different ids there are")


# -- Add ---------------------------------------------------------------------------------------------------


@scenario("items.create.answers-with-the-new-items", "items.create.last-id-names-the-last-new-item")
def adding_answers_with_the_new_items(api: Api) -> None:
    conversation = api.create_id(says("before"))
    page = api.post(items_path(conversation), {"items": [says("one"), says("two", role="system")]}).ok()
    api.checks("items.create.answers-with-the-new-items")
    expect(page.get("object", "list"), "list", "object")
    expect(sorted(texts(page)), ["one", "two"], "contents of the items")
    api.checks("items.create.last-id-names-the-last-new-item")
    last = {ids(page)[-1], ids(page)[texts(page).index("two")]}  # That they keep their order is another rule.
    assert page["last_id"] in last, f"last_id: expected {ids(page)[-1]!r}, received {page['last_id']!r}"
    expect(page["has_more"], False, "has_more")


@scenario("items.create.gives-every-item-an-id", "items.create.keeps-the-order", "items.create.appends")
def items_get_ids_and_follow_each_other(api: Api) -> None:
    conversation = api.create_id(says("one"), says("two"))
    added = api.add(conversation, says("three"), says("four"))
    page = api.items(conversation)
    api.checks("items.create.gives-every-item-an-id")
    _have_ids_of_their_own(page)
    api.checks("items.create.appends")
    said = texts(page)
    expect([sorted(said[:2]), sorted(said[2:])], [["one", "two"], ["four", "three"]], "what was there, what was added")
    api.checks("items.create.keeps-the-order")
    expect([text_of(item) for item in added], ["three", "four"], "the order of the answer")
    expect(said, ["one", "two", "three", "four"], "the order of the list")


@scenario("items.create.takes-20-items")
def twenty_items_can_be_added(api: Api) -> None:
    added = api.add(api.create_id(), *[says("hello")] * 20)
    expect(len(added), 20, "items added")


@scenario("items.create.refuses-21-items", "items.create.refuses-0-items")
def neither_21_nor_0_items_can_be_added(api: Api) -> None:
    conversation = api.create_id()
    api.checks("items.create.refuses-21-items")
    api.post(items_path(conversation), {"items": [says("hello")] * 21}).refused()
    expect(ids(api.items(conversation)), [], "items afterwards")
    api.checks("items.create.refuses-0-items")
    api.post(items_path(conversation), {"items": []}).refused()


@scenario("items.create.takes-every-kind", "items.create.gives-every-item-an-id", "items.create.keeps-every-field")
def items_of_every_kind_come_back_as_sent(api: Api) -> None:
    referenced = api.add(api.create_id(), says("elsewhere"))[0]["id"]
    sent = list(item_of_every_kind(fresh_name(""), referenced).values())
    conversation = api.create_id()
    api.checks("items.create.takes-every-kind")
    api.add(conversation, *sent[:20])
    api.add(conversation, *sent[20:])
    page = api.items(conversation, limit=100)
    expect(sorted(str(item.get("type")) for item in page["data"]), sorted(item["type"] for item in sent), "the kinds")
    api.checks("items.create.gives-every-item-an-id")
    _have_ids_of_their_own(page)
    api.checks("items.create.keeps-every-field")
    by_kind = {_kind(item): item for item in page["data"]}
    for original in sent:
        fields = {name: value for name, value in original.items() if name != "id"}  # The id has a rule of its own.
        received = by_kind.get(_kind(original), {})
        expect(_fields(received, fields), fields, f"the {_kind(original)}")
        read = api.get(item_path(conversation, received["id"])).ok()
        expect(_fields(read, fields), fields, f"the {_kind(original)} when retrieved")


@scenario("items.create.text-stays-text", "items.create.messages-need-no-type")
def a_message_may_be_just_role_and_text(api: Api) -> None:
    conversation = api.create_id()
    api.checks("items.create.messages-need-no-type")
    added = api.add(conversation, {"role": "user", "content": "hello"})[0]
    listed = api.items(conversation)["data"][0]
    for where, item in (("answer", added), ("list", listed)):
        expect(item.get("type", "message"), "message", f"type in the {where}")
        expect((item.get("role"), text_of(item)), ("user", "hello"), f"role and text in the {where}")
    api.checks("items.create.text-stays-text")
    expect(added["content"], "hello", "content in the answer")
    expect(listed["content"], "hello", "content in the list")


@scenario("items.create.unknown-kind-is-refused", "items.create.is-all-or-nothing")
def an_unknown_kind_is_refused_with_all_others(api: Api) -> None:
    conversation = api.create_id()
    spoiled = [says("one"), {"type": "hologram", "content": "two"}]
    api.checks("items.create.unknown-kind-is-refused")
    api.post(items_path(conversation), {"items": spoiled}).refused()
    api.post("/conversations", {"items": spoiled}).refused()
    api.checks("items.create.is-all-or-nothing")
    expect(ids(api.items(conversation)), [], "items afterwards")
    expect(ids(api.conversations()), [conversation], "conversations afterwards")


@scenario("items.create.drops-unknown-fields")
def unknown_fields_are_dropped(api: Api) -> None:
    body = {"items": [says("one", colour="red")], "metadata": {}, "colour": "red"}
    conversation = api.post("/conversations", body).ok()
    item = api.items(conversation["id"])["data"][0]
    assert "colour" not in conversation, f"the conversation: expected no colour, received {conversation!r}"
    assert "colour" not in item, f"the item: expected no colour, received {item!r}"


@scenario("items.create.can-refuse-unknown-fields", needs=FakeSettings(unknown_fields="reject"))
def unknown_fields_can_be_refused(api: Api) -> None:
    error = api.post("/conversations", {"items": [says("one", colour="red")]}).refused(400)
    expect([finding["pointer"] for finding in error["findings"]], ["/items/0/colour"], "pointers")
    expect(ids(api.conversations()), [], "conversations afterwards")


@scenario("items.create.ignores-include")
def include_has_no_effect_when_adding(api: Api) -> None:
    conversation = api.create_id()
    api.post(items_path(conversation), {"items": [says("one")], "include": ["content"]}).ok()
    expect(texts(api.items(conversation)), ["one"], "contents of the items")


@scenario("items.create.no-response-made-them")
def added_items_name_no_response(api: Api) -> None:
    item = api.add(api.create_id(topic="tests"), says("one"))[0]
    expect((item.get("response_id"), item.get("metadata")), (None, None), "response_id and metadata")


@scenario("items.create.unknown-conversation-is-404")
def adding_to_an_unknown_conversation_answers_404(api: Api) -> None:
    api.post(items_path(fresh_name("conv")), {"items": [says("one")]}).refused(404)


# -- Ids and references ------------------------------------------------------------------------------------


@scenario("items.ids.clients-may-choose")
def a_chosen_id_is_kept(api: Api) -> None:
    chosen = fresh_name("msg")
    conversation = api.create_id()
    expect(api.add(conversation, says("one", id=chosen))[0]["id"], chosen, "the id in the answer")
    expect(text_of(api.get(item_path(conversation, chosen)).ok()), "one", "the item under that id")


@scenario("items.ids.differ-within-a-request")
def two_items_of_a_request_cannot_share_an_id(api: Api) -> None:
    conversation, chosen = api.create_id(), fresh_name("msg")
    twins = [says("one", id=chosen), says("two", id=chosen)]
    answer = api.post(items_path(conversation), {"items": twins})
    if answer.status == 200 and chosen not in ids(answer.body):
        return  # Whether a client may choose an id at all is another rule.
    answer.refused()
    left = ids(api.items(conversation))
    assert left.count(chosen) < 2, f"items afterwards: expected no two with one id, received {left!r}"


@scenario("items.ids.in-use-is-400")
def an_id_in_use_answers_400(api: Api) -> None:
    first, second = api.create_id(says("one")), api.create_id()
    used = ids(api.items(first))[0]
    for conversation in (first, second):
        body = {"items": [says("new"), says("two", id=used)]}
        error = api.post(items_path(conversation), body).refused(400)
        expect(error.get("param"), "items[1].id", "param")
    api.post("/conversations", {"items": [says("two", id=used)]}).refused(400)
    found = [ids(api.items(conversation)).count(used) for conversation in (first, second)]
    expect(found, [1, 0], "how often the id is in either conversation afterwards")


@scenario("items.ids.clients-may-choose", "items.ids.are-free-after-removal")
def the_id_of_a_removed_item_is_free(api: Api) -> None:
    chosen = fresh_name("msg")
    conversation = api.create_id()
    api.checks("items.ids.clients-may-choose")
    expect(api.add(conversation, says("one", id=chosen))[0]["id"], chosen, "the id in the answer")
    api.delete(item_path(conversation, chosen)).ok()
    api.checks("items.ids.are-free-after-removal")
    expect(api.add(conversation, says("two", id=chosen))[0]["id"], chosen, "the id")
    expect(text_of(api.get(item_path(conversation, chosen)).ok()), "two", "the content")


@scenario("items.ids.clients-may-choose", "items.ids.belong-to-the-caller")
def another_end_user_may_choose_the_same_id(api: Api) -> None:
    chosen = fresh_name("msg")
    other = api.other_end_user()
    mine, theirs = api.create_id(), other.create_id()
    api.checks("items.ids.clients-may-choose")
    expect(api.add(mine, says("one", id=chosen))[0]["id"], chosen, "the id in the answer")
    api.checks("items.ids.belong-to-the-caller")
    expect(other.add(theirs, says("two", id=chosen))[0]["id"], chosen, "the other end user's id")
    expect(text_of(other.get(item_path(theirs, chosen)).ok()), "two", "the other end user's item")


@scenario("items.references.are-kept-as-references")
def a_reference_is_kept_as_a_reference(api: Api) -> None:
    item = api.add(api.create_id(), says("elsewhere"))[0]["id"]
    conversation = api.create_id()
    reference = {"type": "item_reference", "id": item}
    expect(_fields(api.add(conversation, reference)[0], reference), reference, "the item in the answer")
    expect(_fields(api.get(item_path(conversation, item)).ok(), reference), reference, "the item when retrieved")


@scenario("items.references.unknown-item-is-404", "items.references.foreign-item-is-404")
def a_reference_to_no_item_of_the_callers_answers_404(api: Api) -> None:
    other = api.other_end_user()
    foreign = other.add(other.create_id(), says("theirs"))[0]["id"]
    conversation = api.create_id()
    for rule, item in (
        ("items.references.unknown-item-is-404", fresh_name("msg")),
        ("items.references.foreign-item-is-404", foreign),
    ):
        api.checks(rule)
        api.post(items_path(conversation), {"items": [{"type": "item_reference", "id": item}]}).refused(404)


@scenario("items.references.same-conversation-is-400")
def a_reference_within_a_conversation_answers_400(api: Api) -> None:
    conversation = api.create_id()
    item = api.add(conversation, says("one"))[0]["id"]
    api.post(items_path(conversation), {"items": [{"type": "item_reference", "id": item}]}).refused(400)
    expect(ids(api.items(conversation)), [item], "items afterwards")


# -- Retrieve and remove -----------------------------------------------------------------------------------


@scenario("items.retrieve.answers-what-create-answered")
def retrieving_an_item_answers_what_adding_answered(api: Api) -> None:
    conversation = api.create_id()
    for item in api.add(conversation, says("one"), says("two", role="developer")):
        expect(api.get(item_path(conversation, item["id"])).ok(), item, "the item")


@scenario("items.retrieve.unknown-id-is-404", "items.retrieve.through-another-conversation-is-404")
def retrieving_what_is_not_in_the_conversation_answers_404(api: Api) -> None:
    elsewhere = api.add(api.create_id(), says("one"))[0]["id"]
    conversation = api.create_id()
    api.checks("items.retrieve.unknown-id-is-404")
    api.get(item_path(conversation, fresh_name("msg"))).refused(404)
    api.checks("items.retrieve.through-another-conversation-is-404")
    api.get(item_path(conversation, elsewhere)).refused(404)


@scenario("items.delete.answers-with-the-conversation", "items.delete.removes-only-that-item")
def removing_an_item_answers_with_the_conversation(api: Api) -> None:
    conversation = api.create(says("one"), says("two"), says("three"), topic="tests")
    one, two, three = ids(api.items(conversation["id"]))
    api.checks("items.delete.answers-with-the-conversation")
    answer = api.delete(item_path(conversation["id"], two)).ok()
    expect({name: answer.get(name) for name in ("id", "object", "created_at")},
           {name: conversation[name] for name in ("id", "object", "created_at")}, "the answer")  # fmt: skip
    api.checks("items.delete.removes-only-that-item")
    expect(sorted(ids(api.items(conversation["id"]))), sorted([one, three]), "items afterwards")


@scenario("items.delete.then-retrieve-is-404", "items.delete.twice-is-404")
def a_removed_item_is_gone(api: Api) -> None:
    conversation = api.create_id(says("one"))
    item = ids(api.items(conversation))[0]
    api.delete(item_path(conversation, item)).ok()
    api.checks("items.delete.then-retrieve-is-404")
    api.get(item_path(conversation, item)).refused(404)
    api.checks("items.delete.twice-is-404")
    for one in (item, fresh_name("msg")):
        api.delete(item_path(conversation, one)).refused(404)


@scenario("items.delete-many.answers-with-the-conversation", "items.delete-many.removes-exactly-those")
def removing_several_items_answers_with_the_conversation(api: Api) -> None:
    conversation = api.create(says("one"), says("two"), says("three"))
    one, two, three = ids(api.items(conversation["id"]))
    api.checks("items.delete-many.answers-with-the-conversation")
    answer = api.delete(items_path(conversation["id"]), {"item_ids": [three, one]}).ok()
    expect((answer.get("id"), answer.get("object")), (conversation["id"], "conversation"), "the answer")
    api.checks("items.delete-many.removes-exactly-those")
    expect(ids(api.items(conversation["id"])), [two], "items afterwards")


@scenario("items.delete-many.refuses-none")
def removing_no_item_is_refused(api: Api) -> None:
    conversation = api.create_id(says("one"))
    api.delete(items_path(conversation), {"item_ids": []}).refused()
    expect(len(ids(api.items(conversation))), 1, "how many items there are afterwards")


@scenario("items.delete-many.is-all-or-nothing")
def one_unknown_id_removes_nothing(api: Api) -> None:
    conversation = api.create_id(says("one"), says("two"))
    present, unknown = ids(api.items(conversation)), fresh_name("msg")
    answer = api.delete(items_path(conversation), {"item_ids": [present[0], unknown]})
    message = answer.refused(404).get("message", "")
    assert unknown in message, f"message: expected one with {unknown!r}, received {message!r}"
    expect(ids(api.items(conversation)), present, "items afterwards")
    api.get(conversation_path(conversation)).ok()


@scenario("items.delete-many.repeated-ids-count-once")
def an_id_named_twice_counts_once(api: Api) -> None:
    conversation = api.create_id(says("one"), says("two"))
    one, two = ids(api.items(conversation))
    api.delete(items_path(conversation), {"item_ids": [one, one]}).ok()
    expect(ids(api.items(conversation)), [two], "items afterwards")
