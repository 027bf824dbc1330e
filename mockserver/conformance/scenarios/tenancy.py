"""Who can reach what: keys, and the end users that they act for."""

from mockserver.conformance.api import Answer, Api, conversation_path, fresh_name, ids, item_path, items_path
from mockserver.conformance.samples import says
from mockserver.conformance.scenario import AccountItself, Scenarios, SecondKey, expect

scenario = Scenarios()


def _reach(caller: Api, conversation: str, item: str) -> list[Answer]:
    """Try everything that can be done with a conversation."""
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
        caller.delete(items, {"item_ids": [item]}),
        caller.delete(whole),
    ]


def _cannot_reach(stranger: Api, owner: Api) -> str:
    """The conversation that the stranger has tried to reach."""
    conversation = owner.create_id(says("mine"), owner="me")
    whole, items = owner.get(conversation_path(conversation)).ok(), owner.items(conversation)
    for answer in _reach(stranger, conversation, ids(items)[0]):
        answer.refused()
    expect(owner.get(conversation_path(conversation)).ok(), whole, "the conversation afterwards")
    expect(owner.items(conversation), items, "the items afterwards")
    return conversation


def _does_not_see(stranger: Api, conversation: str) -> None:
    listed = ids(stranger.conversations(order="desc"))
    assert conversation not in listed, (
        f"the stranger's list: expected it without {conversation!r}, received {listed!r}"
    )


@scenario("tenancy.end-user-is-optional", needs=AccountItself())
def requests_work_with_and_without_end_user(api: Api) -> None:
    for caller in (api, api.as_end_user(None)):
        caller.get(conversation_path(caller.create_id())).ok()


@scenario("tenancy.end-users-are-apart", "tenancy.lists-are-apart")
def end_users_cannot_reach_each_other(api: Api) -> None:
    other = api.other_end_user()
    api.checks("tenancy.end-users-are-apart")
    mine = _cannot_reach(stranger=other, owner=api)
    api.checks("tenancy.lists-are-apart")
    theirs = other.create_id()
    expect(ids(other.conversations()), [theirs], "the other end user's list")
    expect(ids(api.conversations()), [mine], "the end user's own list")


@scenario("tenancy.end-user-and-account-are-apart", needs=AccountItself())
def an_end_user_and_the_account_cannot_reach_each_other(api: Api) -> None:
    account = api.as_end_user(None)
    for stranger, owner in ((account, api), (api, account)):
        _does_not_see(stranger, _cannot_reach(stranger, owner))


@scenario("tenancy.keys-are-apart", needs=SecondKey())
def keys_cannot_reach_each_other(api: Api) -> None:
    stranger = api.with_second_key()
    _does_not_see(stranger, _cannot_reach(stranger, owner=api))


@scenario("tenancy.keys-are-apart", needs=AccountItself(second_key=True))
def keys_cannot_reach_each_other_without_end_user(api: Api) -> None:
    account = api.as_end_user(None)
    stranger = account.with_second_key()
    _does_not_see(stranger, _cannot_reach(stranger, owner=account))


@scenario("tenancy.foreign-is-like-unknown")
def foreign_answers_like_unknown(api: Api) -> None:
    other = api.other_end_user()
    foreign, unknown = other.create_id(says("theirs")), fresh_name("conv")
    foreign_item, unknown_item = ids(other.items(foreign))[0], fresh_name("msg")
    for theirs, nobodys in zip(_reach(api, foreign, foreign_item), _reach(api, unknown, unknown_item), strict=True):
        received, expected = theirs.refused(404), nobodys.refused()
        expect(str(received).replace(foreign, "ID").replace(foreign_item, "ITEM"),
               str(expected).replace(unknown, "ID").replace(unknown_item, "ITEM"), "the error")  # fmt: skip


@scenario("tenancy.empty-end-user-is-none", needs=AccountItself())
def an_empty_end_user_is_none(api: Api) -> None:
    account = api.as_end_user(None)
    conversation = account.create_id()
    expect(api.as_end_user("").get(conversation_path(conversation)).ok()["id"], conversation, "id")


@scenario("tenancy.repeated-end-user-is-400")
def two_end_users_at_once_answer_400(api: Api) -> None:
    assert api.end_user
    headers = [("X-On-Behalf-Of", api.end_user), ("X-On-Behalf-Of", fresh_name("other"))]
    error = api.request("GET", "/conversations", headers=headers).refused(400)
    expect(error.get("param"), "X-On-Behalf-Of", "param")
