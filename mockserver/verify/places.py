"""Names of the places of the document that a request or a response breaks; the operations share them."""

import re
from typing import Any

from mockserver.contract.operations import Operation
from mockserver.findings import Finding, unescape_token

_INDEX = re.compile(r"/\d+(?=/|$)")
_LIMITS = dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), "range") | dict.fromkeys(
    ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"), "size"
)
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


def name_mistake(finding: Finding, operation: Operation) -> str:
    """Return the name of a mistake in a request: the place with the broken keyword, or the parameter."""
    place = name_place(finding)
    if place is not None:
        return place if place.endswith(f"/{finding.code}") else f"{place} ({finding.code})"
    pointer = without_indices(finding.pointer)
    name = pointer if finding.location == "body" else pointer.removeprefix("/")
    return f"{operation.id}: {f'{finding.location} {name}'.rstrip()} ({finding.code})"


def part_of(mistake: str) -> str:
    """Return the rule of the document that a mistake breaks.

    The lower and the upper limit of a value are one rule, and so are all limits of a component: a target mostly checks
    both or none.
    """
    name, _, code = mistake.partition(" (")
    if not code:
        return name.partition("/")[0]
    return f"{name} ({_LIMITS.get(code.rstrip(')'), code.rstrip(')'))})"


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
