"""Faults that a request asks for itself."""

import hmac
from collections.abc import Callable

from mockserver.asgi import Headers
from mockserver.contract import json_text
from mockserver.contract.schemas import Schema
from mockserver.errors import ControlTokenRequired, InvalidRequest
from mockserver.findings import Finding
from mockserver.gateway.faults.model import PLANNING_FIELDS, Fault

FAULT_HEADER = b"x-mock-fault"
_POINTER = "/X-Mock-Fault"
_TOKEN_HEADER = b"x-mock-token"


class FaultHeader:
    """Reads `X-Mock-Fault`, which needs the control token in `X-Mock-Token` if there is one.

    `load_schema` returns the schema of a fault; only requests with the header need it.
    """

    def __init__(self, load_schema: Callable[[], Schema], token: str | None) -> None:
        self._load_schema = load_schema
        self._token = token

    def read(self, headers: Headers) -> list[Fault]:
        """Return the faults that a request asks for.

        Raises:
            ControlTokenRequired: the token is missing.
            InvalidRequest: a fault is invalid.
        """
        if self._token is not None:
            sent = headers.get_all(_TOKEN_HEADER)
            if len(sent) != 1 or not hmac.compare_digest(sent[0], self._token.encode()):
                raise ControlTokenRequired("X-Mock-Fault needs the control token in the header `X-Mock-Token`.")
        return [self._parse(value) for value in headers.get_all(FAULT_HEADER)]

    def _parse(self, value: bytes) -> Fault:
        try:
            data = json_text.parse(value)
        except json_text.JsonError as error:
            finding = Finding("request", "header", _POINTER + error.pointer, error.code, error.message)
            raise InvalidRequest([finding]) from error
        findings = self._load_schema().validate_strictly(data, "request", "header", _POINTER)
        if not findings:
            message = "applies only to planned faults, not to a fault for one request"
            findings = [
                Finding("request", "header", f"{_POINTER}/{name}", "unknown_field", message)
                for name in PLANNING_FIELDS
                if name in data
            ]
        if not findings:
            fault = Fault.from_dict(data)
            findings = fault.validate("header", _POINTER)
        if findings:
            raise InvalidRequest(findings)
        return fault
