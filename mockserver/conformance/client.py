"""HTTP client of the scenarios. It sends requests exactly as they are written."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from json import dumps
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from mockserver.conformance.events import parse_events, read_events
from mockserver.conformance.expectations import Polling
from mockserver.conformance.names import conversation_path, item_path, items_path, response_path, unique_name
from mockserver.conformance.response import ApiResponse, Json, ids
from mockserver.contract.json_text import JsonError, parse_response
from mockserver.curl import KEY_PLACEHOLDER
from mockserver.settings import API_PATH

Params = Mapping[str, str | int] | Sequence[tuple[str, str | int]]
Headers = Mapping[str, str] | Sequence[tuple[str, str]]


class NoResponse(Exception):
    """The connection failed, or the server sent something other than HTTP."""


class Withheld(Exception):
    """The request was not sent, because it could change data of other callers."""


@dataclass
class _Record:
    """Everything that one scenario created, received and declared; `created` holds paths."""

    created: list[tuple["ApiClient", str]] = field(default_factory=list)
    responses: list[ApiResponse] = field(default_factory=list)
    behaviours: list[str] = field(default_factory=list)


def http_client(transport: httpx.BaseTransport | None = None) -> httpx.Client:
    return httpx.Client(timeout=30, follow_redirects=False, trust_env=False, transport=transport)


@dataclass(frozen=True)
class ApiClient:
    """A client for one caller of the API: a key and, unless it is None, an end user.

    `second_key` belongs to another account; it is None where the target offers only one. Paths are relative to
    `prefix` and are sent unchanged, `%2F` and `..` included. `mark` is the metadata of conversations that
    `create_id` creates without any, and of responses. `model` is the model of all responses. The `with_...` methods
    return clients that share one record.
    """

    base_url: str
    api_key: str | None
    end_user: str | None = None
    second_key: str | None = None
    prefix: str = API_PATH
    mark: Mapping[str, str] = field(default_factory=dict)
    model: str = "auto"
    http: httpx.Client = field(default_factory=http_client, repr=False)
    polling: Polling = field(default_factory=Polling, repr=False)
    _record: _Record = field(default_factory=_Record, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", self.base_url.rstrip("/").removesuffix(self.prefix))

    # -- Callers -------------------------------------------------------------------------------------------

    def for_scenario(self) -> "ApiClient":
        """Return a client with the same key, a new end user and an empty record."""
        return replace(self.with_new_end_user(), _record=_Record())

    def with_new_end_user(self) -> "ApiClient":
        return self.with_end_user(unique_name(self.end_user or "end-user"))

    def with_end_user(self, name: str | None) -> "ApiClient":
        return replace(self, end_user=name)

    def with_key(self, key: str | None) -> "ApiClient":
        return replace(self, api_key=key)

    def with_second_key(self) -> "ApiClient":
        """Return a client for the end user of the same name under the second account."""
        if not self.second_key:
            raise RuntimeError("the scenario must declare that it needs a second key")
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
    ) -> ApiResponse:
        """Send a request. `headers` replace the client's own headers of the same names.

        Raises:
            NoResponse: the connection failed, or the server sent something other than HTTP.
            Withheld: the transport does not send it.
        """
        if json is not None:
            content = dumps(json, ensure_ascii=False, separators=(",", ":")).encode()
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
            raise NoResponse(f"{method} {path}: no response{f' ({error})' if str(error) else ''}") from error
        return self._record_response(path, ApiResponse(
            method=method,
            url=url,
            sent_headers=tuple(_redact(name, value) for name, value in [*own, *given]),
            sent=content if isinstance(content, bytes) else b"",
            status=response.status_code,
            headers=response.headers,
            body=_parse_body(response.content),
        ))  # fmt: skip

    def get(self, path: str, params: Params = (), /, **parameters: str | int) -> ApiResponse:
        return self.request("GET", path, params=parameters or params)

    def post(self, path: str, body: Json) -> ApiResponse:
        return self.request("POST", path, json=body)

    def post_items(self, conversation: str, *items: Json) -> ApiResponse:
        return self.post(items_path(conversation), {"items": list(items)})

    def delete(self, path: str, body: Json = None) -> ApiResponse:
        return self.request("DELETE", path, json=body)

    # -- Requests that must succeed ------------------------------------------------------------------------

    def create(self, *items: Json, **metadata: str) -> dict[str, Any]:
        """Create a conversation."""
        body: dict[str, Any] = {"items": list(items)} if items else {}
        if metadata:
            body["metadata"] = metadata
        return self.post("/conversations", body).expect_ok()

    def create_id(self, *items: Json, **metadata: str) -> str:
        """Create a conversation and return its id."""
        return str(self.create(*items, **(metadata or self.mark))["id"])

    def add_items(self, conversation: str, *items: Json) -> list[dict[str, Any]]:
        """Add items and return those of the response."""
        added: list[dict[str, Any]] = self.post_items(conversation, *items).expect_ok()["data"]
        return added

    def retrieve(self, conversation: str) -> dict[str, Any]:
        return self.get(conversation_path(conversation)).expect_ok()

    def retrieve_item(self, conversation: str, item: str) -> dict[str, Any]:
        return self.get(item_path(conversation, item)).expect_ok()

    def update(self, conversation: str, **metadata: str) -> dict[str, Any]:
        """Send new metadata and return the conversation of the response."""
        return self.post(conversation_path(conversation), {"metadata": metadata}).expect_ok()

    def list_conversations(self, **parameters: str | int) -> dict[str, Any]:
        """Return a page of conversations."""
        return self.get("/conversations", **parameters).expect_ok()

    def list_items(self, conversation: str, **parameters: str | int) -> dict[str, Any]:
        """Return a page of items."""
        return self.get(items_path(conversation), **parameters).expect_ok()

    def conversation_ids(self, **parameters: str | int) -> list[str]:
        return ids(self.list_conversations(**parameters))

    def item_ids(self, conversation: str, **parameters: str | int) -> list[str]:
        return ids(self.list_items(conversation, **parameters))

    # -- Responses of the model ----------------------------------------------------------------------------

    def send_create_response(self, input: Json, **fields: Json) -> ApiResponse:  # noqa: A002 - as the API calls it
        """Send a request for a response of the model."""
        mark = {"metadata": dict(self.mark)} if self.mark else {}
        return self.post("/responses", {"model": self.model, "input": input, **mark, **fields})

    def respond(self, input: Json, **fields: Json) -> dict[str, Any]:  # noqa: A002 - as the API calls it
        """Create a response and return it."""
        return self.send_create_response(input, **fields).expect_ok()

    def stream(self, input: Json, **fields: Json) -> list[dict[str, Any]]:  # noqa: A002 - as the API calls it
        """Create a streamed response and return its events."""
        return read_events(self.send_create_response(input, stream=True, **fields))

    def retrieve_response(self, response: str) -> dict[str, Any]:
        return self.get(response_path(response)).expect_ok()

    def stream_again(self, response: str, **parameters: str | int) -> list[dict[str, Any]]:
        """Return the events of a response that exists."""
        return read_events(self.get(response_path(response), stream="true", **parameters))

    def response_ids(self, **parameters: str | int) -> list[str]:
        return ids(self.get("/responses", **parameters).expect_ok())

    def input_items(self, response: str, **parameters: str | int) -> dict[str, Any]:
        """Return a page of the input items of a response."""
        return self.get(response_path(response, "input_items"), **parameters).expect_ok()

    # -- Record --------------------------------------------------------------------------------------------

    def set_behaviour(self, behaviour: str) -> None:
        """Attribute failures to this behaviour from now on; the behaviours set before have held."""
        self._record.behaviours.append(behaviour)

    @property
    def behaviours(self) -> Sequence[str]:
        """The behaviours that were set, the current one last."""
        return self._record.behaviours

    @property
    def responses(self) -> Sequence[ApiResponse]:
        """All responses of the record, the oldest first."""
        return self._record.responses

    def delete_created(self) -> None:
        """Delete every conversation and every response of the record."""
        while self._record.created:
            caller, path = self._record.created.pop()
            caller.delete(path)

    def _own_headers(self, has_json: bool) -> list[tuple[str, str]]:
        headers = []
        if self.api_key is not None:
            headers.append(("Authorization", f"Bearer {self.api_key}"))
        if self.end_user is not None:
            headers.append(("X-On-Behalf-Of", self.end_user))
        if has_json:
            headers.append(("Content-Type", "application/json"))
        return headers

    def _record_response(self, path: str, response: ApiResponse) -> ApiResponse:
        self._record.responses.append(response)
        if response.method == "POST" and response.status == 200 and (created := _created_path(path, response)):
            self._record.created.append((self, created))
        return response


def _created_path(path: str, response: ApiResponse) -> str | None:
    """Return the path of the conversation or the response that a request to `path` created."""
    body = response.body
    if path == "/responses" and isinstance(body, str):
        body = next(iter(parse_events(body)), {}).get("response")
    created = body.get("id") if isinstance(body, dict) else None
    if not isinstance(created, str) or path not in ("/conversations", "/responses"):
        return None
    is_stored = path == "/conversations" or body.get("store", True)
    return f"{path}/{quote(created, safe='')}" if is_stored else None


def _parse_body(content: bytes) -> Json:
    try:
        return parse_response(content)
    except JsonError:
        return content.decode("utf-8", "replace")


def _redact(name: str, value: str) -> tuple[str, str]:
    if name.lower() == "authorization" and value.startswith("Bearer ") and len(value) > len("Bearer "):
        value = f"Bearer {KEY_PLACEHOLDER}"
    return name, value
