"""Compile the document's schemas, and explain in people's words what breaks them."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple, cast
from urllib.parse import quote, unquote

from jsonschema_rs import (
    Draft202012Validator,
    ReferencingError,
    Registry,
    ValidationError,
    ValidationErrorKind,
    meta,
)

from mockserver.contract.document import DocumentError
from mockserver.findings import (
    CODES,
    Code,
    Finding,
    Location,
    Side,
    describe,
    escape_token,
    json_pointer,
    unescape_token,
)

_DOCUMENT = "urn:openapi:document"
_CLOSED = "urn:openapi:closed"
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_MOST_FINDINGS = 20
_MOST_LISTED = 10

Kind = ValidationErrorKind


class Schemas:
    """All schemas of one document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._registry = Registry([(_DOCUMENT, document)])
        self._compiled: dict[str, Schema] = {}
        for name, schema in document.get("components", {}).get("schemas", {}).items():
            _check(f"/components/schemas/{escape_token(name)}", schema)

    def at(self, pointer: str) -> "Schema":
        """The schema at a JSON pointer of the document, compiled.

        Raises:
            DocumentError: it cannot be compiled; names the place and the reason.
        """
        if pointer not in self._compiled:
            _check(pointer, self.node(pointer))
            self._compiled[pointer] = Schema(self, pointer, self._compile(_DOCUMENT, pointer, self._registry))
        return self._compiled[pointer]

    def closed(self, pointer: str) -> Draft202012Validator:
        """The schema at a JSON pointer, compiled so that it refuses fields that are not declared."""
        return self._compile(_CLOSED, pointer, self._closed)

    @cached_property
    def _closed(self) -> Registry:
        return Registry([(_CLOSED, _closed(self._document))])

    def _compile(self, uri: str, pointer: str, registry: Registry) -> Draft202012Validator:
        reference = f"{uri}#{quote(pointer, safe='/~')}"
        try:
            return Draft202012Validator({"$ref": reference}, registry=registry)
        except ValidationError as error:
            reason = error.message.splitlines()[0]
            raise DocumentError(f"#{json_pointer(error.instance_path) or pointer}: {reason}") from error
        except (ReferencingError, ValueError) as error:
            raise DocumentError(f"#{pointer}: {str(error).splitlines()[0]}") from error

    def node(self, pointer: str) -> Any:
        """The document's node at a JSON pointer.

        Raises:
            DocumentError: there is none.
        """
        node: Any = self._document
        try:
            for token in pointer.split("/")[1:]:
                key = unescape_token(token)
                node = node[int(key)] if isinstance(node, list) else node[key]
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise DocumentError(f"#{pointer}: there is no such place") from error
        return node

    def flatten(self, schema: Any) -> Iterator[Mapping[str, Any]]:
        """`schema` and all that it says by `$ref` and `allOf`."""
        if not isinstance(schema, dict):
            return
        yield schema
        if "$ref" in schema:
            yield from self.flatten(self.node(schema["$ref"].removeprefix("#")))
        for part in schema.get("allOf", ()):
            yield from self.flatten(part)

    def branches(self, schema: Any) -> Iterator[Mapping[str, Any]]:
        """`schema`, all that it says by `$ref` and `allOf`, and all branches of its unions."""
        for part in self.flatten(schema):
            yield part
            for union in ("anyOf", "oneOf"):
                for branch in part.get(union, ()):
                    yield from self.branches(branch)

    def json_types(self, schema: Any) -> frozenset[str]:
        """The JSON types that a schema can accept, as far as its `type` keywords tell."""
        accepted = frozenset(_TYPES)
        for part in self.flatten(schema):
            if "type" in part:
                names = part["type"] if isinstance(part["type"], list) else [part["type"]]
                accepted &= frozenset(names) | ({"integer"} if "number" in names else frozenset())
            for union in ("anyOf", "oneOf"):
                if union in part:
                    accepted &= frozenset().union(*(self.json_types(branch) for branch in part[union]))
        return accepted


def _check(pointer: str, schema: Any) -> None:
    """Whether it is a schema at all; what stands in a registry is compiled without that.

    Raises:
        DocumentError: it is not.
    """
    if isinstance(schema, bool):
        return
    try:
        meta.validate({**schema, "$schema": _DRAFT} if isinstance(schema, dict) else schema)
    except (ValidationError, ValueError) as error:
        path = error.instance_path if isinstance(error, ValidationError) else []
        reason = str(error).splitlines()[0]
        raise DocumentError(f"#{pointer}{json_pointer(path)}: {reason}") from error


class Schema:
    """One compiled schema: a fast yes or no, and a slow explanation."""

    def __init__(self, schemas: Schemas, pointer: str, validator: Draft202012Validator) -> None:
        self._schemas = schemas
        self._validator = validator
        self.pointer = pointer
        self.is_valid = validator.is_valid

    @cached_property
    def is_valid_without_unknown_fields(self) -> Callable[[Any], bool]:
        """Compiled when it is first asked for: of all schemas, only those of request bodies ever are."""
        return self._schemas.closed(self.pointer).is_valid

    @cached_property
    def json_types(self) -> frozenset[str]:
        return self._schemas.json_types({"$ref": "#" + self.pointer})

    @cached_property
    def is_text(self) -> bool:
        """Whether it accepts strings only."""
        return self.json_types == {"string"}

    @cached_property
    def item_types(self) -> frozenset[str]:
        """The JSON types that an array's items can have."""
        return self._types_of(part["items"] for part in self._parts() if "items" in part)

    @cached_property
    def field_names(self) -> frozenset[str]:
        """The names that an object's fields are declared by."""
        return frozenset(name for part in self._parts() for name in part.get("properties", ()))

    def field_types(self, name: str) -> frozenset[str]:
        """The JSON types that an object's field can have."""
        return self._types_of(
            part["properties"][name] if name in part.get("properties", ()) else part["additionalProperties"]
            for part in self._parts()
            if name in part.get("properties", ()) or "additionalProperties" in part
        )

    def _parts(self) -> Iterator[Mapping[str, Any]]:
        return self._schemas.branches({"$ref": "#" + self.pointer})

    def _types_of(self, schemas: Iterable[Any]) -> frozenset[str]:
        types = [self._schemas.json_types(schema) for schema in schemas]
        return frozenset().union(*types) if types else frozenset({"string"})

    def validate(self, value: Any, side: Side, location: Location, at: str = "") -> list[Finding]:
        """What is wrong with `value`: one finding for each mistake, in the branch of a union that was meant.

        `at` is put before every pointer.
        """
        found: dict[tuple[str, str], Finding] = {}
        try:
            errors = list(self._validator.iter_errors(value))
        except ValueError:  # The validator gives back no value of more than 255 levels.
            return [
                Finding(
                    side, location, at, "nested_too_deeply", "is wrong somewhere, and nested too deeply to tell where"
                )
            ]
        explainer = _Explainer(self._schemas, value)
        explanations = [explanation for error in errors for explanation in explainer.explain(error)]
        # A value of the wrong type is no listed value either: one mistake, told by the list.
        listed = {one.pointer for one in explanations if one.code in ("enum", "const")}
        for pointer, code, message, schema_pointer, is_null in explanations:
            if code != "type" or pointer not in listed:
                told: Code = "null_not_allowed" if is_null else code
                finding = Finding(side, location, at + pointer, told, message, schema_pointer)
                found.setdefault((pointer, message), finding)
        return list(found.values())[:_MOST_FINDINGS]

    def validate_strictly(self, value: Any, side: Side, location: Location, at: str = "") -> list[Finding]:
        """What is wrong with `value`, fields that are not declared included."""
        return self.validate(value, side, location, at) or [
            finding._replace(pointer=at + finding.pointer)
            for finding in self.find_unknown_fields(value, side, location)
        ]

    def find_unknown_fields(self, value: Any, side: Side, location: Location) -> list[Finding]:
        """The fields of a valid `value` that no applied schema declares.

        Read off the annotations that JSON Schema defines for `properties` and its kin (2020-12 core, section 7.7), so
        that composition needs no rules of its own.
        """
        if self.is_valid_without_unknown_fields(value):
            return []
        declared: dict[str, set[str]] = {}
        known: dict[str, set[str]] = {}
        for annotation in self._validator.evaluate(value).annotations():
            schema_location, at = annotation["absoluteKeywordLocation"] or "", annotation["instanceLocation"]
            keyword = schema_location.rpartition("/")[2]
            names = annotation["annotations"]
            if keyword in _DECLARING and isinstance(names, list):
                declared.setdefault(at, set()).update(map(str, names))
            if keyword == "properties":
                known.setdefault(at, set()).update(self._schemas.node(unquote(schema_location.partition("#")[2])))
        findings = []
        for *path, name in _undeclared(value, [], declared):
            owner = _end(value, path)
            hint = _nearly(name, known.get(json_pointer(path), set()) - owner.keys())
            pointer = json_pointer([*path, name])
            findings.append(Finding(side, location, pointer, "unknown_field", f"is not a field of this object{hint}"))
        return findings


_TYPES = {
    "string": "a string",
    "number": "a number",
    "integer": "an integer",
    "boolean": "a boolean",
    "array": "an array",
    "object": "an object",
    "null": "null",
}
_DECLARING = frozenset({"properties", "patternProperties", "additionalProperties", "unevaluatedProperties"})


def _undeclared(value: Any, path: list[str | int], declared: Mapping[str, set[str]]) -> Iterator[list[str | int]]:
    if isinstance(value, list):
        for index, child in enumerate(value):
            yield from _undeclared(child, [*path, index], declared)
    elif isinstance(value, dict):
        names = declared.get(json_pointer(path))
        for name, child in value.items():
            if names is not None and name not in names:
                yield [*path, name]
            else:
                yield from _undeclared(child, [*path, name], declared)


def _end(value: Any, path: Iterable[str | int]) -> Any:
    for token in path:
        value = value[token]
    return value


def _closed(node: Any, *, names: bool = False, composed: bool = False) -> Any:
    """A copy of a document in which an object schema refuses what it does not declare.

    It serves only to see fast that a request has no unknown field, so it may refuse too much (where an object is
    composed of several schemas) but never too little.
    """
    if isinstance(node, list):
        return [_closed(child, composed=composed) for child in node]
    if not isinstance(node, dict):
        return node
    closed = {
        key: _closed(child, names=key == "properties" and not names, composed=key == "allOf" and not names)
        for key, child in node.items()
    }
    is_open = "additionalProperties" not in node and "unevaluatedProperties" not in node
    if not names and not composed and is_open:
        if isinstance(node.get("allOf"), list):
            closed["unevaluatedProperties"] = False
        elif isinstance(node.get("properties"), dict):
            closed["additionalProperties"] = False
    return closed


class _Explanation(NamedTuple):
    pointer: str
    code: Code
    message: str
    schema_pointer: str
    is_null: bool = False
    """Whether the mistake is that the value is null."""


class _Explainer:
    """Turns the validator's errors about one value into explanations."""

    def __init__(self, schemas: Schemas, value: Any) -> None:
        self._schemas = schemas
        self._value = value

    def explain(self, error: ValidationError) -> Iterator[_Explanation]:
        kind = error.kind
        if isinstance(kind, Kind.AnyOf | Kind.OneOfNotValid):
            yield from self._explain_union(error, kind.context)
            return
        code = _code(kind)
        is_null = error.instance is None and code in ("type", "enum", "const")
        for path, message in self._messages(error):
            yield _Explanation(json_pointer(path), code, message, _document_pointer(error), is_null)

    def _messages(self, error: ValidationError) -> Iterator[tuple[list[str | int], str]]:
        kind = error.kind
        path, value = self._place(error)
        match kind:
            case Kind.Required():
                yield [*path, kind.property], "is required" + self._misspelt(kind.property, value, error)
            case Kind.Type():
                yield path, f"must be {_one_of(_articled(kind.types))}, not {describe(value)}"
            case Kind.Constant():
                yield path, f"must be {describe(kind.expected_value)}, not {describe(value)}"
            case Kind.Enum():
                yield path, _not_listed(value, kind.options)
            case Kind.AdditionalProperties() | Kind.UnevaluatedProperties():
                known = self._declared(error) - value.keys()
                for name in kind.unexpected:
                    yield [*path, name], f"is not a field of this object{_nearly(name, known)}"
            case Kind.PropertyNames():
                for name, inner in self._bad_names(value, kind.error):
                    yield [*path, name], f"the name {inner}"
            case _:
                yield path, self._limit(error, value)

    def _limit(self, error: ValidationError, value: Any) -> str:
        kind = error.kind
        match kind:
            case Kind.MinItems():
                return f"must have at least {_count(kind.limit, 'item')}, has {len(value)}"
            case Kind.MaxItems():
                return f"must have at most {_count(kind.limit, 'item')}, has {len(value)}"
            case Kind.MinLength():
                return f"must be at least {_count(kind.limit, 'character')} long, is {len(value)}"
            case Kind.MaxLength():
                return f"must be at most {_count(kind.limit, 'character')} long, is {len(value)}"
            case Kind.MinProperties():
                return f"must have at least {_count(kind.limit, 'field')}, has {len(value)}"
            case Kind.MaxProperties():
                return f"must have at most {_count(kind.limit, 'field')}, has {len(value)}"
            case Kind.Minimum():
                return f"must be at least {kind.limit}, not {describe(value)}"
            case Kind.Maximum():
                return f"must be at most {kind.limit}, not {describe(value)}"
            case Kind.ExclusiveMinimum():
                return f"must be more than {kind.limit}, not {describe(value)}"
            case Kind.ExclusiveMaximum():
                return f"must be less than {kind.limit}, not {describe(value)}"
            case Kind.MultipleOf():
                return f"must be a multiple of {kind.multiple_of}, not {describe(value)}"
            case Kind.Pattern():
                return f"must match {kind.pattern}, not {describe(value)}"
            case Kind.Not() if self._schemas.node(_document_pointer(error).rpartition("/")[0]).get("readOnly"):
                return "is read-only: a request must not have it"
            case Kind.Not() if self._schemas.node(_document_pointer(error).rpartition("/")[0]).get("writeOnly"):
                return "is write-only: a response must not have it"
            case Kind.Format():
                return f"must be a {kind.format}, not {describe(value)}"
            case Kind.OneOfMultipleValid():
                return "fits several of the schemas of which it must fit just one"
            case Kind.UniqueItems():
                return "must not have the same item twice"
            case _:
                return f"breaks `{kind.name}` of the document"

    def _place(self, error: ValidationError) -> tuple[list[str | int], Any]:
        """The path to the value that an error is about, and that value."""
        ways = _ways(self._value, error.instance_path)
        return next((way for way in ways if len(ways) == 1 or way[1] == error.instance), ways[0])

    def _bad_names(self, value: Mapping[str, Any], error: ValidationError) -> Iterator[tuple[str, str]]:
        """The names that break `propertyNames`; the validator's own error tells only the first."""
        longest = error.kind.limit if isinstance(error.kind, Kind.MaxLength) else None
        for name in value:
            if (len(name) > longest) if longest is not None else (name == error.instance):
                yield name, self._limit(error, name)

    def _misspelt(self, name: str, value: Any, error: ValidationError) -> str:
        """A hint at the undeclared field that was probably meant to be `name`."""
        declared = self._declared(error)
        sent = _nearest(name, [field for field in value if field not in declared])
        return f" (did you mean it by '{sent}'?)" if sent else ""

    def _declared(self, error: ValidationError) -> set[str]:
        """The fields that the schema declares whose keyword is broken."""
        owner = self._schemas.node(_document_pointer(error).rpartition("/")[0])
        return {name for part in self._schemas.flatten(owner) for name in part.get("properties", ())}

    def _explain_union(self, error: ValidationError, context: list[list[ValidationError]]) -> Iterator[_Explanation]:
        """The mistakes in the branch that was meant: chosen by its tag, else the one nearest to valid."""
        pointer = _document_pointer(error)
        branches = self._schemas.node(pointer)
        path, value = self._place(error)
        meant = [index for index in range(len(branches)) if not _wrong_type(context[index], error.instance_path)]
        if not meant:
            types = frozenset().union(*(self._schemas.json_types(branch) for branch in branches))
            message = f"must be {_one_of(_articled(types))}, not {describe(value)}"
            yield _Explanation(json_pointer(path), "type", message, pointer, value is None)
            return
        if isinstance(value, dict):
            owner = self._schemas.node(pointer.rpartition("/")[0])
            discriminator = owner.get("discriminator", {})
            tag: str | None = discriminator.get("propertyName") or self._tag(branches)
            values = {index: self._tag_values(branches[index], tag, discriminator) for index in meant} if tag else {}
            known = [option for index in values for option in values[index]]
            if tag is not None and known:
                if tag in value:
                    meant = [index for index in meant if value[tag] in values[index]]
                else:
                    meant = [index for index in meant if self._can_be_untagged(branches[index], tag, value)]
                if not meant:
                    options = _unique(known)
                    place = json_pointer([*path, tag])
                    if tag in value:
                        message = _not_listed(value[tag], options)
                        yield _Explanation(place, "enum", message, pointer, value[tag] is None)
                    else:
                        yield _Explanation(
                            place, "required", f"is required: {_one_of(map(describe, options))}", pointer
                        )
                    return
        nearest = min(meant, key=lambda index: (_distance(context[index]), index))
        for inner in context[nearest]:
            yield from self.explain(inner)

    def _tag(self, branches: list[Any]) -> str | None:
        """The property whose constant tells most branches apart, if there is one."""
        counts: dict[str, int] = {}
        for branch in branches:
            for name in {
                name
                for part in self._schemas.flatten(branch)
                for name, schema in part.get("properties", {}).items()
                if isinstance(schema, dict) and "const" in schema
            }:
                counts[name] = counts.get(name, 0) + 1
        best = max(counts, key=lambda name: counts[name], default=None)
        return best if best is not None and counts[best] > 1 else None

    def _tag_values(self, branch: Any, tag: str, discriminator: Mapping[str, Any]) -> list[Any]:
        """What the tag of a branch can be: as its schema says, else as the discriminator does, else its own name."""
        for part in self._schemas.flatten(branch):
            schema = part.get("properties", {}).get(tag)
            if isinstance(schema, dict) and "const" in schema:
                return [schema["const"]]
            if isinstance(schema, dict) and "enum" in schema:
                return list(schema["enum"])
        reference = branch.get("$ref", "") if discriminator else ""
        name = reference.rpartition("/")[2]
        mapped = [key for key, target in discriminator.get("mapping", {}).items() if target in (reference, name)]
        return mapped or ([name] if name else [])

    def _can_be_untagged(self, branch: Any, tag: str, value: Mapping[str, Any]) -> bool:
        """Whether a branch can do without its tag, and `value` has at least one of its fields."""
        parts = list(self._schemas.flatten(branch))
        requires_tag = any(tag in part.get("required", ()) for part in parts)
        return not requires_tag and any(name in part.get("properties", ()) for part in parts for name in value)


def _code(kind: Any) -> Code:
    if isinstance(kind, Kind.AdditionalProperties | Kind.UnevaluatedProperties):
        return "unknown_field"
    return cast(Code, kind.name) if kind.name in CODES else "schema"


def _ways(value: Any, path: list[str | int]) -> list[tuple[list[str | int], Any]]:
    """Where a path of the validator can lead, and the values there.

    It gives a name that reads as a number as that number: 7 can be the names `7`, `07` and `+7`.
    """
    ways: list[tuple[list[str | int], Any]] = [([], value)]
    for token in path:
        ways = [([*way, name], end[name]) for way, end in ways for name in _names(end, token)]
    return ways


def _names(value: Any, token: str | int) -> Iterable[Any]:
    if isinstance(value, dict) and isinstance(token, int):
        return [name for name in value if re.fullmatch(rf"\+?0*{token}", name)]
    return [token]


def _document_pointer(error: ValidationError) -> str:
    location = error.absolute_keyword_location or ""
    return unquote(location.partition("#")[2])


def _wrong_type(errors: list[ValidationError], path: list[str | int]) -> bool:
    return any(isinstance(error.kind, Kind.Type) and error.instance_path == path for error in errors)


def _distance(errors: list[ValidationError]) -> float:
    """How far a value is from a branch: the fewer and the deeper its mistakes, the nearer."""
    return sum(1 / (1 + len(error.instance_path)) for error in errors)


def _nearest(name: Any, candidates: Iterable[str]) -> str | None:
    if not isinstance(name, str) or len(name) > 100:
        return None
    folded = {candidate.casefold(): candidate for candidate in list(candidates)[:200]}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.7)
    return folded[near[0]] if near else None


def _nearly(value: Any, options: Iterable[str]) -> str:
    near = _nearest(value, options)
    return f" (did you mean '{near}'?)" if near else ""


def _not_listed(value: Any, options: list[Any]) -> str:
    """With many options and one of them near, only that one is named."""
    hint = _nearly(value, [option for option in options if isinstance(option, str)])
    choice = (
        f"one of {len(options)} values" if hint and len(options) > _MOST_LISTED else _one_of(map(describe, options))
    )
    return f"must be {choice}, not {describe(value)}{hint}"


def _unique(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


def _one_of(options: Iterable[str]) -> str:
    *most, last = options
    return f"{', '.join(most)} or {last}" if most else last


def _articled(types: Iterable[str]) -> list[str]:
    given = set(types) - ({"integer"} if "number" in types else set())
    return [words for name, words in _TYPES.items() if name in given]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
