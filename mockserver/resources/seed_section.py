"""The sections of seeds: records of one kind that have owners."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from mockserver.context import Tenant
from mockserver.determinism import LAST_SECOND
from mockserver.findings import describe


class InvalidValue(Exception):
    """A value that cannot be used; `pointer` is relative to the record."""

    def __init__(self, pointer: str, reason: str) -> None:
        super().__init__(pointer, reason)
        self.pointer = pointer
        self.reason = reason


class SeedSection(Protocol):
    """The records of one kind in seeds and snapshots."""

    def check(self, data: Mapping[str, Any]) -> None:
        """Raise InvalidValue if a record that matches its schema cannot be used at all."""
        ...

    def ids(self, data: Mapping[str, Any]) -> Iterable[str]:
        """Return the ids that a record has chosen."""
        ...

    def add(self, tenant: Tenant, data: Mapping[str, Any]) -> str:
        """Add a record to the store and return its id; InvalidValue, and nothing added, if that is not possible."""
        ...

    def erase(self, tenant: Tenant, record_id: str) -> None:
        """Remove a record without a trace."""
        ...

    def snapshot(self, account: str | None) -> Iterable[dict[str, Any]]:
        """Return the records of one account, or of all, in an order in which they can be added."""
        ...


def owner_fields(tenant: Tenant) -> dict[str, str]:
    """Return the fields of a record that name its owner."""
    return {"account": tenant.account, **({} if tenant.end_user is None else {"end_user": tenant.end_user})}


def list_ids(bodies: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the ids of those bodies that have one."""
    return [body["id"] for body in bodies if body.get("id")]


def check_id(record_id: str, *, is_used: bool) -> None:
    """Raise InvalidValue if an id is in use."""
    if is_used:
        raise InvalidValue("/id", f"the id {describe(record_id)} is already in use")


def whole_second(time: float, pointer: str) -> int:
    """Return a time in whole Unix seconds; InvalidValue if it is out of range."""
    if not 0 <= time <= LAST_SECOND:
        raise InvalidValue(pointer, f"must be a time in Unix seconds, not {describe(time)}")
    return int(time)
