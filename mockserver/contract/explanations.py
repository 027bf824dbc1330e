"""Explain the errors of the validator: one finding for each mistake, in the branch of a union that was meant."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, cast
from urllib.parse import unquote

from jsonschema_rs import ValidationError, ValidationErrorKind

from mockserver.contract.spelling import closest_match, suggest
from mockserver.contract.tree import JSON_TYPES, DocumentTree
from mockserver.findings import CODES, Code, Finding, Location, Side, describe, json_pointer

_MAX_FINDINGS = 20
_MAX_LISTED = 10
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
_ARTICLES = {"integer": "an", "array": "an", "object": "an", "null": ""}

Kind = ValidationErrorKind


def explain(
    tree: DocumentTree, value: Any, errors: Iterable[ValidationError], side: Side, location: Location, at: str
) -> list[Finding]:
    """Return a finding for each mistake that the validator's errors about `value` are due to."""
    explainer = _Explainer(tree, value)
    mistakes = [mistake for error in errors for mistake in explainer.explain(error)]
    # A value of the wrong type is not one of the listed values either: one mistake, explained by the list.
    listed = {mistake.pointer for mistake in mistakes if mistake.keyword in ("enum", "const")}
    findings: dict[tuple[str, str], Finding] = {}
    for pointer, keyword, message, schema_pointer, is_null in mistakes:
        if keyword != "type" or pointer not in listed:
            code: Code = "null_not_allowed" if is_null else keyword
            finding = Finding(side, location, at + pointer, code, message, schema_pointer)
            findings.setdefault((pointer, message), finding)
    return list(findings.values())[:_MAX_FINDINGS]


class _Mistake(NamedTuple):
    pointer: str
    keyword: Code
    message: str
    schema_pointer: str
    is_null: bool = False
    """Whether the value is null where null is not allowed."""


class _Explainer:
    """Turns the validator's errors about one value into mistakes."""

    def __init__(self, tree: DocumentTree, value: Any) -> None:
        self._tree = tree
        self._value = value

    def explain(self, error: ValidationError) -> Iterator[_Mistake]:
        """Yield the mistakes behind one error."""
        kind = error.kind
        if isinstance(kind, Kind.AnyOf | Kind.OneOfNotValid):
            yield from self._explain_union(error, kind.context)
            return
        keyword = _keyword(kind)
        is_null = error.instance is None and keyword in ("type", "enum", "const")
        for path, message in self._messages(error):
            yield _Mistake(json_pointer(path), keyword, message, _schema_pointer(error), is_null)

    def _messages(self, error: ValidationError) -> Iterator[tuple[list[str | int], str]]:
        kind = error.kind
        path, value = self._locate(error)
        match kind:
            case Kind.Required():
                yield [*path, kind.property], "is required" + self._misspelled(kind.property, value, error)
            case Kind.AdditionalProperties() | Kind.UnevaluatedProperties():
                known = self._declared_fields(error) - value.keys()
                for name in kind.unexpected:
                    yield [*path, name], f"is not a known field{suggest(name, known)}"
            case Kind.PropertyNames():
                for name in _names_that_break(kind.error, value):
                    yield [*path, name], f"the name {_value_message(kind.error.kind, name)}"
            case _:
                yield path, _value_message(kind, value)

    def _locate(self, error: ValidationError) -> tuple[list[str | int], Any]:
        """Return the path to the value that an error is about, and that value."""
        candidates = _resolve_path(self._value, error.instance_path)
        exact = (one for one in candidates if len(candidates) == 1 or one[1] == error.instance)
        return next(exact, candidates[0])

    def _misspelled(self, name: str, value: Mapping[str, Any], error: ValidationError) -> str:
        """Return a hint at the undeclared field that was probably meant to be `name`."""
        declared = self._declared_fields(error)
        found = closest_match(name, [field for field in value if field not in declared])
        return f" (found '{found}'; did you mean '{name}'?)" if found else ""

    def _declared_fields(self, error: ValidationError) -> set[str]:
        """Return the fields that the schema with the broken keyword declares."""
        return self._tree.declared_fields(self._tree.node(_schema_pointer(error).rpartition("/")[0]))

    def _explain_union(self, error: ValidationError, context: list[list[ValidationError]]) -> Iterator[_Mistake]:
        """Yield the mistakes in the branch that was meant: chosen by its tag, else the one nearest to valid."""
        pointer = _schema_pointer(error)
        branches = self._tree.node(pointer)
        path, value = self._locate(error)
        meant = [index for index in range(len(branches)) if not _is_wrong_type(context[index], error.instance_path)]
        if not meant:
            types = frozenset().union(*(self._tree.json_types(branch) for branch in branches))
            yield _Mistake(json_pointer(path), "type", _type_message(types, value), pointer, value is None)
            return
        if isinstance(value, dict):
            owner = self._tree.node(pointer.rpartition("/")[0])
            union = _TaggedUnion(self._tree, branches, owner.get("discriminator", {}), meant)
            meant = union.matching(value)
            if not meant:
                yield union.tag_mistake(path, value, pointer)
                return
        nearest = min(meant, key=lambda index: (_distance(context[index]), index))
        for inner in context[nearest]:
            yield from self.explain(inner)


class _TaggedUnion:
    """The branches of a union that could be meant, by the values of the property that tells them apart.

    `tag` is that property; None if the branches have none.
    """

    def __init__(
        self, tree: DocumentTree, branches: list[Any], discriminator: Mapping[str, Any], meant: list[int]
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

    def tag_mistake(self, path: list[str | int], value: Mapping[str, Any], schema_pointer: str) -> _Mistake:
        """Return the mistake of an object whose tag no branch has."""
        tag = cast(str, self.tag)
        pointer = json_pointer([*path, tag])
        if tag in value:
            message = _enum_message(value[tag], self.options)
            return _Mistake(pointer, "enum", message, schema_pointer, value[tag] is None)
        return _Mistake(pointer, "required", f"is required: {_one_of(map(describe, self.options))}", schema_pointer)

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


def _keyword(kind: Any) -> Code:
    if isinstance(kind, Kind.AdditionalProperties | Kind.UnevaluatedProperties):
        return "unknown_field"
    return cast(Code, kind.name) if kind.name in CODES else "schema"


def _value_message(kind: Any, value: Any) -> str:
    """Return the message about a value that breaks a keyword by itself."""
    name: str = kind.name
    if name in _SIZES:
        words, noun = _SIZES[name]
        return f"must have {words} {kind.limit} {noun}{'' if kind.limit == 1 else 's'}, has {len(value)}"
    if name in _BOUNDS:
        return f"must be {_BOUNDS[name]} {kind.limit}, not {describe(value)}"
    match kind:
        case Kind.Type():
            return _type_message(kind.types, value)
        case Kind.Constant():
            return f"must be {describe(kind.expected_value)}, not {describe(value)}"
        case Kind.Enum():
            return _enum_message(value, kind.options)
        case Kind.MultipleOf():
            return f"must be a multiple of {kind.multiple_of}, not {describe(value)}"
        case Kind.Pattern():
            return f"must match {kind.pattern}, not {describe(value)}"
        case Kind.Format():
            return f"must be a {kind.format}, not {describe(value)}"
        case Kind.OneOfMultipleValid():
            return "must match exactly one schema of `oneOf`, matches several"
        case Kind.UniqueItems():
            return "must not contain the same item twice"
        case _:
            return f"breaks the keyword `{name}` of its schema"


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


def _names_that_break(error: ValidationError, value: Mapping[str, Any]) -> list[str]:
    """Return all names that break `propertyNames`; the validator's error has only the first."""
    if isinstance(error.kind, Kind.MaxLength):
        limit = error.kind.limit
        return [name for name in value if len(name) > limit]
    return [name for name in value if name == error.instance]


def _resolve_path(value: Any, path: list[str | int]) -> list[tuple[list[str | int], Any]]:
    """Return the places that a path of the validator can mean, with the values there.

    The validator gives a name that reads as a number as that number: 7 can be the names `7`, `07` and `+7`.
    """
    places: list[tuple[list[str | int], Any]] = [([], value)]
    for token in path:
        places = [([*place, name], node[name]) for place, node in places for name in _matching_names(node, token)]
    return places


def _matching_names(value: Any, token: str | int) -> Iterable[Any]:
    if isinstance(value, dict) and isinstance(token, int):
        return [name for name in value if re.fullmatch(rf"\+?0*{token}", name)]
    return [token]


def _schema_pointer(error: ValidationError) -> str:
    location = error.absolute_keyword_location or ""
    return unquote(location.partition("#")[2])


def _is_wrong_type(errors: list[ValidationError], path: list[str | int]) -> bool:
    return any(isinstance(error.kind, Kind.Type) and error.instance_path == path for error in errors)


def _distance(errors: list[ValidationError]) -> float:
    """Return how far a value is from a branch: the fewer and the deeper its mistakes, the nearer."""
    return sum(1 / (1 + len(error.instance_path)) for error in errors)
