"""Schemas taken apart into plain ones, without references and combinations of schemas."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any
from urllib.parse import unquote

from jsonschema_rs import meta

from mockserver.findings import unescape_token

ROOT = "urn:schema"

Plain = Mapping[str, Any]
"""A schema of which only the keywords that contain no combinations and references count."""
Path = tuple[str, ...]
"""The references that have led to a schema."""

_LITERALS = ("const", "default", "enum", "examples")
_REFERENCES = ("$ref", "$dynamicRef")
_MAX_NESTING = 4
"""How often a schema may contain itself."""
_MAX_COMBINATIONS = 1000


class NoSampleError(Exception):
    """No conforming value was found."""


class SchemaParts:
    """A schema whose references are absolute, so that each of its parts can be compiled alone.

    Raises:
        NoSampleError: its keywords do not have the form of the latest draft.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.root = _make_absolute({key: value for key, value in schema.items() if key not in ("$id", "$schema")})
        if not meta.is_valid(self.root):
            raise NoSampleError

    def ways(self, schemas: Sequence[Any], path: Path) -> Iterator[tuple[list[Plain], Path]]:
        """Yield each way of conforming to all of the schemas: the plain schemas of one branch of each combination."""
        if not schemas:
            yield [], path
            return
        first, *rest = schemas
        if first is False:
            return
        if first is True:
            yield from self.ways(rest, path)
            return
        added = [*first.get("allOf", ()), *first.get("dependentSchemas", {}).values()]
        for reference in (first[keyword] for keyword in _REFERENCES if keyword in first):
            if path.count(reference) >= _MAX_NESTING:
                return
            path = (*path, reference)
            added.append(self._resolve(reference))
        for choice in self._choices(first, path):
            for plain, inner_path in self.ways([*added, *choice, *rest], path):
                yield [first, *plain], inner_path

    def is_recursive(self, schema: Any, path: Path) -> bool:
        """Return whether each way of conforming to a schema leads back to a schema that contains it."""
        if not isinstance(schema, Mapping):
            return False
        if schema.get("$ref") in path or any(self.is_recursive(part, path) for part in schema.get("allOf", ())):
            return True
        return any(all(self.is_recursive(branch, path) for branch in union) for union in _unions(schema))

    def _choices(self, schema: Mapping[str, Any], path: Path) -> Iterator[Sequence[Any]]:
        """Yield each combination of the branches of a schema; recursive branches come last."""
        unions = _unions(schema)
        if "if" in schema:
            unions.append([{"allOf": [schema["if"], schema.get("then", True)]}, schema.get("else", True)])
        if prod(map(len, unions)) > _MAX_COMBINATIONS:
            raise NoSampleError
        ordered = [sorted(union, key=lambda branch: self.is_recursive(branch, path)) for union in unions]
        return product(*ordered)

    def _resolve(self, reference: str) -> Any:
        node: Any = self.root
        for token in unquote(reference.removeprefix(f"{ROOT}#")).split("/")[1:]:
            try:
                node = node[int(token)] if isinstance(node, list) else node[unescape_token(token)]
            except (KeyError, IndexError, ValueError, TypeError):
                raise NoSampleError from None
        return node


def _unions(schema: Mapping[str, Any]) -> list[Sequence[Any]]:
    return [schema[keyword] for keyword in ("anyOf", "oneOf") if keyword in schema]


def _make_absolute(node: Any) -> Any:
    """Return a copy of a schema with absolute references, and with arrays as in the latest draft."""
    if isinstance(node, list):
        return [_make_absolute(child) for child in node]
    if not isinstance(node, dict):
        return node
    copy = {key: child if key in _LITERALS else _make_absolute(child) for key, child in node.items()}
    for keyword in _REFERENCES:
        if isinstance(copy.get(keyword), str) and copy[keyword].startswith("#"):
            copy[keyword] = ROOT + copy[keyword]
    if isinstance(copy.get("items"), list):
        copy["prefixItems"] = copy.pop("items")
        copy["items"] = copy.pop("additionalItems", True)
    return copy
