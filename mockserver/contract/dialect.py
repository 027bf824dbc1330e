"""Reject documents whose schemas mean something else than JSON Schema 2020-12."""

import re
from typing import Any

from mockserver.contract.document import DocumentError, is_literal, is_map
from mockserver.findings import escape_token

_BASE_DIALECT = "https://spec.openapis.org/oas/3.1/dialect/base"
_DIALECTS = frozenset(
    [
        "https://json-schema.org/draft/2020-12/schema",
        _BASE_DIALECT,
        "https://spec.openapis.org/oas/3.1/dialect/2024-11-10",
    ]
)
_UNSUPPORTED = frozenset(
    {"$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$vocabulary"}
)


def check_dialect(document: dict[str, Any]) -> None:
    """Check the version of a document and the keywords that could change what a schema means.

    Raises:
        DocumentError: one of them is not supported.
    """
    version = document.get("openapi")
    if not isinstance(version, str) or not re.fullmatch(r"3\.1\.\d+(-.+)?", version):
        raise DocumentError(f"#/openapi: version {version} is not supported; use 3.1")
    dialect = document.get("jsonSchemaDialect", _BASE_DIALECT)
    if dialect not in _DIALECTS:
        raise DocumentError(f"#/jsonSchemaDialect: {dialect} is not supported")
    _check_keywords(document, "", names=False)


def _check_keywords(node: Any, at: str, *, names: bool) -> None:
    """Reject keywords that move a schema or its vocabulary; `names` says that the keys of `node` are names."""
    if isinstance(node, list):
        for index, child in enumerate(node):
            _check_keywords(child, f"{at}/{index}", names=False)
    if not isinstance(node, dict):
        return
    for key, child in node.items():
        here = f"{at}/{escape_token(str(key))}"
        if names:
            _check_keywords(child, here, names=False)
            continue
        if key in _UNSUPPORTED or (key == "$schema" and child not in _DIALECTS):
            raise DocumentError(f"#{here}: {key} is not supported")
        if key == "$ref" and isinstance(child, str) and not child.startswith("#/"):
            raise DocumentError(f"#{here}: {child} refers to another document")
        if not is_literal(str(key), child):
            _check_keywords(child, here, names=is_map(key, child))
