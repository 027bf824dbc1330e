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


def _cannot_reach(stranger: Api, owner: Api) -> None:
    conversation = owner.create(says("mine"), owner="me")
    items = owner.items(conversation["id"])
    for answer in _reach(stranger, conversation["id"], ids(items)[0]):
        answer.refused()
    expect(owner.get(conversation_path(conversation["id"])).ok(), conversation, "the conversation afterwards")
    expect(owner.items(conversation["id"]), items, "the items afterwards")
    assert conversation["id"] not in ids(stranger.conversations(order="desc")), (
        f"the stranger's list: expected it without {conversation['id']!r}, received it there"
    )


@scenario("tenancy.end-user-is-optional", needs=AccountItself())
def requests_work_with_and_without_end_user(api: Api) -> None:
    for caller in (api, api.as_end_user(None)):
        caller.get(conversation_path(caller.create_id())).ok()


@scenario("tenancy.end-users-are-apart", "tenancy.lists-are-apart")
def end_users_cannot_reach_each_other(api: Api) -> None:
    other = api.other_end_user()
    _cannot_reach(stranger=other, owner=api)
    conversation = other.create_id()
    expect(ids(other.conversations()), [conversation], "the other end user's list")
    assert conversation not in ids(api.conversations()), "the list: expected no conversation of the other end user"


@scenario("tenancy.end-user-and-account-are-apart", needs=AccountItself())
def an_end_user_and_the_account_cannot_reach_each_other(api: Api) -> None:
    account = api.as_end_user(None)
    _cannot_reach(stranger=account, owner=api)
    _cannot_reach(stranger=api, owner=account)


@scenario("tenancy.keys-are-apart", needs=SecondKey())
def keys_cannot_reach_each_other(api: Api) -> None:
    _cannot_reach(stranger=api.with_second_key(), owner=api)


@scenario("tenancy.keys-are-apart", needs=AccountItself(second_key=True))
def keys_cannot_reach_each_other_without_end_user(api: Api) -> None:
    account = api.as_end_user(None)
    _cannot_reach(stranger=account.with_second_key(), owner=account)


@scenario("tenancy.foreign-is-like-unknown")
def foreign_answers_like_unknown(api: Api) -> None:
    other = api.other_end_user()
    foreign, unknown = other.create_id(says("theirs")), fresh_name("conv")
    foreign_item, unknown_item = ids(other.items(foreign))[0], fresh_name("msg")
    for theirs, nobodys in zip(_reach(api, foreign, foreign_item), _reach(api, unknown, unknown_item), strict=True):
        received, expected = theirs.refused(404), nobodys.refused(404)
        expect(str(received).replace(foreign, "ID").replace(foreign_item, "ITEM"),
               str(expected).replace(unknown, "ID").replace(unknown_item, "ITEM"), "the error")  # fmt: skip


@scenario("tenancy.empty-end-user-is-none", needs=AccountItself())
def an_empty_end_user_is_none(api: Api) -> None:
    account = api.as_end_user(None)
    conversation = account.create()
    expect(api.as_end_user("").get(conversation_path(conversation["id"])).ok(), conversation, "the conversation")


@scenario("tenancy.repeated-end-user-is-400")
def two_end_users_at_once_answer_400(api: Api) -> None:
    assert api.end_user
    headers = [("X-On-Behalf-Of", api.end_user), ("X-On-Behalf-Of", fresh_name("other"))]
    error = api.request("GET", "/conversations", headers=headers).refused(400)
    expect(error.get("param"), "X-On-Behalf-Of", "param")
    expect([finding["in"] for finding in error["findings"]], ["header"], "parts of the request at fault")
