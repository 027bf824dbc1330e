"""Names of the places of the document that a request or a response breaks; the operations share them."""

import re
from typing import Any, NamedTuple

from mockserver.contract.operations import Operation
from mockserver.findings import Finding, unescape_token

_INDEX = re.compile(r"/\d+(?=/|$)")
_RANGE = dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), "range")
_SIZE = dict.fromkeys(("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"), "size")
_LIMITS: dict[str, str] = _RANGE | _SIZE
_COMPONENT = re.compile(r"/components/schemas/([^/]+)")


def component_of(finding: Finding) -> str | None:
    """Return the schema component that a finding in a body concerns."""
    match = _COMPONENT.match(finding.schema_pointer)
    return match[1] if match and finding.location == "body" else None


def name_place(finding: Finding) -> str | None:
    """Return the component with the field, or with the keyword that no field of it declares; None without one."""
    component = component_of(finding)
    if component is None:
        return None
    keyword = finding.schema_pointer.rpartition("/")[2]
    field = finding.pointer.rpartition("/")[2]
    is_declared = (
        finding.code == "unknown_field"
        or keyword == "required"
        or f"/properties/{field}/" in finding.schema_pointer + "/"
    )
    return f"{component}/{field if is_declared else keyword}".rstrip("/")


class Mistake(NamedTuple):
    """A mistake in a request."""

    name: str
    """The place with the broken keyword, or the parameter."""
    rule: str
    """The rule that it breaks. Both limits of a value are one rule, and so are all limits of a component."""
    field: str
    """The field and what is wrong with it, wherever that is."""


def describe_mistake(finding: Finding, operation: Operation) -> Mistake:
    """Return a mistake in a request to an operation."""
    place, code = name_place(finding), finding.code
    rule = _LIMITS.get(code, code)
    field = f"{finding.pointer.rpartition('/')[2]} ({code})"
    if place is not None and place.endswith(f"/{code}"):
        return Mistake(place, place.partition("/")[0], field)
    if place is None:
        pointer = without_indices(finding.pointer)
        name = pointer if finding.location == "body" else pointer.removeprefix("/")
        place = f"{operation.id}: {f'{finding.location} {name}'.rstrip()}"
    return Mistake(f"{place} ({code})", f"{place} ({rule})", field)


def without_indices(pointer: str) -> str:
    """Return a JSON pointer with `*` for each index."""
    return _INDEX.sub("/*", pointer)


def resolve(value: Any, pointer: str) -> Any:
    """Return the value at a JSON pointer; None if there is none."""
    try:
        for token in pointer.split("/")[1:]:
            value = value[int(token)] if isinstance(value, list) else value[unescape_token(token)]
    except (ValueError, LookupError, TypeError):
        return None
    return value
