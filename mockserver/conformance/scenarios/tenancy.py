"""Scenarios for the separation of accounts and end users."""

import json

from mockserver.conformance.client import ApiClient
from mockserver.conformance.expectations import ScenarioFailure, expect, require, show
from mockserver.conformance.names import conversation_path, item_path, items_path, unique_name, unknown_id_like
from mockserver.conformance.response import ApiResponse, ids
from mockserver.conformance.samples import message
from mockserver.conformance.scenario import AccountItself, Scenarios, SecondKey

scenario = Scenarios()


def _try_every_operation(caller: ApiClient, conversation: str, item: str) -> list[ApiResponse]:
    """Call every operation on a conversation but the removal of several items."""
    whole, items, one = conversation_path(conversation), items_path(conversation), item_path(conversation, item)
    return [
        caller.get(whole),
        caller.post(whole, {"metadata": {"owner": "somebody else"}}),
        caller.get(items),
        caller.post(items, {"items": [message("somebody else")]}),
        caller.get(one),
        caller.delete(one),
        caller.delete(whole),
    ]


def _has_access(response: ApiResponse) -> bool:
    """Tell whether the request succeeded; the exact status of a rejection is another behaviour."""
    is_empty = response.body is None or (isinstance(response.body, dict) and "error" in response.body)
    return response.status < 400 and not is_empty


def _expect_no_access(response: ApiResponse) -> None:
    if _has_access(response):
        response.fail("a 4xx")


def _check_no_access(stranger: ApiClient, owner: ApiClient) -> str:
    """Check that a stranger cannot read or change a new conversation, and return its id."""
    conversation = owner.create_id(message("mine"), owner="me")
    whole, items = owner.retrieve(conversation), owner.list_items(conversation)
    for response in _try_every_operation(stranger, conversation, ids(items)[0]):
        _expect_no_access(response)
    expect(owner.retrieve(conversation), whole, "conversation afterwards")
    expect(owner.list_items(conversation), items, "items afterwards")
    return conversation


def _check_no_removal(stranger: ApiClient, owner: ApiClient) -> str:
    """Check that a stranger cannot remove several items of a new conversation, and return its id."""
    conversation = owner.create_id()
    added = [item["id"] for item in owner.add_items(conversation, message("one"), message("two"))]
    _expect_no_access(stranger.delete(items_path(conversation), {"item_ids": added}))
    expect(sorted(owner.item_ids(conversation)), sorted(added), "items afterwards")
    return conversation


def _expect_not_listed(stranger: ApiClient, conversation: str, **filters: str) -> None:
    response = stranger.get("/conversations", order="desc", **filters)
    if filters and response.status != 200:  # The target does not support the filter: another behaviour.
        return
    listed = ids(response.expect_ok())
    require(conversation not in listed, response.path, f"no {show(conversation)}", listed)


@scenario("tenancy.end-user-is-optional", needs=AccountItself())
def requests_work_with_and_without_end_user(api: ApiClient) -> None:
    for caller in (api, api.with_end_user(None)):
        caller.retrieve(caller.create_id())


@scenario("tenancy.end-users-are-apart")
def end_users_cannot_reach_each_other(api: ApiClient) -> None:
    _check_no_access(stranger=api.with_new_end_user(), owner=api)


@scenario("tenancy.end-users-are-apart")
def end_users_cannot_remove_each_others_items(api: ApiClient) -> None:
    _check_no_removal(stranger=api.with_new_end_user(), owner=api)


@scenario("tenancy.end-users-are-apart")
def end_users_with_similar_names_are_separate(api: ApiClient) -> None:
    name = f"{api.end_user}-Of-A-Team-Whose-Name-Is-Long-Enough-To-Be-Cut-Somewhere-{unique_name('a')}"
    created = api.with_end_user(name).post("/conversations", {"items": [message("mine")]})
    if created.status != 200:  # No limit is documented.
        return
    conversation = conversation_path(created.body["id"])
    last = "b" if name.endswith("a") else "a"
    for similar in (name.lower(), name.upper(), f"{name[:-1]}{last}", name[:-1], f"{name}0"):
        response = api.with_end_user(similar).get(conversation)
        if _has_access(response):
            raise ScenarioFailure(f"end user {show(similar)}", "a 4xx", response.summary)


@scenario("tenancy.lists-are-apart")
def a_list_shows_nothing_of_another_end_user(api: ApiClient) -> None:
    other, word = api.with_new_end_user(), unique_name("word").replace("-", "")
    mine, theirs = api.create_id(message(word), owner=word), other.create_id()
    expect(other.conversation_ids(), [theirs], "list of the other end user")
    expect(api.conversation_ids(), [mine], "list of the end user")
    for filters in ({}, {"metadata": json.dumps({"owner": word})}, {"search": word}):
        _expect_not_listed(other, mine, **filters)


@scenario("tenancy.end-users-are-apart", "tenancy.end-user-and-account-are-apart")
def the_account_cannot_reach_its_end_users(api: ApiClient) -> None:
    conversation = api.create_id()
    item = api.add_items(conversation, message("mine"))[0]["id"]
    api.set_behaviour("tenancy.end-users-are-apart")
    _expect_no_access(api.with_new_end_user().get(conversation_path(conversation)))
    api.set_behaviour("tenancy.end-user-and-account-are-apart")
    for response in _try_every_operation(api.with_end_user(None), conversation, item):
        _expect_no_access(response)


@scenario("tenancy.end-user-and-account-are-apart", needs=AccountItself())
def an_end_user_and_the_account_cannot_reach_each_other(api: ApiClient) -> None:
    account = api.with_end_user(None)
    _expect_not_listed(api, _check_no_access(stranger=api, owner=account))
    _expect_not_listed(api, _check_no_removal(stranger=api, owner=account))
    _expect_not_listed(account, _check_no_removal(stranger=account, owner=api))


@scenario("tenancy.keys-are-apart", needs=SecondKey())
def keys_cannot_reach_each_other(api: ApiClient) -> None:
    _check_no_access(stranger=api.with_second_key(), owner=api)


@scenario("tenancy.keys-are-apart", needs=SecondKey())
def keys_cannot_list_or_remove_data_of_each_other(api: ApiClient) -> None:
    stranger = api.with_second_key()
    _expect_not_listed(stranger, _check_no_removal(stranger, owner=api))


@scenario("tenancy.keys-are-apart", needs=AccountItself(second_key=True))
def keys_cannot_reach_each_other_without_end_user(api: ApiClient) -> None:
    account = api.with_end_user(None)
    stranger = account.with_second_key()
    _expect_not_listed(stranger, _check_no_access(stranger, owner=account))


@scenario("tenancy.end-users-are-apart", "tenancy.foreign-is-like-unknown")
def foreign_ids_are_treated_like_unknown_ones(api: ApiClient) -> None:
    other = api.with_new_end_user()
    foreign = other.create_id(message("theirs"))
    foreign_item = other.item_ids(foreign)[0]
    unknown, unknown_item = unknown_id_like(foreign), unknown_id_like(foreign_item)
    responses = _try_every_operation(api, foreign, foreign_item)
    pairs = list(zip(responses, _try_every_operation(api, unknown, unknown_item), strict=True))
    api.set_behaviour("tenancy.end-users-are-apart")
    for theirs, _ in pairs:
        _expect_no_access(theirs)
    api.set_behaviour("tenancy.foreign-is-like-unknown")
    for theirs, missing in pairs:
        errors = [json.dumps(response.expect_error(404) or response.body) for response in (theirs, missing)]
        received = errors[0].replace(foreign, "ID").replace(foreign_item, "ITEM")
        expected = errors[1].replace(unknown, "ID").replace(unknown_item, "ITEM")
        expect(received, expected, f"error of {theirs.method}")


@scenario("tenancy.empty-end-user-is-none", needs=AccountItself())
def an_empty_end_user_is_none(api: ApiClient) -> None:
    account = api.with_end_user(None)
    conversation = account.create_id()
    expect(api.with_end_user("").retrieve(conversation)["id"], conversation, "id")


@scenario("tenancy.repeated-end-user-is-400")
def a_repeated_end_user_returns_400(api: ApiClient) -> None:
    headers = [("X-On-Behalf-Of", name) for name in (str(api.end_user), unique_name("other"))]
    api.request("GET", conversation_path(api.create_id()), headers=headers).expect_error(400, param="X-On-Behalf-Of")
