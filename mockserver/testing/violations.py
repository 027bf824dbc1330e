"""Violations: the reasons for which the plugin fails a test, as data and as text."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mockserver.settings import DEFAULT_API_KEY
from mockserver.testing.exchanges import Exchange, count, list_exchanges
from mockserver.testing.fault_text import describe_fault, explain_unchanged
from mockserver.testing.mka1 import Mka1
from mockserver.testing.replies import describe_prompt

_MAX_PROMPTS = 10
_MAX_FIELD = 100


class Reproduction(NamedTuple):
    """The server that reproduces a request: its URL, its API key, and the command that starts it, if needed."""

    url: str
    api_key: str | None = None
    start_command: str | None = None

    @classmethod
    def with_new_server(cls) -> "Reproduction":
        return cls("http://127.0.0.1:8080", DEFAULT_API_KEY, "mockserver serve --unknown-fields reject")


@dataclass(frozen=True)
class UnfiredFault:
    """A planned fault that has not fired as often as planned."""

    fault: Mapping[str, Any]
    exchanges: Sequence[Exchange]

    def __str__(self) -> str:
        lines = [f"{_title('fault', self.fault)}: {describe_fault(self.fault)}.", explain_unchanged(self.fault)]
        listing = f"Requests of this test:{list_exchanges(self.exchanges)}"
        return "\n".join([*filter(None, lines), listing])


@dataclass(frozen=True)
class UnfiredReply:
    """A planned reply that has not fired as often as planned, and the exchanges that no reply matched."""

    reply: Mapping[str, Any]
    unmatched: Sequence[Exchange]
    exchanges: Sequence[Exchange]

    def __str__(self) -> str:
        reply = self.reply
        asked = "".join(f"\n  {describe_prompt(exchange)}" for exchange in self.unmatched[-_MAX_PROMPTS:])
        return (
            f"{_title('reply', reply)}: {_summarise_reply(reply)}, "
            f"fired {reply['fired']} of {count(reply['times'], 'time')}, {count(reply['seen'], 'request')} matched.\n"
            f"What the model was asked without a matching reply:{asked or ' nothing'}\n"
            f"Requests of this test:{list_exchanges(self.exchanges)}"
        )


@dataclass(frozen=True)
class InvalidResponse:
    """A response of the fake that breaks the OpenAPI document."""

    exchange: Exchange
    findings: Sequence[Mapping[str, str]]

    def __str__(self) -> str:
        title = "The fake returned a response that its OpenAPI document does not allow. Please report this bug."
        return "\n".join([title, f"  {self.exchange}", *map(_format_finding, self.findings)])


@dataclass(frozen=True)
class InvalidRequest:
    """A request of the client that breaks the OpenAPI document.

    `rejection` is the error message of a request that was rejected before it was validated.
    """

    exchange: Exchange
    findings: Sequence[Mapping[str, str]]
    rejection: str | None
    reproduction: Reproduction

    def __str__(self) -> str:
        title = "The client sent a request that the OpenAPI document does not allow."
        lines = [title, f"  {self.exchange}", *map(_format_finding, self.findings)]
        if self.rejection is not None:
            lines.append(f"    {self.rejection}")
        if self.exchange.is_reproducible:
            url, api_key, start_command = self.reproduction
            lines.append(f"  To reproduce, with `{start_command}` running:" if start_command else "  To reproduce:")
            lines.append(f"    {self.exchange.curl(url, api_key)}")
        return "\n".join(lines)


@dataclass(frozen=True)
class DroppedExchanges:
    """Exchanges that were not checked, because the journal had no room for them."""

    number: int

    def __str__(self) -> str:
        return (
            f"The journal had no room for {count(self.number, 'request')} of this test, so strict mode has not "
            "checked them. Check fewer requests in one test, or call mka1.requests.clear() in between."
        )


@dataclass(frozen=True)
class LeftoverConversations:
    """Conversations of a test that could not be deleted."""

    ids: Sequence[str]

    def __str__(self) -> str:
        return f"These conversations could not be deleted: {', '.join(self.ids)}"


@dataclass(frozen=True)
class SharedConversations:
    """Conversations that were left alone, because the gateway shows them to every end user."""

    ids: Sequence[str]

    def __str__(self) -> str:
        return (
            "The gateway ignores X-On-Behalf-Of, so that the conversations of this test cannot be told from those of "
            f"others. None of the {len(self.ids)} listed ones was deleted."
        )


Violation = (
    UnfiredFault
    | UnfiredReply
    | InvalidResponse
    | InvalidRequest
    | DroppedExchanges
    | LeftoverConversations
    | SharedConversations
)
"""A reason to fail a test; `str()` returns the failure text."""


class ViolationMonitor:
    """Finds the violations of one test; each is found once."""

    def __init__(self, api: Mka1, reproduction: Reproduction, *, strict: bool) -> None:
        self._api = api
        self._reproduction = reproduction
        self._strict = strict
        self._checked = 0
        self._dropped = 0

    def check_exchanges(self) -> list[Violation]:
        """Return the violations in exchanges since the last check; in strict mode, also those of the client."""
        if not self._api.is_fake:
            return []
        new, total, dropped = self._api.requests.load_since(self._checked)
        if self._checked > total:  # The test has cleared the journal.
            self._checked = self._dropped = 0
        unchecked = dropped - max(self._checked, self._dropped)
        self._checked, self._dropped = total, dropped
        violations: list[Violation] = [violation for one in new for violation in self._check_exchange(one)]
        return violations + [DroppedExchanges(unchecked)] * (self._strict and unchecked > 0)

    def check_plans(self) -> list[Violation]:
        """Return the planned faults and replies that have not fired.

        Endless ones, and faults with a probability, need not fire.
        """
        return [*self._find_unfired_faults(), *self._find_unfired_replies()] if self._api.is_fake else []

    def _find_unfired_faults(self) -> list[UnfiredFault]:
        unfired = [
            fault
            for fault in self._api.faults.planned
            if fault["times"] is not None and fault["fired"] < fault["times"] and fault.get("probability", 1) == 1
        ]
        exchanges = list(self._api.requests) if unfired else []
        return [UnfiredFault(fault, exchanges) for fault in unfired]

    def _find_unfired_replies(self) -> list[UnfiredReply]:
        replies = self._api.replies
        unfired = [one for one in replies.planned if one["times"] is not None and one["fired"] < one["times"]]
        if not unfired:
            return []
        unmatched, exchanges = replies.unmatched, list(self._api.requests)
        return [UnfiredReply(reply, unmatched, exchanges) for reply in unfired]

    def _check_exchange(self, exchange: Exchange) -> Iterator[Violation]:
        if findings := [finding for finding in exchange.findings if finding["side"] == "response"]:
            yield InvalidResponse(exchange, findings)
        if self._strict:
            findings = [finding for finding in (*exchange.findings, *exchange.notes) if finding["side"] == "request"]
            rejection = None if findings else _find_rejection(exchange)
            if findings or rejection is not None:
                yield InvalidRequest(exchange, findings, rejection, self._reproduction)


def _find_rejection(exchange: Exchange) -> str | None:
    """Return the error message of a request that no operation accepts: by its path, method, or content type."""
    if exchange.fault is not None or (exchange.operation is not None and exchange.status not in (413, 415)):
        return None
    error = exchange.response.get("error") if isinstance(exchange.response, dict) else None
    return str(error["message"]) if isinstance(error, dict) else f"status {exchange.status}"


def _title(kind: str, planned: Mapping[str, Any]) -> str:
    return f"A planned {kind} " + ("fired too rarely" if planned["fired"] else "never fired")


def _summarise_reply(reply: Mapping[str, Any]) -> str:
    """Return the fields of a reply, such as `input 'weather', text 'It rains.'`."""
    fields = {name: value for name, value in reply.items() if name not in ("id", "key", "times", "seen", "fired")}
    texts = [f"{name} {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    return ", ".join(text if len(text) <= _MAX_FIELD else text[: _MAX_FIELD - 3] + "..." for text in texts)


def _format_finding(finding: Mapping[str, str]) -> str:
    return f"    {finding['in']} {finding['pointer']}: {finding['message']}"
