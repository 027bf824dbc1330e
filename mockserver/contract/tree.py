"""Find nodes of a document by JSON pointer, and what its schemas say once references are followed."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from mockserver.contract.document import DocumentError
from mockserver.findings import unescape_token

JSON_TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")


def reference_target(reference: str) -> str:
    """Return the JSON pointer that a reference within a document leads to."""
    return unquote(reference.removeprefix("#"))


class DocumentTree:
    """A document as a tree of nodes; a reference in it is `#` with a JSON pointer."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._nodes: dict[str, Any] = {}

    def node(self, pointer: str) -> Any:
        """Return the node at a JSON pointer.

        Raises:
            DocumentError: there is no such node.
        """
        if pointer not in self._nodes:
            self._nodes[pointer] = self._find(pointer)
        return self._nodes[pointer]

    def _find(self, pointer: str) -> Any:
        node: Any = self._document
        try:
            for token in pointer.split("/")[1:]:
                key = unescape_token(token)
                node = node[int(key)] if isinstance(node, list) else node[key]
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise DocumentError(f"#{pointer}: there is no such place") from error
        return node

    def resolve(self, pointer: str) -> str:
        """Return the pointer of a node, or of the node that it refers to."""
        node = self.node(pointer)
        while "$ref" in node:
            pointer = reference_target(node["$ref"])
            node = self.node(pointer)
        return pointer

    def flatten(self, schema: Any) -> Iterator[Mapping[str, Any]]:
        """Yield a schema and all schemas that it includes by `$ref` and `allOf`."""
        if not isinstance(schema, dict):
            return
        yield schema
        if "$ref" in schema:
            yield from self.flatten(self.node(reference_target(schema["$ref"])))
        for part in schema.get("allOf", ()):
            yield from self.flatten(part)

    def branches(self, schema: Any) -> Iterator[Mapping[str, Any]]:
        """Yield a schema, all that it includes, and all branches of its unions."""
        for part in self.flatten(schema):
            yield part
            for union in ("anyOf", "oneOf"):
                for branch in part.get(union, ()):
                    yield from self.branches(branch)

    def declared_fields(self, schema: Any) -> set[str]:
        """Return the names in `properties` of a schema and of all schemas that it includes."""
        return {name for part in self.flatten(schema) for name in part.get("properties", ())}

    def json_types(self, schema: Any) -> frozenset[str]:
        """Return the JSON types that a schema can accept, as far as its `type` keywords tell."""
        accepted = frozenset(JSON_TYPES)
        for part in self.flatten(schema):
            if "type" in part:
                names = part["type"] if isinstance(part["type"], list) else [part["type"]]
                accepted &= frozenset(names) | ({"integer"} if "number" in names else frozenset())
            for union in ("anyOf", "oneOf"):
                if union in part:
                    accepted &= frozenset().union(*(self.json_types(branch) for branch in part[union]))
        return accepted
