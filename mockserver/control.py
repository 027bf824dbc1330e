"""The control API, with which tests control a fake over HTTP; `spec/control.yaml` describes it."""

from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from mockserver.asgi import send_response
from mockserver.context import Context
from mockserver.contract.endpoint import AsyncResponse, Handler
from mockserver.contract.spelling import suggest
from mockserver.determinism import LAST_SECOND, AdjustableClock
from mockserver.errors import InvalidRequest, NotFound
from mockserver.findings import Code, Finding, Location, describe, json_pointer
from mockserver.gateway.auth import key_fingerprint
from mockserver.gateway.coverage import count_coverage
from mockserver.gateway.faults.model import Fault
from mockserver.replies.model import Reply
from mockserver.resources.seeds import SeedError, shipped_seeds
from mockserver.responses.webhooks import WebhookSender
from mockserver.settings import Seed
from mockserver.state import State

CONTROL_PATH = "/_mock"

_DONE = {"done": True}
_MAX_WAIT = 20


class Control:
    """Handlers of the control API. Most act only on what belongs to the API key in the query, if there is one."""

    def __init__(self, state: State, operations: Sequence[str], item_types: Sequence[str]) -> None:
        """Create handlers for a state; `operations` and `item_types` are those of the API."""
        self._state = state
        self._operations = operations
        self._item_types = item_types

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers by `operationId`."""
        handlers: dict[str, Callable[[Context], Any]] = {
            "health.get": self.health,
            "reset.post": self.reset,
            "requests.list": self.list_requests,
            "requests.clear": self.clear_requests,
            "webhooks.list": self.list_webhooks,
            "faults.list": self.list_faults,
            "faults.add": self.add_fault,
            "faults.clear": self.clear_faults,
            "replies.list": self.list_replies,
            "replies.add": self.add_reply,
            "replies.clear": self.clear_replies,
            "clock.get": self.get_clock,
            "clock.set": self.set_clock,
            "state.get": self.get_state,
            "state.put": self.put_state,
            "state.add": self.add_state,
            "coverage.get": self.coverage,
        }
        return {name: _serialise(handler) for name, handler in handlers.items()}

    def health(self, _: Context) -> Any:
        return {
            "status": "ok",
            "version": version("mka1-mockserver"),
            "accepts_any_key": not self._state.settings.api_keys,
        }

    def reset(self, context: Context) -> Any:
        self._state.reset(_api_key(context))
        return _DONE

    def list_requests(self, context: Context) -> Any:
        query = context.query
        entries = self._state.journal.entries(
            operation=query.get("operation"), status=query.get("status"), key=_fingerprint(context)
        )
        newest = entries[-query["limit"] :]
        return {
            "data": [entry.as_dict() for entry in newest],
            "total": len(entries),
            "dropped": self._state.journal.dropped(_fingerprint(context)),
        }

    def clear_requests(self, context: Context) -> Any:
        self._state.journal.clear(_fingerprint(context))
        self._state.webhooks.clear(_fingerprint(context))
        return _DONE

    def list_webhooks(self, context: Context) -> Any:
        return _WebhookList(self._state.webhooks, self._account(context), _fingerprint(context))

    def list_faults(self, context: Context) -> Any:
        return {"data": [planned.as_dict() for planned in self._state.faults.list_faults(_fingerprint(context))]}

    def add_fault(self, context: Context) -> Any:
        operation = context.body.get("operation")
        if operation is not None and operation not in self._operations:
            known, hint = ", ".join(self._operations), suggest(operation, self._operations)
            raise _invalid("body", "/operation", "enum", f"must be one of {known}, not {describe(operation)}{hint}")
        fault = Fault.from_dict(context.body, _planned_key(context))
        if findings := fault.validate("body"):
            raise InvalidRequest(findings)
        return self._state.faults.add(fault).as_dict()

    def clear_faults(self, context: Context) -> Any:
        number = context.query.get("id")
        if number is None:
            self._state.faults.clear(_fingerprint(context))
        elif not self._state.faults.remove(number, _fingerprint(context)):
            raise NotFound(f"No planned fault has the id {number}.", param="id")
        return _DONE

    def list_replies(self, context: Context) -> Any:
        return {"data": [planned.as_dict() for planned in self._state.replies.list_replies(_fingerprint(context))]}

    def add_reply(self, context: Context) -> Any:
        reply = Reply.from_dict(context.body, _planned_key(context))
        if findings := self._state.reply_validator.find_mistakes(context.body, "body"):
            raise InvalidRequest(findings)
        return self._state.replies.add(reply).as_dict()

    def clear_replies(self, context: Context) -> Any:
        number = context.query.get("id")
        if number is None:
            self._state.replies.clear(_fingerprint(context))
        elif not self._state.replies.remove(number, _fingerprint(context)):
            raise NotFound(f"No planned reply has the id {number}.", param="id")
        return _DONE

    def get_clock(self, context: Context) -> Any:
        account = self._account(context)
        return {
            "now": self._adjustable_clock().now(account or ""),
            "frozen": self._adjustable_clock().is_frozen(account),
        }

    def set_clock(self, context: Context) -> Any:
        account, clock, change = self._account(context), self._adjustable_clock(), context.body
        if "freeze" in change:
            clock.freeze(change["freeze"], account)
        elif "advance" in change:
            if not 0 <= clock.now(account or "") + change["advance"] <= LAST_SECOND:
                message = f"must leave the clock between 0 and {LAST_SECOND}, the end of the year 9999"
                raise _invalid("body", "/advance", "maximum" if change["advance"] > 0 else "minimum", message)
            clock.advance(change["advance"], account)
        else:
            clock.resume(account)
        return self.get_clock(context)

    def get_state(self, context: Context) -> Any:
        return self._state.snapshot(_api_key(context))

    def put_state(self, context: Context) -> Any:
        return self._apply_seed(context, self._state.restore)

    def add_state(self, context: Context) -> Any:
        return self._apply_seed(context, self._state.seed)

    def coverage(self, context: Context) -> Any:
        journal = self._state.journal
        counted = count_coverage(journal.entries(key=_fingerprint(context)))
        return {
            **counted,
            "unused": {
                "operations": [name for name in self._operations if name not in counted["operations"]],
                "items": [name for name in self._item_types if name not in counted["items"]],
            },
            "dropped": journal.dropped(_fingerprint(context)),
        }

    def _apply_seed(self, context: Context, apply: Callable[[Seed, str | None], None]) -> Any:
        seed: Seed = context.body
        if name := context.body.get("name"):
            if name not in shipped_seeds():  # A client must not read files of the server.
                known = ", ".join(shipped_seeds())
                raise _invalid("body", "/name", "enum", f"must be one of {known}, not {describe(name)}")
            seed = name
        try:
            apply(seed, _api_key(context))
        except SeedError as error:
            if name:
                raise _invalid("body", "/name", "invalid_seed", f"{error.place}: {error.reason}") from error
            raise _invalid("body", error.pointer, "invalid_seed", error.reason) from error
        return _DONE

    def _account(self, context: Context) -> str | None:
        key = _api_key(context)
        return None if key is None else self._state.account_of(key)

    def _adjustable_clock(self) -> AdjustableClock:
        if not isinstance(self._state.clock, AdjustableClock):
            raise NotFound("The clock of this fake was passed in by the program that created it, and cannot be set.")
        return self._state.clock


class _WebhookList:
    """The list of deliveries, sent once no notification is queued, so that a test need not wait for them."""

    def __init__(self, webhooks: WebhookSender, account: str | None, key: str | None) -> None:
        self._webhooks = webhooks
        self._account = account
        self._key = key

    async def send(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await self._webhooks.wait_until_sent(self._account, _MAX_WAIT)
        deliveries = [one.as_dict() for one in self._webhooks.deliveries(self._key)]
        await send_response(send, 200, orjson.dumps({"data": deliveries}))


def _serialise(handler: Callable[[Context], Any]) -> Handler:
    def handle(context: Context) -> bytes | AsyncResponse:
        for name, _ in context.undeclared_query:  # A misspelt `api_key` must not affect the data of all keys.
            raise _invalid("query", json_pointer([name]), "unknown_parameter", "is not a parameter of this operation")
        result = handler(context)
        return result if isinstance(result, _WebhookList) else orjson.dumps(result)

    return handle


def _invalid(location: Location, pointer: str, code: Code, message: str) -> InvalidRequest:
    return InvalidRequest([Finding("request", location, pointer, code, message)])


def _planned_key(context: Context) -> str | None:
    """Return the fingerprint of the API key that a planned fault or reply applies to."""
    key = context.body.get("api_key", _api_key(context))
    if _api_key(context) not in (None, key):
        raise _invalid("body", "/api_key", "const", "must be the key of the query, or be left out")
    return None if key is None else key_fingerprint(key)


def _api_key(context: Context) -> str | None:
    key: str | None = context.query.get("api_key")
    return key


def _fingerprint(context: Context) -> str | None:
    key = _api_key(context)
    return None if key is None else key_fingerprint(key)
