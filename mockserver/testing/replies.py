"""Controls of what the fake model says."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict, Unpack

from mockserver.testing.control_client import ControlClient
from mockserver.testing.exchanges import Exchange
from mockserver.testing.tracebacks import is_test_error

__tracebackhide__ = is_test_error

_NULLABLE = ("json", "times")


class FieldsBesideText(TypedDict, total=False):
    """All fields of a reply but `text`; `docs/replies.md` and `/_mock/openapi.yaml` describe each."""

    json: Any
    refusal: str | Sequence[str] | None
    function_call: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
    reasoning: str | Sequence[str] | None
    items: Sequence[Mapping[str, Any]] | None
    incomplete: Literal["max_output_tokens", "content_filter"] | None
    failed: str | Mapping[str, str] | None
    fault: Mapping[str, Any] | None
    usage: Mapping[str, int] | None
    delay: float | None
    delta_delay: float | None
    queued: float | None
    sleep: float | None
    model: str | None
    input: str | None
    input_regex: str | None
    instructions: str | None
    tool_output: bool | str | None
    conversation: str | None
    turn: int | None
    api_key: str | None
    times: int | None


class ReplyFields(FieldsBesideText, total=False):
    """All fields of a reply."""

    text: str | Sequence[str] | None


class ReplyControls:
    """Plans replies, which are what the fake model says. Without one, it repeats what it was told.

    A test fails if a planned reply has not fired as often as planned, unless it is unlimited.
    """

    def __init__(self, control: ControlClient) -> None:
        self._control = control

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.planned}, not matched: {list(map(describe_prompt, self.unmatched))}>"

    def add(self, **fields: Unpack[ReplyFields]) -> dict[str, Any]:
        """Plan a reply by its fields, and return it as planned."""
        return self._plan(fields)

    def function_call(
        self,
        name: str,
        arguments: Mapping[str, Any] | str | None = None,
        call_id: str | None = None,
        **fields: Unpack[ReplyFields],
    ) -> None:
        """Call a function with these arguments, `{}` by default; a string is sent as it is, valid JSON or not."""
        given = {"name": name, "arguments": arguments, "call_id": call_id}
        call = {field: value for field, value in given.items() if value is not None}
        self._plan({"function_call": call, **fields})

    def refusal(self, text: str, **fields: Unpack[FieldsBesideText]) -> None:
        """Refuse to answer."""
        self._plan({"refusal": text, **fields})

    def incomplete(
        self,
        text: str = "",
        reason: Literal["max_output_tokens", "content_filter"] = "max_output_tokens",
        **fields: Unpack[FieldsBesideText],
    ) -> None:
        """End the response as incomplete, after this text."""
        self._plan({"text": text, "incomplete": reason, **fields})

    def failed(
        self, message: str = "The model failed.", code: str = "server_error", **fields: Unpack[ReplyFields]
    ) -> None:
        """End the response as failed."""
        self._plan({"failed": {"code": code, "message": message}, **fields})

    @property
    def planned(self) -> list[dict[str, Any]]:
        """The planned replies, each with the number of matching requests `seen` and the times it has `fired`."""
        planned: list[dict[str, Any]] = self._control("GET", "/replies")["data"]
        return planned

    @property
    def unmatched(self) -> list[Exchange]:
        """The exchanges in which the default output was the response, because no planned reply matched."""
        exchanges = self._control("GET", "/requests", operation="createResponse", status=200, limit=10_000)["data"]
        return [Exchange.from_dict(one) for one in exchanges if one["reply"] is None]

    def clear(self) -> None:
        """Delete all planned replies."""
        self._control("DELETE", "/replies")

    def _plan(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        given = {name: value for name, value in fields.items() if value is not None or name in _NULLABLE}
        planned: dict[str, Any] = self._control("POST", "/replies", given)
        return planned


def describe_prompt(exchange: Exchange) -> str:
    """Return the newest item of a request's own input, for a failure text."""
    request = exchange.request if isinstance(exchange.request, dict) else {}
    sent = request.get("input", "")
    item = sent[-1] if isinstance(sent, list) and sent else sent
    text = item.get("content", item.get("output")) if isinstance(item, dict) else item
    if isinstance(text, list):
        parts = [part if isinstance(part, str) else part.get("text", part.get("type")) for part in text]
        text = " ".join(map(str, parts))
    kind = "" if not isinstance(item, dict) or "role" in item else f"{item.get('type')}: "
    text = f"{kind}{text or 'nothing'}"
    return text if len(text) <= 100 else text[:97] + "..."
