"""The control API: what tests do to a fake over HTTP, under `/_mock`. Described in `spec/control.yaml`."""

import hmac
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from mockserver.asgi import send_error
from mockserver.context import CONTEXT, Context
from mockserver.determinism import AdjustableClock
from mockserver.errors import ControlTokenRequired, InvalidRequest, NotFound
from mockserver.findings import Code, Finding, Location, json_pointer
from mockserver.gateway.auth import key_fingerprint
from mockserver.gateway.coverage import count_coverage
from mockserver.gateway.faults.model import Fault
from mockserver.resources.seeds import SeedError, shipped_seeds
from mockserver.state import State

CONTROL_PATH = "/_mock"

DONE = {"done": True}


class Control:
    """Handlers answer with the JSON text of a 200."""

    def __init__(self, state: State, operations: Sequence[str], item_types: Sequence[str]) -> None:
        """`operations` and `item_types` are those of the API."""
        self._state = state
        self._operations = operations
        self._item_types = item_types

    def handlers(self) -> dict[str, Callable[[Context], bytes]]:
        handlers: dict[str, Callable[[Context], Any]] = {
            "health.get": self.health,
            "reset.post": self.reset,
            "requests.list": self.list_requests,
            "requests.clear": self.clear_requests,
            "faults.list": self.list_faults,
            "faults.add": self.add_fault,
            "faults.clear": self.clear_faults,
            "clock.get": self.get_clock,
            "clock.set": self.set_clock,
            "state.get": self.get_state,
            "state.put": self.put_state,
            "state.add": self.add_state,
            "coverage.get": self.coverage,
        }
        return {name: _as_json(handler) for name, handler in handlers.items()}

    def health(self, _: Context) -> Any:
        return {"status": "ok", "version": version("mka1-mockserver")}

    def reset(self, context: Context) -> Any:
        self._state.reset(_key(context))
        return DONE

    def list_requests(self, context: Context) -> Any:
        query = context.query
        entries = self._state.journal.entries(
            operation=query.get("operation"), status=query.get("status"), key=_mark(context)
        )
        newest = entries[-query["limit"] :]
        return {"data": [entry.as_dict() for entry in newest], "dropped": self._state.journal.dropped}

    def clear_requests(self, context: Context) -> Any:
        self._state.journal.clear(_mark(context))
        return DONE

    def list_faults(self, context: Context) -> Any:
        return {"data": [planned.as_dict() for planned in self._state.faults.list_faults(_mark(context))]}

    def add_fault(self, context: Context) -> Any:
        operation = context.body.get("operation")
        if operation is not None and operation not in self._operations:
            known = ", ".join(self._operations)
            raise _invalid("body", "/operation", "enum", f"must be one of {known}, not '{operation[:80]}'")
        key = context.body.get("api_key", _key(context))
        if _key(context) not in (None, key):
            raise _invalid("body", "/api_key", "const", "must be that of the query, or left out")
        fault = Fault.from_dict(context.body, None if key is None else key_fingerprint(key))
        if findings := fault.validate("body"):
            raise InvalidRequest(findings)
        return self._state.faults.add(fault).as_dict()

    def clear_faults(self, context: Context) -> Any:
        number = context.query.get("id")
        if number is None:
            self._state.faults.clear(_mark(context))
        elif not self._state.faults.remove(number, _mark(context)):
            raise NotFound(f"No planned fault has the id {number}.", param="id")
        return DONE

    def get_clock(self, context: Context) -> Any:
        account = self._account(context)
        return {"now": self._clock().now(account or ""), "frozen": self._clock().is_frozen(account)}

    def set_clock(self, context: Context) -> Any:
        account, clock, change = self._account(context), self._clock(), context.body
        if "freeze" in change:
            clock.freeze(change["freeze"], account)
        elif "advance" in change:
            clock.advance(change["advance"], account)
        else:
            clock.resume(account)
        return self.get_clock(context)

    def get_state(self, context: Context) -> Any:
        return self._state.snapshot(_key(context))

    def put_state(self, context: Context) -> Any:
        return self._with_seed(context, self._state.restore)

    def add_state(self, context: Context) -> Any:
        return self._with_seed(context, self._state.seed)

    def coverage(self, context: Context) -> Any:
        journal = self._state.journal
        counted = count_coverage(journal.entries(key=_mark(context)))
        return {
            **counted,
            "unused": {
                "operations": [name for name in self._operations if name not in counted["operations"]],
                "items": [name for name in self._item_types if name not in counted["items"]],
            },
            "dropped": journal.dropped,
        }

    def _with_seed(self, context: Context, use: Callable[[Any, str | None], None]) -> Any:
        seed = context.body
        if "name" in seed:
            seed = seed["name"]
            if seed not in shipped_seeds():  # A file is for who starts the server to name.
                known = ", ".join(shipped_seeds())
                raise _invalid("body", "/name", "enum", f"must be one of {known}, not '{seed[:80]}'")
        try:
            use(seed, _key(context))
        except SeedError as error:
            if "name" in context.body:
                raise _invalid("body", "/name", "invalid_seed", f"{error.place}: {error.reason}") from error
            raise _invalid("body", error.pointer, "invalid_seed", error.reason) from error
        return DONE

    def _account(self, context: Context) -> str | None:
        key = _key(context)
        return None if key is None else self._state.account_of(key)

    def _clock(self) -> AdjustableClock:
        if not isinstance(self._state.clock, AdjustableClock):
            raise NotFound("This fake was given a clock of its own, which cannot be set from outside.")
        return self._state.clock


class ControlToken:
    """Lets in only who has the token; without a token, everyone."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context: Context = scope[CONTEXT]
        if self._token is not None:
            scheme, _, sent = b", ".join(context.headers.get_all(b"authorization")).partition(b" ")
            if scheme.lower() != b"bearer" or not hmac.compare_digest(sent.strip(), self._token.encode()):
                await send_error(send, ControlTokenRequired())
                return
        await self._app(scope, receive, send)


def _as_json(handler: Callable[[Context], Any]) -> Callable[[Context], bytes]:
    def answer(context: Context) -> bytes:
        for name, _ in context.undeclared_query:  # A misspelt `api_key` must not act on everyone's.
            raise _invalid("query", json_pointer([name]), "unknown_parameter", "is not a parameter here")
        return orjson.dumps(handler(context))

    return answer


def _invalid(location: Location, pointer: str, code: Code, message: str) -> InvalidRequest:
    return InvalidRequest([Finding("request", location, pointer, code, message)])


def _key(context: Context) -> str | None:
    key: str | None = context.query.get("api_key")
    return key


def _mark(context: Context) -> str | None:
    key = _key(context)
    return None if key is None else key_fingerprint(key)
