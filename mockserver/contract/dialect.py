"""What each version of OpenAPI means by a schema, said in JSON Schema 2020-12."""

import re
from collections.abc import Callable
from typing import Any, Literal

from mockserver.contract.document import DocumentError, is_literal, is_map
from mockserver.findings import escape_token, unescape_token

Side = Literal["request", "response"]

_DIALECTS = frozenset(
    [
        "https://json-schema.org/draft/2020-12/schema",
        "https://spec.openapis.org/oas/3.1/dialect/base",
        "https://spec.openapis.org/oas/3.1/dialect/2024-11-10",
    ]
)
_UNSUPPORTED = frozenset(
    {"$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$vocabulary"}
)
_UNKNOWN_TO_3_0 = frozenset(
    {"const", "if", "then", "else", "contains", "patternProperties", "propertyNames", "prefixItems", "$defs"}
) | {"dependentRequired", "dependentSchemas", "unevaluatedItems", "unevaluatedProperties"}


def check_support(document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The document with its schemas as JSON Schema 2020-12 means them: for requests, and for responses.

    The two are one and the same, unless a 3.0 document has fields that are read-only or write-only.

    Raises:
        DocumentError: the version, or a keyword that could change the meaning of a schema, is not supported.
    """
    version = document.get("openapi")
    if "swagger" in document:
        raise DocumentError(f"#/swagger: Swagger {document['swagger']} is not supported; OpenAPI 3.0 and 3.1 are")
    if not isinstance(version, str) or not re.fullmatch(r"3\.[01]\.\d+(-.+)?", version):
        raise DocumentError(f"#/openapi: version {version} is not supported; 3.0 and 3.1 are")
    dialect = document.get("jsonSchemaDialect", "https://spec.openapis.org/oas/3.1/dialect/base")
    if dialect not in _DIALECTS:
        raise DocumentError(f"#/jsonSchemaDialect: {dialect} is not supported")
    _check(document, "", names=False)
    if version.startswith("3.1"):
        return document, document
    request, response = (_Reader30(document, side) for side in ("request", "response"))
    return request.document, response.document if request.has_sides else request.document


def _check(node: Any, at: str, *, names: bool) -> None:
    """Refuse the keywords that tell where a schema is or what its keywords mean: all here is `#/...` and 2020-12."""
    if isinstance(node, list):
        for index, child in enumerate(node):
            _check(child, f"{at}/{index}", names=False)
    if not isinstance(node, dict):
        return
    for key, child in node.items():
        here = f"{at}/{escape_token(str(key))}"
        if names:
            _check(child, here, names=False)
            continue
        if key in _UNSUPPORTED or (key == "$schema" and child not in _DIALECTS):
            raise DocumentError(f"#{here}: {key} is not supported")
        if key == "$ref" and isinstance(child, str) and not child.startswith("#/"):
            raise DocumentError(f"#{here}: {child} leads out of the document")
        if not is_literal(str(key), child):
            _check(child, here, names=is_map(key, child))


class _Reader30:
    """An OpenAPI 3.0 document, its schemas rewritten for one side."""

    def __init__(self, document: dict[str, Any], side: Side) -> None:
        self._source = document
        self._not_for_this_side = "readOnly" if side == "request" else "writeOnly"
        self.has_sides = False
        self.document: dict[str, Any] = self._object(document, "", names=False)

    def _object(self, node: Any, at: str, *, names: bool) -> Any:
        """What is no schema: a copy, the schemas in it rewritten."""
        if isinstance(node, list):
            return [self._object(child, f"{at}/{index}", names=False) for index, child in enumerate(node)]
        if not isinstance(node, dict):
            return node
        copy = {}
        for key, child in node.items():
            here = f"{at}/{escape_token(str(key))}"
            if at == "/components/schemas" or (key == "schema" and not names):
                copy[key] = self._schema(child, here)
            elif not names and is_literal(str(key), child):
                copy[key] = child
            else:
                copy[key] = self._object(child, here, names=not names and is_map(key, child))
        return copy

    def _schema(self, node: Any, at: str) -> Any:
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return {"$ref": node["$ref"]}  # In 3.0, what stands beside it is ignored.
        for key in node:
            if key in _UNKNOWN_TO_3_0:
                raise DocumentError(f"#{at}/{key}: OpenAPI 3.0 does not know this keyword")
        if isinstance(node.get("type"), list):
            raise DocumentError(f"#{at}/type: must be one type in OpenAPI 3.0")
        if node.get("readOnly") or node.get("writeOnly"):
            self.has_sides = True
            if node.get(self._not_for_this_side):
                return {self._not_for_this_side: True, "not": {}}
        schema = {key: self._keyword(key, child, f"{at}/{key}") for key, child in node.items() if key != "nullable"}
        if node.get("nullable") is True and "type" in node:
            schema["type"] = [node["type"], "null"]
        for bound in ("Minimum", "Maximum"):
            exclusive = schema.pop(f"exclusive{bound}", False)
            if exclusive and bound.lower() in schema:
                schema[f"exclusive{bound}"] = schema.pop(bound.lower())
        if "required" in schema:
            schema["required"] = [name for name in schema["required"] if self._is_for_this_side(node, name)]
        return schema

    def _keyword(self, key: str, child: Any, at: str) -> Any:
        read: Callable[[Any, str], Any] = self._schema
        if key == "properties":
            return {name: read(schema, f"{at}/{escape_token(name)}") for name, schema in child.items()}
        if key in ("allOf", "anyOf", "oneOf"):
            return [read(schema, f"{at}/{index}") for index, schema in enumerate(child)]
        return read(child, at) if key in ("items", "not", "additionalProperties") else child

    def _is_for_this_side(self, owner: dict[str, Any], name: str) -> bool:
        schema = owner.get("properties", {}).get(name, {})
        while "$ref" in schema:
            schema = self._node(schema["$ref"])
        return not schema.get(self._not_for_this_side)

    def _node(self, reference: str) -> Any:
        node: Any = self._source
        for token in reference.removeprefix("#/").split("/"):
            key = unescape_token(token)
            try:
                node = node[int(key)] if isinstance(node, list) else node[key]
            except (KeyError, IndexError, ValueError, TypeError) as error:
                raise DocumentError(f"{reference}: there is no such place") from error
        return node
