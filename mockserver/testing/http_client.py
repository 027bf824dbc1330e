"""A small HTTP client on the standard library, so that the plugin needs no other package."""

import json
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

from mockserver.errors import UsageError
from mockserver.testing.environment import LOOPBACK_HOSTS
from mockserver.testing.tracebacks import is_test_error

__tracebackhide__ = is_test_error


class HttpResponse(NamedTuple):
    """A response; the names of `headers` are in lower case."""

    status: int
    content: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        """Return the parsed body, or None if it is not JSON."""
        try:
            return json.loads(self.content)
        except ValueError:
            return None


def send_request(
    url: str, method: str, content: bytes = b"", headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """Send a request with a JSON body, if any; UsageError if there is no response."""
    content_type = {"Content-Type": "application/json"} if content else {}
    request = Request(url, content or None, {**content_type, **(headers or {})}, method=method)  # noqa: S310 - http only
    try:
        with _build_opener(url).open(request, timeout=30) as response:
            return _read_response(response.status, response)
    except HTTPError as error:
        with error:
            return _read_response(error.code, error)
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        parts = urlsplit(url)  # Without the query and the cause: either may contain the API key.
        address = f"{parts.scheme}://{parts.netloc}{parts.path}"
        raise UsageError(f"{address}: no response: {str(reason) or type(reason).__name__}") from None


def _build_opener(url: str) -> OpenerDirector:
    """Return an opener that uses the proxies of the environment, except for requests to this machine."""
    is_local = urlsplit(url).hostname in LOOPBACK_HOSTS
    return build_opener(ProxyHandler({})) if is_local else build_opener()


def _read_response(status: int, response: Any) -> HttpResponse:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return HttpResponse(status, response.read(), headers)
