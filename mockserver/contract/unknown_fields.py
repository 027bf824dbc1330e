"""Find the fields of a valid value that no schema declares."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from mockserver.contract.descent import SchemaTree
from mockserver.contract.spelling import suggest
from mockserver.findings import Finding, Location, Side, json_pointer

_DECLARING = frozenset({"properties", "patternProperties", "additionalProperties", "unevaluatedProperties"})


class UnknownField(NamedTuple):
    """A field that no applied schema declares; `path` leads to its `owner`."""

    path: list[str | int]
    owner: dict[str, Any]
    name: str
    schemas: list[str]
    """The schemas that apply to the owner."""

    def finding(self, tree: SchemaTree, side: Side, location: Location) -> Finding:
        """Return the finding about the field."""
        declared = {name for pointer in self.schemas for name in tree.declared_fields(tree.node(pointer))}
        hint = suggest(self.name, [name for name in declared if name not in self.owner])
        pointer = json_pointer([*self.path, self.name])
        return Finding(side, location, pointer, "unknown_field", f"is not a known field{hint}")


class UnknownFieldFinder:
    """Finds unknown fields. `accepts_closed` returns the function that validates with a schema whose objects are
    closed: a value that it accepts has no unknown field.
    """

    def __init__(self, tree: SchemaTree, accepts_closed: Callable[[str], Callable[[Any], bool]]) -> None:
        self._tree = tree
        self._accepts_closed = accepts_closed

    def find(self, pointers: list[str], value: Any, path: list[str | int]) -> Iterator[UnknownField]:
        """Yield the unknown fields of a value that is valid for the schemas at `pointers`."""
        if not isinstance(value, dict | list) or all(self._accepts_closed(pointer)(value) for pointer in pointers):
            return
        applied = [part for pointer in pointers for part in self._applied(pointer, value)]
        nodes = [(pointer, node) for pointer in applied if isinstance(node := self._tree.node(pointer), dict)]
        parts: dict[str | int, list[str]] = {}
        for pointer, schema in nodes:
            for part, members in self._tree.members(pointer, schema, value):
                for name, _ in members:
                    parts.setdefault(name, []).append(part)
        if isinstance(value, list):
            for index, pointers_of_part in parts.items():
                yield from self.find(pointers_of_part, value[int(index)], [*path, index])
            return
        is_declared = any(not _DECLARING.isdisjoint(schema) for _, schema in nodes)
        is_declared = is_declared and not any("unevaluatedProperties" in schema for _, schema in nodes)
        for field, child in list(value.items()):  # A copy, because the caller may remove the field.
            if field in parts:
                yield from self.find(parts[field], child, [*path, field])
            elif is_declared:
                yield UnknownField(path, value, field, applied)

    def _applied(self, pointer: str, value: Any) -> Iterator[str]:
        """Yield a schema and all schemas that it applies to the same value."""
        yield pointer
        schema = self._tree.node(pointer)
        if not isinstance(schema, dict):
            return
        for part in self._tree.included(pointer, schema, value):
            yield from self._applied(part, value)
        for union in ("anyOf", "oneOf"):
            for index in range(len(schema.get(union, ()))):
                branch = f"{pointer}/{union}/{index}"
                if self._tree.is_valid_at(branch)(value):
                    yield from self._applied(branch, value)


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
