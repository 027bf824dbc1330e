"""Requests that the real clients send, where the fake depends on their form."""

import json
from typing import Any

import openai
import pytest
from meetkai_mka1.errors import ResponseValidationError, SDKDefaultError

from mockserver import RunningServer
from tests.clients.support import RequestRecorder, ids_of, message

CONVERSATIONS = "/api/v1/llm/conversations"


# -- Queries of lists


def test_the_sdk_always_sends_limit_and_order(conversations: Any, recorder: RequestRecorder) -> None:
    conversation = conversations.create().id
    conversations.list()
    assert str(recorder.last) == f"GET {CONVERSATIONS}?limit=20&order=asc"
    conversations.list_items(conversation_id=conversation)
    assert str(recorder.last) == f"GET {CONVERSATIONS}/{conversation}/items?limit=20&order=asc"
    page = conversations.list(limit=None, order=None)
    assert str(recorder.last) == f"GET {CONVERSATIONS}"
    assert ids_of(page.data) == [conversation]


def test_a_filter_becomes_parameters(conversations: Any, recorder: RequestRecorder) -> None:
    wanted = conversations.create(metadata={"user_type": "premium", "x y": "a&b"}).id
    conversations.create(metadata={"user_type": "premium"})
    page = conversations.list(metadata={"user_type": "premium", "x y": "a&b"})
    assert recorder.last.query == "limit=20&order=asc&user_type=premium&x+y=a%26b"
    assert ids_of(page.data) == [wanted]


def test_a_filter_in_json_becomes_the_parameter_metadata(conversations: Any, recorder: RequestRecorder) -> None:
    wanted = conversations.create(metadata={"user_type": "premium"}).id
    conversations.create()
    page = conversations.list(metadata='{"user_type":"premium"}')
    assert recorder.last.query == "limit=20&order=asc&metadata=%7B%22user_type%22%3A%22premium%22%7D"
    assert ids_of(page.data) == [wanted]


def test_a_filter_key_replaces_the_parameter_of_the_same_name(conversations: Any, recorder: RequestRecorder) -> None:
    """The fake cannot tell them apart, so it reads the parameter."""
    created = [conversations.create(metadata={"limit": "1"}).id for _ in range(3)]
    page = conversations.list(limit=3, metadata={"limit": "1"})
    assert recorder.last.query == "limit=1&order=asc"
    assert ids_of(page.data) == created[:1]
    with pytest.raises(SDKDefaultError) as caught:
        conversations.list(metadata={"order": "sideways"})
    assert recorder.last.query == "limit=20&order=sideways"
    assert caught.value.status_code == 400
    assert json.loads(caught.value.body)["error"]["param"] == "order"


def test_search_and_cursor(conversations: Any, recorder: RequestRecorder) -> None:
    first, second = (conversations.create(items=[message("weather forecast & more")]).id for _ in range(2))
    page = conversations.list(search="weather & forecast", after=second, limit=5, order="desc")
    assert recorder.last.query == f"after={second}&limit=5&order=desc&search=weather+%26+forecast"
    assert ids_of(page.data) == [first]


# -- include


def test_include_of_the_sdk(conversations: Any, recorder: RequestRecorder) -> None:
    conversation = conversations.create().id
    conversations.create_items(conversation_id=conversation, items=[message("hello")], include=["content"])
    assert recorder.last.query == ""
    assert json.loads(recorder.last.body) == {"items": [message("hello")], "include": ["content"]}
    conversations.list_items(conversation_id=conversation, include=["content", "metadata"])
    assert recorder.last.query == "include=content&include=metadata&limit=20&order=asc"


def test_include_of_the_openai_client(client: Any, recorder: RequestRecorder) -> None:
    """It has brackets and is always in the query."""
    items = client.conversations.items
    conversation = client.conversations.create().id
    include = ["file_search_call.results", "reasoning.encrypted_content"]
    query = "include%5B%5D=file_search_call.results&include%5B%5D=reasoning.encrypted_content"
    created = items.create(conversation, items=[message("hello", id="msg_1")], include=include).data
    assert recorder.last.query == query
    assert json.loads(recorder.last.body) == {"items": [message("hello", id="msg_1")]}
    assert items.list(conversation, include=include, limit=2).data == created
    assert recorder.last.query == f"{query}&limit=2"
    assert items.retrieve("msg_1", conversation_id=conversation, include=include) == created[0]
    assert recorder.last.query == query


# -- Bodies


def test_create_with_nothing_sends_an_empty_object(conversations: Any, client: Any, recorder: RequestRecorder) -> None:
    conversations.create()
    assert recorder.last.body == b"{}"
    client.conversations.create()
    assert recorder.last.body == b"{}"


def test_null_is_sent_as_null(client: Any, recorder: RequestRecorder) -> None:
    with pytest.raises(openai.BadRequestError):
        client.conversations.create(metadata=None)
    assert json.loads(recorder.last.body) == {"metadata": None}


def test_delete_items_has_a_body(conversations: Any, recorder: RequestRecorder) -> None:
    conversation = conversations.create(items=[message("one", id="msg_1"), message("two", id="msg_2")]).id
    conversations.delete_items(conversation_id=conversation, item_ids=["msg_1", "msg_2"])
    assert str(recorder.last) == f"DELETE {CONVERSATIONS}/{conversation}/items"
    assert recorder.last.headers["content-type"] == "application/json"
    assert json.loads(recorder.last.body) == {"item_ids": ["msg_1", "msg_2"]}


def test_the_openai_client_sends_a_content_type_without_a_body(client: Any, recorder: RequestRecorder) -> None:
    conversation = client.conversations.create(items=[message("hello", id="msg_1")]).id
    client.conversations.items.delete("msg_1", conversation_id=conversation)
    first = recorder.last
    assert client.conversations.delete(conversation).deleted is True
    for request in (first, recorder.last):
        assert request.method == "DELETE"
        assert request.headers["content-type"] == "application/json"
        assert request.body == b""


def test_the_sdk_sends_no_content_type_without_a_body(conversations: Any, recorder: RequestRecorder) -> None:
    conversation = conversations.create(items=[message("hello", id="msg_1")]).id
    conversations.delete_item(conversation_id=conversation, item_id="msg_1")
    assert "content-type" not in recorder.last.headers
    assert conversations.delete(conversation_id=conversation).deleted is True
    assert "content-type" not in recorder.last.headers
    assert recorder.last.body == b""


# -- Headers


def test_the_prefix_bearer_may_be_part_of_the_key(
    connect_mka1: Any, server: RunningServer, api_key: str, recorder: RequestRecorder
) -> None:
    created = connect_mka1(bearer_auth=api_key, server_url=server.url).create()
    listed = connect_mka1(bearer_auth=f"Bearer {api_key}", server_url=server.url).list()
    assert recorder.last.headers["authorization"] == f"Bearer {api_key}"
    assert listed.data == [created]


def test_without_a_key_there_is_no_header(connect_mka1: Any, server: RunningServer, recorder: RequestRecorder) -> None:
    with pytest.raises(SDKDefaultError, match="Status 401"):
        connect_mka1(server_url=server.url).list()
    assert "authorization" not in recorder.last.headers


def test_the_end_user_is_a_header(conversations: Any, recorder: RequestRecorder) -> None:
    conversations.create(x_on_behalf_of="customer-42")
    assert recorder.last.headers["x-on-behalf-of"] == "customer-42"
    conversations.create()
    assert "x-on-behalf-of" not in recorder.last.headers


def test_no_client_sends_an_idempotency_key(conversations: Any, client: Any, recorder: RequestRecorder) -> None:
    """So to the fake, a repeated request is a new one."""
    conversations.create()
    client.conversations.create()
    assert not any("idempotency" in name for request in recorder.requests for name in request.headers)


# -- Ids in paths


@pytest.mark.parametrize(
    ("item_id", "from_the_sdk", "from_openai"),
    [
        ("two words", "two%20words", "two%20words"),
        ("größe", "gr%C3%B6%C3%9Fe", "gr%C3%B6%C3%9Fe"),
        ("a;b=c,d:e@f", "a;b=c,d:e@f", "a;b=c,d:e@f"),
        ("100%", "100%", "100%25"),
        ("a/b", None, "a%2Fb"),
        ("a?b#c", None, "a%3Fb%23c"),
        ("a%2Fb", None, "a%252Fb"),
    ],
    ids=["space", "umlauts", "marks", "percent sign", "slash", "question mark", "percent-encoded"],
)
def test_any_id_can_be_requested(
    conversations: Any,
    client: Any,
    recorder: RequestRecorder,
    item_id: str,
    from_the_sdk: str | None,
    from_openai: str,
) -> None:
    """The SDK does not encode reserved characters, so it cannot request ids that contain them."""
    conversation = client.conversations.create(items=[message("other"), message("hello", id=item_id)]).id
    path = f"{CONVERSATIONS}/{conversation}/items"
    if from_the_sdk:
        assert conversations.get_item(conversation_id=conversation, item_id=item_id).content == "hello"
        assert str(recorder.last) == f"GET {path}/{from_the_sdk}"
    else:
        with pytest.raises(SDKDefaultError, match="Status 404"):
            conversations.get_item(conversation_id=conversation, item_id=item_id)
    assert client.conversations.items.retrieve(item_id, conversation_id=conversation).id == item_id
    assert str(recorder.last) == f"GET {path}/{from_openai}"
    assert client.conversations.items.list(conversation, after=item_id).data == []
    client.conversations.items.delete(item_id, conversation_id=conversation)
    assert len(conversations.list_items(conversation_id=conversation).data) == 1


@pytest.mark.parametrize(
    ("item_id", "path", "status"),
    [("", "/items/", 404), ("a/b", "/items/a/b", 404), (".", "/items", 400), ("../items/msg_1/..", "/items", 400)],
)
def test_the_sdk_resolves_dots(
    conversations: Any, recorder: RequestRecorder, item_id: str, path: str, status: int
) -> None:
    """So the request may match another operation than the caller meant; without a body it deletes nothing."""
    conversation = conversations.create(items=[message("hello", id="msg_1")]).id
    with pytest.raises(SDKDefaultError, match=f"Status {status}"):
        conversations.delete_item(conversation_id=conversation, item_id=item_id)
    assert str(recorder.last) == f"DELETE {CONVERSATIONS}/{conversation}{path}"
    assert ids_of(conversations.list_items(conversation_id=conversation).data) == ["msg_1"]


def test_two_dots_delete_the_conversation(conversations: Any, recorder: RequestRecorder) -> None:
    """No server can know that the caller meant an item, and the SDK cannot read the response."""
    conversation = conversations.create(items=[message("hello", id="msg_1")]).id
    with pytest.raises(ResponseValidationError):
        conversations.delete_item(conversation_id=conversation, item_id="..")
    assert str(recorder.last) == f"DELETE {CONVERSATIONS}/{conversation}"
    assert conversations.list().data == []
