"""The behaviour catalogue: statements about the API beyond its shapes, each with its source."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from mockserver.contract.document import data_path
from mockserver.contract.yaml_file import read_yaml

Status = Literal["documented", "observed", "assumed"]

_ID = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_FIELDS = ("id", "statement", "source", "status")
_OPTIONAL = ("covers",)


class CatalogueError(Exception):
    """An invalid catalogue; the message names the entry and the reason."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A statement about the API that a scenario can check.

    `covers` are the cases of `verify` that break the same statement, as patterns of `fnmatch`: a case, another
    behaviour, or a kind of a case after a colon. They are reported with the behaviour.
    """

    id: str
    statement: str
    source: str
    status: Status
    covers: tuple[str, ...] = ()


def load_catalogue(path: Path | None = None) -> list[Behaviour]:
    """Return the behaviours of the shipped catalogue, or of the one at `path`, in its order."""
    path = path or data_path("spec/behaviours.yaml")
    entries = read_yaml(path)
    if not isinstance(entries, list):
        raise CatalogueError(f"{path}: must be a list of behaviours")
    behaviours: dict[str, Behaviour] = {}
    for number, entry in enumerate(entries, start=1):
        behaviour = _read_behaviour(entry, f"{path}: entry {number}")
        if behaviour.id in behaviours:
            raise CatalogueError(f"{path}: entry {number}: id: {behaviour.id!r} is already in use")
        behaviours[behaviour.id] = behaviour
    return list(behaviours.values())


def _read_behaviour(entry: Any, place: str) -> Behaviour:
    if not isinstance(entry, dict) or set(entry) - set(_OPTIONAL) != set(_FIELDS):
        raise CatalogueError(f"{place}: must have exactly the fields {', '.join(_FIELDS)}, and may have covers")
    for field in _FIELDS:
        if not isinstance(entry[field], str) or not entry[field].strip():
            raise CatalogueError(f"{place}: {field}: must be a non-empty string")
    if not _ID.fullmatch(entry["id"]):
        raise CatalogueError(f"{place}: id: must have the form resource.theme.behaviour, not {entry['id']!r}")
    if entry["status"] not in get_args(Status):
        raise CatalogueError(f"{place}: status: must be one of {', '.join(get_args(Status))}")
    if not entry["statement"].endswith("."):
        raise CatalogueError(f"{place}: statement: must end with a period")
    covers = entry.get("covers", [])
    if not isinstance(covers, list) or not all(isinstance(one, str) and one for one in covers):
        raise CatalogueError(f"{place}: covers: must be a list of cases")
    return Behaviour(**{**entry, "covers": tuple(covers)})
