"""The behaviour catalogue: what the API does beyond its shapes, with a source for every statement."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from mockserver.contract.document import data_path, read_yaml

Status = Literal["documented", "observed", "assumed"]

_ID = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_FIELDS = ("id", "statement", "source", "status")


class CatalogueError(Exception):
    """The catalogue cannot be used; the message names the entry and the reason."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One statement about the API that a scenario can check."""

    id: str
    statement: str
    source: str
    status: Status


def load_catalogue(path: Path | None = None) -> list[Behaviour]:
    """The shipped catalogue, or the one at `path`, in its own order.

    Raises:
        CatalogueError: an entry misses a field, has an unknown one, a malformed id, an unknown status, no full
            sentence as its statement, or the id of another entry.
    """
    path = path or data_path("spec/behaviours.yaml")
    entries = read_yaml(path)
    if not isinstance(entries, list):
        raise CatalogueError(f"{path}: must be a list of behaviours")
    behaviours: dict[str, Behaviour] = {}
    for number, entry in enumerate(entries, start=1):
        behaviour = _behaviour(entry, f"{path}: entry {number}")
        if behaviour.id in behaviours:
            raise CatalogueError(f"{path}: entry {number}: the id {behaviour.id} is there twice")
        behaviours[behaviour.id] = behaviour
    return list(behaviours.values())


def _behaviour(entry: Any, place: str) -> Behaviour:
    if not isinstance(entry, dict) or set(entry) != set(_FIELDS):
        raise CatalogueError(f"{place}: must have exactly {', '.join(_FIELDS)}")
    for field in _FIELDS:
        if not isinstance(entry[field], str) or not entry[field].strip():
            raise CatalogueError(f"{place}: {field} must be text")
    if not _ID.fullmatch(entry["id"]):
        raise CatalogueError(f"{place}: the id {entry['id']!r} is not of the form resource.theme.rule")
    if entry["status"] not in get_args(Status):
        raise CatalogueError(f"{place}: the status must be one of {', '.join(get_args(Status))}")
    if not entry["statement"].endswith("."):
        raise CatalogueError(f"{place}: the statement must be a sentence")
    return Behaviour(**entry)
