"""Find the fields of a valid value that no schema declares."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from mockserver.contract.spelling import suggest
from mockserver.contract.tree import DocumentTree
from mockserver.findings import Finding, Location, Side, json_pointer

_DECLARING = frozenset({"properties", "patternProperties", "additionalProperties", "unevaluatedProperties"})


def find_unknown_fields(
    tree: DocumentTree, annotations: Iterable[Mapping[str, Any]], value: Any, side: Side, location: Location
) -> list[Finding]:
    """Return a finding for each field of a valid `value` that no applied schema declares.

    `annotations` are those of the validator for `properties` and its kin (JSON Schema 2020-12 core, section 7.7), so
    that composed schemas need no rules of their own.
    """
    declared: dict[str, set[str]] = {}
    known: dict[str, set[str]] = {}
    for annotation in annotations:
        schema_location, at = annotation["absoluteKeywordLocation"] or "", annotation["instanceLocation"]
        keyword = schema_location.rpartition("/")[2]
        names = annotation["annotations"]
        if keyword in _DECLARING and isinstance(names, list):
            declared.setdefault(at, set()).update(map(str, names))
        if keyword == "properties":
            known.setdefault(at, set()).update(tree.node(unquote(schema_location.partition("#")[2])))
    findings = []
    for path, owner, name in _undeclared_fields(value, [], declared):
        hint = suggest(name, known.get(json_pointer(path), set()) - owner.keys())
        pointer = json_pointer([*path, name])
        findings.append(Finding(side, location, pointer, "unknown_field", f"is not a known field{hint}"))
    return findings


def _undeclared_fields(
    value: Any, path: list[str | int], declared: Mapping[str, set[str]]
) -> Iterator[tuple[list[str | int], Mapping[str, Any], str]]:
    """Yield the path of the object, the object and the name of the field."""
    if isinstance(value, list):
        for index, child in enumerate(value):
            yield from _undeclared_fields(child, [*path, index], declared)
    elif isinstance(value, dict):
        names = declared.get(json_pointer(path))
        for name, child in value.items():
            if names is not None and name not in names:
                yield path, value, name
            else:
                yield from _undeclared_fields(child, [*path, name], declared)


def close_objects(node: Any, *, names: bool = False, composed: bool = False) -> Any:
    """Return a copy of a document in which object schemas reject fields that they do not declare.

    Such schemas show quickly that a request has no unknown field. They may reject too much, where an object is
    composed of several schemas, but never too little.
    """
    if isinstance(node, list):
        return [close_objects(child, composed=composed) for child in node]
    if not isinstance(node, dict):
        return node
    closed = {
        key: close_objects(child, names=key == "properties" and not names, composed=key == "allOf" and not names)
        for key, child in node.items()
    }
    is_open = "additionalProperties" not in node and "unevaluatedProperties" not in node
    if not names and not composed and is_open:
        if isinstance(node.get("allOf"), list):
            closed["unevaluatedProperties"] = False
        elif isinstance(node.get("properties"), dict):
            closed["additionalProperties"] = False
    return closed
