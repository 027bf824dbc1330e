"""Validate a response against its operation."""

from collections.abc import Iterable

from mockserver.contract import json_text
from mockserver.contract.operations import EVENT_STREAM, Operation, Response, media_type_essence
from mockserver.contract.parameters import read_parameter
from mockserver.contract.schemas import Schema
from mockserver.findings import Finding, describe


def validate_response(
    operation: Operation, status: int, headers: Iterable[tuple[bytes, bytes]], content: bytes
) -> list[Finding]:
    """Return a finding for each mistake in a complete response.

    `headers` are pairs as in ASGI, names in lower case.
    """
    declared, essence, findings = _validate_head(operation, status, headers)
    if declared is None:
        return findings
    if not declared.content:
        return (
            [*findings, Finding("response", "body", "", "unexpected_body", "must be empty")] if content else findings
        )
    if essence not in declared.content:
        return [*findings, _unexpected_content_type(declared.content, essence)]
    try:
        body = json_text.parse_response(content)
    except json_text.JsonError as error:
        return [*findings, Finding("response", "body", error.pointer, error.code, error.message)]
    schema = declared.content[essence]
    if not schema.is_valid(body):
        findings += schema.validate(body, "response", "body")
    return findings


def validate_stream_head(operation: Operation, status: int, headers: Iterable[tuple[bytes, bytes]]) -> list[Finding]:
    """Return a finding for each mistake in the status and the headers of an event stream."""
    declared, essence, findings = _validate_head(operation, status, headers)
    if declared is not None and (declared.events is None or essence != EVENT_STREAM):
        findings.append(_unexpected_content_type(declared.content, essence))
    return findings


def event_schema(operation: Operation, status: int) -> Schema:
    """Return the schema of the events in a stream whose head is valid."""
    declared = operation.response(status)
    if declared is None or declared.events is None:
        raise ValueError(f"{operation.id} has no event stream with the status {status}")
    return declared.events


def _validate_head(
    operation: Operation, status: int, headers: Iterable[tuple[bytes, bytes]]
) -> tuple[Response | None, str, list[Finding]]:
    """Return the declared response, the media type that was sent, and a finding for each mistake."""
    declared = operation.response(status)
    if declared is None:
        message = f"{status} is not declared for this operation"
        return None, "", [Finding("response", "status", "", "undeclared_status", message)]
    sent: dict[bytes, bytes] = {}
    for name, value in headers:
        sent[name] = sent[name] + b", " + value if name in sent else value
    findings = _validate_headers(declared, sent) if declared.headers else []
    media_type = sent.get(b"content-type", b"").decode("latin-1")
    if media_type not in declared.content:  # Usually it is there as it stands.
        media_type = media_type_essence(media_type)
    return declared, media_type, findings


def _unexpected_content_type(content: Iterable[str], essence: str) -> Finding:
    message = f"must be {' or '.join(content)}, not {describe(essence)}"
    return Finding("response", "header", "/Content-Type", "unexpected_content_type", message)


def _validate_headers(declared: Response, sent: dict[bytes, bytes]) -> list[Finding]:
    findings: list[Finding] = []
    for header in declared.headers:
        value = sent.get(header.name.lower().encode())
        if value is not None:
            read_parameter(header, [value.decode("latin-1")], findings, "response")
        elif header.required:
            findings.append(header.finding("required", "is required", "response"))
    return findings
