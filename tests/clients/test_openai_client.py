"""All operations on conversations in the `openai` package."""

import asyncio
from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai.resources.conversations import Conversations, Items

from mockserver import RunningServer, Settings, create_app, run_server
from tests.clients.support import ids_of, message


def api_error(status: type[openai.APIStatusError], call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    with pytest.raises(openai.APIStatusError) as caught:
        call(*args, **kwargs)
    assert type(caught.value) is status
    return caught.value


def test_the_client_has_no_other_operations() -> None:
    def operations(resource: type) -> set[str]:
        return {name for name, value in vars(resource).items() if callable(value) and not name.startswith("_")}

    assert operations(Conversations) == {"create", "retrieve", "update", "delete"}
    assert operations(Items) == {"create", "retrieve", "list", "delete"}


# -- Conversations


def test_create(client: Any) -> None:
    created = client.conversations.create(
        metadata={"channel": "support"},
        items=[message("hello", id="msg_1"), {"role": "assistant", "content": "hi"}],
    )
    assert created.id.startswith("conv_")
    assert created.object == "conversation"
    assert created.created_at > 1_700_000_000
    assert created.metadata == {"channel": "support"}
    assert created.deleted_at is None
    assert len(created.identity) == 64
    stored = client.conversations.items.list(created.id).data
    assert [(item.type, item.role, item.content) for item in stored] == [
        ("message", "user", "hello"),
        ("message", "assistant", "hi"),
    ]
    assert stored[0].id == "msg_1"


def test_retrieve(client: Any) -> None:
    created = client.conversations.create(metadata={"a": "b"})
    assert client.conversations.retrieve(created.id) == created


def test_update(client: Any) -> None:
    created = client.conversations.create(metadata={"a": "b", "c": "d"})
    updated = client.conversations.update(created.id, metadata={"c": "e"})
    assert updated.to_dict() == created.to_dict() | {"metadata": {"c": "e"}}
    assert client.conversations.retrieve(created.id) == updated


def test_delete(client: Any) -> None:
    created = client.conversations.create(items=[message("hello", id="msg_1")])
    deleted = client.conversations.delete(created.id)
    assert deleted.to_dict() == {"id": created.id, "object": "conversation.deleted", "deleted": True}
    api_error(openai.NotFoundError, client.conversations.retrieve, created.id)
    assert client.conversations.items.retrieve("msg_1", conversation_id=created.id).content == "hello"


@pytest.mark.parametrize("operation", ["create", "update"])
def test_null_metadata_is_rejected(client: Any, operation: str) -> None:
    """The types of OpenAI allow it; the MKA1 API does not."""
    conversations = client.conversations
    if operation == "create":
        error = api_error(openai.BadRequestError, conversations.create, metadata=None)
    else:
        created = conversations.create(metadata={"a": "b"})
        error = api_error(openai.BadRequestError, conversations.update, created.id, metadata=None)
        assert conversations.retrieve(created.id).metadata == {"a": "b"}
    assert error.param == "metadata"
    assert "metadata" in error.body["message"]


# -- Items


def test_create_items(client: Any) -> None:
    conversation = client.conversations.create().id
    response = client.conversations.items.create(conversation, items=[message("one", id="msg_1"), message("two")])
    assert response.object == "list"
    assert [item.content for item in response.data] == ["one", "two"]
    assert response.data[0].id == "msg_1"
    assert response.has_more is False
    assert response.last_id == response.data[1].id


def test_retrieve_item(client: Any) -> None:
    conversation = client.conversations.create(items=[message("one", id="msg_1"), message("two", id="msg_2")]).id
    item = client.conversations.items.retrieve("msg_2", conversation_id=conversation)
    assert item.to_dict(warnings=False) == message("two", id="msg_2")


def test_delete_item(client: Any) -> None:
    created = client.conversations.create(items=[message("one", id="msg_1"), message("two", id="msg_2")])
    response = client.conversations.items.delete("msg_1", conversation_id=created.id)
    assert response == created
    assert ids_of(client.conversations.items.list(created.id).data) == ["msg_2"]


def test_list_items(client: Any) -> None:
    conversation = client.conversations.create(items=[message(text, id=f"msg_{text}") for text in "abcd"]).id
    page = client.conversations.items.list(conversation)
    assert ids_of(page.data) == ["msg_a", "msg_b", "msg_c", "msg_d"]
    assert page.has_more is False
    assert page.last_id == "msg_d"
    page = client.conversations.items.list(conversation, after="msg_d", limit=2, order="desc")
    assert ids_of(page.data) == ["msg_c", "msg_b"]
    assert page.has_more is True
    assert page.last_id == "msg_b"


# -- Paging


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize(("count", "pages"), [(0, 1), (20, 1), (40, 2), (45, 3)])
def test_automatic_paging(server: RunningServer, api_key: str, order: str, count: int, pages: int) -> None:
    """A page has 20 items by default, and the client requests no page after the last."""
    with openai.OpenAI(base_url=server.api_url, api_key=api_key, max_retries=0) as client:
        conversation, added = create_with_items(client, count)
        expected = added if order == "asc" else added[::-1]
        assert ids_of(client.conversations.items.list(conversation, order=order)) == expected
        assert len(list(client.conversations.items.list(conversation, order=order).iter_pages())) == pages

    async def list_asynchronously() -> tuple[list[str], int]:
        async with openai.AsyncOpenAI(base_url=server.api_url, api_key=api_key, max_retries=0) as client:
            seen = [item.id async for item in client.conversations.items.list(conversation, order=order)]
            first = await client.conversations.items.list(conversation, order=order)
            return seen, len([page async for page in first.iter_pages()])

    assert asyncio.run(list_asynchronously()) == (expected, pages)


def test_automatic_paging_with_another_limit(server: RunningServer, api_key: str) -> None:
    with openai.OpenAI(base_url=server.api_url, api_key=api_key, max_retries=0) as client:
        conversation, added = create_with_items(client, 7)
        for limit, pages in ((1, 7), (3, 3), (7, 1), (100, 1)):
            first = client.conversations.items.list(conversation, limit=limit)
            assert ids_of(first) == added
            assert len(list(first.iter_pages())) == pages
        rest = client.conversations.items.list(conversation, limit=2, after=added[2])
        assert ids_of(rest) == added[3:]


def create_with_items(client: openai.OpenAI, count: int) -> tuple[str, list[str]]:
    """Create a conversation with that many items; return its id and theirs."""
    conversation = client.conversations.create().id
    added: list[str] = []
    while len(added) < count:
        some: list[Any] = [message("hello")] * min(20, count - len(added))
        added += ids_of(client.conversations.items.create(conversation, items=some).data)
    return conversation, added


def test_concurrent_requests(server: RunningServer, api_key: str) -> None:
    """No item is lost, and the items of each request stay together."""

    async def add_concurrently() -> tuple[list[list[str]], list[str]]:
        async with openai.AsyncOpenAI(base_url=server.api_url, api_key=api_key, max_retries=0) as client:
            conversation = (await client.conversations.create()).id
            some: list[Any] = [message("hello")] * 3
            create = client.conversations.items.create
            responses = await asyncio.gather(*(create(conversation, items=some) for _ in range(30)))
            listed = client.conversations.items.list(conversation, limit=100)
            return [ids_of(response.data) for response in responses], [item.id async for item in listed]

    responses, listed = asyncio.run(add_concurrently())
    threes = [listed[start : start + 3] for start in range(0, 90, 3)]
    assert sorted(threes) == sorted(responses)
    assert len(set(listed)) == 90


# -- End users


def test_end_users_are_kept_apart(client: Any) -> None:
    ada, grace = ({"X-On-Behalf-Of": user} for user in ("ada", "grace"))
    conversations, items = client.conversations, client.conversations.items
    theirs = conversations.create(items=[message("hello", id="msg_1")], extra_headers=ada).id
    attempts: list[Callable[..., Any]] = [
        lambda **headers: conversations.retrieve(theirs, **headers),
        lambda **headers: conversations.update(theirs, metadata={}, **headers),
        lambda **headers: items.list(theirs, **headers),
        lambda **headers: items.create(theirs, items=[message("more")], **headers),
        lambda **headers: items.retrieve("msg_1", conversation_id=theirs, **headers),
        lambda **headers: items.delete("msg_1", conversation_id=theirs, **headers),
        lambda **headers: conversations.delete(theirs, **headers),
    ]
    for attempt in attempts:
        api_error(openai.NotFoundError, attempt, extra_headers=grace)
        api_error(openai.NotFoundError, attempt)
    for attempt in attempts:
        attempt(extra_headers=ada)


# -- Errors


def test_invalid_is_a_bad_request_error(client: Any) -> None:
    conversation = client.conversations.create().id
    error = api_error(
        openai.BadRequestError,
        client.conversations.items.create,
        conversation,
        items=[message("fine"), {"type": "function_call", "name": "forecast", "arguments": "{}"}],
    )
    assert error.status_code == 400
    assert error.code == "400"  # The client converts it to a string.
    assert error.body["code"] == 400
    assert error.type == "invalid_request_error"
    assert error.param == "items[1].call_id"
    assert error.body["message"].startswith("items[1].call_id: ")
    assert error.body["findings"][0]["pointer"] == "/items/1/call_id"
    assert str(error) == f"Error code: 400 - {error.body['message']}"
    assert client.conversations.items.list(conversation).data == []


@pytest.mark.parametrize(
    ("item", "param"),
    [
        (
            {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "sunny"}]},
            "items[0].output",
        ),
        ({"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAAAA"}, "items[0].content"),
        ({"type": "apply_patch_call", "call_id": "call_1", "status": "completed"}, "items[0].type"),
    ],
    ids=["output in parts", "compaction without content", "type of OpenAI only"],
)
def test_items_that_only_openai_has_are_rejected(client: Any, item: dict[str, Any], param: str) -> None:
    conversation = client.conversations.create().id
    error = api_error(openai.BadRequestError, client.conversations.items.create, conversation, items=[item])
    assert error.param == param


def test_limits_are_checked(client: Any) -> None:
    conversation = client.conversations.create().id
    items = client.conversations.items
    for param, arguments in {"limit": {"limit": 101}, "after": {"after": "msg_x"}, "order": {"order": "up"}}.items():
        assert api_error(openai.BadRequestError, items.list, conversation, **arguments).param == param
    many = [message("hello")] * 21
    assert api_error(openai.BadRequestError, items.create, conversation, items=many).param == "items"
    assert api_error(openai.BadRequestError, client.conversations.create, items=many).param == "items"
    assert api_error(openai.BadRequestError, client.conversations.create, items=None).param == "items"


def test_unknown_is_a_not_found_error(client: Any) -> None:
    error = api_error(openai.NotFoundError, client.conversations.retrieve, "conv_unknown")
    assert error.body["code"] == 404
    assert error.type == "invalid_request_error"
    assert error.param == "conversation_id"
    conversation = client.conversations.create().id
    for call in (client.conversations.items.retrieve, client.conversations.items.delete):
        assert api_error(openai.NotFoundError, call, "msg_unknown", conversation_id=conversation).param == "item_id"


def test_unknown_key_is_an_authentication_error(connect_openai: Any) -> None:
    with run_server(create_app(Settings(api_keys=("known",)))) as server:
        assert connect_openai(base_url=server.api_url, api_key="known").conversations.create().id
        client = connect_openai(base_url=server.api_url, api_key="other")
        error = api_error(openai.AuthenticationError, client.conversations.create)
    assert error.body["code"] == 401
    assert error.type == "authentication_error"
    assert error.response.headers["www-authenticate"] == "Bearer"


def test_too_many_requests_are_a_rate_limit_error(connect_openai: Any) -> None:
    with run_server(create_app(Settings(rate_limits=("1/h",)))) as server:
        client = connect_openai(base_url=server.api_url, api_key="busy")
        client.conversations.create()
        error = api_error(openai.RateLimitError, client.conversations.create)
    assert error.body == "Rate limit exceeded"
    assert error.response.json() == {"error": "Rate limit exceeded"}
