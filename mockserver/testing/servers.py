"""The server behind the `mka1` fixture: a fake in this process, a fake elsewhere, or a real gateway."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from mockserver.control import CONTROL_PATH
from mockserver.errors import CONTROL_REALM, UsageError
from mockserver.settings import API_PATH
from mockserver.testing.control_client import CONTROL_TOKEN_VARIABLE, control_headers
from mockserver.testing.fakes import LocalFake, RemoteFake
from mockserver.testing.gateway import RealGateway
from mockserver.testing.http_client import HttpResponse, send_request
from mockserver.testing.mka1 import unique_name
from mockserver.testing.tracebacks import is_test_error

__tracebackhide__ = is_test_error

Mka1Server = LocalFake | RemoteFake | RealGateway
"""A server that tests run against. It starts and finishes each test, and deletes the data of the test."""


@contextmanager
def open_server(
    url: str | None = None, key_variable: str = "MKA1_API_KEY", api_key: str | None = None
) -> Iterator[Mka1Server]:
    """Start a fake in a thread of this process, or connect to the server at `url`.

    `key_variable` names the environment variable with the API key for `url`. `api_key` is the key of all tests of a
    fake in this process, instead of a new one for each.

    Raises:
        UsageError: there is no MKA1 API at `url`, or it needs an API key and the variable is not set.
    """
    if url is None:
        with LocalFake.run(api_key) as server:
            yield server
    else:
        yield _connect(_normalise_url(url), os.environ.get(key_variable), key_variable)


def _normalise_url(url: str) -> str:
    base = url.rstrip("/").removesuffix(API_PATH)
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise UsageError(
            "--mka1-url must be an http or https URL without user, query or fragment, "
            "such as https://gateway.example.com"
        )
    return base


def _connect(url: str, api_key: str | None, key_variable: str) -> Mka1Server:
    health = send_request(f"{url}{CONTROL_PATH}/health", "GET")
    is_fake = _is_health(health)
    if is_fake:
        _check_control(url)
    if is_fake and _accepts_any_key(url):
        return RemoteFake(url, None)
    if not api_key:
        kind = "a fake that accepts only the keys it was started with" if is_fake else "not a fake"
        raise UsageError(f"{url} is {kind}, so it needs an API key; set the variable {key_variable} to one")
    status = _status_of(url, api_key)
    if status in (401, 403):
        raise UsageError(f"{url} rejects the API key in the variable {key_variable} ({status})")
    if status != 200:
        raise UsageError(f"{url}{API_PATH}/conversations returned status {status}; is this an MKA1 API?")
    return RemoteFake(url, api_key) if is_fake else RealGateway(url, api_key)


def _is_health(response: HttpResponse) -> bool:
    body = response.json()
    return response.status == 200 and isinstance(body, dict) and body.get("status") == "ok" and "version" in body


def _check_control(url: str) -> None:
    """Check that the fake accepts control requests.

    Raises:
        UsageError: it does not.
    """
    response = send_request(f"{url}{CONTROL_PATH}/faults", "GET", headers=control_headers())
    if response.status == 401 and CONTROL_REALM in response.headers.get("www-authenticate", ""):
        raise UsageError(f"{url} is a fake with a control token; set the variable {CONTROL_TOKEN_VARIABLE} to it")
    if response.status == 403:
        raise UsageError(f"{url} is a fake that does not serve control requests under this name; see --allowed-host")


def _accepts_any_key(url: str) -> bool:
    key = unique_name()
    if _status_of(url, key) == 401:
        return False
    RemoteFake(url, None).delete_data_of(key)
    return True


def _status_of(url: str, api_key: str) -> int:
    headers = {"Authorization": f"Bearer {api_key}"}
    return send_request(f"{url}{API_PATH}/conversations?limit=1", "GET", headers=headers).status
