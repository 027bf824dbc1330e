"""Items: add, retrieve, remove; their ids and references."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from mockserver.conformance.client import ApiClient
from mockserver.conformance.expectations import ScenarioFailure, expect, require
from mockserver.conformance.names import unique_name, unknown_id_like
from mockserver.conformance.pages import ids, message_text, texts
from mockserver.conformance.paths import conversation_path, item_path, items_path
from mockserver.conformance.samples import Item, full_items, message, minimal_items
from mockserver.conformance.scenario import FakeSettings, Scenarios

scenario = Scenarios()

_AT_A_TIME = 20


def _have_ids_of_their_own(items: Iterable[Item]) -> None:
    found = [item.get("id") for item in items]
    require(all(isinstance(one, str) and one for one in found), "ids", "text", found)
    expect(sorted({str(one) for one in found if found.count(one) > 1}), [], "ids that several items have")


def _kind(item: Item) -> tuple[str | None, str | None]:
    """The type; the role tells messages apart."""
    return item.get("type"), item.get("role")


def _change(before: Any, after: Any, place: str = "") -> str | None:
    """The first thing that is not there as it was; there may be more than before, and null is the same as absent."""
    if isinstance(before, dict) and isinstance(after, dict):
        inner = ((value, after.get(name), f"{place}.{name}" if place else name) for name, value in before.items())
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        inner = (
            (one, other, f"{place}[{number}]") for number, (one, other) in enumerate(zip(before, after, strict=True))
        )
    else:
        return None if before == after else f"{place} {_short(before)} is {_short(after)}"
    return next((change for one in inner if (change := _change(*one))), None)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _unchanged(changes: Mapping[str, str | None], what: str) -> None:
    """Fail with everything that changed."""
    changed = [f"{name}: {change}" for name, change in changes.items() if change]
    if changed:
        raise ScenarioFailure(f"changes {what}", "none", "; ".join(changed))


def _without_id(item: Item) -> Item:
    return {name: value for name, value in item.items() if name != "id" or item["type"] == "item_reference"}


def _add_what_is_taken(api: ApiClient, conversation: str, items: Mapping[str, Item]) -> tuple[list[Item], list[str]]:
    """The items as adding answered them, and the names of those that were refused even alone."""
    names, added, refused = list(items), list[Item](), list[str]()
    for start in range(0, len(names), _AT_A_TIME):
        some = names[start : start + _AT_A_TIME]
        answer = api.post(items_path(conversation), {"items": [items[name] for name in some]})
        if answer.status == 200:
            added += answer.body["data"]
            continue
        for name in some:
            answer = api.post(items_path(conversation), {"items": [items[name]]})
            if answer.status == 200:
                added += answer.body["data"]
            else:
                refused.append(name)
    return added, refused


def _listed(api: ApiClient, conversation: str, order: str) -> list[Item]:
    """All items, also where a page cannot have as many."""
    page = api.list_items(conversation, limit=100, order=order)
    found = list[Item](page["data"])
    while page.get("has_more") and len(found) < 100:
        page = api.list_items(conversation, limit=100, order=order, after=str(page.get("last_id")))
        found += page["data"]
    return found


def _told_apart(sent: Mapping[str, Item], received: Iterable[Item]) -> dict[str, Item]:
    """What was received, by the names of what was sent; its order tells nothing, for that is another rule."""
    left, found = list(received), dict[str, Item]()
    for may_differ in (False, True):  # First what came back as it was, then what is at least of the same kind.
        for name, item in sent.items():
            alike = (one for one in left if may_differ or not _change(_without_id(item), one))
            one = None if name in found else next((one for one in alike if _kind(one) == _kind(item)), None)
            if one is not None:
                left.remove(one)
                found[name] = one
    return found


def _every_kind(api: ApiClient) -> dict[str, Item]:
    """Items of every kind, some of them with no more than they must have, by what they show."""
    referenced = api.add_items(api.create_id(), message("elsewhere"))[0]["id"]
    return minimal_items(unique_name(""), referenced) | full_items(unique_name(""))


# -- Add ---------------------------------------------------------------------------------------------------


@scenario("items.create.answers-with-the-new-items", "items.create.last-id-names-the-last-new-item")
def adding_answers_with_the_new_items(api: ApiClient) -> None:
    conversation = api.create_id(message("before"))
    page = api.post(items_path(conversation), {"items": [message("one"), message("two", role="system")]}).expect_ok()
    api.set_behaviour("items.create.answers-with-the-new-items")
    expect(page.get("object", "list"), "list", "object")
    expect(sorted(texts(page)), ["one", "two"], "contents of the items")
    api.set_behaviour("items.create.last-id-names-the-last-new-item")
    last = {ids(page)[-1], ids(page)[texts(page).index("two")]}  # That they keep their order is another rule.
    require(page.get("last_id") in last, "last_id", f"{ids(page)[-1]!r}", page.get("last_id"))
    expect(page.get("has_more"), False, "has_more")


@scenario("items.create.gives-every-item-an-id", "items.create.keeps-the-order", "items.create.appends")
def items_get_ids_and_follow_each_other(api: ApiClient) -> None:
    conversation = api.create_id(message("one"), message("two"))
    added = api.add_items(conversation, message("three"), message("four"))
    page = api.list_items(conversation, order="asc")
    api.set_behaviour("items.create.gives-every-item-an-id")
    _have_ids_of_their_own(page["data"])
    api.set_behaviour("items.create.appends")
    said = texts(page)
    expect([sorted(said[:2]), sorted(said[2:])], [["one", "two"], ["four", "three"]], "what was there, what was added")
    api.set_behaviour("items.create.keeps-the-order")
    expect([message_text(item) for item in added], ["three", "four"], "the order of the answer")
    expect(said, ["one", "two", "three", "four"], "the order of the list")


@scenario("items.create.takes-20-items", "items.create.keeps-the-order")
def twenty_items_can_be_added(api: ApiClient) -> None:
    words = [f"{name} {number}" for name in ("pear", "Zebra", "apple", "Ärger") for number in (10, 9, 100, 2, 1)]
    conversation = api.create_id()
    api.set_behaviour("items.create.takes-20-items")
    added = api.add_items(conversation, *map(message, words))
    expect(len(added), 20, "items added")
    listed = texts(api.list_items(conversation, limit=100, order="asc"))
    expect(sorted(listed), sorted(words), "the texts of the items afterwards")
    api.set_behaviour("items.create.keeps-the-order")
    expect([message_text(item) for item in added], words, "the order of the answer")
    expect(listed, words, "the order of the list")


@scenario("items.create.refuses-21-items", "items.create.refuses-0-items")
def neither_21_nor_0_items_can_be_added(api: ApiClient) -> None:
    conversation = api.create_id()
    api.set_behaviour("items.create.refuses-21-items")
    api.post(items_path(conversation), {"items": [message("hello")] * 21}).expect_error()
    expect(ids(api.list_items(conversation)), [], "items afterwards")
    api.set_behaviour("items.create.refuses-0-items")
    api.post(items_path(conversation), {"items": []}).expect_error()


@scenario("items.create.takes-every-kind", "items.create.gives-every-item-an-id")
def items_of_every_kind_are_taken(api: ApiClient) -> None:
    sent = _every_kind(api)
    conversation = api.create_id()
    api.set_behaviour("items.create.takes-every-kind")
    added, refused = _add_what_is_taken(api, conversation, sent)
    unknown = {sent[name]["type"] for name in refused if name in minimal_items("", "")} - {"message"}
    said = [name for name in refused if name in unknown or sent[name]["type"] not in unknown]
    expect(said, [], "items that are rejected")
    listed = _listed(api, conversation, "asc")
    for where, items in (("the answer", added), ("the list", listed)):
        other = sorted(sent.keys() - _told_apart(sent, items))
        expect(other, [], f"items that {where} does not have under their kind")
    api.set_behaviour("items.create.gives-every-item-an-id")
    for items in (added, listed):
        _have_ids_of_their_own(items)


@scenario(
    "items.list.shows-the-items", "items.retrieve.answers-what-create-answered", "items.create.keeps-every-field"
)
def items_of_every_kind_come_back_as_sent(api: ApiClient) -> None:
    sent = _every_kind(api)
    conversation = api.create_id()
    answers, refused = _add_what_is_taken(api, conversation, sent)  # Whether it takes every kind is another rule.
    added = _told_apart({name: item for name, item in sent.items() if name not in refused}, answers)

    def changed(name: str, received: Item | None) -> str | None:
        return "is not there" if received is None else _change(added[name], received) or _change(received, added[name])

    api.set_behaviour("items.list.shows-the-items")
    for order in ("asc", "desc"):
        listed = {item.get("id"): item for item in _listed(api, conversation, order)}
        _unchanged(
            {name: changed(name, listed.get(item["id"])) for name, item in added.items()}, f"in the list, {order}"
        )
    api.set_behaviour("items.retrieve.answers-what-create-answered")
    rich = {name: item["id"] for name, item in added.items() if name in full_items("")}
    read = {name: api.get(item_path(conversation, item)).expect_ok() for name, item in rich.items()}
    _unchanged({name: changed(name, item) for name, item in read.items()}, "when retrieved")
    api.set_behaviour("items.create.keeps-every-field")
    _unchanged({name: _change(_without_id(sent[name]), item) for name, item in added.items()}, "when added")


@scenario("items.list.shows-the-items", "items.retrieve.answers-what-create-answered")
def a_long_text_comes_back_whole(api: ApiClient) -> None:
    text = " ".join(map(str, range(15_000)))  # More than 64 KiB, which is where some stores cut.
    conversation = api.create_id()
    answer = api.post(items_path(conversation), {"items": [message(text)]})
    if answer.status != 200:  # Nobody says how long a text may be.
        return
    added = answer.body["data"][0]
    expect(len(message_text(added)), len(text), "the length of the text in the answer")
    api.set_behaviour("items.list.shows-the-items")
    expect(len(texts(api.list_items(conversation))[0]), len(text), "the length of the text in the list")
    api.set_behaviour("items.retrieve.answers-what-create-answered")
    read = api.get(item_path(conversation, added["id"])).expect_ok()
    expect(len(message_text(read)), len(text), "the length of the text when retrieved")
    if message_text(read) != text:
        raise ScenarioFailure("the text when retrieved", "the text that was sent", "another one")


@scenario("items.create.text-stays-text", "items.create.messages-need-no-type")
def a_message_may_be_just_role_and_text(api: ApiClient) -> None:
    conversation = api.create_id()
    api.set_behaviour("items.create.messages-need-no-type")
    added = api.add_items(conversation, {"role": "user", "content": "hello"})[0]
    listed = api.list_items(conversation)["data"][0]
    for where, item in (("answer", added), ("list", listed)):
        expect(item.get("type", "message"), "message", f"type in the {where}")
        expect((item.get("role"), message_text(item)), ("user", "hello"), f"role and text in the {where}")
    api.set_behaviour("items.create.text-stays-text")
    expect(added["content"], "hello", "content in the answer")
    expect(listed["content"], "hello", "content in the list")


@scenario("items.create.unknown-kind-is-refused", "items.create.is-all-or-nothing")
def an_unknown_kind_is_refused_with_all_others(api: ApiClient) -> None:
    conversation = api.create_id()
    spoiled = [message("one"), {"type": "hologram", "content": "two"}]
    api.set_behaviour("items.create.unknown-kind-is-refused")
    api.post(items_path(conversation), {"items": spoiled}).expect_error()
    api.post("/conversations", {"items": spoiled}).expect_error()
    api.set_behaviour("items.create.is-all-or-nothing")
    expect(ids(api.list_items(conversation)), [], "items afterwards")


@scenario("items.create.refuses-missing-fields")
def an_item_without_a_field_of_its_kind_is_refused(api: ApiClient) -> None:
    items = items_path(api.create_id())
    for spoiled in (
        {"type": "message", "role": "user"},
        {"type": "function_call", "call_id": "call_1", "name": "get_weather"},
        {"type": "function_call_output", "output": "1"},
        {"type": "reasoning", "id": unique_name("rs")},
        message("", content=[{"type": "input_text"}]),
    ):
        api.post(items, {"items": [spoiled]}).expect_error()


@scenario("items.create.drops-unknown-fields")
def unknown_fields_are_dropped(api: ApiClient) -> None:
    body = {"items": [message("one", colour="red")], "metadata": {}, "colour": "red"}
    conversation = api.post("/conversations", body).expect_ok()
    item = api.list_items(conversation["id"])["data"][0]
    require("colour" not in conversation, "the conversation", "no colour", conversation)
    require("colour" not in item, "the item", "no colour", item)


@scenario("items.create.can-refuse-unknown-fields", needs=FakeSettings(unknown_fields="reject"))
def unknown_fields_can_be_refused(api: ApiClient) -> None:
    error = api.post("/conversations", {"items": [message("one", colour="red")]}).expect_error(400)
    expect([finding["pointer"] for finding in error.get("findings", [])], ["/items/0/colour"], "pointers")
    expect(ids(api.list_conversations()), [], "conversations afterwards")


@scenario("items.create.ignores-include")
def include_has_no_effect_when_adding(api: ApiClient) -> None:
    conversation = api.create_id()
    api.post(items_path(conversation), {"items": [message("one")], "include": ["content"]}).expect_ok()
    expect(texts(api.list_items(conversation)), ["one"], "contents of the items")


@scenario("items.create.no-response-made-them")
def added_items_name_no_response(api: ApiClient) -> None:
    conversation = api.create_id(topic="tests")
    added = api.add_items(conversation, message("one"))[0]
    read = api.get(item_path(conversation, added["id"])).expect_ok()
    for where, item in (("in the answer", added), ("when retrieved", read)):
        expect((item.get("response_id"), item.get("metadata")), (None, None), f"response_id and metadata {where}")


@scenario("items.create.unknown-conversation-is-404")
def adding_to_an_unknown_conversation_answers_404(api: ApiClient) -> None:
    api.post(items_path(unknown_id_like(api.create_id())), {"items": [message("one")]}).expect_error(404)


# -- Ids and references ------------------------------------------------------------------------------------


@scenario("items.ids.clients-may-choose")
def a_chosen_id_is_kept(api: ApiClient) -> None:
    chosen = unique_name("msg")
    conversation = api.create_id()
    expect(api.add_items(conversation, message("one", id=chosen))[0]["id"], chosen, "the id in the answer")
    expect(message_text(api.get(item_path(conversation, chosen)).expect_ok()), "one", "the item under that id")


@scenario("items.ids.differ-within-a-request")
def two_items_of_a_request_cannot_share_an_id(api: ApiClient) -> None:
    conversation, chosen = api.create_id(), unique_name("msg")
    twins = [message("one", id=chosen), message("two", id=chosen)]
    answer = api.post(items_path(conversation), {"items": twins})
    if answer.status == 200 and chosen not in ids(answer.body):
        return  # Whether a client may choose an id at all is another rule.
    answer.expect_error()
    left = ids(api.list_items(conversation))
    require(left.count(chosen) < 2, "items afterwards", "no two with one id", left)


@scenario("items.ids.in-use-is-400")
def an_id_in_use_answers_400(api: ApiClient) -> None:
    first, second = api.create_id(message("one")), api.create_id()
    used = ids(api.list_items(first))[0]
    for conversation in (first, second):
        body = {"items": [message("new"), message("two", id=used)]}
        error = api.post(items_path(conversation), body).expect_error(400)
        expect(error.get("param"), "items[1].id", "param")
    api.post("/conversations", {"items": [message("two", id=used)]}).expect_error(400)
    found = [ids(api.list_items(conversation)).count(used) for conversation in (first, second)]
    expect(found, [1, 0], "how often the id is in either conversation afterwards")


@scenario("items.ids.clients-may-choose", "items.ids.are-free-after-removal")
def the_id_of_a_removed_item_is_free(api: ApiClient) -> None:
    chosen = unique_name("msg")
    conversation = api.create_id()
    api.set_behaviour("items.ids.clients-may-choose")
    expect(api.add_items(conversation, message("one", id=chosen))[0]["id"], chosen, "the id in the answer")
    api.delete(item_path(conversation, chosen)).expect_ok()
    api.set_behaviour("items.ids.are-free-after-removal")
    expect(api.add_items(conversation, message("two", id=chosen))[0]["id"], chosen, "the id")
    expect(message_text(api.get(item_path(conversation, chosen)).expect_ok()), "two", "the content")


@scenario("items.ids.clients-may-choose", "items.ids.belong-to-the-caller")
def another_end_user_may_choose_the_same_id(api: ApiClient) -> None:
    chosen = unique_name("msg")
    other = api.with_new_end_user()
    mine, theirs = api.create_id(), other.create_id()
    api.set_behaviour("items.ids.clients-may-choose")
    expect(api.add_items(mine, message("one", id=chosen))[0]["id"], chosen, "the id in the answer")
    api.set_behaviour("items.ids.belong-to-the-caller")
    expect(other.add_items(theirs, message("two", id=chosen))[0]["id"], chosen, "the other end user's id")
    expect(message_text(other.get(item_path(theirs, chosen)).expect_ok()), "two", "the other end user's item")


def _referenced_anew(api: ApiClient, item: str) -> Item:
    """A reference in a conversation of its own, which shows that the kind is known."""
    api.set_behaviour("items.create.takes-every-kind")
    return api.add_items(api.create_id(), {"type": "item_reference", "id": item})[0]


@scenario("items.create.takes-every-kind", "items.references.are-kept-as-references")
def a_reference_is_kept_as_a_reference(api: ApiClient) -> None:
    item = api.add_items(api.create_id(), message("elsewhere"))[0]["id"]
    conversation = api.create_id()
    reference = {"type": "item_reference", "id": item}
    api.set_behaviour("items.create.takes-every-kind")
    added = api.add_items(conversation, reference)[0]
    api.set_behaviour("items.references.are-kept-as-references")
    _unchanged({"the reference": _change(reference, added)}, "in the answer")
    read = api.get(item_path(conversation, item)).expect_ok()
    _unchanged({"the reference": _change(reference, read)}, "when retrieved")


@scenario(
    "items.create.takes-every-kind", "items.references.unknown-item-is-404", "items.references.foreign-item-is-404"
)
def a_reference_to_no_item_of_the_callers_answers_404(api: ApiClient) -> None:
    other = api.with_new_end_user()
    foreign = other.add_items(other.create_id(), message("theirs"))[0]["id"]
    conversation = api.create_id()
    for rule, item in (
        ("items.references.unknown-item-is-404", unknown_id_like(foreign)),
        ("items.references.foreign-item-is-404", foreign),
    ):
        answer = api.post(items_path(conversation), {"items": [{"type": "item_reference", "id": item}]})
        if answer.status not in (200, 404):
            _referenced_anew(api, api.add_items(conversation, message("one"))[0]["id"])
        api.set_behaviour(rule)
        answer.expect_error(404)


@scenario("items.create.takes-every-kind", "items.references.same-conversation-is-400")
def a_reference_within_a_conversation_answers_400(api: ApiClient) -> None:
    conversation = api.create_id()
    item = api.add_items(conversation, message("one"))[0]["id"]
    answer = api.post(items_path(conversation), {"items": [{"type": "item_reference", "id": item}]})
    left = ids(api.list_items(conversation))
    _referenced_anew(api, item)
    api.set_behaviour("items.references.same-conversation-is-400")
    answer.expect_error(400)
    expect(left, [item], "items afterwards")


# -- Retrieve and remove -----------------------------------------------------------------------------------


@scenario("items.retrieve.answers-what-create-answered")
def retrieving_an_item_answers_what_adding_answered(api: ApiClient) -> None:
    conversation = api.create_id()
    for item in api.add_items(conversation, message("one"), message("two", role="developer")):
        expect(api.get(item_path(conversation, item["id"])).expect_ok(), item, "the item")


@scenario("items.retrieve.unknown-id-is-404", "items.retrieve.through-another-conversation-is-404")
def retrieving_what_is_not_in_the_conversation_answers_404(api: ApiClient) -> None:
    elsewhere = api.add_items(api.create_id(), message("one"))[0]["id"]
    conversation = api.create_id()
    api.set_behaviour("items.retrieve.unknown-id-is-404")
    api.get(item_path(conversation, unknown_id_like(elsewhere))).expect_error(404)
    api.set_behaviour("items.retrieve.through-another-conversation-is-404")
    api.get(item_path(conversation, elsewhere)).expect_error(404)


@scenario("items.delete.answers-with-the-conversation", "items.delete.removes-only-that-item")
def removing_an_item_answers_with_the_conversation(api: ApiClient) -> None:
    conversation = api.create(message("one"), message("two"), message("three"), topic="tests")
    one, two, three = ids(api.list_items(conversation["id"]))
    api.set_behaviour("items.delete.answers-with-the-conversation")
    answer = api.delete(item_path(conversation["id"], two)).expect_ok()
    expect({name: answer.get(name) for name in ("id", "object", "created_at")},
           {name: conversation[name] for name in ("id", "object", "created_at")}, "the answer")  # fmt: skip
    api.set_behaviour("items.delete.removes-only-that-item")
    expect(sorted(ids(api.list_items(conversation["id"]))), sorted([one, three]), "items afterwards")


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
    expect(sorted(left.values()), sorted(added), "the calls and outputs afterwards")


@scenario("items.delete.then-retrieve-is-404", "items.delete.twice-is-404")
def a_removed_item_is_gone(api: ApiClient) -> None:
    conversation = api.create_id(message("one"))
    item = ids(api.list_items(conversation))[0]
    api.delete(item_path(conversation, item)).expect_ok()
    api.set_behaviour("items.delete.then-retrieve-is-404")
    api.get(item_path(conversation, item)).expect_error(404)
    api.set_behaviour("items.delete.twice-is-404")
    for one in (item, unknown_id_like(item)):
        api.delete(item_path(conversation, one)).expect_error(404)


@scenario("items.delete-many.answers-with-the-conversation", "items.delete-many.removes-exactly-those")
def removing_several_items_answers_with_the_conversation(api: ApiClient) -> None:
    conversation = api.create(message("one"), message("two"), message("three"))
    one, two, three = ids(api.list_items(conversation["id"]))
    api.set_behaviour("items.delete-many.answers-with-the-conversation")
    answer = api.delete(items_path(conversation["id"]), {"item_ids": [three, one]}).expect_ok()
    expect((answer.get("id"), answer.get("object")), (conversation["id"], "conversation"), "the answer")
    api.set_behaviour("items.delete-many.removes-exactly-those")
    expect(ids(api.list_items(conversation["id"])), [two], "items afterwards")


@scenario("items.delete-many.refuses-none")
def removing_no_item_is_refused(api: ApiClient) -> None:
    conversation = api.create_id(message("one"))
    api.delete(items_path(conversation), {"item_ids": []}).expect_error()
    expect(len(ids(api.list_items(conversation))), 1, "how many items there are afterwards")


@scenario("items.delete-many.is-all-or-nothing")
def one_unknown_id_removes_nothing(api: ApiClient) -> None:
    conversation = api.create_id(message("one"), message("two"))
    present = ids(api.list_items(conversation))
    unknown = unknown_id_like(present[0])
    answer = api.delete(items_path(conversation), {"item_ids": [present[0], unknown]})
    answer.expect_error(404)
    require(unknown in str(answer.body), "the error", f"one that names {unknown!r}", answer.body)
    expect(ids(api.list_items(conversation)), present, "items afterwards")
    api.get(conversation_path(conversation)).expect_ok()


@scenario("items.delete-many.repeated-ids-count-once")
def an_id_named_twice_counts_once(api: ApiClient) -> None:
    conversation = api.create_id(message("one"), message("two"))
    one, two = ids(api.list_items(conversation))
    api.delete(items_path(conversation), {"item_ids": [one, one]}).expect_ok()
    expect(ids(api.list_items(conversation)), [two], "items afterwards")
