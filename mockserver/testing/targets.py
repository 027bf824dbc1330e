"""The servers that tests can run against: a fake in this process, a fake elsewhere, a real gateway."""

import copy
import difflib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, urlencode, urlsplit

import pytest
from starlette.types import Receive, Scope, Send

from mockserver.app import CONTROL_PATH, Fake, create_app
from mockserver.errors import UsageError
from mockserver.server import RunningServer, run_server
from mockserver.settings import DEFAULT_API_KEY, Settings
from mockserver.testing.api import API_PATH, Mka1
from mockserver.testing.control_client import Answer, as_json, called, fetched, hidden, parsed
from mockserver.testing.exchanges import Exchange

__tracebackhide__ = hidden

CONTROL_TOKEN_VARIABLE = "MOCKSERVER_CONTROL_TOKEN"  # noqa: S105 - the name of a variable; `serve` reads it, too

_CONVERSATIONS = f"{API_PATH}/conversations"
_TRIES = 6
_LONGEST_PAUSE = 5.0


class Target(Protocol):
    """A server that tests can run against."""

    @property
    def url(self) -> str: ...

    def begin(self, options: Mapping[str, Any], folder: Path) -> Mka1:
        """The API for one test, set by the options of the marker; `folder` is the test's own.

        Raises:
            UsageError: an option is not what it must be.
        """
        ...


@contextmanager
def open_target(url: str | None, api_key: str | None, variable: str) -> Iterator[Target]:
    """A fake in a thread of this process, or the server at `url`, which may be a fake or a real gateway.

    Raises:
        UsageError: nothing answers at `url`, or it needs an API key and `variable` holds none.
    """
    if url is None:
        with LocalFake.running() as target:
            yield target
    else:
        yield _target_at(_base_of(url), api_key, variable)


class LocalFake:
    """The fake in a thread of this process; each test begins with an empty one.

    Each test has a state of its own: what a test before has left on its way, such as an answer that is still delayed,
    ends in the state that it began in. So nobody has to wait, and the thread of the server is not asked.
    """

    def __init__(self, blank: Fake) -> None:
        self.url = ""
        self._blank = blank
        called(blank, "GET", "/health", b"", {})  # Reads the control API's document once for all that are like it.
        self._fake = blank
        self._server: RunningServer | None = None

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["LocalFake"]:
        target = cls(create_app())
        with run_server(target) as server:
            target._server, target.url = server, server.url
            yield target

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._fake(scope, receive, send)

    def begin(self, options: Mapping[str, Any], folder: Path) -> Mka1:
        wish = _wish(options)
        fake = copy.copy(self._blank)
        fake.renew(wish.settings)
        self._fake = fake  # From here on, at once, for whatever comes in.
        key = next(iter(wish.settings.accounts()), DEFAULT_API_KEY)
        return wish.granted(_LocalMka1(self.url, key, control=self._control(fake), folder=folder))

    def _control(self, fake: Fake) -> Callable[..., Any]:
        server = self._server
        assert server is not None, "the fake is not running"

        def control(method: str, route: str, body: Any = None, /, **query: Any) -> Any:
            content = as_json(body)
            # In the server's thread: what a client has an answer to is in the journal by then.
            return parsed(server.call(lambda: called(fake, method, route, content, query)))

        return control


class _LocalMka1(Mka1):
    def _repeat(self, exchange: Exchange) -> str:
        """By then, this fake will be gone."""
        command = exchange.curl("http://127.0.0.1:8080", DEFAULT_API_KEY)
        return f"\n  To repeat it, beside `mockserver serve --unknown-fields reject`:\n    {command}"


class RemoteFake:
    """A fake that runs elsewhere; each test has an API key, and with it a state, of its own.

    With an `api_key`, it is the only one that the fake lets in; all tests use it, one after the other.
    """

    def __init__(self, url: str, api_key: str | None) -> None:
        self.url = url
        self._api_key = api_key

    def begin(self, options: Mapping[str, Any], folder: Path) -> Mka1:
        wish = _wish(options)
        if settings := [name for name in options if name in _SETTINGS]:
            pytest.skip(f"needs a fake of its own: {', '.join(settings)} cannot be set for the server under test")
        api = _RemoteMka1(self.url, self._api_key or _own_name(), folder)
        try:
            if self._api_key is not None:
                api.reset()
            wish.granted(api)
        except UsageError:
            api.end()
            raise
        return api


class _RemoteMka1(Mka1):
    def __init__(self, url: str, api_key: str, folder: Path) -> None:
        headers = _control_headers()

        def control(method: str, route: str, body: Any = None, /, **query: Any) -> Any:
            path = f"{CONTROL_PATH}{route}?{urlencode({**query, 'api_key': api_key})}"
            return parsed(fetched(url + path, method, as_json(body), headers))

        super().__init__(url, api_key, control=control, folder=folder)

    def end(self) -> list[str]:
        self.reset()
        return []


class Gateway:
    """A server that cannot be steered; each test acts for an end user of its own, whose conversations are deleted."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = url
        self._api_key = api_key

    def begin(self, options: Mapping[str, Any], folder: Path) -> Mka1:
        _wish(options)
        if options:
            pytest.skip(f"needs a fake: {', '.join(options)} cannot be set for the server under test")
        return _GatewayMka1(self.url, self._api_key, control=None, folder=folder, end_user=_own_name())


class _GatewayMka1(Mka1):
    def end(self) -> list[str]:
        """Delete the conversations of this test's end user."""
        for conversation_id in self._conversations():
            self._patiently("DELETE", f"{_CONVERSATIONS}/{quote(conversation_id, safe='')}")
        left = self._conversations()
        return [f"These conversations could not be deleted: {', '.join(left)}"] if left else []

    def _conversations(self) -> list[str]:
        found: dict[str, None] = {}
        after: dict[str, str] = {}
        while True:
            answer = self._patiently("GET", f"{_CONVERSATIONS}?{urlencode({'limit': 50, **after})}")
            try:
                page = [one["id"] for one in json.loads(answer.content)["data"]]
            except (ValueError, KeyError, TypeError):
                what = f"the conversations of {self.end_user} cannot be listed, so they cannot be deleted"
                raise UsageError(f"{what}: {self.url}{_CONVERSATIONS} answers {answer.status}") from None
            new = [conversation_id for conversation_id in page if conversation_id not in found]
            found.update(dict.fromkeys(new))
            if not new:
                return list(found)
            after = {"after": page[-1]}

    def _patiently(self, method: str, path: str) -> Answer:
        for _ in range(_TRIES - 1):
            answer = fetched(self.url + path, method, headers=self.headers)
            if answer.status not in (429, 500, 502, 503, 504):
                return answer
            time.sleep(_pause(answer.headers))
        return fetched(self.url + path, method, headers=self.headers)


class _Wish(NamedTuple):
    """What a marker asks for."""

    settings: Settings
    now: float | datetime | None
    seeds: Sequence[Any]

    def granted(self, api: Mka1) -> Mka1:
        if self.now is not None:
            api.clock.freeze(self.now)
        for seed in self.seeds:
            api.seed(seed)
        return api


_SETTINGS = {
    "identity_mode": "identity_mode",
    "api_keys": "api_keys",
    "rate_limit": "rate_limits",
    "ids": "ids",
    "unknown_fields": "unknown_fields",
}
_OPTIONS = ("seed", *_SETTINGS, "now")


def _wish(options: Mapping[str, Any]) -> _Wish:
    """What a marker asks for.

    Raises:
        UsageError: it asks for something that there is not.
    """
    for name in options:
        if name not in _OPTIONS:
            near = difflib.get_close_matches(name, (*_OPTIONS, "strict"), 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; it takes {', '.join(_OPTIONS)}, strict"
            raise UsageError(f"the marker mka1 does not take {name!r}{hint}")
    settings = {_SETTINGS[name]: value for name, value in options.items() if name in _SETTINGS}
    for name in ("api_keys", "rate_limits"):
        if name in settings:
            settings[name] = _texts(name, settings[name])
    now = options.get("now")
    if now is not None and (isinstance(now, bool) or not isinstance(now, int | float | datetime)):
        raise UsageError(f"now must be Unix seconds or an aware datetime, not {now!r}")
    seeds = options.get("seed")
    return _Wish(Settings(**settings), now, _several(seeds))


def _texts(name: str, value: Any) -> tuple[str, ...]:
    texts = _several(value)
    if not all(isinstance(text, str) for text in texts):
        shown = "" if name == "api_keys" else f", not {value!r}"
        raise UsageError(f"{name} must be a string or a list of strings{shown}")
    return texts


def _several(value: Any) -> tuple[Any, ...]:
    return () if value is None else tuple(value) if isinstance(value, list | tuple) else (value,)


def _base_of(url: str) -> str:
    base = url.rstrip("/").removesuffix(API_PATH)
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise UsageError("--mka1-url must be such as https://gateway.example.com, with no user, query or fragment")
    return base


def _target_at(url: str, api_key: str | None, variable: str) -> Target:
    health = fetched(f"{url}{CONTROL_PATH}/health", "GET", headers=_control_headers())
    is_fake = health.status == 200 and health.content.startswith(b'{"status":"ok"')
    if not is_fake and b"<control token>" in health.content:
        raise UsageError(
            f"{url} is a fake that is steered with a token: put it into the variable {CONTROL_TOKEN_VARIABLE}"
        )
    if is_fake and _status_of(url, stranger := _own_name()) != 401:
        _RemoteMka1(url, stranger, Path()).end()
        return RemoteFake(url, None)
    if not api_key:
        which = "is a fake that lets in only the keys that it knows" if is_fake else "is no fake"
        raise UsageError(f"{url} {which}, so it needs an API key: put it into the variable {variable}")
    status = _status_of(url, api_key)
    if status in (401, 403):
        raise UsageError(f"{url} refuses the API key in the variable {variable} ({status})")
    if status != 200:
        raise UsageError(f"{url}{_CONVERSATIONS} answers {status}: is this an MKA1 API?")
    return RemoteFake(url, api_key) if is_fake else Gateway(url, api_key)


def _status_of(url: str, api_key: str) -> int:
    return fetched(f"{url}{_CONVERSATIONS}?limit=1", "GET", headers={"Authorization": f"Bearer {api_key}"}).status


def _control_headers() -> dict[str, str]:
    token = os.environ.get(CONTROL_TOKEN_VARIABLE)
    return {"Authorization": f"Bearer {token}"} if token else {}


def _own_name() -> str:
    return f"test-{uuid.uuid4().hex}"


def _pause(headers: Mapping[str, str]) -> float:
    lowered = {name.lower(): value for name, value in headers.items()}
    try:
        wanted = float(lowered["retry-after"])
    except (KeyError, ValueError):
        wanted = 1.0
    return min(max(wanted, 0.1), _LONGEST_PAUSE)
