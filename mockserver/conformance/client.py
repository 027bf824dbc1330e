"""A small HTTP client for scenarios: requests exactly as written, answers that explain themselves."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn
from urllib.parse import quote, urlencode
from uuid import uuid4

import httpx

from mockserver.curl import KEY_PLACEHOLDER, curl_command

PREFIX = "/api/v1/llm"

Json = Any
Params = Mapping[str, str | int] | Sequence[tuple[str, str | int]]
Headers = Mapping[str, str] | Sequence[tuple[str, str]]

_PAUSES = (0.5, 1.0, 2.0)
_MOST_IN_VAIN = 2


class NoAnswer(Exception):
    """The connection failed, or what came back was not HTTP."""


class UnexpectedAnswer(AssertionError):
    """An answer of another status than the rule wants."""

    def __init__(self, answer: "Answer", expected: str) -> None:
        super().__init__(f"{answer.method} {answer.path}: expected {expected}, received {answer.summary}")
        self.answer = answer
        self.expected = expected


@dataclass(frozen=True)
class Answer:
    """What came back, with the request that it answers. `body` is the parsed JSON, or the text where it is none."""

    method: str
    url: str
    sent_headers: tuple[tuple[str, str], ...]
    sent: bytes
    status: int
    headers: httpx.Headers
    body: Json

    def ok(self) -> Json:
        """The body of an answer that must be a 200."""
        if self.status != 200:
            self.fail("200")
        return self.body

    def refused(self, status: int | None = None) -> dict[str, Any]:
        """The `error` of an answer that must be a 4xx, or exactly `status`; empty where it has another form."""
        if self.status != status if status else not 400 <= self.status < 500:
            self.fail(str(status or "a 4xx"))
        error = self.body.get("error") if isinstance(self.body, dict) else None
        return error if isinstance(error, dict) else {}

    def fail(self, expected: str) -> NoReturn:
        raise UnexpectedAnswer(self, expected)

    @property
    def path(self) -> str:
        """The path and the query, as sent."""
        return self.url[self.url.index("/", 8) :]

    @property
    def summary(self) -> str:
        """The status and the body, cut."""
        body = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return f"{self.status} {body if len(body) <= 300 else body[:297] + '...'}".rstrip()

    def curl(self) -> str:
        """A shell command that repeats the request; the key is left to the variable MKA1_API_KEY."""
        return curl_command(self.method, self.url, self.sent_headers, self.sent, options=["-i"])


@dataclass
class _Record:
    """What one scenario did: what to clean up, what to show when it failed, and which rules it came to."""

    created: list[tuple["Api", str]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)


class Patience:
    """How long to wait for what nobody promises to be there at once, such as an entry in an index.

    A target that is waited for in vain again and again, and with which waiting has never helped, gets little of it.
    """

    def __init__(self) -> None:
        self._in_vain = 0
        self._has_helped = False

    def pauses(self) -> tuple[float, ...]:
        """Seconds to wait before each further look; it is in vain until `help` is called."""
        if self._has_helped:
            return _PAUSES
        self._in_vain += 1
        return _PAUSES if self._in_vain <= _MOST_IN_VAIN else _PAUSES[:1]

    def help(self) -> None:
        """Waiting has brought what was missing."""
        self._has_helped = True


def http_client(transport: httpx.BaseTransport | None = None) -> httpx.Client:
    return httpx.Client(timeout=30, follow_redirects=False, trust_env=False, transport=transport)


@dataclass(frozen=True)
class Api:
    """One caller of the API: a key and, unless it is None, an end user.

    `second_key` belongs to another account, where the target has one to offer. A path is relative to `prefix` and goes
    out as it is written, `%2F` and `..` included.
    """

    base_url: str
    api_key: str | None
    end_user: str | None = None
    second_key: str | None = None
    prefix: str = PREFIX
    http: httpx.Client = field(default_factory=http_client, repr=False)
    patience: Patience = field(default_factory=Patience, repr=False)
    _record: _Record = field(default_factory=_Record, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", self.base_url.rstrip("/").removesuffix(self.prefix))

    # -- Who calls -----------------------------------------------------------------------------------------

    def fresh(self) -> "Api":
        """The same key for an end user that nobody has used before, with nothing to clean up yet."""
        return replace(self, end_user=fresh_name(self.end_user or "end-user"), _record=_Record())

    def other_end_user(self) -> "Api":
        """The same key for yet another end user that nobody has used before."""
        return replace(self, end_user=fresh_name(self.end_user or "end-user"))

    def as_end_user(self, name: str | None) -> "Api":
        return replace(self, end_user=name)

    def with_key(self, key: str | None) -> "Api":
        return replace(self, api_key=key)

    def with_second_key(self) -> "Api":
        """The same end user's name under another account."""
        assert self.second_key, "this scenario must say that it needs a second key"
        return replace(self, api_key=self.second_key, second_key=self.api_key)

    def close(self) -> None:
        self.http.close()

    # -- Requests ------------------------------------------------------------------------------------------

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Json = None,
        content: bytes | Iterable[bytes] | None = None,
        headers: Headers = (),
        params: Params = (),
    ) -> Answer:
        """Send a request. `headers` replace the ones of the same name that it would have; None as body is none."""
        if json is not None:
            content = _json_bytes(json)
        query = urlencode(list(params.items()) if isinstance(params, Mapping) else list(params))
        url = f"{self.base_url}{self.prefix}{path}{'?' + query if query else ''}"
        given = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
        replaced = {name.lower() for name, _ in given}
        own = [pair for pair in self._own_headers(json is not None) if pair[0].lower() not in replaced]
        try:
            response = self.http.request(
                method,
                self.base_url,
                content=content,
                headers=[*own, *given],
                extensions={"target": url[url.index("/", 8) :].encode("ascii")},
            )
        except httpx.HTTPError as error:
            raise NoAnswer(f"{method} {path}: no answer ({type(error).__name__}: {error})") from error
        return self._recorded(path, Answer(
            method=method,
            url=url,
            sent_headers=tuple(_shown(name, value) for name, value in [*own, *given]),
            sent=content if isinstance(content, bytes) else b"",
            status=response.status_code,
            headers=response.headers,
            body=_body(response),
        ))  # fmt: skip

    def get(self, path: str, params: Params = (), /, **parameters: str | int) -> Answer:
        return self.request("GET", path, params=parameters or params)

    def post(self, path: str, body: Json) -> Answer:
        return self.request("POST", path, json=body)

    def delete(self, path: str, body: Json = None) -> Answer:
        return self.request("DELETE", path, json=body)

    # -- What most scenarios begin with; each of these must succeed ----------------------------------------

    def create(self, *items: Json, **metadata: str) -> dict[str, Any]:
        """A new conversation."""
        body: dict[str, Any] = {"items": list(items)} if items else {}
        if metadata:
            body["metadata"] = metadata
        conversation: dict[str, Any] = self.post("/conversations", body).ok()
        return conversation

    def create_id(self, *items: Json, **metadata: str) -> str:
        """The id of a new conversation."""
        return str(self.create(*items, **metadata)["id"])

    def add(self, conversation: str, *items: Json) -> list[dict[str, Any]]:
        """New items of a conversation, as the API answered them."""
        page = self.post(items_path(conversation), {"items": list(items)}).ok()
        added: list[dict[str, Any]] = page["data"]
        return added

    def conversations(self, **parameters: str | int) -> dict[str, Any]:
        """A page of conversations."""
        page: dict[str, Any] = self.get("/conversations", **parameters).ok()
        return page

    def items(self, conversation: str, **parameters: str | int) -> dict[str, Any]:
        """A page of items."""
        page: dict[str, Any] = self.get(items_path(conversation), **parameters).ok()
        return page

    # -- Which rule ----------------------------------------------------------------------------------------

    def checks(self, rule: str) -> None:
        """From here on, what fails breaks this behaviour of the scenario; those named before hold."""
        self._record.rules.append(rule)

    @property
    def rules(self) -> Sequence[str]:
        """The behaviours that the scenario came to, as far as it says so; the last is the one it is at."""
        return self._record.rules

    # -- Afterwards ----------------------------------------------------------------------------------------

    @property
    def answers(self) -> Sequence[Answer]:
        """Everything this client and its siblings received, oldest first."""
        return self._record.answers

    def clean_up(self) -> None:
        """Delete the conversations that this client and its siblings created, as far as they are still there."""
        while self._record.created:
            caller, conversation = self._record.created.pop()
            caller.delete(conversation_path(conversation))

    def _own_headers(self, has_json: bool) -> list[tuple[str, str]]:
        headers = []
        if self.api_key is not None:
            headers.append(("Authorization", f"Bearer {self.api_key}"))
        if self.end_user is not None:
            headers.append(("X-On-Behalf-Of", self.end_user))
        if has_json:
            headers.append(("Content-Type", "application/json"))
        return headers

    def _recorded(self, path: str, answer: Answer) -> Answer:
        self._record.answers.append(answer)
        creates = answer.method == "POST" and path == "/conversations" and answer.status == 200
        if creates and isinstance(answer.body, dict) and isinstance(answer.body.get("id"), str):
            self._record.created.append((self, answer.body["id"]))
        return answer


def conversation_path(conversation: str) -> str:
    return f"/conversations/{quote(conversation, safe='')}"


def items_path(conversation: str) -> str:
    return f"{conversation_path(conversation)}/items"


def item_path(conversation: str, item: str) -> str:
    return f"{items_path(conversation)}/{quote(item, safe='')}"


def ids(page: Mapping[str, Any]) -> list[str]:
    """The ids of a page, in its order."""
    return [entry["id"] for entry in page["data"]]


def fresh_name(prefix: str) -> str:
    """A name that nothing on the target has yet."""
    return f"{prefix}-{uuid4().hex[:16]}"


def similar_id(known: str) -> str:
    """An id of the same form as a known one, and of the same length, that nothing on the target has.

    Its last letters and digits are turned within their kind, so that a hexadecimal id stays one.
    """
    head, tail = known[:-12], known[-12:]
    return head + tail.translate(_TURNED)


_TURNED = str.maketrans("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
                        "5678901234defabcstuvwxyzghijklmnopqrDEFABCSTUVWXYZGHIJKLMNOPQR")  # fmt: skip


def _json_bytes(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _body(response: httpx.Response) -> Json:
    try:
        return response.json()
    except ValueError:
        return response.text


def _shown(name: str, value: str) -> tuple[str, str]:
    if name.lower() == "authorization" and value.startswith("Bearer ") and len(value) > len("Bearer "):
        value = f"Bearer {KEY_PLACEHOLDER}"
    return name, value
