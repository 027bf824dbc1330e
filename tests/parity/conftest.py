"""Targets of the scenarios: the fake and, with `--mka1-url URL --mka1-api-key-env NAME`, a real server."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict

import pytest

from mockserver import Settings, create_app, run_server
from mockserver.conformance.client import ApiClient
from mockserver.conformance.scenario import ACCOUNTS, AccountItself, FakeSettings, Need, SecondKey

KEYS = ("key-one", "key-two")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mka1")
    for name, text in (
        ("--mka1-url", "also run the scenarios against the server at this URL"),
        ("--mka1-api-key-env", "environment variable that holds its API key (MKA1_API_KEY)"),
    ):
        with suppress(ValueError):  # The plugin may have added it.
            group.addoption(name, default=None, help=text)


class FakeTarget:
    """A shared fake, and a separate one for each scenario that needs other settings."""

    name = "fake"

    def __init__(self) -> None:
        self._opened = ExitStack()
        self._shared = self.start(FakeSettings())

    def client_for(self, needs: Need | None) -> ApiClient:
        return self.start(needs) if isinstance(needs, FakeSettings) else self._shared

    def start(self, settings: FakeSettings) -> ApiClient:
        options = {name: value for name, value in asdict(settings).items() if value is not None}
        keys = tuple(f"{key}={account}" for key, account in zip(KEYS, ACCOUNTS, strict=True))
        server = self._opened.enter_context(run_server(create_app(Settings(api_keys=keys, **options))))
        api = ApiClient(server.url, KEYS[0], second_key=KEYS[1])
        self._opened.callback(api.close)
        return api

    def close(self) -> None:
        self._opened.close()


class RealTarget:
    """A real server: it has no settings, and a second key only if MKA1_SECOND_API_KEY is set."""

    name = "real"

    def __init__(self, url: str, key: str) -> None:
        self._api = ApiClient(url, key, second_key=os.environ.get("MKA1_SECOND_API_KEY"))

    def client_for(self, needs: Need | None) -> ApiClient | None:
        has_all = self._api.second_key or not (isinstance(needs, SecondKey) or needs == AccountItself(second_key=True))
        return None if isinstance(needs, FakeSettings) or not has_all else self._api

    def close(self) -> None:
        self._api.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "target" in metafunc.fixturenames:
        real = metafunc.config.getoption("mka1_url", default=None)
        metafunc.parametrize("target", ["fake", "real"] if real else ["fake"], indirect=True, scope="session")


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest) -> Iterator[FakeTarget | RealTarget]:
    if request.param == "fake":
        opened: FakeTarget | RealTarget = FakeTarget()
    else:
        name = request.config.getoption("mka1_api_key_env", default=None) or "MKA1_API_KEY"
        if name not in os.environ:
            pytest.fail(f"set {name} to an API key, or name another variable with --mka1-api-key-env")
        opened = RealTarget(request.config.getoption("mka1_url"), os.environ[name])
    yield opened
    opened.close()
