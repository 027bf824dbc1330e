"""Reactions of the real SDKs to planned faults: retries, and the errors they raise."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from meetkai_mka1.errors import ResponseValidationError, SDKDefaultError
from meetkai_mka1.types import UNSET
from meetkai_mka1.utils import BackoffStrategy, RetryConfig

from mockserver import RunningServer
from mockserver.testing import Mka1
from mockserver.testing.control_client import http_client
from tests.clients.support import RequestRecorder

from .conftest import Connect

RETRY_SOON = {"retry-after-ms": "5"}
MESSAGE = {"type": "message", "role": "user", "content": "hi"}


def statuses(fake: Mka1) -> list[int]:
    return [exchange.status for exchange in fake.requests]


def count_conversations(fake: Mka1) -> int:
    return len(fake.state.snapshot()["conversations"])


@pytest.fixture
def fake(server: RunningServer, api_key: str) -> Mka1:
    """Return the controls of the fake for the API key of this test."""
    return Mka1(server.url, api_key, control=http_client(server.url, api_key), folder=Path())


@pytest.fixture
def mka1(connect_mka1: Connect, server: RunningServer, api_key: str) -> Any:
    """Return `llm.conversations` of the MKA1 SDK with its default retries."""
    return connect_mka1(bearer_auth=api_key, server_url=server.url, retry_config=UNSET)


@pytest.fixture
def fast_mka1(connect_mka1: Connect, server: RunningServer, api_key: str) -> Any:
    """Return the same with a documented setting that retries at once."""
    backoff = BackoffStrategy(initial_interval=1, max_interval=5, exponent=1.0, max_elapsed_time=10_000, jitter_ms=0)
    return connect_mka1(bearer_auth=api_key, server_url=server.url, retry_config=RetryConfig("backoff", backoff, True))


@pytest.fixture
def conversations(mka1: Any, client: Any, sdk: str) -> Any:
    """Return the conversations of either SDK."""
    return mka1 if sdk == "mka1" else client.conversations


@pytest.fixture(params=["mka1", "openai"])
def sdk(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def client(connect_openai: Connect, server: RunningServer, api_key: str) -> Any:
    """Return a client of the `openai` package with its default of two retries."""
    return connect_openai(base_url=server.api_url, api_key=api_key, max_retries=openai.DEFAULT_MAX_RETRIES)


@pytest.fixture
def openai_without_retries(server: RunningServer, api_key: str) -> Iterator[Any]:
    with openai.OpenAI(base_url=server.api_url, api_key=api_key, max_retries=0) as client:
        yield client


# -- Retries


@pytest.mark.parametrize("status", [429, 500, 503])
def test_both_retry_transient_errors(conversations: Any, fake: Mka1, status: int) -> None:
    fake.faults.add("conversations.create", status=status, times=2, headers=RETRY_SOON)
    assert conversations.create().id.startswith("conv_")
    assert statuses(fake) == [status, status, 200]
    assert count_conversations(fake) == 1


@pytest.mark.parametrize("status", [408, 501])
def test_only_openai_retries_408_and_501(mka1: Any, client: Any, fake: Mka1, status: int) -> None:
    fake.faults.add(status=status, headers=RETRY_SOON)
    with pytest.raises(SDKDefaultError) as caught:
        mka1.create()
    assert caught.value.status_code == status
    fake.faults.add(status=status, headers=RETRY_SOON)
    client.conversations.create()
    assert statuses(fake) == [status, status, 200]


@pytest.mark.parametrize("status", [400, 404])
def test_neither_retries_client_errors(conversations: Any, fake: Mka1, status: int) -> None:
    fake.faults.add(status=status, headers=RETRY_SOON)
    with pytest.raises((SDKDefaultError, openai.APIStatusError)) as caught:
        conversations.create()
    assert caught.value.status_code == status
    assert statuses(fake) == [status]


def test_the_mka1_sdk_obeys_retry_after_ms(mka1: Any, fake: Mka1) -> None:
    fake.faults.add("conversations.list", status=503, times=10, headers=RETRY_SOON)
    assert mka1.list().data == []
    assert statuses(fake) == [503] * 10 + [200]


def test_the_mka1_sdk_reads_a_fractional_retry_after(mka1: Any, fake: Mka1) -> None:
    fake.faults.add("conversations.list", status=429, times=3, headers={"Retry-After": "0.01"})
    assert mka1.list().data == []
    assert statuses(fake) == [429, 429, 429, 200]


def test_openai_retries_twice_and_counts(client: Any, fake: Mka1, recorder: RequestRecorder, api_key: str) -> None:
    fake.faults.add(status=503, times=None, headers=RETRY_SOON)
    with pytest.raises(openai.InternalServerError) as caught:
        client.conversations.create()
    assert caught.value.body == {
        "message": "This is a planned fault.",
        "type": "server_error",
        "param": None,
        "code": 503,
    }
    assert statuses(fake) == [503, 503, 503]
    requests = [one for one in recorder.requests if one.headers.get("authorization") == f"Bearer {api_key}"]
    assert [request.headers["x-stainless-retry-count"] for request in requests] == ["0", "1", "2"]


@pytest.mark.parametrize("most", [0, 1, 4])
def test_openai_obeys_max_retries(server: RunningServer, api_key: str, fake: Mka1, most: int) -> None:
    fake.faults.add(status=429, times=None, headers=RETRY_SOON)
    client = openai.OpenAI(base_url=server.api_url, api_key=api_key, max_retries=most)
    with client, pytest.raises(openai.RateLimitError) as caught:
        client.conversations.create()
    assert caught.value.body == "Rate limit exceeded"
    assert statuses(fake) == [429] * (1 + most)


def test_only_openai_obeys_x_should_retry(mka1: Any, client: Any, fake: Mka1) -> None:
    fake.faults.add(status=503, headers={**RETRY_SOON, "x-should-retry": "false"})
    with pytest.raises(openai.InternalServerError):
        client.conversations.create()
    fake.faults.add(status=503, headers={**RETRY_SOON, "x-should-retry": "false"})
    mka1.create()
    fake.faults.add(status=400, headers={**RETRY_SOON, "x-should-retry": "true"})
    client.conversations.create()
    assert statuses(fake) == [503, 503, 200, 400, 200]


def test_retries_of_the_mka1_sdk_can_be_disabled(mka1: Any, fake: Mka1) -> None:
    fake.faults.add(status=503, times=None, headers=RETRY_SOON)
    with pytest.raises(SDKDefaultError, match="API error occurred: Status 503") as caught:
        mka1.create(retries=None)
    assert caught.value.headers["retry-after-ms"] == "5"
    assert statuses(fake) == [503]


# -- Connections


@pytest.mark.parametrize("action", ["close", "reset"])
def test_the_mka1_sdk_does_not_retry_a_broken_connection(fast_mka1: Any, fake: Mka1, action: str) -> None:
    """It retries `httpx.NetworkError` and timeouts; a connection that ends early is neither."""
    fake.faults.add("conversations.create", action=action)
    with pytest.raises(httpx.RemoteProtocolError):
        fast_mka1.create()
    assert len(statuses(fake)) == 1


def test_the_mka1_sdk_retries_a_timeout(fast_mka1: Any, fake: Mka1) -> None:
    fake.faults.add("conversations.create", action="time_out", times=2)
    assert fast_mka1.create(timeout_ms=150).id.startswith("conv_")
    assert statuses(fake) == [0, 0, 200]
    assert count_conversations(fake) == 1


@pytest.mark.parametrize("action", ["close", "time_out"])
def test_openai_retries_a_missing_response(client: Any, fake: Mka1, action: str) -> None:
    fake.faults.add("conversations.create", action=action)
    assert client.conversations.create(timeout=0.15).id.startswith("conv_")
    assert statuses(fake) == [0, 200]
    assert count_conversations(fake) == 1


def test_openai_tells_connection_errors_from_timeouts(openai_without_retries: Any, fake: Mka1) -> None:
    fake.faults.add(action="close")
    with pytest.raises(openai.APIConnectionError):
        openai_without_retries.conversations.create()
    fake.faults.add(action="time_out")
    with pytest.raises(openai.APITimeoutError):
        openai_without_retries.conversations.create(timeout=0.1)


# -- Failures of requests that were handled


def test_a_committed_failure_creates_a_conversation_twice(conversations: Any, fake: Mka1) -> None:
    """Neither SDK sends an idempotency key; an application has to detect this itself."""
    fake.faults.add("conversations.create", status=503, commit=True, headers=RETRY_SOON)
    conversations.create(metadata={"order": "17"})
    assert statuses(fake) == [503, 200]
    assert count_conversations(fake) == 2


def test_a_closed_connection_adds_an_item_twice(client: Any, fake: Mka1) -> None:
    conversation = client.conversations.create()
    fake.faults.add("conversations.items.create", action="close", commit=True)
    client.conversations.items.create(conversation.id, items=[MESSAGE])
    assert statuses(fake) == [200, 0, 200]
    page = client.conversations.items.list(conversation.id)
    assert [item.content for item in page.data] == ["hi", "hi"]


def test_a_retried_deletion_is_not_found(mka1: Any, fake: Mka1) -> None:
    conversation = mka1.create()
    fake.faults.add("conversations.delete", status=503, commit=True, headers=RETRY_SOON)
    with pytest.raises(SDKDefaultError, match="Status 404"):
        mka1.delete(conversation_id=conversation.id)
    assert statuses(fake) == [200, 503, 404]


def test_a_slow_response_creates_a_conversation_for_each_attempt(fast_mka1: Any, fake: Mka1) -> None:
    fake.faults.add("conversations.create", delay=30, commit=True, times=2)
    fast_mka1.create(timeout_ms=150)
    assert count_conversations(fake) == 3


# -- Drift


def json_patch(*operations: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [dict(zip(("op", "path", "value"), operation, strict=False)) for operation in operations]


@pytest.mark.parametrize(
    ("patch", "is_rejected"),
    [
        ([("remove", "/id")], True),
        ([("remove", "/deleted_at")], True),
        ([("replace", "/created_at", "then")], True),
        ([("replace", "/object", "chat")], True),
        ([("remove", "/metadata")], False),
        ([("add", "/shard", 7)], False),
    ],
)
def test_the_mka1_sdk_rejects_invalid_fields_and_ignores_unknown_ones(
    mka1: Any, fake: Mka1, patch: list[tuple[Any, ...]], is_rejected: bool
) -> None:
    fake.faults.add("conversations.create", patch=json_patch(*patch))
    if is_rejected:
        with pytest.raises(ResponseValidationError):
            mka1.create()
    else:
        assert mka1.create().object == "conversation"
    assert statuses(fake) == [200]


def test_openai_accepts_every_drift(client: Any, fake: Mka1) -> None:
    fake.faults.add(
        "conversations.create",
        patch=json_patch(("remove", "/id"), ("replace", "/created_at", "then"), ("add", "/shard", 7)),
    )
    conversation = client.conversations.create()
    assert (conversation.id, conversation.created_at, conversation.shard) == (None, "then", 7)


@pytest.mark.parametrize("place", ["/data/0", "/data/-"])
def test_an_unknown_item_type_costs_the_mka1_sdk_the_whole_page(
    mka1: Any, client: Any, fake: Mka1, place: str
) -> None:
    conversation = mka1.create(items=[MESSAGE]).id
    new = {"type": "hologram_call", "id": "holo_1", "status": "completed"}
    fake.faults.add("conversations.items.list", patch=json_patch(("add", place, new)), times=2)
    with pytest.raises(ResponseValidationError):
        mka1.list_items(conversation_id=conversation)
    page = client.conversations.items.list(conversation)
    assert {item.type for item in page.data} == {"message", "hologram_call"}
    assert len(mka1.list_items(conversation_id=conversation).data) == 1


def test_paging_ends_without_a_last_id(openai_without_retries: Any, fake: Mka1) -> None:
    conversation = openai_without_retries.conversations.create(items=[MESSAGE]).id
    fake.faults.add(
        "conversations.items.list", patch=json_patch(("replace", "/has_more", True), ("remove", "/last_id"))
    )
    assert len(list(openai_without_retries.conversations.items.list(conversation))) == 1
    assert statuses(fake) == [200, 200]


# -- Unreadable bodies


@pytest.mark.parametrize("action", ["garbage", "truncate"])
def test_an_unreadable_body_raises_an_error(mka1: Any, client: Any, fake: Mka1, action: str) -> None:
    fake.faults.add("conversations.create", action=action, times=2)
    with pytest.raises((ResponseValidationError, UnicodeDecodeError)):
        mka1.create()
    with pytest.raises((ValueError, openai.APIError)):
        client.conversations.create()
    assert statuses(fake) == [200, 200], "neither retries"


def test_only_the_mka1_sdk_rejects_another_content_type(mka1: Any, client: Any, fake: Mka1) -> None:
    fake.faults.add("conversations.retrieve", headers={"Content-Type": "text/html"}, times=2)
    conversation = mka1.create().id
    with pytest.raises(SDKDefaultError, match="Unexpected response received"):
        mka1.get(conversation_id=conversation)
    found = client.conversations.retrieve(conversation)
    assert conversation in (found if isinstance(found, str) else found.id)


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/json"])
def test_a_charset_is_accepted(conversations: Any, fake: Mka1, content_type: str) -> None:
    fake.faults.add("conversations.create", headers={"Content-Type": content_type})
    assert conversations.create().id.startswith("conv_")


def test_an_html_error_page_is_kept(mka1: Any, openai_without_retries: Any, fake: Mka1) -> None:
    page = "<html>Bad Gateway</html>"
    fake.faults.add(status=502, body=page, headers={"Content-Type": "text/html"}, times=2)
    with pytest.raises(SDKDefaultError) as caught:
        mka1.create(retries=None)
    assert caught.value.body == page
    with pytest.raises(openai.InternalServerError) as seen:
        openai_without_retries.conversations.create()
    assert seen.value.response.text == page


def test_a_dripping_response_is_read(conversations: Any, fake: Mka1) -> None:
    fake.faults.add("conversations.create", action="drip", delay=0.1)
    assert conversations.create().id.startswith("conv_")
    assert statuses(fake) == [200]
