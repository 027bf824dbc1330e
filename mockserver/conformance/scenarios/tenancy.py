"""Who can reach what: keys, and the end users that they act for."""

import json

from mockserver.conformance.client import (
    Answer,
    Api,
    conversation_path,
    fresh_name,
    ids,
    item_path,
    items_path,
    similar_id,
)
from mockserver.conformance.samples import says
from mockserver.conformance.scenario import AccountItself, Scenarios, SecondKey, expect

scenario = Scenarios()


def _reach(caller: Api, conversation: str, item: str) -> list[Answer]:
    """Try everything that can be done with a conversation, but for removing several items."""
    whole, items, one = (
        conversation_path(conversation),
        items_path(conversation),
        item_path(conversation, item),
    )
    return [
        caller.get(whole),
        caller.post(whole, {"metadata": {"owner": "somebody else"}}),
        caller.get(items),
        caller.post(items, {"items": [says("somebody else")]}),
        caller.get(one),
        caller.delete(one),
        caller.delete(whole),
    ]


def _got_in(answer: Answer) -> bool:
    """Whether the answer is what was asked for; which refusal it is otherwise, is another rule."""
    shows_nothing = answer.body is None or (isinstance(answer.body, dict) and "error" in answer.body)
    return answer.status < 400 and not shows_nothing


def _kept_out(answer: Answer) -> None:
    if _got_in(answer):
        answer.fail("a 4xx")


def _cannot_reach(stranger: Api, owner: Api) -> str:
    """The conversation that the stranger has tried to reach."""
    conversation = owner.create_id(says("mine"), owner="me")
    whole, items = owner.get(conversation_path(conversation)).ok(), owner.items(conversation)
    for answer in _reach(stranger, conversation, ids(items)[0]):
        _kept_out(answer)
    expect(owner.get(conversation_path(conversation)).ok(), whole, "the conversation afterwards")
    expect(owner.items(conversation), items, "the items afterwards")
    return conversation


def _cannot_remove_several(stranger: Api, owner: Api) -> str:
    """The conversation that the stranger has tried to empty."""
    conversation = owner.create_id()
    added = [item["id"] for item in owner.add(conversation, says("one"), says("two"))]
    _kept_out(stranger.delete(items_path(conversation), {"item_ids": added}))
    expect(sorted(ids(owner.items(conversation))), sorted(added), "the items afterwards")
    return conversation


def _does_not_see(stranger: Api, conversation: str, **wishes: str) -> None:
    answer = stranger.get("/conversations", order="desc", **wishes)
    if wishes and answer.status != 200:  # Whether it takes such a wish is another rule.
        return
    listed = ids(answer.ok())
    assert conversation not in listed, f"{answer.path}: expected it without {conversation!r}, received {listed!r}"


@scenario("tenancy.end-user-is-optional", needs=AccountItself())
def requests_work_with_and_without_end_user(api: Api) -> None:
    for caller in (api, api.as_end_user(None)):
        caller.get(conversation_path(caller.create_id())).ok()


@scenario("tenancy.end-users-are-apart")
def end_users_cannot_reach_each_other(api: Api) -> None:
    _cannot_reach(stranger=api.other_end_user(), owner=api)


@scenario("tenancy.end-users-are-apart")
def end_users_cannot_remove_each_others_items(api: Api) -> None:
    _cannot_remove_several(stranger=api.other_end_user(), owner=api)


@scenario("tenancy.end-users-are-apart")
def end_users_of_similar_names_are_apart(api: Api) -> None:
    name = f"{api.end_user}-Of-A-Team-Whose-Name-Is-Long-Enough-To-Be-Cut-Somewhere-{fresh_name('a')}"
    created = api.as_end_user(name).post("/conversations", {"items": [says("mine")]})
    if created.status != 200:  # Nobody says how long a name may be.
        return
    conversation = conversation_path(created.body["id"])
    last = "b" if name.endswith("a") else "a"
    for similar in (name.lower(), name.upper(), f"{name[:-1]}{last}", name[:-1], f"{name}0"):
        answer = api.as_end_user(similar).get(conversation)
        assert not _got_in(answer), f"end user {similar!r}: expected a 4xx, received {answer.summary}"


@scenario("tenancy.lists-are-apart")
def a_list_shows_nothing_of_another_end_user(api: Api) -> None:
    other, word = api.other_end_user(), fresh_name("word").replace("-", "")
    mine, theirs = api.create_id(says(word), owner=word), other.create_id()
    expect(ids(other.conversations()), [theirs], "the other end user's list")
    expect(ids(api.conversations()), [mine], "the end user's own list")
    for wishes in ({}, {"metadata": json.dumps({"owner": word})}, {"search": word}):
        _does_not_see(other, mine, **wishes)


@scenario("tenancy.end-users-are-apart", "tenancy.end-user-and-account-are-apart")
def the_account_cannot_reach_its_end_users(api: Api) -> None:
    conversation = api.create_id()
    item = api.add(conversation, says("mine"))[0]["id"]
    api.checks("tenancy.end-users-are-apart")
    _kept_out(api.other_end_user().get(conversation_path(conversation)))
    api.checks("tenancy.end-user-and-account-are-apart")
    for answer in _reach(api.as_end_user(None), conversation, item):
        _kept_out(answer)


@scenario("tenancy.end-user-and-account-are-apart", needs=AccountItself())
def an_end_user_and_the_account_cannot_reach_each_other(api: Api) -> None:
    account = api.as_end_user(None)
    _does_not_see(api, _cannot_reach(stranger=api, owner=account))
    _does_not_see(api, _cannot_remove_several(stranger=api, owner=account))
    _does_not_see(account, _cannot_remove_several(stranger=account, owner=api))


@scenario("tenancy.keys-are-apart", needs=SecondKey())
def keys_cannot_reach_each_other(api: Api) -> None:
    _cannot_reach(stranger=api.with_second_key(), owner=api)


@scenario("tenancy.keys-are-apart", needs=SecondKey())
def keys_neither_list_nor_remove_what_is_each_others(api: Api) -> None:
    stranger = api.with_second_key()
    _does_not_see(stranger, _cannot_remove_several(stranger, owner=api))


@scenario("tenancy.keys-are-apart", needs=AccountItself(second_key=True))
def keys_cannot_reach_each_other_without_end_user(api: Api) -> None:
    account = api.as_end_user(None)
    stranger = account.with_second_key()
    _does_not_see(stranger, _cannot_reach(stranger, owner=account))


@scenario("tenancy.end-users-are-apart", "tenancy.foreign-is-like-unknown")
def foreign_answers_like_unknown(api: Api) -> None:
    other = api.other_end_user()
    foreign = other.create_id(says("theirs"))
    foreign_item = ids(other.items(foreign))[0]
    unknown, unknown_item = similar_id(foreign), similar_id(foreign_item)
    pairs = list(zip(_reach(api, foreign, foreign_item), _reach(api, unknown, unknown_item), strict=True))
    api.checks("tenancy.end-users-are-apart")
    for theirs, _ in pairs:
        _kept_out(theirs)
    api.checks("tenancy.foreign-is-like-unknown")
    for theirs, nobodys in pairs:
        received, expected = (json.dumps(answer.refused(404) or answer.body) for answer in (theirs, nobodys))
        received = received.replace(foreign, "ID").replace(foreign_item, "ITEM")
        expect(
            received, expected.replace(unknown, "ID").replace(unknown_item, "ITEM"), f"the answer to {theirs.method}"
        )


@scenario("tenancy.empty-end-user-is-none", needs=AccountItself())
def an_empty_end_user_is_none(api: Api) -> None:
    account = api.as_end_user(None)
    conversation = account.create_id()
    expect(api.as_end_user("").get(conversation_path(conversation)).ok()["id"], conversation, "id")


@scenario("tenancy.repeated-end-user-is-400")
def two_end_users_at_once_answer_400(api: Api) -> None:
    assert api.end_user
    headers = [("X-On-Behalf-Of", api.end_user), ("X-On-Behalf-Of", fresh_name("other"))]
    error = api.request("GET", conversation_path(api.create_id()), headers=headers).refused(400)
    expect(error.get("param"), "X-On-Behalf-Of", "param")
