"""What every test may use."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from mockserver import Settings, create_app, run_server

pytest_plugins = ["pytester"]
collect_ignore = ["example"]  # A project of its own; test_example.py runs it.

signal.signal(signal.SIGINT, signal.default_int_handler)  # A shell ignores it for what it runs in the background.


@pytest.fixture
def serve() -> Iterator[Callable[..., httpx.Client]]:
    """Start a fake of one's own with these settings; the answer is a client for it, with the API's path in its URL."""
    with ExitStack() as stack:

        def start(*, clock=None, **settings) -> httpx.Client:
            server = stack.enter_context(run_server(create_app(Settings(**settings), clock=clock)))
            client = httpx.Client(base_url=server.api_url, headers={"Authorization": "Bearer mka1-test-key"})
            return stack.enter_context(client)

        yield start
