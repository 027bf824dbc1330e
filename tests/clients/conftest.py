"""One fake for all tests, on a real socket; a fresh API key is a fresh tenant, so that tests do not see each other.

Each client comes in its synchronous and its asynchronous form: a test that takes one runs once with either.
"""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from typing import Any

import httpx
import openai
import pytest
from meetkai_mka1 import SDK

from mockserver import RunningServer, Settings, create_app, run_server

Connect = Callable[..., Any]


@pytest.fixture(scope="module", autouse=True)
def no_certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing here speaks TLS, and to read the usual certificates takes each client 20 ms."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SSL_CERT_FILE", raising=False)
        patch.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("certificates")))
        yield


@pytest.fixture(scope="session")
def server() -> Iterator[RunningServer]:
    with run_server(create_app(Settings())) as running:
        yield running


@pytest.fixture
def api_key() -> str:
    return f"key-{uuid.uuid4().hex}"


@pytest.fixture
def http(server: RunningServer, api_key: str) -> Iterator[httpx.Client]:
    """A plain HTTP client; its paths begin behind `/api/v1/llm`."""
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
    """Makes the MKA1 SDK's `llm.conversations`, of an `SDK` with the given arguments.

    It does not retry by itself: what goes wrong shall be seen at once, not after 15 seconds.
    """
    with ExitStack() as stack:

        def connect(**arguments: Any) -> Any:
            sdk = SDK(**{"retry_config": None, **arguments})
            if form == "sync":
                return stack.enter_context(sdk).llm.conversations
            stack.enter_context(entered(sdk, runner))
            return Awaited(sdk.llm.conversations, runner, suffix="_async")

        yield connect


@pytest.fixture
def conversations(connect_mka1: Connect, server: RunningServer, api_key: str) -> Any:
    return connect_mka1(bearer_auth=api_key, server_url=server.url)


@pytest.fixture
def connect_openai(form: str, runner: asyncio.Runner) -> Iterator[Connect]:
    """Makes an `OpenAI` or `AsyncOpenAI` with the given arguments."""
    with ExitStack() as stack:

        def connect(**arguments: Any) -> Any:
            if form == "sync":
                return stack.enter_context(openai.OpenAI(max_retries=0, **arguments))
            client = openai.AsyncOpenAI(max_retries=0, **arguments)
            stack.enter_context(entered(client, runner))
            return Awaited(client, runner)

        yield connect


@pytest.fixture
def client(connect_openai: Connect, server: RunningServer, api_key: str) -> Any:
    """A client of the `openai` package."""
    return connect_openai(base_url=server.api_url, api_key=api_key)


class Awaited:
    """An asynchronous client, to be used like a synchronous one: what its methods return is awaited.

    `suffix` is what the names of its asynchronous methods end in.
    """

    def __init__(self, target: Any, runner: asyncio.Runner, suffix: str = "") -> None:
        self._target = target
        self._runner = runner
        self._suffix = suffix

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._target, name + self._suffix)
        if not callable(member):
            return Awaited(member, self._runner)

        async def called(*args: Any, **kwargs: Any) -> Any:
            return await member(*args, **kwargs)

        return lambda *args, **kwargs: self._runner.run(called(*args, **kwargs))


@contextmanager
def entered(manager: AbstractAsyncContextManager[Any], runner: asyncio.Runner) -> Iterator[None]:
    runner.run(manager.__aenter__())
    try:
        yield
    finally:
        runner.run(manager.__aexit__(None, None, None))
