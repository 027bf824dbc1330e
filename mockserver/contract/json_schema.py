"""Schemas that clients send."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from jsonschema_rs import ReferencingError, ValidationError, validator_for

from mockserver.contract.spelling import suggest
from mockserver.findings import describe

_PREFIX = "https://json-schema.org/draft/"
_OLD_PREFIX = "http://json-schema.org/"
_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_RELATIVE = "json-schema:///"
"""The beginning of a relative reference when it is retrieved."""
_MAX_CACHED = 4096
"""Bytes of the largest schema that is compiled once only."""


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
    text = orjson.dumps(schema)
    return _compile_cached(text) if len(text) <= _MAX_CACHED else _compile(text)


def _compile(text: bytes) -> Callable[[Any], bool]:
    schema = orjson.loads(text)
    dialect = schema.get("$schema")
    if isinstance(dialect, str) and not dialect.startswith((_PREFIX, _OLD_PREFIX)):
        del schema["$schema"]
    refused: list[str] = []

    def refuse(uri: str) -> Any:
        refused.append(uri)
        raise ValueError(uri)

    try:
        return validator_for(schema, validate_formats=True, retriever=refuse).is_valid
    except (ValidationError, ReferencingError, ValueError) as error:
        if refused:
            place = refused[0].removeprefix(_RELATIVE)
            mistake = SchemaMistake([], f"refers to {describe(place)}, which is outside of the schema")
        elif isinstance(error, ValidationError):
            mistake = SchemaMistake(error.instance_path, _describe_mistake(error))
        else:
            mistake = SchemaMistake([], _first_line(str(error)))
        raise InvalidSchema(mistake) from error


# A program sends the same few schemas with each request, and compiling one takes longer than the rest of its checks.
_compile_cached = lru_cache(maxsize=256)(_compile)


def find_schema_mistake(schema: Mapping[str, Any]) -> SchemaMistake | None:
    """Return why a value is not a JSON Schema, or None if it is one."""
    try:
        compile_schema(schema)
    except InvalidSchema as error:
        return error.mistake
    return None


def _describe_mistake(error: ValidationError) -> str:
    value = error.instance
    if error.instance_path[-1:] == ["type"] and error.kind.name == "anyOf" and isinstance(value, str):
        return f"must be one of {', '.join(_TYPES)}, not {describe(value)}{suggest(value, _TYPES)}"
    return _first_line(error.message)


def _first_line(message: str) -> str:
    return message.partition("\n")[0]
