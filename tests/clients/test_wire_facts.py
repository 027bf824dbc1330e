"""What the clients put on the wire where the fake relies on it, and that the fake copes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import openai
import pytest
from meetkai_mka1.errors import ResponseValidationError, SDKDefaultError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mockserver import RunningServer, Settings, create_app, run_server

CONVERSATIONS = "/api/v1/llm/conversations"


@dataclass
class Request:
    """`path` and `query` are as sent, not decoded."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes = b""


@dataclass
class Recorder:
    """Stands in front of an app and keeps the requests."""

    app: ASGIApp
    requests: list[Request] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        request = Request(scope["method"], scope["raw_path"].decode(), scope["query_string"].decode(), headers)
        self.requests.append(request)

        async def recorded() -> Message:
            message = await receive()
            request.body += message.get("body", b"")
            return message

        await self.app(scope, recorded, send)

    @property
    def last(self) -> Request:
        return self.requests[-1]

    @property
    def target(self) -> str:
        """The last request's method, path and query."""
        query = f"?{self.last.query}" if self.last.query else ""
        return f"{self.last.method} {self.last.path}{query}"


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder(create_app(Settings()))


@pytest.fixture(scope="module")
def server(recorder: Recorder) -> Iterator[RunningServer]:
    """What `conversations` and `client` talk to in this file."""
    with run_server(recorder) as running:
        yield running


def says(text: str, **fields: Any) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": text, **fields}


def ids(page: Any) -> list[str]:
    return [entry.id for entry in page.data]


# The query of a list


def test_the_sdk_always_sends_limit_and_order(conversations: Any, recorder: Recorder) -> None:
    conversation = conversations.create().id
    conversations.list()
    assert recorder.target == f"GET {CONVERSATIONS}?limit=20&order=asc"
    conversations.list_items(conversation_id=conversation)
    assert recorder.target == f"GET {CONVERSATIONS}/{conversation}/items?limit=20&order=asc"
    page = conversations.list(limit=None, order=None)
    assert recorder.target == f"GET {CONVERSATIONS}"
    assert ids(page) == [conversation]


def test_a_filter_becomes_parameters_of_its_own(conversations: Any, recorder: Recorder) -> None:
    wanted = conversations.create(metadata={"user_type": "premium", "x y": "a&b"}).id
    conversations.create(metadata={"user_type": "premium"})
    page = conversations.list(metadata={"user_type": "premium", "x y": "a&b"})
    assert recorder.last.query == "limit=20&order=asc&user_type=premium&x+y=a%26b"
    assert ids(page) == [wanted]


def test_a_filter_in_json_is_the_parameter_metadata(conversations: Any, recorder: Recorder) -> None:
    wanted = conversations.create(metadata={"user_type": "premium"}).id
    conversations.create()
    page = conversations.list(metadata='{"user_type":"premium"}')
    assert recorder.last.query == "limit=20&order=asc&metadata=%7B%22user_type%22%3A%22premium%22%7D"
    assert ids(page) == [wanted]


def test_a_filter_key_that_is_a_parameter_takes_its_place(conversations: Any, recorder: Recorder) -> None:
    """The fake cannot tell them apart: to it, it is the parameter."""
    created = [conversations.create(metadata={"limit": "1"}).id for _ in range(3)]
    page = conversations.list(limit=3, metadata={"limit": "1"})
    assert recorder.last.query == "limit=1&order=asc"
    assert ids(page) == created[:1]
    with pytest.raises(SDKDefaultError) as caught:
        conversations.list(metadata={"order": "sideways"})
    assert recorder.last.query == "limit=20&order=sideways"
    assert caught.value.status_code == 400
    assert json.loads(caught.value.body)["error"]["param"] == "order"


def test_search_and_cursor(conversations: Any, recorder: Recorder) -> None:
    first, second = (conversations.create(items=[says("weather forecast & more")]).id for _ in range(2))
    page = conversations.list(search="weather & forecast", after=second, limit=5, order="desc")
    assert recorder.last.query == f"after={second}&limit=5&order=desc&search=weather+%26+forecast"
    assert ids(page) == [first]


# include


def test_include_of_the_sdk(conversations: Any, recorder: Recorder) -> None:
    conversation = conversations.create().id
    conversations.create_items(conversation_id=conversation, items=[says("hello")], include=["content"])
    assert recorder.last.query == ""
    assert json.loads(recorder.last.body) == {"items": [says("hello")], "include": ["content"]}
    conversations.list_items(conversation_id=conversation, include=["content", "metadata"])
    assert recorder.last.query == "include=content&include=metadata&limit=20&order=asc"


def test_include_of_the_openai_client(client: Any, recorder: Recorder) -> None:
    """It has brackets, and is in the query wherever it is sent."""
    items = client.conversations.items
    conversation = client.conversations.create().id
    include = ["file_search_call.results", "reasoning.encrypted_content"]
    query = "include%5B%5D=file_search_call.results&include%5B%5D=reasoning.encrypted_content"
    created = items.create(conversation, items=[says("hello", id="msg_1")], include=include).data
    assert recorder.last.query == query
    assert json.loads(recorder.last.body) == {"items": [says("hello", id="msg_1")]}
    assert items.list(conversation, include=include, limit=2).data == created
    assert recorder.last.query == f"{query}&limit=2"
    assert items.retrieve("msg_1", conversation_id=conversation, include=include) == created[0]
    assert recorder.last.query == query


# Bodies


def test_create_with_nothing_sends_an_empty_object(conversations: Any, client: Any, recorder: Recorder) -> None:
    conversations.create()
    assert recorder.last.body == b"{}"
    client.conversations.create()
    assert recorder.last.body == b"{}"


def test_null_goes_out_as_null(client: Any, recorder: Recorder) -> None:
    with pytest.raises(openai.BadRequestError):
        client.conversations.create(metadata=None)
    assert json.loads(recorder.last.body) == {"metadata": None}


def test_delete_items_has_a_body(conversations: Any, recorder: Recorder) -> None:
    conversation = conversations.create(items=[says("one", id="msg_1"), says("two", id="msg_2")]).id
    conversations.delete_items(conversation_id=conversation, item_ids=["msg_1", "msg_2"])
    assert recorder.target == f"DELETE {CONVERSATIONS}/{conversation}/items"
    assert recorder.last.headers["content-type"] == "application/json"
    assert json.loads(recorder.last.body) == {"item_ids": ["msg_1", "msg_2"]}


def test_the_openai_client_announces_json_and_sends_none(client: Any, recorder: Recorder) -> None:
    conversation = client.conversations.create(items=[says("hello", id="msg_1")]).id
    client.conversations.items.delete("msg_1", conversation_id=conversation)
    announced = recorder.last
    assert client.conversations.delete(conversation).deleted is True
    for request in (announced, recorder.last):
        assert request.method == "DELETE"
        assert request.headers["content-type"] == "application/json"
        assert request.body == b""


def test_the_sdk_announces_nothing_without_a_body(conversations: Any, recorder: Recorder) -> None:
    conversation = conversations.create(items=[says("hello", id="msg_1")]).id
    conversations.delete_item(conversation_id=conversation, item_id="msg_1")
    assert "content-type" not in recorder.last.headers
    assert conversations.delete(conversation_id=conversation).deleted is True
    assert "content-type" not in recorder.last.headers
    assert recorder.last.body == b""


# Headers


def test_a_key_with_bearer_before_it_is_the_same_key(
    connect_mka1: Any, server: RunningServer, api_key: str, recorder: Recorder
) -> None:
    created = connect_mka1(bearer_auth=api_key, server_url=server.url).create()
    listed = connect_mka1(bearer_auth=f"Bearer {api_key}", server_url=server.url).list()
    assert recorder.last.headers["authorization"] == f"Bearer {api_key}"
    assert listed.data == [created]


def test_without_a_key_there_is_no_header(connect_mka1: Any, server: RunningServer, recorder: Recorder) -> None:
    with pytest.raises(SDKDefaultError, match="Status 401"):
        connect_mka1(server_url=server.url).list()
    assert "authorization" not in recorder.last.headers


def test_the_end_user_is_a_header(conversations: Any, recorder: Recorder) -> None:
    conversations.create(x_on_behalf_of="customer-42")
    assert recorder.last.headers["x-on-behalf-of"] == "customer-42"
    conversations.create()
    assert "x-on-behalf-of" not in recorder.last.headers


def test_no_client_sends_an_idempotency_key(conversations: Any, client: Any, recorder: Recorder) -> None:
    """So the fake has none to mind: a repeated request is another one."""
    conversations.create()
    client.conversations.create()
    assert not any("idempotency" in name for request in recorder.requests for name in request.headers)


# Ids in paths


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
def test_any_id_can_be_asked_for(
    conversations: Any, client: Any, recorder: Recorder, item_id: str, from_the_sdk: str | None, from_openai: str
) -> None:
    """The SDK does not encode what has a meaning in a URL; such ids are out of its reach."""
    conversation = client.conversations.create(items=[says("other"), says("hello", id=item_id)]).id
    path = f"{CONVERSATIONS}/{conversation}/items"
    if from_the_sdk:
        assert conversations.get_item(conversation_id=conversation, item_id=item_id).content == "hello"
        assert recorder.target == f"GET {path}/{from_the_sdk}"
    else:
        with pytest.raises(SDKDefaultError, match="Status 404"):
            conversations.get_item(conversation_id=conversation, item_id=item_id)
    assert client.conversations.items.retrieve(item_id, conversation_id=conversation).id == item_id
    assert recorder.target == f"GET {path}/{from_openai}"
    assert client.conversations.items.list(conversation, after=item_id).data == []
    client.conversations.items.delete(item_id, conversation_id=conversation)
    assert len(conversations.list_items(conversation_id=conversation).data) == 1


@pytest.mark.parametrize(
    ("item_id", "path", "status"),
    [("", "/items/", 404), ("a/b", "/items/a/b", 404), (".", "/items", 400), ("../items/msg_1/..", "/items", 400)],
)
def test_the_sdk_resolves_dots(conversations: Any, recorder: Recorder, item_id: str, path: str, status: int) -> None:
    """So the wire may name another operation than the program; without its body it deletes nothing."""
    conversation = conversations.create(items=[says("hello", id="msg_1")]).id
    with pytest.raises(SDKDefaultError, match=f"Status {status}"):
        conversations.delete_item(conversation_id=conversation, item_id=item_id)
    assert recorder.target == f"DELETE {CONVERSATIONS}/{conversation}{path}"
    assert ids(conversations.list_items(conversation_id=conversation)) == ["msg_1"]


def test_two_dots_delete_the_conversation(conversations: Any, recorder: Recorder) -> None:
    """No server can tell that an item was meant, and the SDK cannot read the answer."""
    conversation = conversations.create(items=[says("hello", id="msg_1")]).id
    with pytest.raises(ResponseValidationError):
        conversations.delete_item(conversation_id=conversation, item_id="..")
    assert recorder.target == f"DELETE {CONVERSATIONS}/{conversation}"
    assert conversations.list().data == []
