"""Read parameters and headers, which are text, as JSON values."""

import re
from collections.abc import Iterable
from math import isinf
from typing import Any

from mockserver.contract.operations import Parameter
from mockserver.findings import Finding, Side

_PRIMITIVES = frozenset({"string", "number", "integer", "boolean"})
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def read_parameter(parameter: Parameter, texts: list[str], findings: list[Finding], side: Side = "request") -> Any:
    """Return the value of a parameter that was sent as `texts`; add its mistakes to `findings`."""
    schema = parameter.schema
    if schema.is_text and len(texts) == 1:
        text = texts[0]  # Nearly every request has such a parameter: save the calls while it is valid.
        return text if schema.is_valid(text) else _validate(parameter, text, findings, side)
    types = schema.json_types
    value: Any
    if "array" in types and (not types & _PRIMITIVES or len(texts) > 1):
        value = [parse_primitive(text, schema.item_types) for text in texts]
    elif len(texts) > 1:
        findings.append(parameter.finding("duplicate_parameter", f"must be given once, not {len(texts)} times", side))
        return None
    else:
        value = parse_primitive(texts[0], types)
    return _validate(parameter, value, findings, side)


def read_object(parameter: Parameter, fields: Iterable[tuple[str, str]], findings: list[Finding]) -> Any:
    """Return the value of a parameter whose fields are sent as parameters of their own."""
    value = {name: parse_primitive(text, parameter.schema.field_types(name)) for name, text in fields}
    return _validate(parameter, value, findings, "request")


def _validate(parameter: Parameter, value: Any, findings: list[Finding], side: Side) -> Any:
    if not parameter.schema.is_valid(value):
        findings += parameter.schema.validate(value, side, parameter.location, parameter.pointer)
    return value


def parse_primitive(text: str, types: frozenset[str]) -> Any:
    """Return the JSON value that a text represents in one of `types`, else the text itself."""
    if "integer" in types and len(text) < 400 and _INTEGER.fullmatch(text):
        return int(text)
    if "number" in types and len(text) < 400 and _NUMBER.fullmatch(text):
        number = float(text)
        return text if isinf(number) else number
    if "boolean" in types and text in ("true", "false"):
        return text == "true"
    return text
