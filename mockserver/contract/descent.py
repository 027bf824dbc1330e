"""Descend from a schema and a value to the parts of both that belong together."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from mockserver.contract.tree import DocumentTree, reference_target
from mockserver.findings import escape_token

Members = Iterable[tuple[str | int, Any]]
"""The names or indices of some parts of a value, each with its part."""


class SchemaTree(DocumentTree, ABC):
    """A document whose schemas validate values; a schema is given by its JSON pointer."""

    @abstractmethod
    def is_valid_at(self, pointer: str) -> Callable[[Any], bool]:
        """Return the function that validates values with a schema."""

    @abstractmethod
    def breaks_keyword(self, pointer: str, keyword: str, value: Any) -> bool:
        """Whether a value breaks one keyword of a schema; the keyword must not contain schemas."""

    @abstractmethod
    def matches_pattern(self, pattern: str, name: str) -> bool:
        """Whether a name matches a regular expression of a document."""

    def always_included(self, pointer: str, schema: Mapping[str, Any]) -> Iterator[str]:
        """Yield the schemas that a schema applies to every value."""
        if "$ref" in schema:
            yield reference_target(schema["$ref"])
        for index in range(len(schema.get("allOf", ()))):
            yield f"{pointer}/allOf/{index}"

    def sometimes_included(
        self, pointer: str, schema: Mapping[str, Any]
    ) -> Iterator[tuple[str, Callable[[Any], bool]]]:
        """Yield the schemas that a schema applies to some values, each with the condition."""
        if "if" in schema:
            is_valid = self.is_valid_at(f"{pointer}/if")
            if "then" in schema:
                yield f"{pointer}/then", is_valid
            if "else" in schema:
                yield f"{pointer}/else", lambda value: not is_valid(value)
        for name in schema.get("dependentSchemas", ()):
            yield f"{pointer}/dependentSchemas/{escape_token(name)}", partial(_has_field, name)

    def members(self, pointer: str, schema: Mapping[str, Any], value: Any) -> Iterator[tuple[str, Members]]:
        """Yield the schemas that a schema applies to parts of a value, each with these parts."""
        if isinstance(value, list):
            first = schema.get("prefixItems", ())
            for index, part in enumerate(value[: len(first)]):
                yield f"{pointer}/prefixItems/{index}", [(index, part)]
            if "items" in schema:
                yield f"{pointer}/items", enumerate(value[len(first) :], len(first)) if first else enumerate(value)
        elif isinstance(value, dict):
            properties, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
            for name in properties:
                if name in value:
                    yield f"{pointer}/properties/{escape_token(name)}", [(name, value[name])]
            for pattern in patterns:
                matching = [(name, part) for name, part in value.items() if self.matches_pattern(pattern, name)]
                yield f"{pointer}/patternProperties/{escape_token(pattern)}", matching
            if "additionalProperties" in schema:
                yield f"{pointer}/additionalProperties", self.additional_members(schema, value)

    def additional_members(self, schema: Mapping[str, Any], value: Mapping[str, Any]) -> Members:
        """Yield the fields of an object to which `additionalProperties` applies."""
        properties, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        for name, part in value.items():
            if name not in properties and not any(self.matches_pattern(pattern, name) for pattern in patterns):
                yield name, part


def _has_field(name: str, value: Any) -> bool:
    return isinstance(value, dict) and name in value
