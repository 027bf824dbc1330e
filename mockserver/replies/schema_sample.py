"""JSON values that conform to a JSON schema, the same ones in every run.

The schema is taken apart into plain schemas. From these, values are made, the simplest ones first, until one is valid.
"""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from math import inf
from typing import Any

from jsonschema_rs import Draft202012Validator, ReferencingError, Registry, ValidationError

from mockserver.contract.json_schema import InvalidSchema, compile_schema
from mockserver.replies.patterns import compile_pattern
from mockserver.replies.scalar_samples import numbers, strings
from mockserver.replies.schema_parts import ROOT, NoSampleError, Path, Plain, SchemaParts

_MAX_STEPS = 1_500
_MAX_WORK = 20_000_000
"""The product of the steps and the length of the schema: each step may copy all of it."""
_CHARACTERS_PER_STEP = 100
_WORK_PER_STEP = 20
_SCHEMAS_PER_STEP = 4
_MAX_VALIDATORS = 500
_MAX_TRIES = 60
_MAX_VARIANTS = 8
_TYPE_KEYWORDS = {
    "object": ("properties", "required", "additionalProperties", "patternProperties", "minProperties"),
    "array": ("items", "prefixItems", "contains", "minItems", "uniqueItems"),
    "string": ("pattern", "format", "minLength", "maxLength"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
_ALL_TYPES = ("string", "object", "integer", "array", "boolean", "null")


def sample_of(schema: Mapping[str, Any], name: str = "text") -> Any:
    """Return a value that conforms to a schema, or else the best attempt at one; strings say their `name`."""
    best: Any = {}
    try:
        is_valid = compile_schema(schema)
    except InvalidSchema:
        return best
    for is_careful in (False, True):
        tries = _MAX_TRIES if is_careful else 1
        try:
            for value in islice(_Sampler(SchemaParts(schema), is_careful=is_careful).samples(name), tries):
                if is_valid(value):
                    return value
                best = best or value
        except (NoSampleError, RecursionError):
            continue
    return best


class _Sampler:
    """Makes values for the parts of a schema. If it is careful, it validates each part on its own."""

    def __init__(self, parts: SchemaParts, *, is_careful: bool) -> None:
        self._parts = parts
        self._steps_left = min(_MAX_STEPS, _MAX_WORK // len(json.dumps(parts.root)))
        try:
            self._registry = Registry([(ROOT, parts.root)]) if is_careful else None
        except (ReferencingError, ValueError) as error:
            raise NoSampleError from error
        self._validators: dict[tuple[int, ...], Draft202012Validator] = {}

    def samples(self, name: str) -> Iterator[Any]:
        """Yield values for the whole schema."""
        return self._samples([self._parts.root], name, (f"{ROOT}#",))

    def _samples(self, schemas: Sequence[Any], name: str, path: Path) -> Iterator[Any]:
        """Yield values that probably conform to all of the schemas."""
        yield from _interleave(self._values(*way, name) for way in self._count(self._parts.ways(schemas, path)))

    def _count(self, ways: Iterator[tuple[list[Plain], Path]]) -> Iterator[tuple[list[Plain], Path]]:
        for way in ways:
            self._use_steps(1 + len(way[0]) // _SCHEMAS_PER_STEP)
            yield way

    def _use_steps(self, number: int) -> None:
        """Give up after too many steps, also where a part without a value would be left out."""
        self._steps_left -= number
        if self._steps_left < 0:
            raise NoSampleError

    def _spend(self, work: int) -> None:
        self._use_steps(work // _WORK_PER_STEP)

    def _pick(self, schemas: Sequence[Any], name: str, path: Path, others: Sequence[Any] = ()) -> Any:
        """Return a value for all of the schemas that is none of the others."""
        taken = set(map(_identity, others))
        for value in islice(self._samples(schemas, name, path), _MAX_TRIES):
            if isinstance(value, str):
                self._use_steps(len(value) // _CHARACTERS_PER_STEP)
            if (not taken or _identity(value) not in taken) and self._is_valid(schemas, value):
                return value
        raise NoSampleError

    def _is_valid(self, schemas: Sequence[Any], value: Any) -> bool:
        if self._registry is None or not schemas:
            return True
        key = tuple(map(id, schemas))  # All of them are parts of the root, and so stay alive.
        if key not in self._validators:
            if len(self._validators) >= _MAX_VALIDATORS:
                raise NoSampleError
            self._validators[key] = self._compile({"allOf": schemas})
        return self._validators[key].is_valid(value)

    def _compile(self, schema: dict[str, Any]) -> Draft202012Validator:
        try:
            return Draft202012Validator(schema, registry=self._registry, validate_formats=True)
        except (ValidationError, ReferencingError, ValueError) as error:
            raise NoSampleError from error

    def _values(self, schemas: Sequence[Plain], path: Path, name: str) -> Iterator[Any]:
        """Yield values for a list of plain schemas."""
        for schema in schemas:
            if "enum" in schema or "const" in schema:
                yield from schema["enum"] if "enum" in schema else [schema["const"]]
                return
        for schema in schemas:
            yield from [schema["default"]] if "default" in schema else schema.get("examples", ())
        yield from _interleave(self._values_of_type(kind, schemas, path, name) for kind in _types(schemas))

    def _values_of_type(self, kind: str, schemas: Sequence[Plain], path: Path, name: str) -> Iterator[Any]:
        match kind:
            case "object":
                return self._objects(schemas, path)
            case "array":
                return self._arrays(schemas, path, name)
            case "string":
                return islice(strings(schemas, name, self._spend), _MAX_TRIES)
            case "integer" | "number":
                return islice(numbers(schemas, is_integer=kind == "integer"), _MAX_TRIES)
        return iter([True, False] if kind == "boolean" else [None])

    # Arrays

    def _arrays(self, schemas: Sequence[Plain], path: Path, name: str) -> Iterator[list[Any]]:
        least, most = _bounds(schemas, "minItems", "maxItems")
        contained = _contained_schemas(schemas)
        usual = max(least, len(contained), max(len(_prefix(schema)) for schema in schemas))
        if usual == 0 and not self._parts.is_recursive({"allOf": _element_schemas(schemas, 0)}, path):
            usual = 1
        lengths = dict.fromkeys((min(usual, most), *range(least, least + 4)))
        for length in (int(length) for length in lengths if least <= length <= most):
            # Where the contained elements stand among those of `prefixItems`.
            for start in range(min(length - len(contained), _MAX_VARIANTS) + 1):
                try:
                    yield self._build_array(length, schemas, dict(enumerate(contained, start)), path, name)
                except NoSampleError:
                    self._use_steps(1)

    def _build_array(
        self, length: int, schemas: Sequence[Plain], contained: Mapping[int, Any], path: Path, name: str
    ) -> list[Any]:
        is_unique = any(schema.get("uniqueItems") for schema in schemas)
        elements: list[Any] = []
        for index in range(length):
            parts = _element_schemas(schemas, index) + ([contained[index]] if index in contained else [])
            elements.append(self._pick(parts, name, path, elements if is_unique else ()))
        return elements

    # Objects

    def _objects(self, schemas: Sequence[Plain], path: Path) -> Iterator[dict[str, Any]]:
        """Yield objects with all declared properties, then with the required ones only, each with some variants."""
        required = list(dict.fromkeys(name for schema in schemas for name in schema.get("required", ())))
        declared = list(dict.fromkeys(name for schema in schemas for name in schema.get("properties", ())))
        usual = [
            name
            for name in dict.fromkeys(declared + required)
            if name in required or not self._parts.is_recursive({"allOf": _property_schemas(schemas, name)}, path)
        ]
        for wanted in (usual, required):
            try:
                value = self._build_object(self._choose_names(wanted, schemas, required), schemas, path, required)
            except NoSampleError:
                self._use_steps(1)
                continue
            yield value
            for name in value:
                for other in islice(self._samples(_property_schemas(schemas, name), name, path), 1, _MAX_VARIANTS):
                    yield value | {name: other}

    def _build_object(
        self, names: Sequence[str], schemas: Sequence[Plain], path: Path, required: Sequence[str]
    ) -> dict[str, Any]:
        value = {}
        for name in names:
            try:
                value[name] = self._pick(_property_schemas(schemas, name), name, path)
            except NoSampleError:
                self._use_steps(1)
                if name in required:
                    raise
        return value

    def _choose_names(self, wanted: Sequence[str], schemas: Sequence[Plain], required: Sequence[str]) -> Sequence[str]:
        """Return the wanted names and those that they depend on, as many as there must and may be."""
        least, most = _bounds(schemas, "minProperties", "maxProperties")
        names = list(wanted)
        for name in names:  # The list grows meanwhile.
            for schema in schemas:
                depending = schema.get("dependentRequired", {}).get(name, ())
                names += [other for other in depending if other not in names]
        optional = [name for name in names if name not in required]
        spare = optional[max(int(min(most, len(names))) - len(required), 0) :]
        names = [name for name in names if name not in spare]
        missing = max(least - len(names), 0)
        self._use_steps(missing)
        return names + list(islice((name for name in self._new_names(schemas) if name not in names), missing))

    def _new_names(self, schemas: Sequence[Plain]) -> Iterator[str]:
        """Yield names of properties that are not declared."""
        for schema in schemas:
            for pattern in schema.get("patternProperties", ()):
                for text in islice(strings([{"pattern": pattern}], "property", self._spend), _MAX_TRIES):
                    yield from (f"{text}{number or ''}" for number in range(_MAX_TRIES))
        rules = [schema["propertyNames"] for schema in schemas if "propertyNames" in schema]
        for name in self._samples([{"type": "string"}, *rules], "property", ()):
            if isinstance(name, str):
                yield name


def _interleave(sources: Iterable[Iterator[Any]]) -> Iterator[Any]:
    """Yield values of all sources by turns; the second one is not touched before the first value is used."""
    opened: deque[Iterator[Any]] = deque()
    for source in sources:
        yield from islice(source, 1)
        if opened:
            yield from islice(opened[0], 1)
            opened.rotate(-1)
        opened.append(source)
    yield from chain.from_iterable(opened)


def _types(schemas: Sequence[Plain]) -> Sequence[str]:
    """Return the types that all of the schemas allow, null last; by default, first those that have their keywords."""
    allowed: list[str] | None = None
    for schema in schemas:
        if "type" in schema:
            kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
            allowed = kinds if allowed is None else _common_types(allowed, kinds)
    if allowed is None:
        keywords = {keyword for schema in schemas for keyword in schema}
        likely = [kind for kind, words in _TYPE_KEYWORDS.items() if not keywords.isdisjoint(words)]
        allowed = [*likely, *_ALL_TYPES]
    return sorted(dict.fromkeys(allowed), key=lambda kind: kind == "null")


def _common_types(one: Sequence[str], other: Sequence[str]) -> list[str]:
    """Return the types in both lists; an integer is a number."""
    both = [kind for kind in one if kind in other]
    return both or ["integer" for kind in (*one, *other) if kind == "integer" and "number" in (*one, *other)]


def _bounds(schemas: Sequence[Plain], minimum: str, maximum: str) -> tuple[int, float]:
    least = max((int(schema.get(minimum, 0)) for schema in schemas), default=0)
    return least, min((schema.get(maximum, inf) for schema in schemas), default=inf)


def _prefix(schema: Plain) -> Sequence[Any]:
    prefix: Sequence[Any] = schema.get("prefixItems", ())
    return prefix


def _element_schemas(schemas: Sequence[Plain], index: int) -> list[Any]:
    """Return the schemas of an element of an array."""
    parts = []
    for schema in schemas:
        if index < len(_prefix(schema)):
            parts.append(_prefix(schema)[index])
        elif "items" in schema:
            parts.append(schema["items"])
    return parts


def _contained_schemas(schemas: Sequence[Plain]) -> list[Any]:
    """Return each `contains` as often as elements of an array must conform to it."""
    counts: dict[str, tuple[Any, int]] = {}
    for schema in schemas:
        if "contains" in schema:
            contained = schema["contains"]
            _, number = counts.get(_identity(contained), (contained, 0))
            counts[_identity(contained)] = contained, max(number, int(schema.get("minContains", 1)))
    return [contained for contained, number in counts.values() for _ in range(min(number, _MAX_STEPS))]


def _property_schemas(schemas: Sequence[Plain], name: str) -> list[Any]:
    """Return the schemas of a property of an object."""
    parts = []
    for schema in schemas:
        properties, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        found = [properties[name]] if name in properties else []
        found += [part for pattern, part in patterns.items() if compile_pattern(pattern)(name)]
        if not found and "additionalProperties" in schema:
            found = [schema["additionalProperties"]]
        parts += found
    return parts


def _identity(value: Any) -> str:
    """Return a text that is equal for values that are equal in JSON, where 1 and 1.0 are the same."""
    return json.dumps(value, sort_keys=True).replace(".0", "")
