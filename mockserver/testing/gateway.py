"""A real gateway that tests run against."""

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlencode

from mockserver.errors import UsageError
from mockserver.retry_after import parse_retry_after
from mockserver.testing.http_client import HttpResponse, send_request
from mockserver.testing.marker import MarkerOptions
from mockserver.testing.mka1 import Mka1, unique_name
from mockserver.testing.skips import skip_test
from mockserver.testing.tracebacks import is_test_error
from mockserver.testing.violations import LeftoverConversations, Reproduction, SharedConversations, Violation

__tracebackhide__ = is_test_error

_ATTEMPTS = 6
_RETRIED_STATUSES = (429, 500, 502, 503, 504)
_MAX_PAUSE = 5.0
_MAX_PAGES = 20


class RealGateway:
    """A server without a control API; each test acts for an end user of its own, whose conversations are deleted."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = url
        self.reproduction = Reproduction(url)
        self._api_key = api_key

    def for_scope(self) -> AbstractContextManager["RealGateway"]:
        return nullcontext(self)

    def start_test(self, options: MarkerOptions, folder: Path, name: str = "") -> Mka1:
        if options.names:
            skip_test(f"needs a fake: {', '.join(options.names)} cannot be set for the server under test")
        return Mka1(self.url, self._api_key, control=None, folder=folder, end_user=unique_name())

    def finish_test(self, api: Mka1) -> list[Violation]:
        """Delete the conversations of the test's end user, provided that the gateway isolates end users.

        Nothing is deleted if an end user that nobody has used sees any conversation. That end user looks after the
        list was read, so that a conversation of somebody else in the list would be visible to it as well.
        """
        listed = _list_conversations(api)
        if not listed:
            return []
        stranger = Mka1(self.url, self._api_key, control=None, folder=Path(), end_user=unique_name())
        if _list_conversations(stranger):
            return [SharedConversations(listed)]
        for conversation_id in listed:
            _send_with_retries(api, "DELETE", f"/conversations/{quote(conversation_id, safe='')}")
        left = _list_conversations(api)
        return [LeftoverConversations(left)] if left else []


def _list_conversations(api: Mka1) -> list[str]:
    ids: dict[str, None] = {}
    after: dict[str, str] = {}
    for _ in range(_MAX_PAGES):
        response = _send_with_retries(api, "GET", f"/conversations?{urlencode({'limit': 50, **after})}")
        try:
            page = [conversation["id"] for conversation in response.json()["data"]]
        except (KeyError, TypeError):
            raise UsageError(
                f"the conversations of {api.end_user} cannot be listed, so they cannot be deleted: "
                f"{api.api_url}/conversations returned status {response.status}"
            ) from None
        if ids.keys() >= set(page):
            break
        ids.update(dict.fromkeys(page))
        after = {"after": page[-1]}
    return list(ids)


def _send_with_retries(api: Mka1, method: str, path: str) -> HttpResponse:
    for _ in range(_ATTEMPTS - 1):
        response = send_request(api.api_url + path, method, headers=api.headers)
        if response.status not in _RETRIED_STATUSES:
            return response
        time.sleep(_pause_before_retry(response.headers))
    return send_request(api.api_url + path, method, headers=api.headers)


def _pause_before_retry(headers: Mapping[str, str]) -> float:
    seconds = parse_retry_after(headers.get("retry-after"), datetime.now(UTC))
    return min(max(1.0 if seconds is None else seconds, 0.1), _MAX_PAUSE)
