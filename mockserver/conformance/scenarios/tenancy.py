"""Who can reach what: keys, and the end users that they act for."""

import json

from mockserver.conformance.client import ApiClient
from mockserver.conformance.expectations import ScenarioFailure, expect, require
from mockserver.conformance.names import unique_name, unknown_id_like
from mockserver.conformance.pages import ids
from mockserver.conformance.paths import conversation_path, item_path, items_path
from mockserver.conformance.response import ApiResponse
from mockserver.conformance.samples import message
from mockserver.conformance.scenario import AccountItself, Scenarios, SecondKey

scenario = Scenarios()


def _reach(caller: ApiClient, conversation: str, item: str) -> list[ApiResponse]:
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
        caller.post(items, {"items": [message("somebody else")]}),
        caller.get(one),
        caller.delete(one),
        caller.delete(whole),
    ]


def _got_in(answer: ApiResponse) -> bool:
    """Whether the answer is what was asked for; which refusal it is otherwise, is another rule."""
    shows_nothing = answer.body is None or (isinstance(answer.body, dict) and "error" in answer.body)
    return answer.status < 400 and not shows_nothing


def _kept_out(answer: ApiResponse) -> None:
    if _got_in(answer):
        answer.fail("a 4xx")


def _cannot_reach(stranger: ApiClient, owner: ApiClient) -> str:
    """The conversation that the stranger has tried to reach."""
    conversation = owner.create_id(message("mine"), owner="me")
    whole, items = owner.get(conversation_path(conversation)).expect_ok(), owner.list_items(conversation)
    for answer in _reach(stranger, conversation, ids(items)[0]):
        _kept_out(answer)
    expect(owner.get(conversation_path(conversation)).expect_ok(), whole, "the conversation afterwards")
    expect(owner.list_items(conversation), items, "the items afterwards")
    return conversation


def _cannot_remove_several(stranger: ApiClient, owner: ApiClient) -> str:
    """The conversation that the stranger has tried to empty."""
    conversation = owner.create_id()
    added = [item["id"] for item in owner.add_items(conversation, message("one"), message("two"))]
    _kept_out(stranger.delete(items_path(conversation), {"item_ids": added}))
    expect(sorted(ids(owner.list_items(conversation))), sorted(added), "the items afterwards")
    return conversation


def _does_not_see(stranger: ApiClient, conversation: str, **wishes: str) -> None:
    answer = stranger.get("/conversations", order="desc", **wishes)
    if wishes and answer.status != 200:  # Whether it takes such a wish is another rule.
        return
    listed = ids(answer.expect_ok())
    require(conversation not in listed, f"{answer.path}", f"it without {conversation!r}", listed)


@scenario("tenancy.end-user-is-optional", needs=AccountItself())
def requests_work_with_and_without_end_user(api: ApiClient) -> None:
    for caller in (api, api.with_end_user(None)):
        caller.get(conversation_path(caller.create_id())).expect_ok()


@scenario("tenancy.end-users-are-apart")
def end_users_cannot_reach_each_other(api: ApiClient) -> None:
    _cannot_reach(stranger=api.with_new_end_user(), owner=api)


@scenario("tenancy.end-users-are-apart")
def end_users_cannot_remove_each_others_items(api: ApiClient) -> None:
    _cannot_remove_several(stranger=api.with_new_end_user(), owner=api)


@scenario("tenancy.end-users-are-apart")
def end_users_of_similar_names_are_apart(api: ApiClient) -> None:
    name = f"{api.end_user}-Of-A-Team-Whose-Name-Is-Long-Enough-To-Be-Cut-Somewhere-{unique_name('a')}"
    created = api.with_end_user(name).post("/conversations", {"items": [message("mine")]})
    if created.status != 200:  # Nobody says how long a name may be.
        return
    conversation = conversation_path(created.body["id"])
    last = "b" if name.endswith("a") else "a"
    for similar in (name.lower(), name.upper(), f"{name[:-1]}{last}", name[:-1], f"{name}0"):
        answer = api.with_end_user(similar).get(conversation)
        if _got_in(answer):
            raise ScenarioFailure(f"end user {similar!r}", "a 4xx", answer.summary)


@scenario("tenancy.lists-are-apart")
def a_list_shows_nothing_of_another_end_user(api: ApiClient) -> None:
    other, word = api.with_new_end_user(), unique_name("word").replace("-", "")
    mine, theirs = api.create_id(message(word), owner=word), other.create_id()
    expect(ids(other.list_conversations()), [theirs], "the other end user's list")
    expect(ids(api.list_conversations()), [mine], "the end user's own list")
    for wishes in ({}, {"metadata": json.dumps({"owner": word})}, {"search": word}):
        _does_not_see(other, mine, **wishes)


@scenario("tenancy.end-users-are-apart", "tenancy.end-user-and-account-are-apart")
def the_account_cannot_reach_its_end_users(api: ApiClient) -> None:
    conversation = api.create_id()
    item = api.add_items(conversation, message("mine"))[0]["id"]
    api.set_behaviour("tenancy.end-users-are-apart")
    _kept_out(api.with_new_end_user().get(conversation_path(conversation)))
    api.set_behaviour("tenancy.end-user-and-account-are-apart")
    for answer in _reach(api.with_end_user(None), conversation, item):
        _kept_out(answer)


@scenario("tenancy.end-user-and-account-are-apart", needs=AccountItself())
def an_end_user_and_the_account_cannot_reach_each_other(api: ApiClient) -> None:
    account = api.with_end_user(None)
    _does_not_see(api, _cannot_reach(stranger=api, owner=account))
    _does_not_see(api, _cannot_remove_several(stranger=api, owner=account))
    _does_not_see(account, _cannot_remove_several(stranger=account, owner=api))


@scenario("tenancy.keys-are-apart", needs=SecondKey())
def keys_cannot_reach_each_other(api: ApiClient) -> None:
    _cannot_reach(stranger=api.with_second_key(), owner=api)


@scenario("tenancy.keys-are-apart", needs=SecondKey())
def keys_neither_list_nor_remove_what_is_each_others(api: ApiClient) -> None:
    stranger = api.with_second_key()
    _does_not_see(stranger, _cannot_remove_several(stranger, owner=api))


@scenario("tenancy.keys-are-apart", needs=AccountItself(second_key=True))
def keys_cannot_reach_each_other_without_end_user(api: ApiClient) -> None:
    account = api.with_end_user(None)
    stranger = account.with_second_key()
    _does_not_see(stranger, _cannot_reach(stranger, owner=account))


@scenario("tenancy.end-users-are-apart", "tenancy.foreign-is-like-unknown")
def foreign_answers_like_unknown(api: ApiClient) -> None:
    other = api.with_new_end_user()
    foreign = other.create_id(message("theirs"))
    foreign_item = ids(other.list_items(foreign))[0]
    unknown, unknown_item = unknown_id_like(foreign), unknown_id_like(foreign_item)
    pairs = list(zip(_reach(api, foreign, foreign_item), _reach(api, unknown, unknown_item), strict=True))
    api.set_behaviour("tenancy.end-users-are-apart")
    for theirs, _ in pairs:
        _kept_out(theirs)
    api.set_behaviour("tenancy.foreign-is-like-unknown")
    for theirs, nobodys in pairs:
        received, expected = (json.dumps(answer.expect_error(404) or answer.body) for answer in (theirs, nobodys))
        received = received.replace(foreign, "ID").replace(foreign_item, "ITEM")
        expect(
            received, expected.replace(unknown, "ID").replace(unknown_item, "ITEM"), f"the answer to {theirs.method}"
        )


@scenario("tenancy.empty-end-user-is-none", needs=AccountItself())
def an_empty_end_user_is_none(api: ApiClient) -> None:
    account = api.with_end_user(None)
    conversation = account.create_id()
    expect(api.with_end_user("").get(conversation_path(conversation)).expect_ok()["id"], conversation, "id")


@scenario("tenancy.repeated-end-user-is-400")
def two_end_users_at_once_answer_400(api: ApiClient) -> None:
    headers = [("X-On-Behalf-Of", name) for name in (str(api.end_user), unique_name("other"))]
    error = api.request("GET", conversation_path(api.create_id()), headers=headers).expect_error(400)
    expect(error.get("param"), "X-On-Behalf-Of", "param")
