"""Items: add, retrieve, remove; their ids and references."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from mockserver.conformance.client import Api, conversation_path, fresh_name, ids, item_path, items_path, similar_id
from mockserver.conformance.samples import Item, bare_items, rich_items, says
from mockserver.conformance.scenario import FakeSettings, Scenarios, expect
from mockserver.conformance.scenarios.reading import text_of, texts

scenario = Scenarios()

_AT_A_TIME = 20


def _have_ids_of_their_own(items: Iterable[Item]) -> None:
    found = [item.get("id") for item in items]
    assert all(isinstance(one, str) and one for one in found), f"ids: expected text, received {found!r}"
    repeated = sorted({str(one) for one in found if found.count(one) > 1})
    assert not repeated, f"ids that several items have: expected none, received {repeated!r}"


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
    assert not changed, f"what changed {what}: expected nothing, received {'; '.join(changed)}"


def _without_id(item: Item) -> Item:
    return {name: value for name, value in item.items() if name != "id" or item["type"] == "item_reference"}


def _add_what_is_taken(api: Api, conversation: str, items: Mapping[str, Item]) -> tuple[list[Item], list[str]]:
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


def _listed(api: Api, conversation: str, order: str) -> list[Item]:
    """All items, also where a page cannot have as many."""
    page = api.items(conversation, limit=100, order=order)
    found = list[Item](page["data"])
    while page.get("has_more") and len(found) < 100:
        page = api.items(conversation, limit=100, order=order, after=str(page.get("last_id")))
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


def _every_kind(api: Api) -> dict[str, Item]:
    """Items of every kind, some of them with no more than they must have, by what they show."""
    referenced = api.add(api.create_id(), says("elsewhere"))[0]["id"]
    return bare_items(fresh_name(""), referenced) | rich_items(fresh_name(""))


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
    assert page.get("last_id") in last, f"last_id: expected {ids(page)[-1]!r}, received {page.get('last_id')!r}"
    expect(page.get("has_more"), False, "has_more")


@scenario("items.create.gives-every-item-an-id", "items.create.keeps-the-order", "items.create.appends")
def items_get_ids_and_follow_each_other(api: Api) -> None:
    conversation = api.create_id(says("one"), says("two"))
    added = api.add(conversation, says("three"), says("four"))
    page = api.items(conversation, order="asc")
    api.checks("items.create.gives-every-item-an-id")
    _have_ids_of_their_own(page["data"])
    api.checks("items.create.appends")
    said = texts(page)
    expect([sorted(said[:2]), sorted(said[2:])], [["one", "two"], ["four", "three"]], "what was there, what was added")
    api.checks("items.create.keeps-the-order")
    expect([text_of(item) for item in added], ["three", "four"], "the order of the answer")
    expect(said, ["one", "two", "three", "four"], "the order of the list")


@scenario("items.create.takes-20-items", "items.create.keeps-the-order")
def twenty_items_can_be_added(api: Api) -> None:
    words = [f"{name} {number}" for name in ("pear", "Zebra", "apple", "Ärger") for number in (10, 9, 100, 2, 1)]
    conversation = api.create_id()
    api.checks("items.create.takes-20-items")
    added = api.add(conversation, *map(says, words))
    expect(len(added), 20, "items added")
    listed = texts(api.items(conversation, limit=100, order="asc"))
    expect(sorted(listed), sorted(words), "the texts of the items afterwards")
    api.checks("items.create.keeps-the-order")
    expect([text_of(item) for item in added], words, "the order of the answer")
    expect(listed, words, "the order of the list")


@scenario("items.create.refuses-21-items", "items.create.refuses-0-items")
def neither_21_nor_0_items_can_be_added(api: Api) -> None:
    conversation = api.create_id()
    api.checks("items.create.refuses-21-items")
    api.post(items_path(conversation), {"items": [says("hello")] * 21}).refused()
    expect(ids(api.items(conversation)), [], "items afterwards")
    api.checks("items.create.refuses-0-items")
    api.post(items_path(conversation), {"items": []}).refused()


@scenario("items.create.takes-every-kind", "items.create.gives-every-item-an-id")
def items_of_every_kind_are_taken(api: Api) -> None:
    sent = _every_kind(api)
    conversation = api.create_id()
    api.checks("items.create.takes-every-kind")
    added, refused = _add_what_is_taken(api, conversation, sent)
    unknown = {sent[name]["type"] for name in refused if name in bare_items("", "")} - {"message"}
    said = [name for name in refused if name in unknown or sent[name]["type"] not in unknown]
    assert not refused, f"items that are refused: expected none, received {', '.join(said)}"
    listed = _listed(api, conversation, "asc")
    for where, items in (("the answer", added), ("the list", listed)):
        other = sorted(sent.keys() - _told_apart(sent, items))
        assert not other, (
            f"items that {where} does not have under their kind: expected none, received {', '.join(other)}"
        )
    api.checks("items.create.gives-every-item-an-id")
    for items in (added, listed):
        _have_ids_of_their_own(items)


@scenario(
    "items.list.shows-the-items", "items.retrieve.answers-what-create-answered", "items.create.keeps-every-field"
)
def items_of_every_kind_come_back_as_sent(api: Api) -> None:
    sent = _every_kind(api)
    conversation = api.create_id()
    answers, refused = _add_what_is_taken(api, conversation, sent)  # Whether it takes every kind is another rule.
    added = _told_apart({name: item for name, item in sent.items() if name not in refused}, answers)

    def changed(name: str, received: Item | None) -> str | None:
        return "is not there" if received is None else _change(added[name], received) or _change(received, added[name])

    api.checks("items.list.shows-the-items")
    for order in ("asc", "desc"):
        listed = {item.get("id"): item for item in _listed(api, conversation, order)}
        _unchanged(
            {name: changed(name, listed.get(item["id"])) for name, item in added.items()}, f"in the list, {order}"
        )
    api.checks("items.retrieve.answers-what-create-answered")
    rich = {name: item["id"] for name, item in added.items() if name in rich_items("")}
    read = {name: api.get(item_path(conversation, item)).ok() for name, item in rich.items()}
    _unchanged({name: changed(name, item) for name, item in read.items()}, "when retrieved")
    api.checks("items.create.keeps-every-field")
    _unchanged({name: _change(_without_id(sent[name]), item) for name, item in added.items()}, "when added")


@scenario("items.list.shows-the-items", "items.retrieve.answers-what-create-answered")
def a_long_text_comes_back_whole(api: Api) -> None:
    text = " ".join(map(str, range(15_000)))  # More than 64 KiB, which is where some stores cut.
    conversation = api.create_id()
    answer = api.post(items_path(conversation), {"items": [says(text)]})
    if answer.status != 200:  # Nobody says how long a text may be.
        return
    added = answer.body["data"][0]
    expect(len(text_of(added)), len(text), "the length of the text in the answer")
    api.checks("items.list.shows-the-items")
    expect(len(texts(api.items(conversation))[0]), len(text), "the length of the text in the list")
    api.checks("items.retrieve.answers-what-create-answered")
    read = api.get(item_path(conversation, added["id"])).ok()
    expect(len(text_of(read)), len(text), "the length of the text when retrieved")
    assert text_of(read) == text, "the text when retrieved: expected what was sent, received another one"


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


@scenario("items.create.refuses-missing-fields")
def an_item_without_a_field_of_its_kind_is_refused(api: Api) -> None:
    items = items_path(api.create_id())
    for spoiled in (
        {"type": "message", "role": "user"},
        {"type": "function_call", "call_id": "call_1", "name": "get_weather"},
        {"type": "function_call_output", "output": "1"},
        {"type": "reasoning", "id": fresh_name("rs")},
        says("", content=[{"type": "input_text"}]),
    ):
        api.post(items, {"items": [spoiled]}).refused()


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
    expect([finding["pointer"] for finding in error.get("findings", [])], ["/items/0/colour"], "pointers")
    expect(ids(api.conversations()), [], "conversations afterwards")


@scenario("items.create.ignores-include")
def include_has_no_effect_when_adding(api: Api) -> None:
    conversation = api.create_id()
    api.post(items_path(conversation), {"items": [says("one")], "include": ["content"]}).ok()
    expect(texts(api.items(conversation)), ["one"], "contents of the items")


@scenario("items.create.no-response-made-them")
def added_items_name_no_response(api: Api) -> None:
    conversation = api.create_id(topic="tests")
    added = api.add(conversation, says("one"))[0]
    read = api.get(item_path(conversation, added["id"])).ok()
    for where, item in (("in the answer", added), ("when retrieved", read)):
        expect((item.get("response_id"), item.get("metadata")), (None, None), f"response_id and metadata {where}")


@scenario("items.create.unknown-conversation-is-404")
def adding_to_an_unknown_conversation_answers_404(api: Api) -> None:
    api.post(items_path(similar_id(api.create_id())), {"items": [says("one")]}).refused(404)


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


def _referenced_anew(api: Api, item: str) -> Item:
    """A reference in a conversation of its own, which shows that the kind is known."""
    api.checks("items.create.takes-every-kind")
    return api.add(api.create_id(), {"type": "item_reference", "id": item})[0]


@scenario("items.create.takes-every-kind", "items.references.are-kept-as-references")
def a_reference_is_kept_as_a_reference(api: Api) -> None:
    item = api.add(api.create_id(), says("elsewhere"))[0]["id"]
    conversation = api.create_id()
    reference = {"type": "item_reference", "id": item}
    api.checks("items.create.takes-every-kind")
    added = api.add(conversation, reference)[0]
    api.checks("items.references.are-kept-as-references")
    _unchanged({"the reference": _change(reference, added)}, "in the answer")
    read = api.get(item_path(conversation, item)).ok()
    _unchanged({"the reference": _change(reference, read)}, "when retrieved")


@scenario(
    "items.create.takes-every-kind", "items.references.unknown-item-is-404", "items.references.foreign-item-is-404"
)
def a_reference_to_no_item_of_the_callers_answers_404(api: Api) -> None:
    other = api.other_end_user()
    foreign = other.add(other.create_id(), says("theirs"))[0]["id"]
    conversation = api.create_id()
    for rule, item in (
        ("items.references.unknown-item-is-404", similar_id(foreign)),
        ("items.references.foreign-item-is-404", foreign),
    ):
        answer = api.post(items_path(conversation), {"items": [{"type": "item_reference", "id": item}]})
        if answer.status not in (200, 404):
            _referenced_anew(api, api.add(conversation, says("one"))[0]["id"])
        api.checks(rule)
        answer.refused(404)


@scenario("items.create.takes-every-kind", "items.references.same-conversation-is-400")
def a_reference_within_a_conversation_answers_400(api: Api) -> None:
    conversation = api.create_id()
    item = api.add(conversation, says("one"))[0]["id"]
    answer = api.post(items_path(conversation), {"items": [{"type": "item_reference", "id": item}]})
    left = ids(api.items(conversation))
    _referenced_anew(api, item)
    api.checks("items.references.same-conversation-is-400")
    answer.refused(400)
    expect(left, [item], "items afterwards")


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
    api.get(item_path(conversation, similar_id(elsewhere))).refused(404)
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


@scenario("items.create.takes-every-kind", "items.delete.removes-only-that-item")
def calls_and_outputs_are_removed_one_by_one(api: Api) -> None:
    conversation = api.create_id()
    turn = [{"type": "function_call", "call_id": call, "name": "get_weather", "arguments": "{}"} for call in "ab"]
    turn += [{"type": "function_call_output", "call_id": call, "output": "21"} for call in "ab"]
    api.checks("items.create.takes-every-kind")
    added = {(item["type"], item["call_id"]): item["id"] for item in api.add(conversation, *turn)}
    api.checks("items.delete.removes-only-that-item")
    for removed in (("function_call", "a"), ("function_call_output", "b")):
        api.delete(item_path(conversation, added.pop(removed))).ok()
    left = {item["id"]: (item["type"], item["call_id"]) for item in api.items(conversation)["data"]}
    expect(sorted(left.values()), sorted(added), "the calls and outputs afterwards")


@scenario("items.delete.then-retrieve-is-404", "items.delete.twice-is-404")
def a_removed_item_is_gone(api: Api) -> None:
    conversation = api.create_id(says("one"))
    item = ids(api.items(conversation))[0]
    api.delete(item_path(conversation, item)).ok()
    api.checks("items.delete.then-retrieve-is-404")
    api.get(item_path(conversation, item)).refused(404)
    api.checks("items.delete.twice-is-404")
    for one in (item, similar_id(item)):
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
    present = ids(api.items(conversation))
    unknown = similar_id(present[0])
    answer = api.delete(items_path(conversation), {"item_ids": [present[0], unknown]})
    answer.refused(404)
    assert unknown in str(answer.body), f"the error: expected one that names {unknown!r}, received {answer.body!r}"
    expect(ids(api.items(conversation)), present, "items afterwards")
    api.get(conversation_path(conversation)).ok()


@scenario("items.delete-many.repeated-ids-count-once")
def an_id_named_twice_counts_once(api: Api) -> None:
    conversation = api.create_id(says("one"), says("two"))
    one, two = ids(api.items(conversation))
    api.delete(items_path(conversation), {"item_ids": [one, one]}).ok()
    expect(ids(api.items(conversation)), [two], "items afterwards")
