"""Fakes that tests run against: in this process, or elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from mockserver.app import Fake, create_app
from mockserver.errors import UsageError
from mockserver.server import RunningServer, run_server
from mockserver.settings import DEFAULT_API_KEY
from mockserver.testing.control_client import call_in_process, http_client, in_process_client
from mockserver.testing.marker import MarkerOptions
from mockserver.testing.mka1 import Mka1, unique_name
from mockserver.testing.tracebacks import is_test_error
from mockserver.testing.violations import Reproduction, Violation

__tracebackhide__ = is_test_error


class _Switch:
    """Passes each request to the fake of the current test."""

    def __init__(self, fake: Fake) -> None:
        self.fake = fake

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.fake(scope, receive, send)


class LocalFake:
    """A fake in a thread of this process.

    Each test has a fake of its own behind the same server. A request that a test leaves behind, such as one with a
    delayed response, ends in the fake of that test, so a new test does not have to wait for it.
    """

    reproduction = Reproduction.with_new_server()

    def __init__(self, switch: _Switch, server: RunningServer) -> None:
        self.url = server.url
        self._switch = switch
        self._contract = switch.fake.contract
        self._server = server

    @classmethod
    @contextmanager
    def run(cls) -> Iterator["LocalFake"]:
        blank = create_app()
        call_in_process(blank, "GET", "/health")  # Loads the control API's contract, which all fakes share.
        switch = _Switch(blank)
        with run_server(switch) as server:
            yield cls(switch, server)

    def start_test(self, options: MarkerOptions, folder: Path) -> Mka1:
        fake = self._switch.fake = Fake(self._contract, options.settings)
        key = next(iter(options.settings.accounts()), DEFAULT_API_KEY)
        api = Mka1(self.url, key, control=in_process_client(fake, self._server), folder=folder)
        options.apply_to(api)
        return api

    def finish_test(self, api: Mka1) -> list[Violation]:
        return []


class RemoteFake:
    """A fake that runs elsewhere.

    Without `api_key`, each test has an API key, and with it a state, of its own. With one, the fake accepts no other,
    and all tests use it one after the other.
    """

    def __init__(self, url: str, api_key: str | None) -> None:
        self.url = url
        self.reproduction = Reproduction(url)
        self._api_key = api_key

    def start_test(self, options: MarkerOptions, folder: Path) -> Mka1:
        if options.setting_names:
            names = ", ".join(options.setting_names)
            pytest.skip(f"needs a fake of its own: {names} cannot be set for the server under test")
        key = self._api_key or unique_name()
        api = Mka1(self.url, key, control=http_client(self.url, key), folder=folder)
        try:
            if self._api_key is not None:
                api.reset()
            options.apply_to(api)
        except UsageError:
            api.reset()
            raise
        return api

    def finish_test(self, api: Mka1) -> list[Violation]:
        api.reset()
        return []

    def delete_data_of(self, api_key: str) -> None:
        http_client(self.url, api_key)("POST", "/reset")
