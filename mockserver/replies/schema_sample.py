"""JSON values that conform to a JSON schema."""

from collections.abc import Mapping
from typing import Any

_EMPTY = {"object": {}, "array": [], "string": "", "integer": 0, "number": 0, "boolean": False, "null": None}


def sample_of(schema: Mapping[str, Any]) -> Any:
    """Return a value that conforms to a schema of the simplest kind: the same one for the same schema."""
    for keyword in ("const", "default"):
        if keyword in schema:
            return schema[keyword]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: sample_of(part) for name, part in schema.get("properties", {}).items()}
    return _EMPTY[kind]
