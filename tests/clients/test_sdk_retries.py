"""What the real SDKs make of planned faults: what they try again, how often, and what they raise in the end."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from meetkai_mka1.errors import ResponseValidationError, SDKDefaultError
from meetkai_mka1.types import UNSET
from meetkai_mka1.utils import BackoffStrategy, RetryConfig
from starlette.types import ASGIApp, Receive, Scope, Send

from mockserver import RunningServer, Settings, create_app, run_server

from .conftest import Awaited, Connect, entered

SOON = {"retry-after-ms": "5"}
MESSAGE = {"type": "message", "role": "user", "content": "hi"}


class Recorder:
    """Stands in front of an app and keeps the headers of its requests, by API key."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.headers: dict[str, list[dict[str, str]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.headers.setdefault(headers.get("authorization", "").removeprefix("Bearer "), []).append(headers)
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder(create_app(Settings()))


@pytest.fixture(scope="module")
def server(recorder: Recorder) -> Iterator[RunningServer]:
    with run_server(recorder) as running:
        yield running


class Control:
    """Steers the fake, for one API key."""

    def __init__(self, server: RunningServer, api_key: str) -> None:
        self._client = httpx.Client(base_url=f"{server.url}/_mock", params={"api_key": api_key})

    def plan(self, operation: str | None = None, **fault: Any) -> None:
        answer = self._client.post("/faults", json=fault | ({"operation": operation} if operation else {}))
        assert answer.status_code == 200, answer.text

    def statuses(self) -> list[int]:
        """Of the requests that reached the fake."""
        return [exchange["status"] for exchange in self._client.get("/requests").json()["data"]]

    def stored(self) -> int:
        return len(self._client.get("/state").json()["conversations"])

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def control(server: RunningServer, api_key: str) -> Iterator[Control]:
    control = Control(server, api_key)
    yield control
    control.close()


@pytest.fixture
def mka1(connect_mka1: Connect, server: RunningServer, api_key: str) -> Any:
    """`llm.conversations` of the MKA1 SDK, as it comes: it tries again."""
    return connect_mka1(bearer_auth=api_key, server_url=server.url, retry_config=UNSET)


@pytest.fixture
def hasty(connect_mka1: Connect, server: RunningServer, api_key: str) -> Any:
    """The same with its documented setting for retries, so that it does not wait where no header tells it."""
    backoff = BackoffStrategy(initial_interval=1, max_interval=5, exponent=1.0, max_elapsed_time=10_000, jitter_ms=0)
    return connect_mka1(bearer_auth=api_key, server_url=server.url, retry_config=RetryConfig("backoff", backoff, True))


@pytest.fixture
def conversations(mka1: Any, client: Any, sdk: str) -> Any:
    """The conversations of either SDK."""
    return mka1 if sdk == "mka1" else client.conversations


@pytest.fixture(params=["mka1", "openai"])
def sdk(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def client(form: str, runner: asyncio.Runner, server: RunningServer, api_key: str) -> Iterator[Any]:
    """A client of the `openai` package, as it comes: it tries again twice."""
    arguments = {"base_url": server.api_url, "api_key": api_key}
    if form == "sync":
        with openai.OpenAI(**arguments) as client:
            yield client
    else:
        asynchronous = openai.AsyncOpenAI(**arguments)
        with entered(asynchronous, runner):
            yield Awaited(asynchronous, runner)


@pytest.fixture
def impatient(server: RunningServer, api_key: str) -> Iterator[Any]:
    """A client of the `openai` package that does not try again."""
    with openai.OpenAI(base_url=server.api_url, api_key=api_key, max_retries=0) as client:
        yield client


# What is tried again


@pytest.mark.parametrize("status", [429, 500, 503])
def test_both_recover_from_what_passes(conversations: Any, control: Control, status: int) -> None:
    control.plan("conversations.create", status=status, times=2, headers=SOON)
    assert conversations.create().id.startswith("conv_")
    assert control.statuses() == [status, status, 200]
    assert control.stored() == 1


@pytest.mark.parametrize("status", [408, 501])
def test_only_openai_tries_again_what_the_mka1_sdk_takes_for_final(
    mka1: Any, client: Any, control: Control, status: int
) -> None:
    control.plan(status=status, headers=SOON)
    with pytest.raises(SDKDefaultError) as caught:
        mka1.create()
    assert caught.value.status_code == status
    control.plan(status=status, headers=SOON)
    client.conversations.create()
    assert control.statuses() == [status, status, 200]


@pytest.mark.parametrize("status", [400, 404])
def test_neither_tries_again_what_the_caller_has_to_mend(conversations: Any, control: Control, status: int) -> None:
    control.plan(status=status, headers=SOON)
    with pytest.raises((SDKDefaultError, openai.APIStatusError)) as caught:
        conversations.create()
    assert caught.value.status_code == status
    assert control.statuses() == [status]


def test_every_retry_of_the_mka1_sdk_comes_soon_when_the_header_says_so(mka1: Any, control: Control) -> None:
    control.plan("conversations.list", status=503, times=10, headers=SOON)
    assert mka1.list().data == []
    assert control.statuses() == [503] * 10 + [200]


def test_retry_after_is_in_seconds_and_may_be_a_fraction(mka1: Any, control: Control) -> None:
    control.plan("conversations.list", status=429, times=3, headers={"Retry-After": "0.01"})
    assert mka1.list().data == []
    assert control.statuses() == [429, 429, 429, 200]


def test_openai_tries_twice_again_and_counts(client: Any, control: Control, recorder: Recorder, api_key: str) -> None:
    control.plan(status=503, times=None, headers=SOON)
    with pytest.raises(openai.InternalServerError) as caught:
        client.conversations.create()
    assert caught.value.body == {
        "message": "This is a planned fault.",
        "type": "server_error",
        "param": None,
        "code": 503,
    }
    assert control.statuses() == [503, 503, 503]
    assert [headers["x-stainless-retry-count"] for headers in recorder.headers[api_key]] == ["0", "1", "2"]


@pytest.mark.parametrize("most", [0, 1, 4])
def test_openai_tries_as_often_as_it_is_told(server: RunningServer, api_key: str, control: Control, most: int) -> None:
    control.plan(status=429, times=None, headers=SOON)
    client = openai.OpenAI(base_url=server.api_url, api_key=api_key, max_retries=most)
    with client, pytest.raises(openai.RateLimitError) as caught:
        client.conversations.create()
    assert caught.value.body == "Rate limit exceeded"
    assert control.statuses() == [429] * (1 + most)


def test_openai_obeys_x_should_retry_and_the_mka1_sdk_does_not(mka1: Any, client: Any, control: Control) -> None:
    control.plan(status=503, headers={**SOON, "x-should-retry": "false"})
    with pytest.raises(openai.InternalServerError):
        client.conversations.create()
    control.plan(status=503, headers={**SOON, "x-should-retry": "false"})
    mka1.create()
    control.plan(status=400, headers={**SOON, "x-should-retry": "true"})
    client.conversations.create()
    assert control.statuses() == [503, 503, 200, 400, 200]


def test_a_call_of_the_mka1_sdk_can_do_without_retries(mka1: Any, control: Control) -> None:
    control.plan(status=503, times=None, headers=SOON)
    with pytest.raises(SDKDefaultError, match="API error occurred: Status 503") as caught:
        mka1.create(retries=None)
    assert caught.value.headers["retry-after-ms"] == "5"
    assert control.statuses() == [503]


# The connection


@pytest.mark.parametrize("action", ["close", "reset"])
def test_the_mka1_sdk_gives_up_when_the_connection_breaks(hasty: Any, control: Control, action: str) -> None:
    """Its retries are for `httpx.NetworkError` and timeouts; a connection that ends too soon is neither."""
    control.plan("conversations.create", action=action)
    with pytest.raises(httpx.RemoteProtocolError):
        hasty.create()
    assert len(control.statuses()) == 1


def test_the_mka1_sdk_tries_again_when_there_is_no_answer(hasty: Any, control: Control) -> None:
    control.plan("conversations.create", action="time_out", times=2)
    assert hasty.create(timeout_ms=150).id.startswith("conv_")
    assert control.statuses() == [0, 0, 200]
    assert control.stored() == 1


@pytest.mark.parametrize("action", ["close", "time_out"])
def test_openai_tries_again_when_there_is_no_answer(client: Any, control: Control, action: str) -> None:
    control.plan("conversations.create", action=action)
    assert client.conversations.create(timeout=0.15).id.startswith("conv_")
    assert control.statuses() == [0, 200]
    assert control.stored() == 1


def test_openai_names_what_went_wrong_with_the_connection(impatient: Any, control: Control) -> None:
    control.plan(action="close")
    with pytest.raises(openai.APIConnectionError):
        impatient.conversations.create()
    control.plan(action="time_out")
    with pytest.raises(openai.APITimeoutError):
        impatient.conversations.create(timeout=0.1)


# What has been done all the same


def test_a_conversation_is_made_twice_when_the_first_answer_was_a_failure(
    conversations: Any, control: Control
) -> None:
    """Neither SDK sends an idempotency key: this is what tests of one's own have to find out."""
    control.plan("conversations.create", status=503, commit=True, headers=SOON)
    conversations.create(metadata={"order": "17"})
    assert control.statuses() == [503, 200]
    assert control.stored() == 2


def test_an_item_is_added_twice_when_the_connection_was_closed(client: Any, control: Control) -> None:
    conversation = client.conversations.create()
    control.plan("conversations.items.create", action="close", commit=True)
    client.conversations.items.create(conversation.id, items=[MESSAGE])
    assert control.statuses() == [200, 0, 200]
    page = client.conversations.items.list(conversation.id)
    assert [item.content for item in page.data] == ["hi", "hi"]


def test_a_deletion_that_was_done_is_not_found_when_it_is_tried_again(mka1: Any, control: Control) -> None:
    conversation = mka1.create()
    control.plan("conversations.delete", status=503, commit=True, headers=SOON)
    with pytest.raises(SDKDefaultError, match="Status 404"):
        mka1.delete(conversation_id=conversation.id)
    assert control.statuses() == [200, 503, 404]


def test_a_slow_answer_makes_a_conversation_for_each_try(hasty: Any, control: Control) -> None:
    control.plan("conversations.create", delay=30, commit=True, times=2)
    hasty.create(timeout_ms=150)
    assert control.stored() == 3


# The answer drifts from the document


def drift(*operations: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [dict(zip(("op", "path", "value"), operation, strict=False)) for operation in operations]


@pytest.mark.parametrize(
    ("patch", "refused"),
    [
        ([("remove", "/id")], True),
        ([("remove", "/deleted_at")], True),
        ([("replace", "/created_at", "then")], True),
        ([("replace", "/object", "chat")], True),
        ([("remove", "/metadata")], False),
        ([("add", "/shard", 7)], False),
    ],
)
def test_the_mka1_sdk_refuses_what_it_cannot_read_and_ignores_what_it_does_not_know(
    mka1: Any, control: Control, patch: list[tuple[Any, ...]], refused: bool
) -> None:
    control.plan("conversations.create", patch=drift(*patch))
    if refused:
        with pytest.raises(ResponseValidationError):
            mka1.create()
    else:
        assert mka1.create().object == "conversation"
    assert control.statuses() == [200]


def test_openai_takes_every_drift_as_it_comes(client: Any, control: Control) -> None:
    control.plan(
        "conversations.create",
        patch=drift(("remove", "/id"), ("replace", "/created_at", "then"), ("add", "/shard", 7)),
    )
    conversation = client.conversations.create()
    assert (conversation.id, conversation.created_at, conversation.shard) == (None, "then", 7)


@pytest.mark.parametrize("place", ["/data/0", "/data/-"])
def test_one_item_of_a_new_kind_costs_the_mka1_sdk_the_whole_page(
    mka1: Any, client: Any, control: Control, place: str
) -> None:
    conversation = mka1.create(items=[MESSAGE]).id
    new = {"type": "hologram_call", "id": "holo_1", "status": "completed"}
    control.plan("conversations.items.list", patch=drift(("add", place, new)), times=2)
    with pytest.raises(ResponseValidationError):
        mka1.list_items(conversation_id=conversation)
    page = client.conversations.items.list(conversation)
    assert {item.type for item in page.data} == {"message", "hologram_call"}
    assert len(mka1.list_items(conversation_id=conversation).data) == 1


def test_a_page_that_always_has_more_ends_when_its_last_id_is_gone(impatient: Any, control: Control) -> None:
    conversation = impatient.conversations.create(items=[MESSAGE]).id
    control.plan("conversations.items.list", patch=drift(("replace", "/has_more", True), ("remove", "/last_id")))
    assert len(list(impatient.conversations.items.list(conversation))) == 1
    assert control.statuses() == [200, 200]


# The body is no JSON, or does not say that it is


@pytest.mark.parametrize("action", ["garbage", "truncate"])
def test_a_spoilt_body_is_no_answer(mka1: Any, client: Any, control: Control, action: str) -> None:
    control.plan("conversations.create", action=action, times=2)
    with pytest.raises((ResponseValidationError, UnicodeDecodeError)):
        mka1.create()
    with pytest.raises((ValueError, openai.APIError)):
        client.conversations.create()
    assert control.statuses() == [200, 200], "neither tries again"


def test_a_content_type_other_than_json_is_an_error_for_the_mka1_sdk_alone(
    mka1: Any, client: Any, control: Control
) -> None:
    control.plan("conversations.retrieve", headers={"Content-Type": "text/html"}, times=2)
    conversation = mka1.create().id
    with pytest.raises(SDKDefaultError, match="Unexpected response received"):
        mka1.get(conversation_id=conversation)
    found = client.conversations.retrieve(conversation)
    assert conversation in (found if isinstance(found, str) else found.id)


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/json"])
def test_a_charset_does_no_harm(conversations: Any, control: Control, content_type: str) -> None:
    control.plan("conversations.create", headers={"Content-Type": content_type})
    assert conversations.create().id.startswith("conv_")


def test_a_gateway_that_answers_html_keeps_its_words(mka1: Any, impatient: Any, control: Control) -> None:
    page = "<html>Bad Gateway</html>"
    control.plan(status=502, body=page, headers={"Content-Type": "text/html"}, times=2)
    with pytest.raises(SDKDefaultError) as caught:
        mka1.create(retries=None)
    assert caught.value.body == page
    with pytest.raises(openai.InternalServerError) as seen:
        impatient.conversations.create()
    assert seen.value.response.text == page


def test_a_slow_answer_is_an_answer(conversations: Any, control: Control) -> None:
    control.plan("conversations.create", action="drip", delay=0.1)
    assert conversations.create().id.startswith("conv_")
    assert control.statuses() == [200]
