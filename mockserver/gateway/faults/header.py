"""Faults that a request asks for itself."""

from collections.abc import Callable
from typing import Any

from mockserver.asgi import Headers
from mockserver.contract.schemas import Schema
from mockserver.errors import InvalidRequest
from mockserver.gateway.faults.model import Fault, find_inline_mistakes
from mockserver.mock_header import MockHeader

FAULT_HEADER = b"x-mock-fault"


class FaultHeader:
    """Reads `X-Mock-Fault`, which needs the control token in `X-Mock-Token` if there is one.

    `load_schema` returns the schema of a fault; only requests with the header need it.
    """

    def __init__(self, load_schema: Callable[[], Schema], token: str | None) -> None:
        self._load_schema = load_schema
        self._header = MockHeader("X-Mock-Fault", token)

    def read(self, headers: Headers) -> list[Fault]:
        """Return the faults that a request asks for.

        Raises:
            ControlTokenRequired: the token is missing.
            InvalidRequest: a fault is invalid.
        """
        return [self._build_fault(data) for data in self._header.read(headers)]

    def _build_fault(self, data: Any) -> Fault:
        pointer = self._header.pointer
        findings = self._load_schema().validate_strictly(data, "request", "header", pointer)
        findings = findings or find_inline_mistakes(data, "header", pointer)
        if findings:
            raise InvalidRequest(findings)
        return Fault.from_dict(data)
