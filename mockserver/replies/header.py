"""Replies that a request carries itself."""

from collections.abc import Mapping
from typing import Any

from mockserver.asgi import Headers
from mockserver.contract.contract import control_contract
from mockserver.errors import InvalidRequest
from mockserver.findings import Finding
from mockserver.mock_header import MockHeader
from mockserver.replies.model import PLANNING_FIELDS, Reply
from mockserver.replies.validator import ReplyValidator


class ReplyHeader:
    """Reads `X-Mock-Reply`, which needs the control token in `X-Mock-Token` if there is one."""

    def __init__(self, validator: ReplyValidator, token: str | None) -> None:
        self._validator = validator
        self._header = MockHeader("X-Mock-Reply", token)

    def read(self, headers: Headers) -> Reply | None:
        """Return the reply that a request carries, if it does.

        Raises:
            ControlTokenRequired: the token is missing.
            InvalidRequest: the reply is invalid, or there are several.
        """
        values = list(self._header.read(headers))
        if not values:
            return None
        pointer, data = self._header.pointer, values[0]
        schema = control_contract().schemas.at("/components/schemas/Reply")
        findings = schema.validate_strictly(data, "request", "header", pointer)
        findings = findings or _find_misplaced_fields(data, pointer)
        findings = findings or self._validator.find_mistakes(data, "header", pointer)
        if len(values) > 1:
            findings.append(Finding("request", "header", pointer, "duplicate_parameter", "must not be repeated"))
        if findings:
            raise InvalidRequest(findings)
        return Reply(data)


def _find_misplaced_fields(data: Mapping[str, Any], pointer: str) -> list[Finding]:
    message = "applies only to planned replies, not to a reply for one request"
    return [
        Finding("request", "header", f"{pointer}/{name}", "unknown_field", message)
        for name in PLANNING_FIELDS
        if name in data
    ]
