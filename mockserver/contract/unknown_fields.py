"""Find the fields of a valid value that no schema declares."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from mockserver.contract.descent import SchemaTree
from mockserver.contract.spelling import suggest
from mockserver.findings import Finding, Location, Side, escape_token, json_pointer

_OTHER_PARTS = frozenset({"patternProperties", "additionalProperties", "items", "prefixItems"})
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
        owner = self.schemas[-1] if self.schemas else ""
        return Finding(side, location, pointer, "unknown_field", f"is not a known field{hint}", owner)


class _Rules(NamedTuple):
    """What a schema, with those that it includes, says about the fields of a value."""

    schemas: list[str]
    declares: bool
    """Whether fields without a schema are unknown."""
    declares_all: bool
    """Whether all fields of a valid value have a schema."""
    properties: dict[str, list[str]]
    """The schemas of the fields with these names."""
    others: list[str]
    """The included schemas that apply to parts in another way than by `properties`."""
    branches: list[tuple[str, Callable[[Any], bool]]]
    """The branches of unions, each with its validator."""


class UnknownFieldFinder:
    """Finds the fields of valid values that no schema declares.

    `accepts_closed` returns the function that validates with a schema whose objects are closed: a value that it
    accepts has no unknown field.
    """

    def __init__(self, tree: SchemaTree, accepts_closed: Callable[[str], Callable[[Any], bool]]) -> None:
        self._tree = tree
        self._accepts_closed = accepts_closed
        self._rules: dict[str, _Rules] = {}

    def find(self, pointers: list[str], value: Any, path: list[str | int]) -> Iterator[UnknownField]:
        """Yield the unknown fields of an array or object that is valid for the schemas at `pointers`."""
        if all(self._accepts_closed(pointer)(value) for pointer in pointers):
            return
        rules = [one for pointer in pointers for one in self._applied(pointer, value)]
        parts: dict[str | int, list[str]] = {}
        for one in rules:
            for pointer in one.others:
                for part, members in self._tree.members(pointer, self._tree.node(pointer), value):
                    for name, _ in members:
                        parts.setdefault(name, []).append(part)
        if isinstance(value, list):
            for index in parts:
                if isinstance(child := value[int(index)], dict | list):
                    yield from self.find(parts[index], child, [*path, index])
            return
        declares = any(one.declares for one in rules) and not any(one.declares_all for one in rules)
        for field, child in list(value.items()):  # A copy, because the caller may remove the field.
            schemas = [pointer for one in rules for pointer in one.properties.get(field, ())] + parts.get(field, [])
            if not schemas and declares:
                yield UnknownField(path, value, field, [pointer for one in rules for pointer in one.schemas])
            elif schemas and isinstance(child, dict | list):
                yield from self.find(schemas, child, [*path, field])

    def _applied(self, pointer: str, value: Any) -> list[_Rules]:
        """Return the rules of a schema and of all others that it applies to the same value."""
        if pointer not in self._rules:
            self._rules[pointer] = self._read(pointer)
        rules = self._rules[pointer]
        applied = [rules]
        for branch, is_valid in rules.branches:
            if is_valid(value):
                applied += self._applied(branch, value)
        return applied

    def _read(self, pointer: str) -> _Rules:
        rules = _Rules([], False, False, {}, [], [])
        pending = [pointer]
        while pending:
            at = pending.pop()
            schema = self._tree.node(at)
            if not isinstance(schema, dict):
                continue
            rules.schemas.append(at)
            rules = rules._replace(
                declares=rules.declares or not _DECLARING.isdisjoint(schema),
                declares_all=rules.declares_all or "unevaluatedProperties" in schema,
            )
            if _OTHER_PARTS.isdisjoint(schema):
                for name in schema.get("properties", ()):
                    rules.properties.setdefault(name, []).append(f"{at}/properties/{escape_token(name)}")
            else:
                rules.others.append(at)
            pending += self._tree.always_included(at, schema)
            rules.branches.extend(self._tree.sometimes_included(at, schema))
            for union in ("anyOf", "oneOf"):
                branches = [f"{at}/{union}/{index}" for index in range(len(schema.get(union, ())))]
                rules.branches.extend((branch, self._tree.is_valid_at(branch)) for branch in branches)
        return rules


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
