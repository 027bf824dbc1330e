"""Hold a response to its operation."""

from collections.abc import Iterable

from mockserver.contract import json_text
from mockserver.contract.findings import Finding, shown
from mockserver.contract.operations import Operation, Response, essence_of, is_json
from mockserver.contract.styles import value_of, wrong


def response_findings(
    operation: Operation, status: int, headers: Iterable[tuple[bytes, bytes]], content: bytes
) -> list[Finding]:
    """What is wrong with a whole response.

    `headers` are as ASGI gives them, names in lower case.
    """
    declared = operation.response(status)
    if declared is None:
        return [Finding("response", "status", "", f"the document does not know {status} here")]
    return declared_response_findings(declared, headers, content)


def declared_response_findings(
    declared: Response, headers: Iterable[tuple[bytes, bytes]], content: bytes
) -> list[Finding]:
    media_type = b""
    sent: dict[bytes, bytes] | None = {} if declared.headers else None
    for name, value in headers:
        if name == b"content-type":
            media_type = value
        if sent is not None:
            sent[name] = sent[name] + b", " + value if name in sent else value
    findings = _header_findings(declared, sent) if sent is not None else []
    return findings + _content_findings(declared, media_type, content)


def _header_findings(declared: Response, sent: dict[bytes, bytes]) -> list[Finding]:
    findings: list[Finding] = []
    for header in declared.headers:
        value = sent.get(header.name.lower().encode())
        if value is not None:
            value_of(header, [value.decode("latin-1")], findings, "response")
        elif header.required:
            findings.append(wrong(header, "is required", "response"))
    return findings


def _content_findings(declared: Response, media_type: bytes, content: bytes) -> list[Finding]:
    if not declared.content:
        return [Finding("response", "body", "", "must be empty")] if content else []
    essence = essence_of(media_type.decode("latin-1"))
    if essence not in declared.content:
        expected = " or ".join(declared.content)
        return [Finding("response", "header", "/Content-Type", f"must be {expected}, not {shown(essence)}")]
    schema = declared.content[essence]
    if not is_json(essence):
        return []
    try:
        value = json_text.parse_answer(content)
    except json_text.JsonError as error:
        return [Finding("response", "body", error.pointer, error.message)]
    if schema is None or schema.is_valid(value):
        return []
    return schema.findings(value, "response", "body")
