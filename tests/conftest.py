"""Fixtures and settings for all tests."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from mockserver import Fake, Settings
from mockserver.contract.contract import Contract
from tests.support.asgi_client import AsgiClient

pytest_plugins = ["pytester"]
collect_ignore = ["example"]  # A project of its own; test_example.py runs it.

signal.signal(signal.SIGINT, signal.default_int_handler)  # A shell ignores it in background processes.


@pytest.fixture(scope="session")
def contract() -> Contract:
    """Return the contract of the API, which all fakes may share."""
    return Contract.load()


@pytest.fixture
def make_client(contract: Contract) -> Iterator[Callable[..., AsgiClient]]:
    """Return a client of a new fake with the given settings, in process."""
    with ExitStack() as stack:

        def make(*, clock: Any = None, **settings: Any) -> AsgiClient:
            app = Fake(contract, Settings(**settings), clock=clock)
            return stack.enter_context(AsgiClient.connect(app, {"Authorization": "Bearer mka1-test-key"}))

        yield make


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-snapshots", action="store_true", help="rewrite the files in tests/**/snapshots")


@pytest.fixture
def check_snapshot(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Return a function that compares a text with a file beside the test, or rewrites the file on request."""

    def check(name: str, text: str) -> None:
        path = request.path.parent / "snapshots" / name
        if request.config.getoption("--update-snapshots"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), "the texts differ: run `make snapshots` and read the diff"

    return check
