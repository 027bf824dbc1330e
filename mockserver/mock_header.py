"""Headers in which a request tells the fake how to treat it, such as `X-Mock-Fault`."""

import hmac
from collections.abc import Iterator
from typing import Any

from mockserver.asgi import Headers
from mockserver.contract import json_text
from mockserver.errors import ControlTokenRequired, InvalidRequest
from mockserver.findings import Finding

_TOKEN_HEADER = b"x-mock-token"


class MockHeader:
    """A header with JSON, which needs the control token in `X-Mock-Token` if there is one."""

    def __init__(self, name: str, token: str | None) -> None:
        self.pointer = f"/{name}"
        self._name = name
        self._key = name.lower().encode()
        self._token = token

    def read(self, headers: Headers) -> Iterator[Any]:
        """Yield the parsed value of each header.

        Raises:
            ControlTokenRequired: the token is missing.
            InvalidRequest: a value is not JSON.
        """
        if self._key not in headers:
            return
        if self._token is not None:
            sent = headers.get_all(_TOKEN_HEADER)
            if len(sent) != 1 or not hmac.compare_digest(sent[0], self._token.encode()):
                raise ControlTokenRequired(f"{self._name} needs the control token in the header `X-Mock-Token`.")
        for value in headers.get_all(self._key):
            try:
                yield json_text.parse(value)
            except json_text.JsonError as error:
                finding = Finding("request", "header", self.pointer + error.pointer, error.code, error.message)
                raise InvalidRequest([finding]) from error
