"""Compile the schemas of a document, and validate values with them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import Any
from urllib.parse import quote

from jsonschema_rs import Draft202012Validator, ReferencingError, Registry, ValidationError, meta

from mockserver.contract.descent import SchemaTree
from mockserver.contract.document import DocumentError
from mockserver.contract.explanations import explain
from mockserver.contract.tree import reference_target
from mockserver.contract.unknown_fields import UnknownField, UnknownFieldFinder, close_objects
from mockserver.findings import MAX_FINDINGS, Finding, Location, Side, escape_token, json_pointer

_DOCUMENT = "urn:openapi:document"
_CLOSED = "urn:openapi:closed"
_PLAIN_KEYWORDS = {"$ref", "type", "title", "description", "examples"}
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


class Schemas(SchemaTree):
    """All schemas of one document, each compiled on first use."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(document)
        self._known: dict[str, Schema] = {}
        self._keywords: dict[tuple[str, str], Callable[[Any], bool]] = {}
        self._patterns: dict[str, Callable[[Any], bool]] = {}

    def at(self, pointer: str) -> "Schema":
        """Return the schema at a JSON pointer of the document."""
        if pointer not in self._known:
            self._known[pointer] = Schema(self, pointer)
        return self._known[pointer]

    def check(self) -> None:
        """Check all components that are schemas, and compile all schemas that are known so far.

        Raises:
            DocumentError: one of them is not a valid schema.
        """
        for name, schema in self._document.get("components", {}).get("schemas", {}).items():
            _check_schema(f"/components/schemas/{escape_token(name)}", schema)
        for known in self._known.values():
            _check_schema(known.pointer, self.node(known.pointer))
            self.validator(known.pointer)

    def is_valid_at(self, pointer: str) -> Callable[[Any], bool]:
        """Return the function that validates values with a schema."""
        return self.at(pointer).is_valid

    def breaks_keyword(self, pointer: str, keyword: str, value: Any) -> bool:
        """Whether a value breaks one keyword of a schema; the keyword must not contain schemas."""
        at = pointer, keyword
        if at not in self._keywords:
            self._keywords[at] = Draft202012Validator({keyword: self.node(pointer)[keyword]}).is_valid
        return not self._keywords[at](value)

    def matches_pattern(self, pattern: str, name: str) -> bool:
        """Whether a name matches a regular expression of a document."""
        if pattern not in self._patterns:
            self._patterns[pattern] = Draft202012Validator({"pattern": pattern}).is_valid
        return self._patterns[pattern](name)

    @cached_property
    def unknown_field_finder(self) -> UnknownFieldFinder:
        """The finder of fields that no schema declares."""
        return UnknownFieldFinder(self, lambda pointer: self.at(pointer).is_valid_without_unknown_fields)

    def validator(self, pointer: str) -> Draft202012Validator:
        """Compile the schema at a JSON pointer.

        Raises:
            DocumentError: the schema cannot be compiled.
        """
        return self._compile(_DOCUMENT, pointer, self._registry)

    def closed_validator(self, pointer: str) -> Draft202012Validator:
        """Compile the schema at a JSON pointer so that it rejects fields that are not declared."""
        return self._compile(_CLOSED, pointer, self._closed_registry)

    @cached_property
    def _registry(self) -> Registry:
        return Registry([(_DOCUMENT, self._document)])

    @cached_property
    def _closed_registry(self) -> Registry:
        return Registry([(_CLOSED, close_objects(self._document))])

    def _compile(self, uri: str, pointer: str, registry: Registry) -> Draft202012Validator:
        reference = f"{uri}#{quote(pointer, safe='/~')}"
        try:
            return Draft202012Validator({"$ref": reference}, registry=registry)
        except ValidationError as error:
            reason = error.message.splitlines()[0]
            raise DocumentError(f"#{json_pointer(error.instance_path) or pointer}: {reason}") from error
        except (ReferencingError, ValueError) as error:
            raise DocumentError(f"#{pointer}: {str(error).splitlines()[0]}") from error


def _check_schema(pointer: str, schema: Any) -> None:
    """Check that a node is a schema at all: the compiler does not, for schemas in a registry.

    Raises:
        DocumentError: it is not a schema.
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
    """One schema, compiled on first use: `is_valid` is fast, `validate` explains what is wrong."""

    def __init__(self, schemas: Schemas, pointer: str) -> None:
        self._schemas = schemas
        self.pointer = pointer

    @cached_property
    def is_valid(self) -> Callable[[Any], bool]:
        """The function that validates a value."""
        return self._schemas.validator(self.pointer).is_valid

    @cached_property
    def is_valid_without_unknown_fields(self) -> Callable[[Any], bool]:
        """Compiled on first use: only the schemas of request bodies need it."""
        return self._schemas.closed_validator(self.pointer).is_valid

    @cached_property
    def json_types(self) -> frozenset[str]:
        """The JSON types that the schema can accept."""
        return self._schemas.json_types({"$ref": "#" + self.pointer})

    @cached_property
    def is_text(self) -> bool:
        """Whether the schema accepts strings only."""
        return self.json_types == {"string"}

    @cached_property
    def item_types(self) -> frozenset[str]:
        """The JSON types that an array's items can have."""
        return self._union_types(part["items"] for part in self._parts() if "items" in part)

    @cached_property
    def field_names(self) -> frozenset[str]:
        """The names of an object's declared fields."""
        return frozenset(name for part in self._parts() for name in part.get("properties", ()))

    @cached_property
    def field_defaults(self) -> Mapping[str, Any]:
        """The defaults of an object's declared fields that have one."""
        return {
            name: part["default"]
            for owner in self._parts()
            for name, field in owner.get("properties", {}).items()
            for part in self._schemas.flatten(field)
            if "default" in part
        }

    @cached_property
    def variants(self) -> Mapping[str, "Schema"]:
        """The branches of a union with a discriminator, by its value."""
        node = self._schemas.node(self.pointer)
        mapping: Mapping[str, str] = node.get("discriminator", {}).get("mapping", {})
        return {value: self._schemas.at(reference_target(reference)) for value, reference in mapping.items()}

    @cached_property
    def plain_text_fields(self) -> frozenset[str]:
        """The names of an object's fields for which every string is valid, and nothing else."""
        fields: dict[str, list[Mapping[str, Any]]] = {}
        for part in self._parts():
            for name, field in part.get("properties", {}).items():
                fields.setdefault(name, []).extend(self._schemas.flatten(field))
        return frozenset(
            name
            for name, parts in fields.items()
            if any("type" in part for part in parts)
            and all(part.keys() <= _PLAIN_KEYWORDS and part.get("type", "string") == "string" for part in parts)
        )

    def field_types(self, name: str) -> frozenset[str]:
        """Return the JSON types that an object's field can have."""
        return self._union_types(
            part["properties"][name] if name in part.get("properties", ()) else part["additionalProperties"]
            for part in self._parts()
            if name in part.get("properties", ()) or "additionalProperties" in part
        )

    @cached_property
    def secret_fields(self) -> frozenset[str]:
        """The names of an object's fields whose values are secrets (`format: password`)."""
        return frozenset(
            name
            for part in self._parts()
            for name, field in part.get("properties", {}).items()
            if any(branch.get("format") == "password" for branch in self._schemas.branches(field))
        )

    def _parts(self) -> Iterator[Mapping[str, Any]]:
        return self._schemas.branches({"$ref": "#" + self.pointer})

    def _union_types(self, schemas: Iterable[Any]) -> frozenset[str]:
        types = [self._schemas.json_types(schema) for schema in schemas]
        return frozenset().union(*types) if types else frozenset({"string"})

    def validate(self, value: Any, side: Side, location: Location, at: str = "") -> list[Finding]:
        """Return a finding for each of the first mistakes in `value`, in the branch of a union that was meant.

        `at` is put before every pointer.
        """
        if self.is_valid(value):
            return []
        return explain(self._schemas, self.pointer, value, side, location, at)

    def validate_strictly(self, value: Any, side: Side, location: Location, at: str = "") -> list[Finding]:
        """Return a finding for each mistake in `value`; fields that are not declared are mistakes, too."""
        return self.validate(value, side, location, at) or [
            finding._replace(pointer=at + finding.pointer)
            for finding in self.find_unknown_fields(value, side, location)
        ]

    def find_unknown_fields(
        self, value: Any, side: Side, location: Location, limit: int = MAX_FINDINGS
    ) -> list[Finding]:
        """Return a finding for each of the first fields of a valid `value` that no applied schema declares."""
        return [field.finding(self._schemas, side, location) for field in islice(self._unknown_fields(value), limit)]

    def remove_unknown_fields(self, value: Any, side: Side, location: Location) -> list[Finding]:
        """Remove all fields of a valid `value` that no applied schema declares; return findings for the first."""
        if self.is_valid_without_unknown_fields(value):
            return []
        findings: list[Finding] = []
        for field in self._unknown_fields(value):
            if len(findings) < MAX_FINDINGS:
                findings.append(field.finding(self._schemas, side, location))
            del field.owner[field.name]
        return findings

    def _unknown_fields(self, value: Any) -> Iterator[UnknownField]:
        return self._schemas.unknown_field_finder.find([self.pointer], value, [])
