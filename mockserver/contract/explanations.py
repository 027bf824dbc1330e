"""Explain why a value is invalid: one finding for each mistake, in the branch of a union that was meant.

The explanation descends from a schema to those of its parts that reject the value, and stops at the last finding that
is reported. The validator could list all errors, but it lists every mistake in every branch of every union, with
copies of the value: this takes seconds and gigabytes for a body of some kilobytes.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple, cast

from mockserver.contract.descent import SchemaTree
from mockserver.contract.spelling import closest_match, suggest
from mockserver.contract.tree import JSON_TYPES
from mockserver.findings import MAX_FINDINGS, Code, Finding, Location, Side, describe, json_pointer

_MAX_LISTED = 10
_MAX_STEPS = 100_000
_SIZES = {
    "minItems": ("at least", "item"),
    "maxItems": ("at most", "item"),
    "minLength": ("at least", "character"),
    "maxLength": ("at most", "character"),
    "minProperties": ("at least", "field"),
    "maxProperties": ("at most", "field"),
}
_BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "more than",
    "exclusiveMaximum": "less than",
}
_ASSERTIONS = frozenset({"type", "const", "enum", "pattern", "format", "multipleOf", "uniqueItems", *_SIZES, *_BOUNDS})
_ARTICLES = {"integer": "an", "array": "an", "object": "an", "null": ""}

Path = list[str | int]


def explain(tree: SchemaTree, pointer: str, value: Any, side: Side, location: Location, at: str) -> list[Finding]:
    """Return a finding for each mistake for which the schema at `pointer` rejects `value`, up to a limit."""
    # More mistakes than findings, because some are dropped here.
    mistakes = _collect(_Explainer(tree).explain(pointer, value, []), 3 * MAX_FINDINGS)
    # A value of the wrong type is not one of the listed values either: one mistake, explained by the list.
    listed = {mistake.pointer for mistake in mistakes if mistake.keyword in ("enum", "const")}
    findings: dict[tuple[str, str], Finding] = {}
    for place, keyword, message, schema_pointer, is_null, _ in mistakes:
        if keyword != "type" or place not in listed:
            code: Code = "null_not_allowed" if is_null else keyword
            finding = Finding(side, location, at + place, code, message, schema_pointer)
            findings.setdefault((place, message), finding)
    return list(findings.values())[:MAX_FINDINGS]


class _Mistake(NamedTuple):
    pointer: str
    keyword: Code
    message: str
    schema_pointer: str
    is_null: bool = False
    """Whether the value is null where null is not allowed."""
    depth: int = 0
    """The length of the path to the value that breaks the keyword."""


class _TooLarge(Exception):
    """The value is too large to be explained."""


def _collect(mistakes: Iterator[_Mistake], limit: int) -> list[_Mistake]:
    """Return the first mistakes; one about the whole value if it takes too long to find any."""
    found: list[_Mistake] = []
    try:
        for mistake in islice(mistakes, limit):
            found.append(mistake)
    except _TooLarge:
        return found or [_Mistake("", "schema", "is invalid, and too large to say where", "")]
    return found


class _Explainer:
    """Finds the mistakes in one value."""

    def __init__(self, tree: SchemaTree) -> None:
        self._tree = tree
        self._steps = 0

    def explain(self, pointer: str, value: Any, path: Path) -> Iterator[_Mistake]:
        """Yield the mistakes for which a schema rejects a value: at least one.

        Raises:
            _TooLarge: the explanation takes too long.
        """
        self._steps += 1 + (len(value) if isinstance(value, dict | list) else 0)
        if self._steps > _MAX_STEPS:
            raise _TooLarge
        schema = self._tree.node(pointer)
        mistake = None
        for mistake in self._broken_keywords(pointer, schema, value, path):
            yield mistake
        if mistake is None:
            yield _Mistake(json_pointer(path), "schema", "is rejected by its schema", pointer, depth=len(path))

    def _broken_keywords(self, pointer: str, schema: Any, value: Any, path: Path) -> Iterator[_Mistake]:
        if not isinstance(schema, dict):
            return
        yield from self._broken_assertions(pointer, schema, value, path)
        if isinstance(value, dict):
            yield from self._misnamed_fields(pointer, schema, value, path)
        for part in self._tree.always_included(pointer, schema):
            if not self._tree.is_valid_at(part)(value):
                yield from self.explain(part, value, path)
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                yield from self._broken_union(f"{pointer}/{keyword}", schema, value, path)
        for part, members in self._tree.members(pointer, schema, value):
            if self._tree.node(part) is False:
                continue  # They are misnamed fields.
            is_valid = self._tree.is_valid_at(part)
            for name, member in members:
                if not is_valid(member):
                    yield from self.explain(part, member, [*path, name])
        # Last, because the condition may not hold as it was meant where a part is invalid.
        for part, applies in self._tree.sometimes_included(pointer, schema):
            if applies(value) and not self._tree.is_valid_at(part)(value):
                yield from self.explain(part, value, path)

    def _broken_assertions(
        self, pointer: str, schema: Mapping[str, Any], value: Any, path: Path
    ) -> Iterator[_Mistake]:
        place, depth = json_pointer(path), len(path)
        for keyword, expected in schema.items():
            if keyword in _ASSERTIONS and self._tree.breaks_keyword(pointer, keyword, value):
                is_null = value is None and keyword in ("type", "enum", "const")
                message = _value_message(keyword, expected, value)
                yield _Mistake(place, cast(Code, keyword), message, f"{pointer}/{keyword}", is_null, depth)
        if "not" in schema and self._tree.is_valid_at(f"{pointer}/not")(value):
            yield _Mistake(place, "not", "breaks the keyword `not` of its schema", f"{pointer}/not", depth=depth)
        if "contains" in schema and isinstance(value, list):
            count = sum(map(self._tree.is_valid_at(f"{pointer}/contains"), value))
            least, most = schema.get("minContains", 1), schema.get("maxContains", len(value))
            if not least <= count <= most:
                message = "breaks the keyword `contains` of its schema"
                yield _Mistake(place, "contains", message, f"{pointer}/contains", depth=depth)

    def _misnamed_fields(
        self, pointer: str, schema: Mapping[str, Any], value: Mapping[str, Any], path: Path
    ) -> Iterator[_Mistake]:
        required = list(schema.get("required", ()))
        required += [
            name for given, names in schema.get("dependentRequired", {}).items() if given in value for name in names
        ]
        declared = self._tree.declared_fields(schema)
        for name in required:
            if name not in value:
                found = closest_match(name, (field for field in value if field not in declared))
                hint = f" (found '{found}'; did you mean '{name}'?)" if found else ""
                yield self._mistake([*path, name], "required", "is required" + hint, f"{pointer}/required", len(path))
        if schema.get("additionalProperties") is False:
            known = [name for name in declared if name not in value]
            for unknown, _ in self._tree.additional_members(schema, value):
                message = f"is not a known field{suggest(unknown, known)}"
                place = f"{pointer}/additionalProperties"
                yield self._mistake([*path, unknown], "unknown_field", message, place, len(path))
        if "propertyNames" in schema:
            place = f"{pointer}/propertyNames"
            is_valid = self._tree.is_valid_at(place)
            for field in value:
                if not is_valid(field):
                    reason = next(self.explain(place, field, [])).message
                    yield self._mistake([*path, field], "propertyNames", f"the name {reason}", place, len(path))

    @staticmethod
    def _mistake(path: Path, keyword: Code, message: str, schema_pointer: str, depth: int) -> _Mistake:
        return _Mistake(json_pointer(path), keyword, message, schema_pointer, depth=depth)

    def _broken_union(self, pointer: str, schema: Mapping[str, Any], value: Any, path: Path) -> Iterator[_Mistake]:
        """Yield the mistakes in the branch that was meant: chosen by its tag, else the one nearest to valid."""
        branches = self._tree.node(pointer)
        valid = sum(self._tree.is_valid_at(f"{pointer}/{index}")(value) for index in range(len(branches)))
        if valid > 1 and pointer.endswith("/oneOf"):
            message = "must match exactly one schema of `oneOf`, matches several"
            yield self._mistake(path, "oneOf", message, pointer, len(path))
        if valid:
            return
        meant = [index for index, branch in enumerate(branches) if self._accepts_type(branch, value)]
        if not meant:
            types = frozenset().union(*(self._tree.json_types(branch) for branch in branches))
            message = _type_message(types, value)
            yield _Mistake(json_pointer(path), "type", message, pointer, value is None, len(path))
            return
        if isinstance(value, dict):
            union = _TaggedUnion(self._tree, branches, schema.get("discriminator", {}), meant)
            meant = union.matching(value)
            if not meant:
                yield union.tag_mistake(path, value, pointer)
                return
        if len(meant) == 1:
            yield from self.explain(f"{pointer}/{meant[0]}", value, path)
            return
        explained = [_collect(self.explain(f"{pointer}/{index}", value, path), MAX_FINDINGS) for index in meant]
        undeclared = [_count_undeclared(self._tree.declared_fields(branches[index]), value) for index in meant]
        _, _, nearest = min(zip(undeclared, map(_distance, explained), explained, strict=True), key=itemgetter(0, 1))
        yield from nearest

    def _accepts_type(self, branch: Any, value: Any) -> bool:
        return not any("type" in part and not _has_type(value, part["type"]) for part in self._tree.flatten(branch))


class _TaggedUnion:
    """The branches of a union that could be meant, by the values of the property that tells them apart.

    `tag` is that property; None if the branches have none.
    """

    def __init__(
        self, tree: SchemaTree, branches: list[Any], discriminator: Mapping[str, Any], meant: list[int]
    ) -> None:
        self._tree = tree
        self._branches = branches
        self._meant = meant
        self._discriminator = discriminator
        self.tag: str | None = discriminator.get("propertyName") or self._find_tag()
        self._values = {index: self._tag_values(branches[index], self.tag) for index in meant} if self.tag else {}
        self.options = list(dict.fromkeys(option for values in self._values.values() for option in values))

    def matching(self, value: Mapping[str, Any]) -> list[int]:
        """Return the branches that an object can mean by its tag."""
        tag = self.tag
        if tag is None or not self.options:
            return self._meant
        if tag in value:
            return [index for index in self._meant if value[tag] in self._values[index]]
        return [index for index in self._meant if self._can_be_untagged(self._branches[index], tag, value)]

    def tag_mistake(self, path: Path, value: Mapping[str, Any], schema_pointer: str) -> _Mistake:
        """Return the mistake of an object whose tag no branch has."""
        tag = cast(str, self.tag)
        pointer = json_pointer([*path, tag])
        if tag in value:
            message = _enum_message(value[tag], self.options)
            return _Mistake(pointer, "enum", message, schema_pointer, value[tag] is None, len(path))
        message = f"is required: {_one_of(map(describe, self.options))}"
        return _Mistake(pointer, "required", message, schema_pointer, depth=len(path))

    def _find_tag(self) -> str | None:
        """Return the property whose constant tells most branches apart."""
        counts: dict[str, int] = {}
        for branch in self._branches:
            for name in {
                name
                for part in self._tree.flatten(branch)
                for name, schema in part.get("properties", {}).items()
                if isinstance(schema, dict) and "const" in schema
            }:
                counts[name] = counts.get(name, 0) + 1
        best = max(counts, key=lambda name: counts[name], default=None)
        return best if best is not None and counts[best] > 1 else None

    def _tag_values(self, branch: Any, tag: str) -> list[Any]:
        """Return the values of a branch's tag: from its schema, else the discriminator, else its own name."""
        for part in self._tree.flatten(branch):
            schema = part.get("properties", {}).get(tag)
            if isinstance(schema, dict) and "const" in schema:
                return [schema["const"]]
            if isinstance(schema, dict) and "enum" in schema:
                return list(schema["enum"])
        reference = branch.get("$ref", "") if self._discriminator else ""
        name = reference.rpartition("/")[2]
        mapping = self._discriminator.get("mapping", {})
        mapped = [key for key, target in mapping.items() if target in (reference, name)]
        return mapped or ([name] if name else [])

    def _can_be_untagged(self, branch: Any, tag: str, value: Mapping[str, Any]) -> bool:
        """Whether a branch does not require its tag, and `value` has at least one of its fields."""
        requires_tag = any(tag in part.get("required", ()) for part in self._tree.flatten(branch))
        return not requires_tag and not self._tree.declared_fields(branch).isdisjoint(value)


def _value_message(keyword: str, expected: Any, value: Any) -> str:
    """Return the message about a value that breaks a keyword by itself."""
    if keyword in _SIZES:
        words, noun = _SIZES[keyword]
        return f"must have {words} {expected} {noun}{'' if expected == 1 else 's'}, has {len(value)}"
    if keyword in _BOUNDS:
        return f"must be {_BOUNDS[keyword]} {expected}, not {describe(value)}"
    match keyword:
        case "type":
            return _type_message([expected] if isinstance(expected, str) else expected, value)
        case "const":
            return f"must be {describe(expected)}, not {describe(value)}"
        case "enum":
            return _enum_message(value, expected)
        case "multipleOf":
            return f"must be a multiple of {expected}, not {describe(value)}"
        case "pattern":
            return f"must match {expected}, not {describe(value)}"
        case "format":
            return f"must be a {expected}, not {describe(value)}"
        case _:
            return "must not contain the same item twice"


def _type_message(types: Iterable[str], value: Any) -> str:
    names = set(types) - ({"integer"} if "number" in types else set())
    articled = [f"{_ARTICLES.get(name, 'a')} {name}".strip() for name in JSON_TYPES if name in names]
    return f"must be {_one_of(articled)}, not {describe(value)}"


def _enum_message(value: Any, options: list[Any]) -> str:
    """Return a message that names all options, or only the closest of many."""
    hint = suggest(value, [option for option in options if isinstance(option, str)])
    if hint and len(options) > _MAX_LISTED:
        return f"must be one of {len(options)} values, not {describe(value)}{hint}"
    return f"must be {_one_of(map(describe, options))}, not {describe(value)}{hint}"


def _one_of(options: Iterable[str]) -> str:
    *most, last = options
    return f"{', '.join(most)} or {last}" if most else last


def _has_type(value: Any, types: str | list[str]) -> bool:
    return any(_is_of_type(value, name) for name in ([types] if isinstance(types, str) else types))


def _is_of_type(value: Any, name: str) -> bool:
    match value:
        case None:
            return name == "null"
        case bool():
            return name == "boolean"
        case str():
            return name == "string"
        case int():
            return name in ("integer", "number")
        case float():
            return name == "number" or (name == "integer" and value.is_integer())
        case list():
            return name == "array"
        case _:
            return name == "object"


def _count_undeclared(declared: set[str], value: Any) -> int:
    return sum(name not in declared for name in islice(value, _MAX_LISTED)) if isinstance(value, dict) else 0


def _distance(mistakes: list[_Mistake]) -> float:
    """Return how far a value is from a branch: the fewer and the deeper its mistakes, the nearer."""
    return sum(1 / (1 + mistake.depth) for mistake in mistakes)
