"""Schemas that clients send."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from jsonschema_rs import ReferencingError, ValidationError, validator_for

_PREFIX = "https://json-schema.org/draft/"
_OLD_PREFIX = "http://json-schema.org/"


class SchemaMistake(NamedTuple):
    """A mistake in a schema: where it is, and what it is."""

    path: Sequence[str | int]
    message: str


class InvalidSchema(Exception):
    """A value that is not a JSON Schema."""

    def __init__(self, mistake: SchemaMistake) -> None:
        super().__init__(mistake.message)
        self.mistake = mistake


def compile_schema(schema: Mapping[str, Any]) -> Callable[[Any], bool]:
    """Return a function that validates values, formats included.

    References must stay within the schema: nothing is fetched.

    Raises:
        InvalidSchema: it is not a JSON Schema.
    """
    dialect = schema.get("$schema")
    if isinstance(dialect, str) and not dialect.startswith((_PREFIX, _OLD_PREFIX)):
        schema = {name: value for name, value in schema.items() if name != "$schema"}
    try:
        return validator_for(dict(schema), validate_formats=True, retriever=_refuse).is_valid
    except ValidationError as error:
        raise InvalidSchema(SchemaMistake(error.instance_path, _first_line(error.message))) from error
    except (ReferencingError, ValueError) as error:
        raise InvalidSchema(SchemaMistake([], _first_line(str(error)))) from error


def find_schema_mistake(schema: Mapping[str, Any]) -> SchemaMistake | None:
    """Return why a value is not a JSON Schema, or None if it is one."""
    try:
        compile_schema(schema)
    except InvalidSchema as error:
        return error.mistake
    return None


def _refuse(uri: str) -> Any:
    raise ValueError(f"{uri} is outside of the schema")


def _first_line(message: str) -> str:
    return message.partition("\n")[0]
