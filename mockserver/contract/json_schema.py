"""Schemas that clients send."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jsonschema_rs import ReferencingError, ValidationError, validator_for

_PREFIX = "https://json-schema.org/draft/"
_OLD_PREFIX = "http://json-schema.org/"


class SchemaMistake(NamedTuple):
    """A mistake in a schema: where it is, and what it is."""

    path: Sequence[str | int]
    message: str


def find_schema_mistake(schema: Mapping[str, Any]) -> SchemaMistake | None:
    """Return why a value is not a JSON Schema, or None if it is one.

    References must stay within the schema: nothing is fetched.
    """
    dialect = schema.get("$schema")
    if isinstance(dialect, str) and not dialect.startswith((_PREFIX, _OLD_PREFIX)):
        schema = {name: value for name, value in schema.items() if name != "$schema"}
    try:
        validator_for(dict(schema), retriever=_refuse)
    except ValidationError as error:
        return SchemaMistake(error.instance_path, _first_line(error.message))
    except (ReferencingError, ValueError) as error:
        return SchemaMistake([], _first_line(str(error)))
    return None


def _refuse(uri: str) -> Any:
    raise ValueError(f"{uri} is outside of the schema")


def _first_line(message: str) -> str:
    return message.partition("\n")[0]
