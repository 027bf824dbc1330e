"""Validate a response against its operation."""

from collections.abc import Iterable

from mockserver.contract import json_text
from mockserver.contract.operations import Operation, Response, media_type_essence
from mockserver.contract.parameters import read_parameter
from mockserver.findings import Finding, describe


def validate_response(
    operation: Operation, status: int, headers: Iterable[tuple[bytes, bytes]], content: bytes
) -> list[Finding]:
    """Return a finding for each mistake in a complete response.

    `headers` are pairs as in ASGI, names in lower case.
    """
    declared = operation.response(status)
    if declared is None:
        message = f"{status} is not declared for this operation"
        return [Finding("response", "status", "", "undeclared_status", message)]
    sent: dict[bytes, bytes] = {}
    for name, value in headers:
        sent[name] = sent[name] + b", " + value if name in sent else value
    findings = _validate_headers(declared, sent) if declared.headers else []
    if not declared.content:
        return (
            [*findings, Finding("response", "body", "", "unexpected_body", "must be empty")] if content else findings
        )
    essence = sent.get(b"content-type", b"").decode("latin-1")
    if essence not in declared.content:  # Usually it is there as it stands.
        essence = media_type_essence(essence)
    if essence not in declared.content:
        message = f"must be {' or '.join(declared.content)}, not {describe(essence)}"
        return [*findings, Finding("response", "header", "/Content-Type", "unexpected_content_type", message)]
    try:
        body = json_text.parse_response(content)
    except json_text.JsonError as error:
        return [*findings, Finding("response", "body", error.pointer, error.code, error.message)]
    schema = declared.content[essence]
    if not schema.is_valid(body):
        findings += schema.validate(body, "response", "body")
    return findings


def _validate_headers(declared: Response, sent: dict[bytes, bytes]) -> list[Finding]:
    findings: list[Finding] = []
    for header in declared.headers:
        value = sent.get(header.name.lower().encode())
        if value is not None:
            read_parameter(header, [value.decode("latin-1")], findings, "response")
        elif header.required:
            findings.append(header.finding("required", "is required", "response"))
    return findings
