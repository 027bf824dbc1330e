"""The rules of replies that their schema cannot express."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jsonschema_rs import ValidationError

from mockserver.contract.contract import control_contract
from mockserver.contract.spelling import suggest
from mockserver.findings import Code, Finding, Location, describe
from mockserver.replies.items import OUTPUT_TYPES, complete_items
from mockserver.replies.model import CONTENT_FIELDS, MESSAGE_FIELDS, PLANNING_FIELDS, SHORT_FIELDS
from mockserver.replies.patterns import compile_pattern

FindFaultMistakes = Callable[[Mapping[str, Any], Location, str], list[Finding]]
"""Returns the mistakes of a fault within a reply, at a pointer in a location."""

_OUTPUT_MESSAGE = "/components/schemas/OutputMessage"
_ITEM = "/components/schemas/Item"


class ReplyValidator:
    """Finds mistakes in replies that conform to their schema."""

    def __init__(self, find_fault_mistakes: FindFaultMistakes) -> None:
        self._find_fault_mistakes = find_fault_mistakes

    def find_mistakes(self, reply: Mapping[str, Any], location: Location, pointer: str = "") -> list[Finding]:
        """Return a finding for each mistake of the reply at `pointer` in `location`."""
        findings = [
            Finding("request", location, pointer + at, code, message) for at, code, message in _find_conflicts(reply)
        ]
        findings += _find_item_mistakes(reply.get("items", ()), location, f"{pointer}/items")
        if "fault" in reply:
            findings += self._find_fault_mistakes(reply["fault"], location, f"{pointer}/fault")
        return findings


def _find_conflicts(reply: Mapping[str, Any]) -> Iterator[tuple[str, Code, str]]:
    if reply.keys() <= {*PLANNING_FIELDS, "key"}:
        yield "", "invalid_reply", f"must set at least one of {', '.join(CONTENT_FIELDS)}, failed, fault or a delay"
    first, *others = [name for name in MESSAGE_FIELDS if name in reply] or [""]
    for name in others:
        yield f"/{name}", "invalid_reply", f"cannot be combined with {first}"
    for name in SHORT_FIELDS if "items" in reply else ():
        if name in reply:
            yield f"/{name}", "invalid_reply", "cannot be combined with items"
    if "failed" in reply and "incomplete" in reply:
        yield "/failed", "invalid_reply", "cannot be combined with incomplete"
    if "input_regex" in reply:
        try:
            compile_pattern(reply["input_regex"])
        except ValidationError:
            yield "/input_regex", "invalid_reply", "is not a regular expression"


def _find_item_mistakes(items: list[dict[str, Any]], location: Location, pointer: str) -> Iterator[Finding]:
    schemas = control_contract().schemas
    for index, item in enumerate(complete_items(items, lambda prefix: prefix)):
        at = f"{pointer}/{index}"
        kind = item["type"]
        if kind in OUTPUT_TYPES:
            schema = schemas.at(_OUTPUT_MESSAGE if kind == "message" else _ITEM)
            yield from schema.validate_strictly({"id": "generated", **item}, "request", location, at)
        else:
            message = f"must be one of {', '.join(OUTPUT_TYPES)}, not {describe(kind)}{suggest(kind, OUTPUT_TYPES)}"
            yield Finding("request", location, f"{at}/type", "enum", message)
