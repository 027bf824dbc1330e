"""Exchanges as a test sees them: a request that reached the fake, with its response."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import parse_qs

from mockserver.curl import KEY_PLACEHOLDER, curl_command

_MAX_BODY = 64 * 1024  # The journal cuts longer ones.
_MAX_TARGET = 8 * 1024
_MAX_LISTED = 20
_MAX_SHOWN = 400


class RequestHeaders(dict[str, str]):
    """Headers by lower-case name, which are found by a name in any case."""

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


@dataclass(frozen=True)
class Exchange:
    """One request that reached the fake, and its response; bodies are parsed.

    `operation` is None if no operation matches the request. `query` is as sent, `query_params` is the parsed query. In
    `headers`, `***` stands for a secret. `status` is 0 if the client got no response. `key` is the fingerprint of the
    API key. `findings` are mistakes in the request or the response; `notes` are findings that do no harm, such as an
    unknown field. Both hold `{"side", "in", "pointer", "code", "message"}`. `fault` is the planned fault that made the
    response, or None. `reply` is the id of the planned reply, `header` for one that the request carries, or None for
    the default output. `stream` is None unless the response is an event stream; then it has the `events`, their
    `count` and how the stream came to its `end`, and `response` is the final response object. `started_at` is in Unix
    seconds by the fake's clock, `duration` in seconds.
    """

    operation: str | None
    method: str
    path: str
    query: str
    headers: RequestHeaders
    request: Any
    status: int
    response: Any
    key: str | None
    end_user: str | None
    findings: list[dict[str, str]]
    notes: list[dict[str, str]]
    fault: dict[str, Any] | None
    reply: int | str | None
    stream: dict[str, Any] | None
    started_at: float
    duration: float

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Exchange":
        values = {one.name: data[one.name] for one in fields(cls)}
        return cls(**values | {"headers": RequestHeaders(data["headers"])})

    def __str__(self) -> str:
        return f"{self.method} {self._target} -> {self.status or 'no response'}"

    @property
    def query_params(self) -> dict[str, str | list[str]]:
        """The parsed query; a list if a parameter was sent more than once."""
        params: dict[str, str | list[str]] = {}
        for name, values in parse_qs(self.query, keep_blank_values=True).items():
            params[name] = values if len(values) > 1 else values[0]
        return params

    def curl(self, url: str, api_key: str | None = None) -> str:
        """Return a command that sends the request to the server at `url`; the default key is `$MKA1_API_KEY`."""
        headers = [("Authorization", f"Bearer {api_key or KEY_PLACEHOLDER}")]
        if self.end_user is not None:
            headers.append(("X-On-Behalf-Of", self.end_user))
        if self.request is not None:
            headers.append(("Content-Type", "application/json"))
        return curl_command(self.method, url + self._target, headers, self._body)

    @property
    def is_reproducible(self) -> bool:
        """Whether `curl` sends the same request: the journal keeps neither long parts nor other headers."""
        depends_on_headers = self.status == 415 or any(finding["in"] == "header" for finding in self.findings)
        is_cut = len(self._body) >= _MAX_BODY or max(len(self.path), len(self.query)) >= _MAX_TARGET
        return not depends_on_headers and not is_cut

    @property
    def _target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def _body(self) -> bytes:
        if self.request is None:
            return b""
        if isinstance(self.request, str) and any(finding["code"] == "invalid_json" for finding in self.findings):
            return self.request.encode()
        return json.dumps(self.request, ensure_ascii=False).encode("utf-8", "surrogatepass")


def list_exchanges(exchanges: Sequence[Exchange]) -> str:
    """Return one line for each of the newest exchanges."""
    lines = [f"\n  {exchange.operation or 'no operation'}: {exchange}" for exchange in exchanges[-_MAX_LISTED:]]
    older = len(exchanges) - len(lines)
    return "".join([f"\n  ({older} before)"] * bool(older) + lines) or " none"


def describe_exchanges(exchanges: Sequence[Exchange]) -> str:
    """Return several lines for each of the newest exchanges, with the beginning of its bodies."""
    lines = []
    if len(exchanges) > _MAX_LISTED:
        lines.append(f"({len(exchanges) - _MAX_LISTED} before)")
    for exchange in exchanges[-_MAX_LISTED:]:
        lines.append(f"{exchange.operation or 'no operation'}: {exchange}")
        shown = {
            "fault": exchange.fault,
            "end user": exchange.end_user,
            "request": exchange.request,
            "response": exchange.response,
        }
        lines += [
            f"    {name}: {format_json(value, _MAX_SHOWN)}" for name, value in shown.items() if value is not None
        ]
    return "\n".join(lines)


def format_json(value: Any, limit: int = 120) -> str:
    """Return a value as JSON of at most `limit` characters."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def count(number: int, noun: str, plural: str | None = None) -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
