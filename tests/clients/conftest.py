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
