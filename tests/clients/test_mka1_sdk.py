"""All ten operations, called with the `meetkai-mka1` SDK."""

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
from tests.clients.support import ids_of, message

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


def api_error(call: Callable[..., Any], **arguments: Any) -> SimpleNamespace:
    """Return the error that the SDK raises; `body` is the `error` of the response body."""
    with pytest.raises(SDKDefaultError, match="API error occurred: Status") as caught:
        call(**arguments)
    raised = caught.value
    assert raised.headers["content-type"] == "application/json"
    return SimpleNamespace(status=raised.status_code, headers=raised.headers, body=json.loads(raised.body)["error"])


def test_the_sdk_has_no_other_operations() -> None:
    methods = {name for name in vars(Conversations) if not name.startswith("_")}
    assert methods == {*OPERATIONS, *(f"{name}_async" for name in OPERATIONS)}


# -- Conversations


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
    """Dicts and models of the SDK may be mixed."""
    items = [
        message("What is the weather today?", id="msg_question"),
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
    created = conversations.create(items=[message("hello", id="msg_hello")])
    kept = conversations.create()
    deleted = conversations.delete(conversation_id=created.id)
    assert isinstance(deleted, models.ConversationDeletedObject)
    assert (deleted.id, deleted.object, deleted.deleted) == (created.id, "conversation.deleted", True)
    assert api_error(conversations.get, conversation_id=created.id).status == 404
    assert ids_of(conversations.list().data) == [kept.id]
    assert ids_of(conversations.list_items(conversation_id=created.id).data) == ["msg_hello"]
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


def test_list_without_conversations(conversations: Any) -> None:
    page = conversations.list()
    assert page.data == []
    assert page.has_more is False
    assert not page.last_id


@pytest.mark.parametrize("as_json", [False, True], ids=["dict", "json"])
def test_list_filtered_by_metadata(conversations: Any, as_json: bool) -> None:
    both = conversations.create(metadata={"user_type": "premium", "x y": "a&b=ü", "more": "1"}).id
    one = conversations.create(metadata={"user_type": "premium"}).id
    conversations.create(metadata={"user_type": "Premium"})

    def listed(pairs: dict[str, str]) -> list[str]:
        return ids_of(conversations.list(metadata=json.dumps(pairs) if as_json else pairs).data)

    assert listed({"user_type": "premium"}) == [both, one]
    assert listed({"user_type": "premium", "x y": "a&b=ü"}) == [both]
    assert listed({"user_type": "free"}) == []


def test_list_filtered_by_a_key_that_is_also_a_parameter(conversations: Any) -> None:
    wanted = conversations.create(metadata={"limit": "7"}).id
    conversations.create(metadata={"limit": "8"})
    assert ids_of(conversations.list(metadata='{"limit":"7"}').data) == [wanted]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_list_by_cursor(conversations: Any, order: str) -> None:
    created = [conversations.create(metadata={"kind": "odd" if n % 2 else "even"}).id for n in range(7)]
    odd = created[1::2]

    def pages(**filters: Any) -> list[list[str]]:
        pages, after, has_more = [], None, True
        while has_more and len(pages) < 10:
            page = conversations.list(limit=2, order=order, after=after, **filters)
            pages.append(ids_of(page.data))
            after, has_more = page.last_id, page.has_more
        return pages

    expected = created if order == "asc" else created[::-1]
    assert pages() == [expected[:2], expected[2:4], expected[4:6], expected[6:]]
    expected = odd if order == "asc" else odd[::-1]
    assert pages(metadata={"kind": "odd"}) == [expected[:2], expected[2:]]


# -- Items


def test_create_items(conversations: Any) -> None:
    conversation = conversations.create(items=[message("already there")]).id
    answer = conversations.create_items(
        conversation_id=conversation,
        items=[message("one", id="msg_one"), message("two")],
        include=["content"],
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
    conversation = conversations.create(items=[message(text, id=f"msg_{text}") for text in "abc"]).id
    page = conversations.list_items(conversation_id=conversation)
    assert isinstance(page, models.ConversationsItemsListResponse)
    assert page.object == "list"
    assert ids_of(page.data) == ["msg_a", "msg_b", "msg_c"]
    assert page.has_more is False
    assert page.last_id == "msg_c"
    page = conversations.list_items(
        conversation_id=conversation, after="msg_c", include=["content", "metadata"], limit=1, order="desc"
    )
    assert ids_of(page.data) == ["msg_b"]
    assert page.has_more is True
    assert page.last_id == "msg_b"


def test_list_items_of_an_empty_conversation(conversations: Any) -> None:
    page = conversations.list_items(conversation_id=conversations.create().id)
    assert (page.data, page.has_more, page.last_id) == ([], False, "")


def test_get_item(conversations: Any) -> None:
    conversation = conversations.create(items=[message("one", id="msg_1"), message("two", id="msg_2")]).id
    item = conversations.get_item(conversation_id=conversation, item_id="msg_2")
    assert (item.id, item.type, item.role, item.content) == ("msg_2", "message", "user", "two")


def test_delete_item(conversations: Any) -> None:
    created = conversations.create(items=[message(text, id=f"msg_{text}") for text in "abc"], metadata={"a": "b"})
    answer = conversations.delete_item(conversation_id=created.id, item_id="msg_b")
    assert isinstance(answer, models.ConversationObject)
    assert answer == created
    assert ids_of(conversations.list_items(conversation_id=created.id).data) == ["msg_a", "msg_c"]
    assert api_error(conversations.get_item, conversation_id=created.id, item_id="msg_b").status == 404


def test_delete_items(conversations: Any) -> None:
    created = conversations.create(items=[message(text, id=f"msg_{text}") for text in "abc"])
    answer = conversations.delete_items(conversation_id=created.id, item_ids=["msg_c", "msg_a"])
    assert isinstance(answer, models.ConversationObject)
    assert answer == created
    assert ids_of(conversations.list_items(conversation_id=created.id).data) == ["msg_b"]


# -- End users

ARGUMENTS: dict[str, dict[str, Any]] = {
    "get": {},
    "update": {"metadata": {}},
    "list_items": {},
    "create_items": {"items": [message("mine now")]},
    "get_item": {"item_id": "msg_1"},
    "delete_item": {"item_id": "msg_1"},
    "delete_items": {"item_ids": ["msg_1"]},
    "delete": {},
}


def test_every_operation_is_limited_to_the_end_user(conversations: Any) -> None:
    """Neither other end users nor the account itself see the conversation of an end user."""
    theirs = conversations.create(items=[message("hello", id="msg_1")], x_on_behalf_of="ada").id
    for others in ({"x_on_behalf_of": "grace"}, {}):
        assert conversations.list(**others).data == []
        for operation, arguments in ARGUMENTS.items():
            call = getattr(conversations, operation)
            assert api_error(call, conversation_id=theirs, **arguments, **others).status == 404, operation
    assert ids_of(conversations.list(x_on_behalf_of="ada").data) == [theirs]
    conversations.create_items(conversation_id=theirs, items=[message("to go", id="msg_2")], x_on_behalf_of="ada")
    for operation, arguments in ARGUMENTS.items():
        arguments = {"item_ids": ["msg_2"]} if operation == "delete_items" else arguments
        getattr(conversations, operation)(conversation_id=theirs, **arguments, x_on_behalf_of="ada")
    assert conversations.list(x_on_behalf_of="ada").data == []


def test_end_users_are_tested_with_all_operations() -> None:
    assert {*ARGUMENTS, "create", "list"} == set(OPERATIONS)


# -- Errors

PAIRS_17 = {str(n): "x" for n in range(17)}


@pytest.mark.parametrize(
    ("operation", "arguments", "param"),
    [
        ("create", {"items": [message("x")] * 21}, "items"),
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
        ("create_items", {"items": [message("x")] * 21}, "items"),
        ("create_items", {"items": [message("x", id="msg_1"), message("y", id="msg_1")]}, "items[1].id"),
        ("delete_items", {"item_ids": []}, "item_ids"),
    ],
)
def test_invalid_is_400(conversations: Any, operation: str, arguments: dict[str, Any], param: str) -> None:
    """The SDK sends these requests, so the server has to reject them."""
    if operation not in ("create", "list"):
        arguments = {"conversation_id": conversations.create().id, **arguments}
    error = api_error(getattr(conversations, operation), **arguments)
    assert error.status == 400
    assert error.body["type"] == "invalid_request_error"
    assert error.body["code"] == 400
    assert error.body["param"] == param
    assert error.body["message"].startswith(f"{param}: ")
    assert error.body["findings"]


def test_unknown_conversation_is_404(conversations: Any) -> None:
    for operation, arguments in ARGUMENTS.items():
        error = api_error(getattr(conversations, operation), conversation_id="conv_unknown", **arguments)
        assert (error.status, error.body["code"]) == (404, 404), operation
        assert error.body["param"] == "conversation_id", operation
        assert "conv_unknown" in error.body["message"], operation


def test_unknown_item_is_404(conversations: Any) -> None:
    conversation = conversations.create().id
    for operation in ("get_item", "delete_item"):
        error = api_error(getattr(conversations, operation), conversation_id=conversation, item_id="msg_unknown")
        assert (error.status, error.body["param"]) == (404, "item_id"), operation


def test_no_key_is_401(connect_mka1: Any, server: RunningServer) -> None:
    error = api_error(connect_mka1(server_url=server.url).list)
    assert error.status == 401
    assert error.body["type"] == "authentication_error"
    assert error.headers["www-authenticate"] == "Bearer"


def test_unknown_key_is_401(connect_mka1: Any) -> None:
    with run_server(create_app(Settings(api_keys=("known",)))) as server:
        assert connect_mka1(bearer_auth="known", server_url=server.url).list().data == []
        assert api_error(connect_mka1(bearer_auth="other", server_url=server.url).list).status == 401


def test_too_many_requests_are_429(connect_mka1: Any) -> None:
    """The calls disable retries, so they fail at once."""
    clock = AdjustableClock()
    clock.freeze()
    with run_server(create_app(Settings(rate_limits=("2/m",)), clock=clock)) as server:
        conversations = connect_mka1(bearer_auth="busy", server_url=server.url, retry_config=UNSET)
        conversations.create()
        conversations.list()
        for operation in OPERATIONS:
            arguments = ARGUMENTS.get(operation)
            arguments = {} if arguments is None else {"conversation_id": "conv_unknown", **arguments}
            error = api_error(getattr(conversations, operation), **arguments, retries=None)
            assert (error.status, error.body) == (429, "Rate limit exceeded"), operation
        assert connect_mka1(bearer_auth="idle", server_url=server.url).list().data == []
        clock.advance(60)
        assert len(conversations.list().data) == 1


def test_the_sdk_retries_until_the_rate_limit_ends(connect_mka1: Any) -> None:
    clock = AdjustableClock()
    clock.freeze()
    fake = create_app(Settings(rate_limits=("1/m",)), clock=clock)
    requests: list[str] = []

    async def advance_clock(scope: Scope, receive: Receive, send: Send) -> None:
        clock.advance(25)
        requests.append(scope["method"])
        await fake(scope, receive, send)

    retries = RetryConfig("backoff", BackoffStrategy(1, 5, 1.0, 10_000), retry_connection_errors=False)
    with run_server(advance_clock) as server:
        conversations = connect_mka1(bearer_auth="busy", server_url=server.url)
        first = conversations.create()
        second = conversations.create(retries=retries)
        assert requests == ["POST"] * 4
        assert ids_of(conversations.list(retries=retries).data) == [first.id, second.id]


def test_the_sdk_reads_the_same_as_a_plain_http_client(conversations: Any, http: httpx.Client) -> None:
    created = conversations.create(items=[message("hello", id="msg_1")], metadata={"a": "b"})
    assert http.get(f"/conversations/{created.id}").json() == created.model_dump(mode="json")
    assert http.get("/conversations").json() == conversations.list().model_dump(mode="json")
    assert http.get(f"/conversations/{created.id}/items").json() == conversations.list_items(
        conversation_id=created.id
    ).model_dump(mode="json")
