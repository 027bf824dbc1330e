"""Variants of the document: at the target's address, without security, open to unknown values."""

from typing import Any

from mockserver.contract.document import is_literal, is_map
from mockserver.settings import API_PATH, AUTHENTICATION_PATH

RESPONSES_TAG = "Responses"


def relocate_document(document: dict[str, Any], base_url: str, prefix: str, *, responses: bool) -> dict[str, Any]:
    """Return the document with its paths under `prefix` and `base_url` as its only server.

    It has the operations of the Responses resource, which cost money, only with `responses`. It lacks those that issue
    tokens: a run must leave nothing behind that acts for an account.
    """
    paths = {}
    for path, item in document["paths"].items():
        if path.startswith(AUTHENTICATION_PATH):
            continue
        kept = {
            name: node
            for name, node in item.items()
            if responses or not isinstance(node, dict) or RESPONSES_TAG not in node.get("tags", ())
        }
        if any(isinstance(node, dict) and "responses" in node for node in kept.values()):
            paths[prefix + path.removeprefix(API_PATH)] = kept
    return {**document, "paths": paths, "servers": [{"url": base_url}]}


def remove_security(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document without its security requirements."""
    paths = {
        path: {
            name: {key: value for key, value in node.items() if key != "security"} if isinstance(node, dict) else node
            for name, node in item.items()
        }
        for path, item in document["paths"].items()
    }
    return {key: value for key, value in document.items() if key != "security"} | {"paths": paths}


def allow_unknown_values(node: Any, *, names: bool = False) -> Any:
    """Return a copy that accepts unknown values wherever it says `x-speakeasy-unknown-values: allow`.

    There, an enum accepts any value of its type, and a union any object with an unknown discriminator. With `names`,
    the keys of `node` are names of properties or schemas, not keywords.
    """
    if isinstance(node, list):
        return [allow_unknown_values(child) for child in node]
    if not isinstance(node, dict):
        return node
    copy = {
        key: child
        if not names and is_literal(str(key), child)
        else allow_unknown_values(child, names=not names and is_map(key, child))
        for key, child in node.items()
    }
    if names or node.get("x-speakeasy-unknown-values") != "allow":
        return copy
    copy.pop("enum", None)
    if "discriminator" in node:
        tag = node["discriminator"]["propertyName"]
        unknown = {"type": "string", "not": {"enum": list(node["discriminator"]["mapping"])}}
        union = "oneOf" if "oneOf" in node else "anyOf"
        copy[union].append({"type": "object", "required": [tag], "properties": {tag: unknown}})
        del copy["discriminator"]
    return copy
