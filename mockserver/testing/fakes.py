"""Fakes that tests run against: in this process, or elsewhere."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from starlette.types import Receive, Scope, Send

from mockserver.app import Fake, create_app
from mockserver.asgi import Headers, send_error
from mockserver.errors import Unauthorized, UsageError
from mockserver.gateway.auth import default_account, key_fingerprint
from mockserver.gateway.tokens import read_claimed_key
from mockserver.server import RunningServer, run_server
from mockserver.settings import DEFAULT_API_KEY, Settings
from mockserver.testing.control_client import call_in_process, http_client, in_process_client
from mockserver.testing.marker import MarkerOptions
from mockserver.testing.mka1 import Mka1, unique_name
from mockserver.testing.skips import skip_test
from mockserver.testing.tracebacks import is_test_error
from mockserver.testing.violations import Reproduction, Violation

__tracebackhide__ = is_test_error

_MAX_ENDED_KEYS = 1000


class _Switch:
    """Passes each request to the fake of the current test, and rejects those with a key of a test that has ended.

    Such a request comes from a thread or a client that has outlived its test. The current test must not see it. Keys
    are known by their fingerprints, which the tokens in exchange for them name, too.
    """

    def __init__(self, fake: Fake) -> None:
        self.fake = fake
        self._keys: dict[str, str] = {}
        self._ended: dict[str, str] = {}

    def start(self, fake: Fake, keys: Iterable[str], test: str) -> None:
        """Begin a test, which ends the current one."""
        self.end()
        self.fake = fake
        self._keys = {key_fingerprint(key): test for key in keys}
        for key in self._keys:
            self._ended.pop(key, None)

    def end(self) -> None:
        """End the current test."""
        self._ended |= self._keys
        self._keys = {}
        while len(self._ended) > _MAX_ENDED_KEYS:
            del self._ended[next(iter(self._ended))]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        test = self._find_ended_test(scope) if self._ended and scope["type"] == "http" else None
        if test is None:
            await self.fake(scope, receive, send)
        else:
            await send_error(send, Unauthorized(_explain_ended_key(test)))

    def _find_ended_test(self, scope: Scope) -> str | None:
        authorization = Headers(scope["headers"]).get(b"authorization", b"")
        key = authorization.partition(b" ")[2].strip().decode("latin-1")
        return self._ended.get(read_claimed_key(key) or key_fingerprint(key))


def _explain_ended_key(test: str) -> str:
    return (
        f"The API key belongs to a test that has ended, {test}: a client or a thread of it is still in use. "
        "Create clients within the test, or in a fixture that uses `mka1`. "
        "For a client that outlives tests, use `mka1_module` or `mka1_session`, or set `mka1_api_key` in the ini file."
    )


class LocalFake:
    """A fake in a thread of this process.

    Each test has a fake of its own behind the same server, and an API key of its own. A request that a test leaves
    behind, such as one with a delayed response, ends in the fake of that test, so a new test does not have to wait for
    it. A request that arrives after its test is rejected.
    """

    reproduction = Reproduction.with_new_server()

    def __init__(self, switch: _Switch, server: RunningServer, api_key: str | None) -> None:
        self.url = server.url
        self._switch = switch
        self._contract = switch.fake.contract
        self._server = server
        self._api_key = api_key

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}>"

    @classmethod
    @contextmanager
    def run(cls, api_key: str | None = None) -> Iterator["LocalFake"]:
        """Start a server; with `api_key`, all tests have this key."""
        blank = create_app()
        call_in_process(blank, "GET", "/health")  # Loads the control API's contract, which all fakes share.
        switch = _Switch(blank)
        with run_server(switch) as server:
            yield cls(switch, server, api_key)

    def for_scope(self) -> AbstractContextManager["LocalFake"]:
        """Return a server for a class, module or session, beside the one for single tests."""
        return self.run(self._api_key)

    def start_test(self, options: MarkerOptions, folder: Path, name: str = "") -> Mka1:
        """Start a test with a clean fake; `name` identifies it in messages."""
        settings = self._add_key(options)
        key = next(iter(settings.accounts()), DEFAULT_API_KEY)
        fake = Fake(self._contract, settings)
        self._switch.start(fake, settings.accounts() or [key], name)
        api = Mka1(self.url, key, control=in_process_client(fake, self._server), folder=folder)
        options.apply_to(api)
        return api

    def finish_test(self, api: Mka1) -> list[Violation]:
        self._switch.end()
        return []

    def _add_key(self, options: MarkerOptions) -> Settings:
        """Return the settings with the key of the test, unless they say which keys the fake accepts."""
        if options.settings.api_keys or options.accepts_any_key:
            return options.settings
        key = self._api_key or unique_name()
        if "=" in key:
            raise UsageError("mka1_api_key must not contain '=', which separates a key from its account")
        # The same account in each run, because snapshots and identities show it.
        return replace(options.settings, api_keys=(f"{key}={default_account(DEFAULT_API_KEY)}",))


class RemoteFake:
    """A fake that runs elsewhere.

    Without `api_key`, each test has an API key, and with it a state, of its own. With one, the fake accepts no other,
    and all tests use it one after the other.
    """

    def __init__(self, url: str, api_key: str | None) -> None:
        self.url = url
        self.reproduction = Reproduction(url)
        self._api_key = api_key
        self._is_in_use = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}>"

    def for_scope(self) -> AbstractContextManager["RemoteFake"]:
        return nullcontext(self)

    def start_test(self, options: MarkerOptions, folder: Path, name: str = "") -> Mka1:
        if options.setting_names:
            names = ", ".join(options.setting_names)
            skip_test(f"needs a fake of its own: {names} cannot be set for the server under test")
        if self._api_key is not None and self._is_in_use:
            skip_test("needs a second API key: the server under test accepts only one, which a wider fixture uses")
        key = self._api_key or unique_name()
        api = Mka1(self.url, key, control=http_client(self.url, key), folder=folder)
        try:
            if self._api_key is not None:
                api.reset()
            options.apply_to(api)
        except UsageError:
            api.reset()
            raise
        self._is_in_use = True
        return api

    def finish_test(self, api: Mka1) -> list[Violation]:
        self._is_in_use = False
        api.reset()
        return []

    def delete_data_of(self, api_key: str) -> None:
        http_client(self.url, api_key)("POST", "/reset")
