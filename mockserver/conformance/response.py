"""Responses with their requests, and the entries of pages."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import httpx

from mockserver.conformance.expectations import ABSENT, ScenarioFailure, show
from mockserver.curl import curl_command

Json = Any


class UnexpectedResponse(ScenarioFailure):
    """A response of another status or form than the behaviour promises.

    `expected_status` is None where the behaviour leaves the exact status open.
    """

    def __init__(self, response: "ApiResponse", expected: str, expected_status: int | None = None) -> None:
        super().__init__(f"{response.method} {response.path}", expected, response.summary)
        self.response: ApiResponse = response
        self.expected_status = expected_status


class UnexpectedError(ScenarioFailure):
    """An error with other details than the behaviour promises."""


@dataclass(frozen=True)
class ApiResponse:
    """A response with its request. `body` is the parsed JSON, or the text if it is not JSON."""

    method: str
    url: str
    sent_headers: tuple[tuple[str, str], ...]
    sent: bytes
    status: int
    headers: httpx.Headers
    body: Json

    def expect_ok(self) -> dict[str, Any]:
        """Return the body, an object if the target is right; fail unless the status is 200."""
        if self.status != 200:
            self.fail("200", 200)
        body: dict[str, Any] = self.body
        return body

    def expect_error(self, status: int | None = None, *, param: str | None = None) -> dict[str, Any]:
        """Return the `error` object, or an empty one where the body has none.

        Fail unless the status is the given one, or any 4xx, and the error names the given parameter.
        """
        if self.status != status if status else not self.is_client_error:
            self.fail(str(status or "a 4xx"), status)
        error = self.body.get("error") if isinstance(self.body, dict) else None
        error = error if isinstance(error, dict) else {}
        if param is not None and error.get("param") != param:
            raise UnexpectedError("param of the error", show(param), show(error.get("param", ABSENT)))
        return error

    def fail(self, expected: str, expected_status: int | None = None) -> NoReturn:
        raise UnexpectedResponse(self, expected, expected_status)

    @property
    def is_client_error(self) -> bool:
        return 400 <= self.status < 500

    @property
    def path(self) -> str:
        """The path and the query, as sent."""
        return self.url[self.url.index("/", 8) :]

    @property
    def media_type(self) -> str:
        return str(self.headers.get("Content-Type", "")).partition(";")[0]

    @property
    def summary(self) -> str:
        """The status and the body, cut to 300 characters."""
        body = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return f"{self.status} {body if len(body) <= 300 else body[:297] + '...'}".rstrip()

    def curl(self) -> str:
        """Return a shell command that sends the request again; it takes the key from the variable MKA1_API_KEY."""
        return curl_command(self.method, self.url, self.sent_headers, self.sent, options=["-i"])


def ids(page: Mapping[str, Any]) -> list[str]:
    """Return the ids of a page in its order."""
    return [entry["id"] for entry in page["data"]]


def message_text(message: Mapping[str, Any]) -> str:
    """Return the text of a message, whether its content is a string or a list of parts."""
    content = message["content"]
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content)


def texts(page: Mapping[str, Any]) -> list[str]:
    """Return the texts of a page of messages in its order."""
    return [message_text(message) for message in page["data"]]


def sort_by_id(page: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the entries of a page sorted by id, for comparisons that ignore their order."""
    return sorted(page["data"], key=lambda entry: json.dumps(entry["id"]))
