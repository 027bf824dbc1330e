"""All ten operations, called with the `meetkai-mka1` package."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from meetkai_mka1 import models
from meetkai_mka1.conversations import Conversations
from meetkai_mka1.errors import SDKDefaultError
from meetkai_mka1.types import UNSET
from meetkai_mka1.utils import BackoffStrategy, RetryConfig
from starlette.types import Receive, Scope, Send

from mockserver import RunningServer, Settings, create_app, run_server
from mockserver.determinism import AdjustableClock

OPERATIONS = [
    "create",
    "create_items",
    "delete",
    "delete_item",
    "delete_items",
    "get",
    "get_item",
    "list",
    "list_items",
    "update",
]


def says(text: str, **fields: Any) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": text, **fields}


def ids(page: Any) -> list[str]:
    return [entry.id for entry in page.data]


def refusal(call: Callable[..., Any], **arguments: Any) -> SimpleNamespace:
    """What the SDK raises; `error` is the `error` of the body."""
    with pytest.raises(SDKDefaultError, match="API error occurred: Status") as caught:
        call(**arguments)
    raised = caught.value
    assert raised.headers["content-type"] == "application/json"
    return SimpleNamespace(status=raised.status_code, headers=raised.headers, error=json.loads(raised.body)["error"])


def test_the_sdk_has_no_other_operations() -> None:
    methods = {name for name in vars(Conversations) if not name.startswith("_")}
    assert methods == {*OPERATIONS, *(f"{name}_async" for name in OPERATIONS)}


# Conversations


def test_create(conversations: Any) -> None:
    created = conversations.create(metadata={"session_id": "web-42", "channel": "support"})
    assert isinstance(created, models.ConversationObject)
    assert created.id.startswith("conv_")
    assert created.object == "conversation"
    assert created.created_at > 1_700_000_000
    assert created.deleted_at is None
    assert created.metadata == {"session_id": "web-42", "channel": "support"}
    assert len(created.identity) == 64


def test_create_with_nothing(conversations: Any) -> None:
    created = conversations.create()
    assert created.metadata == {}
    assert conversations.list_items(conversation_id=created.id).data == []


def test_create_with_items(conversations: Any) -> None:
    """As dicts and as models of the SDK, in one list."""
    items = [
        says("What is the weather today?", id="msg_question"),
        models.FunctionToolCall(call_id="call_1", name="forecast", arguments="{}"),
        models.FunctionToolCallOutput(call_id="call_1", output="sunny"),
    ]
    created = conversations.create(items=items)
    stored = conversations.list_items(conversation_id=created.id).data
    assert [item.type for item in stored] == ["message", "function_call", "function_call_output"]
    assert stored[0].id == "msg_question"
    assert stored[0].content == "What is the weather today?"
    assert stored[1].name == "forecast"
    assert stored[2].output == "sunny"


def test_get(conversations: Any) -> None:
    created = conversations.create(metadata={"a": "b"})
    assert conversations.get(conversation_id=created.id) == created


def test_update(conversations: Any) -> None:
    created = conversations.create(metadata={"a": "b", "c": "d"})
    updated = conversations.update(conversation_id=created.id, metadata={"c": "e", "f": ""})
    assert updated == created.model_copy(update={"metadata": {"c": "e", "f": ""}})
    assert conversations.get(conversation_id=created.id) == updated
    assert conversations.update(conversation_id=created.id, metadata={}).metadata == {}


def test_delete(conversations: Any) -> None:
    created = conversations.create(items=[says("hello", id="msg_hello")])
    kept = conversations.create()
    deleted = conversations.delete(conversation_id=created.id)
    assert isinstance(deleted, models.ConversationDeletedObject)
    assert (deleted.id, deleted.object, deleted.deleted) == (created.id, "conversation.deleted", True)
    assert refusal(conversations.get, conversation_id=created.id).status == 404
    assert ids(conversations.list()) == [kept.id]
    assert ids(conversations.list_items(conversation_id=created.id)) == ["msg_hello"]
    assert conversations.get_item(conversation_id=created.id, item_id="msg_hello").content == "hello"


def test_list(conversations: Any) -> None:
    first, second, third = (conversations.create(metadata={"n": n}) for n in "123")
    page = conversations.list()
    assert isinstance(page, models.ConversationListObject)
    assert page.object == "list"
    assert page.data == [first, second, third]
    assert page.has_more is False
    assert page.last_id == third.id
    page = conversations.list(order="desc", limit=2)
    assert page.data == [third, second]
    assert page.has_more is True
    assert page.last_id == second.id


def test_list_of_nothing(conversations: Any) -> None:
    page = conversations.list()
    assert page.data == []
    assert page.has_more is False
    assert not page.last_id


def test_list_follows_updates(conversations: Any) -> None:
    first, second, third = (conversations.create().id for _ in range(3))
    conversations.update(conversation_id=first, metadata={"a": "b"})
    assert ids(conversations.list()) == [second, third, first]
    conversations.create_items(conversation_id=second, items=[says("hello")])
    assert ids(conversations.list(order="desc")) == [second, first, third]


@pytest.mark.parametrize("as_json", [False, True], ids=["dict", "json"])
def test_list_filtered_by_metadata(conversations: Any, as_json: bool) -> None:
    both = conversations.create(metadata={"user_type": "premium", "x y": "a&b=ü", "more": "1"}).id
    one = conversations.create(metadata={"user_type": "premium"}).id
    conversations.create(metadata={"user_type": "Premium"})

    def listed(pairs: dict[str, str]) -> list[str]:
        return ids(conversations.list(metadata=json.dumps(pairs) if as_json else pairs))

    assert listed({"user_type": "premium"}) == [both, one]
    assert listed({"user_type": "premium", "x y": "a&b=ü"}) == [both]
    assert listed({"user_type": "free"}) == []


def test_list_filtered_by_a_key_that_is_a_parameter_too(conversations: Any) -> None:
    wanted = conversations.create(metadata={"limit": "7"}).id
    conversations.create(metadata={"limit": "8"})
    assert ids(conversations.list(metadata='{"limit":"7"}')) == [wanted]


def test_list_filtered_by_search(conversations: Any) -> None:
    wanted = conversations.create(items=[says("Will you tell me the weather forecast for tomorrow?")]).id
    conversations.create(items=[says("Summarize the latest support ticket.")])
    assert ids(conversations.list(search="FORECAST weather")) == [wanted]
    assert ids(conversations.list(search='"weather forecast"')) == [wanted]
    assert ids(conversations.list(search='"forecast weather"')) == []


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_list_by_cursor(conversations: Any, order: str) -> None:
    created = [conversations.create(metadata={"kind": "odd" if n % 2 else "even"}).id for n in range(7)]
    odd = created[1::2]

    def pages(**filters: Any) -> list[list[str]]:
        pages, after, has_more = [], None, True
        while has_more and len(pages) < 10:
            page = conversations.list(limit=2, order=order, after=after, **filters)
            pages.append(ids(page))
            after, has_more = page.last_id, page.has_more
        return pages

    expected = created if order == "asc" else created[::-1]
    assert pages() == [expected[:2], expected[2:4], expected[4:6], expected[6:]]
    expected = odd if order == "asc" else odd[::-1]
    assert pages(metadata={"kind": "odd"}) == [expected[:2], expected[2:]]


# Items


def test_create_items(conversations: Any) -> None:
    conversation = conversations.create(items=[says("already there")]).id
    answer = conversations.create_items(
        conversation_id=conversation, items=[says("one", id="msg_one"), says("two")], include=["content"]
    )
    assert isinstance(answer, models.ConversationsItemsCreateResponse)
    assert answer.object == "list"
    assert [item.content for item in answer.data] == ["one", "two"]
    assert answer.data[0].id == "msg_one"
    assert answer.data[1].id.startswith("msg_")
    assert answer.has_more is False
    assert answer.last_id == answer.data[1].id


def test_create_items_of_every_role(conversations: Any) -> None:
    conversation = conversations.create().id
    roles = ["user", "assistant", "system", "developer"]
    conversations.create_items(conversation_id=conversation, items=[{"role": r, "content": r} for r in roles])
    stored = conversations.list_items(conversation_id=conversation).data
    assert [(item.type, item.role) for item in stored] == [("message", role) for role in roles]


def test_list_items(conversations: Any) -> None:
    conversation = conversations.create(items=[says(text, id=f"msg_{text}") for text in "abc"]).id
    page = conversations.list_items(conversation_id=conversation)
    assert isinstance(page, models.ConversationsItemsListResponse)
    assert page.object == "list"
    assert ids(page) == ["msg_a", "msg_b", "msg_c"]
    assert page.has_more is False
    assert page.last_id == "msg_c"
    page = conversations.list_items(
        conversation_id=conversation, after="msg_c", include=["content", "metadata"], limit=1, order="desc"
    )
    assert ids(page) == ["msg_b"]
    assert page.has_more is True
    assert page.last_id == "msg_b"


def test_list_items_of_an_empty_conversation(conversations: Any) -> None:
    page = conversations.list_items(conversation_id=conversations.create().id)
    assert (page.data, page.has_more, page.last_id) == ([], False, "")


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_list_items_by_cursor(conversations: Any, order: str) -> None:
    conversation = conversations.create().id
    added: list[str] = []
    for _ in range(3):
        added += ids(conversations.create_items(conversation_id=conversation, items=[says("hello")] * 20))
    expected = added if order == "asc" else added[::-1]
    seen: list[str] = []
    after, has_more = None, True
    while has_more and len(seen) <= len(expected):
        page = conversations.list_items(conversation_id=conversation, limit=25, order=order, after=after)
        seen += ids(page)
        after, has_more = page.last_id, page.has_more
        assert after == seen[-1]
    assert seen == expected


def test_get_item(conversations: Any) -> None:
    conversation = conversations.create(items=[says("one", id="msg_1"), says("two", id="msg_2")]).id
    item = conversations.get_item(conversation_id=conversation, item_id="msg_2")
    assert (item.id, item.type, item.role, item.content) == ("msg_2", "message", "user", "two")


def test_delete_item(conversations: Any) -> None:
    created = conversations.create(items=[says(text, id=f"msg_{text}") for text in "abc"], metadata={"a": "b"})
    answer = conversations.delete_item(conversation_id=created.id, item_id="msg_b")
    assert isinstance(answer, models.ConversationObject)
    assert answer == created
    assert ids(conversations.list_items(conversation_id=created.id)) == ["msg_a", "msg_c"]
    assert refusal(conversations.get_item, conversation_id=created.id, item_id="msg_b").status == 404


def test_delete_items(conversations: Any) -> None:
    created = conversations.create(items=[says(text, id=f"msg_{text}") for text in "abc"])
    answer = conversations.delete_items(conversation_id=created.id, item_ids=["msg_c", "msg_a"])
    assert isinstance(answer, models.ConversationObject)
    assert answer == created
    assert ids(conversations.list_items(conversation_id=created.id)) == ["msg_b"]


def test_delete_items_is_all_or_nothing(conversations: Any) -> None:
    conversation = conversations.create(items=[says("hello", id="msg_1")]).id
    refused = refusal(conversations.delete_items, conversation_id=conversation, item_ids=["msg_1", "msg_2"])
    assert refused.status == 404
    assert "msg_2" in refused.error["message"]
    assert ids(conversations.list_items(conversation_id=conversation)) == ["msg_1"]


# End users

WITH_A_CONVERSATION: dict[str, dict[str, Any]] = {
    "get": {},
    "update": {"metadata": {}},
    "list_items": {},
    "create_items": {"items": [says("mine now")]},
    "get_item": {"item_id": "msg_1"},
    "delete_item": {"item_id": "msg_1"},
    "delete_items": {"item_ids": ["msg_1"]},
    "delete": {},
}


def test_every_operation_is_done_for_the_end_user(conversations: Any) -> None:
    """What one end user made is there for no other, nor for the account itself."""
    theirs = conversations.create(items=[says("hello", id="msg_1")], x_on_behalf_of="ada").id
    for others in ({"x_on_behalf_of": "grace"}, {}):
        assert conversations.list(**others).data == []
        for operation, arguments in WITH_A_CONVERSATION.items():
            call = getattr(conversations, operation)
            assert refusal(call, conversation_id=theirs, **arguments, **others).status == 404, operation
    assert ids(conversations.list(x_on_behalf_of="ada")) == [theirs]
    conversations.create_items(conversation_id=theirs, items=[says("to go", id="msg_2")], x_on_behalf_of="ada")
    for operation, arguments in WITH_A_CONVERSATION.items():
        arguments = {"item_ids": ["msg_2"]} if operation == "delete_items" else arguments
        getattr(conversations, operation)(conversation_id=theirs, **arguments, x_on_behalf_of="ada")
    assert conversations.list(x_on_behalf_of="ada").data == []


def test_the_end_users_are_covered_by_all_operations() -> None:
    assert {*WITH_A_CONVERSATION, "create", "list"} == set(OPERATIONS)


def test_identity_tells_end_users_apart(conversations: Any) -> None:
    identities = [conversations.create(x_on_behalf_of=user).identity for user in ("ada", "grace", "ada", None)]
    assert identities[0] == identities[2]
    assert len(set(identities)) == 3


# Errors

PAIRS_17 = {str(n): "x" for n in range(17)}


@pytest.mark.parametrize(
    ("operation", "arguments", "param"),
    [
        ("create", {"items": [says("x")] * 21}, "items"),
        ("create", {"metadata": PAIRS_17}, "metadata"),
        ("create", {"metadata": {"k" * 65: "x"}}, f"metadata.{'k' * 65}"),
        ("create", {"metadata": {"k": "x" * 513}}, "metadata.k"),
        ("list", {"limit": 0}, "limit"),
        ("list", {"limit": 51}, "limit"),
        ("list", {"after": "conv_unknown"}, "after"),
        ("list", {"metadata": "{"}, "metadata"),
        ("list", {"metadata": '{"a":1}'}, "metadata"),
        ("update", {"metadata": PAIRS_17}, "metadata"),
        ("list_items", {"limit": 101}, "limit"),
        ("list_items", {"after": "msg_unknown"}, "after"),
        ("create_items", {"items": []}, "items"),
        ("create_items", {"items": [says("x")] * 21}, "items"),
        ("create_items", {"items": [says("x", id="msg_1"), says("y", id="msg_1")]}, "items[1].id"),
        ("delete_items", {"item_ids": []}, "item_ids"),
    ],
)
def test_invalid_is_400(conversations: Any, operation: str, arguments: dict[str, Any], param: str) -> None:
    """The SDK lets these out, so that the server has to refuse them."""
    if operation not in ("create", "list"):
        arguments = {"conversation_id": conversations.create().id, **arguments}
    refused = refusal(getattr(conversations, operation), **arguments)
    assert refused.status == 400
    assert refused.error["type"] == "invalid_request_error"
    assert refused.error["code"] == 400
    assert refused.error["param"] == param
    assert refused.error["message"].startswith(f"{param}: ")
    assert refused.error["findings"]


def test_unknown_conversation_is_404(conversations: Any) -> None:
    for operation, arguments in WITH_A_CONVERSATION.items():
        refused = refusal(getattr(conversations, operation), conversation_id="conv_unknown", **arguments)
        assert (refused.status, refused.error["code"]) == (404, 404), operation
        assert refused.error["param"] == "conversation_id", operation
        assert "conv_unknown" in refused.error["message"], operation


def test_unknown_item_is_404(conversations: Any) -> None:
    conversation = conversations.create().id
    for operation in ("get_item", "delete_item"):
        refused = refusal(getattr(conversations, operation), conversation_id=conversation, item_id="msg_unknown")
        assert (refused.status, refused.error["param"]) == (404, "item_id"), operation


def test_no_key_is_401(connect_mka1: Any, server: RunningServer) -> None:
    refused = refusal(connect_mka1(server_url=server.url).list)
    assert refused.status == 401
    assert refused.error["type"] == "authentication_error"
    assert refused.headers["www-authenticate"] == "Bearer"


def test_unknown_key_is_401(connect_mka1: Any) -> None:
    with run_server(create_app(Settings(api_keys=("known",)))) as server:
        assert connect_mka1(bearer_auth="known", server_url=server.url).list().data == []
        assert refusal(connect_mka1(bearer_auth="other", server_url=server.url).list).status == 401


def test_too_many_requests_are_429(connect_mka1: Any) -> None:
    """At once: the call says that there shall be no retries."""
    clock = AdjustableClock()
    clock.freeze()
    with run_server(create_app(Settings(rate_limits=("2/m",)), clock=clock)) as server:
        conversations = connect_mka1(bearer_auth="busy", server_url=server.url, retry_config=UNSET)
        conversations.create()
        conversations.list()
        for operation in OPERATIONS:
            arguments = WITH_A_CONVERSATION.get(operation)
            arguments = {} if arguments is None else {"conversation_id": "conv_unknown", **arguments}
            refused = refusal(getattr(conversations, operation), **arguments, retries=None)
            assert (refused.status, refused.error) == (429, "Rate limit exceeded"), operation
        assert connect_mka1(bearer_auth="idle", server_url=server.url).list().data == []
        clock.advance(60)
        assert len(conversations.list().data) == 1


def test_the_sdk_retries_until_the_limit_is_over(connect_mka1: Any) -> None:
    clock = AdjustableClock()
    clock.freeze()
    fake = create_app(Settings(rate_limits=("1/m",)), clock=clock)
    requests: list[str] = []

    async def later_and_later(scope: Scope, receive: Receive, send: Send) -> None:
        clock.advance(25)
        requests.append(scope["method"])
        await fake(scope, receive, send)

    retries = RetryConfig("backoff", BackoffStrategy(1, 5, 1.0, 10_000), retry_connection_errors=False)
    with run_server(later_and_later) as server:
        conversations = connect_mka1(bearer_auth="busy", server_url=server.url)
        first = conversations.create()
        second = conversations.create(retries=retries)
        assert requests == ["POST"] * 4
        assert ids(conversations.list(retries=retries)) == [first.id, second.id]


def test_a_whole_conversation_over_http_is_what_the_sdk_sees(conversations: Any, http: httpx.Client) -> None:
    created = conversations.create(items=[says("hello", id="msg_1")], metadata={"a": "b"})
    assert http.get(f"/conversations/{created.id}").json() == created.model_dump(mode="json")
    assert http.get("/conversations").json() == conversations.list().model_dump(mode="json")
    assert http.get(f"/conversations/{created.id}/items").json() == conversations.list_items(
        conversation_id=created.id
    ).model_dump(mode="json")
