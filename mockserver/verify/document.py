"""The document as a run uses it: at the target's address, and in a form that is open to what may yet come."""

from typing import Any

from mockserver.conformance.paths import PREFIX
from mockserver.contract.document import is_literal, is_map

RESPONSES_TAG = "Responses"


def relocate_document(document: dict[str, Any], base_url: str, prefix: str, *, responses: bool) -> dict[str, Any]:
    """The document for a target: its paths under `prefix`, its one server at `base_url`.

    Operations of the Responses resource, which cost money, are in it only with `responses`.
    """
    paths = {}
    for path, item in document["paths"].items():
        kept = {
            name: node
            for name, node in item.items()
            if responses or not isinstance(node, dict) or RESPONSES_TAG not in node.get("tags", ())
        }
        if any(isinstance(node, dict) and "responses" in node for node in kept.values()):
            paths[prefix + path.removeprefix(PREFIX)] = kept
    return {**document, "paths": paths, "servers": [{"url": base_url}]}


def has_responses(document: dict[str, Any]) -> bool:
    """Whether the document describes the Responses resource."""
    nodes = [node for item in document["paths"].values() for node in item.values() if isinstance(node, dict)]
    return any(RESPONSES_TAG in node.get("tags", ()) for node in nodes)


def remove_security(document: dict[str, Any]) -> dict[str, Any]:
    """The document of an API that wants no key."""
    paths = {
        path: {
            name: {key: value for key, value in node.items() if key != "security"} if isinstance(node, dict) else node
            for name, node in item.items()
        }
        for path, item in document["paths"].items()
    }
    return {key: value for key, value in document.items() if key != "security"} | {"paths": paths}


def allow_unknown_values(node: Any, *, names: bool = False) -> Any:
    """A copy in which what is marked `x-speakeasy-unknown-values: allow` takes unknown values.

    A list of values takes any value of its type; a union takes an object whose discriminator names none of its kinds.
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
