"""Real clients of one fake behind a real socket; each test has an API key, and so an account, of its own.

A test that takes a client runs twice: with its synchronous and with its asynchronous form.
"""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import openai
import pytest
from meetkai_mka1 import SDK

from mockserver import RunningServer, Settings, create_app, run_server
from tests.clients.support import RequestRecorder, SyncFacade, enter_async

Connect = Callable[..., Any]
Call = Callable[..., Any]


@pytest.fixture(scope="module", autouse=True)
def no_certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Point the clients to an empty certificate store; loading the usual one takes each client 20 ms."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SSL_CERT_FILE", raising=False)
        patch.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("certificates")))
        yield


@pytest.fixture(scope="session")
def recorder() -> RequestRecorder:
    return RequestRecorder(create_app(Settings()))


@pytest.fixture(scope="session")
def server(recorder: RequestRecorder) -> Iterator[RunningServer]:
    with run_server(recorder) as running:
        yield running


@pytest.fixture
def api_key() -> str:
    return f"key-{uuid.uuid4().hex}"


@pytest.fixture
def http(server: RunningServer, api_key: str) -> Iterator[httpx.Client]:
    """Return a plain HTTP client; its paths are relative to `/api/v1/llm`."""
    with httpx.Client(base_url=server.api_url, headers={"authorization": f"Bearer {api_key}"}) as client:
        yield client


@pytest.fixture(params=["sync", "async"])
def form(request: pytest.FixtureRequest) -> str:
    form: str = request.param
    return form


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def connect_mka1(form: str, runner: asyncio.Runner) -> Iterator[Connect]:
    """Return a factory of `llm.conversations` of the MKA1 SDK, with the given arguments of `SDK`.

    Retries are off, so that failures show at once and not after 15 seconds.
    """
    with ExitStack() as stack:

        def connect(**arguments: Any) -> Any:
            sdk = SDK(**{"retry_config": None, **arguments})
            if form == "sync":
                return stack.enter_context(sdk).llm.conversations
            stack.enter_context(enter_async(sdk, runner))
            return SyncFacade(sdk.llm.conversations, runner, suffix="_async")

        yield connect


@pytest.fixture
def conversations(connect_mka1: Connect, server: RunningServer, api_key: str) -> Any:
    return connect_mka1(bearer_auth=api_key, server_url=server.url)


@pytest.fixture
def connect_openai(form: str, runner: asyncio.Runner) -> Iterator[Connect]:
    """Return a factory of `OpenAI` or `AsyncOpenAI` without retries."""
    with ExitStack() as stack:

        def connect(**arguments: Any) -> Any:
            arguments = {"max_retries": 0, **arguments}
            if form == "sync":
                return stack.enter_context(openai.OpenAI(**arguments))
            client = openai.AsyncOpenAI(**arguments)
            stack.enter_context(enter_async(client, runner))
            return SyncFacade(client, runner)

        yield connect


@pytest.fixture
def client(connect_openai: Connect, server: RunningServer, api_key: str) -> Any:
    """Return a client of the `openai` package."""
    return connect_openai(base_url=server.api_url, api_key=api_key)


@pytest.fixture
def mka1_responses(server: RunningServer, api_key: str, form: str, runner: asyncio.Runner) -> Iterator[Call]:
    """Return a function that calls a method of `llm.responses` of the MKA1 SDK; streams become lists of events."""
    sdk = SDK(bearer_auth=api_key, server_url=server.url, retry_config=None)

    def call(method: str, **arguments: Any) -> Any:
        result = getattr(sdk.llm.responses, method)(**arguments)
        return [frame.data for frame in result] if hasattr(result, "__next__") else result

    async def call_async(method: str, **arguments: Any) -> Any:
        result = await getattr(sdk.llm.responses, f"{method}_async")(**arguments)
        return [frame.data async for frame in result] if hasattr(result, "__anext__") else result

    if form == "sync":
        with sdk:
            yield call
    else:
        with enter_async(sdk, runner):
            yield lambda method, **arguments: runner.run(call_async(method, **arguments))


@pytest.fixture
def openai_responses(server: RunningServer, api_key: str, form: str, runner: asyncio.Runner) -> Iterator[Call]:
    """Return a function that calls a method of `responses` of the openai client; streams become lists of events."""
    options: dict[str, Any] = {"base_url": server.api_url, "api_key": api_key, "max_retries": 0}
    openai_client: Any = openai.OpenAI(**options) if form == "sync" else openai.AsyncOpenAI(**options)

    def call(method: str, *arguments: Any, **named: Any) -> Any:
        result = getattr(openai_client.responses, method)(*arguments, **named)
        return list(result) if isinstance(result, openai.Stream) else result

    async def call_async(method: str, *arguments: Any, **named: Any) -> Any:
        result = await getattr(openai_client.responses, method)(*arguments, **named)
        return [event async for event in result] if isinstance(result, openai.AsyncStream) else result

    if form == "sync":
        with openai_client:
            yield call
    else:
        with enter_async(openai_client, runner):
            yield lambda method, *arguments, **named: runner.run(call_async(method, *arguments, **named))
