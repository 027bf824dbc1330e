"""Read parameters and headers, which are text, by their style."""

import re
from collections.abc import Iterable
from math import isinf
from typing import Any

from mockserver.contract.operations import Parameter
from mockserver.findings import Finding, Side

_PRIMITIVES = frozenset({"string", "number", "integer", "boolean"})
_SEPARATORS = {"form": ",", "simple": ",", "spaceDelimited": " ", "pipeDelimited": "|", "deepObject": ","}


def read_parameter(parameter: Parameter, texts: list[str], findings: list[Finding], side: Side = "request") -> Any:
    """A parameter's value, read by its style; what is wrong with it is added to `findings`."""
    schema = parameter.schema
    if schema.is_text and len(texts) == 1:
        text = texts[0]  # As nearly every request has some: not worth a call while it is valid.
        return text if schema.is_valid(text) else _valid(parameter, text, findings, side)
    types = schema.json_types
    exploded = parameter.explode and parameter.style == "form"
    value: Any
    if "array" in types and (not types & _PRIMITIVES or (exploded and len(texts) > 1)):
        parts = texts if exploded else [part for text in texts for part in _split(parameter, text)]
        value = [parse_primitive(part, schema.item_types) for part in parts]
    elif len(texts) > 1:
        findings.append(parameter.finding("duplicate_parameter", f"must be given once, not {len(texts)} times", side))
        return None
    elif "object" in types and not types & _PRIMITIVES:
        fields = _fields(parameter, texts[0])
        if fields is None:
            example = "name=value,name=value" if parameter.explode else "name,value,name,value"
            findings.append(parameter.finding("invalid_format", f"must be written as {example}", side))
            return None
        return read_object(parameter, fields, findings, side)
    else:
        value = parse_primitive(texts[0], types)
    return _valid(parameter, value, findings, side)


def read_object(
    parameter: Parameter, fields: Iterable[tuple[str, str]], findings: list[Finding], side: Side = "request"
) -> Any:
    """The value of a parameter whose fields are written one by one."""
    value = {name: parse_primitive(text, parameter.schema.field_types(name)) for name, text in fields}
    return _valid(parameter, value, findings, side)


def _split(parameter: Parameter, text: str) -> list[str]:
    parts = text.split(_SEPARATORS[parameter.style])
    return [part.strip() for part in parts] if parameter.location == "header" else parts


def _fields(parameter: Parameter, text: str) -> list[tuple[str, str]] | None:
    parts = _split(parameter, text)
    if parameter.explode:
        pairs = [part.partition("=") for part in parts]
        return [(name, value) for name, _, value in pairs] if all(pair[1] for pair in pairs) else None
    return list(zip(parts[::2], parts[1::2], strict=True)) if len(parts) % 2 == 0 else None


def _valid(parameter: Parameter, value: Any, findings: list[Finding], side: Side) -> Any:
    if not parameter.schema.is_valid(value):
        findings += parameter.schema.validate(value, side, parameter.location, parameter.pointer)
    return value


_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def parse_primitive(text: str, types: frozenset[str]) -> Any:
    """A parameter's text as the JSON value that one of `types` reads in it, else as the string that it is."""
    if "integer" in types and len(text) < 400 and _INTEGER.fullmatch(text):
        return int(text)
    if "number" in types and len(text) < 400 and _NUMBER.fullmatch(text):
        number = float(text)
        return text if isinf(number) else number
    if "boolean" in types and text in ("true", "false"):
        return text == "true"
    return text
