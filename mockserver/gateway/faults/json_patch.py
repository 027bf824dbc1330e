"""JSON Patch (RFC 6902) for faults, which must not fail."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from importlib import import_module
from typing import Any


def apply_patch(document: Any, operations: Sequence[Mapping[str, Any]]) -> Any:
    """Return a copy of `document` with the operations applied, except those whose target does not exist."""
    jsonpatch = import_module("jsonpatch")  # On demand, because few tests patch a response.
    document = deepcopy(document)  # Once: the library would copy it for each operation.
    for operation in operations:
        with suppress(jsonpatch.JsonPatchException, jsonpatch.JsonPointerException):
            document = jsonpatch.apply_patch(document, [operation], in_place=True)
    return document
