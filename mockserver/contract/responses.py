"""Hold a response to its operation."""

from collections.abc import Iterable

from mockserver.contract import json_text
from mockserver.contract.operations import Operation, Response, essence_of, is_json
from mockserver.contract.parameters import value_of, wrong
from mockserver.findings import Finding, shown


def response_findings(
    operation: Operation, status: int, headers: Iterable[tuple[bytes, bytes]], content: bytes
) -> list[Finding]:
    """What is wrong with a whole response.

    `headers` are as ASGI gives them, names in lower case.
    """
    declared = operation.response(status)
    if declared is None:
        return [Finding("response", "status", "", "undeclared_status", f"the document does not know {status} here")]
    sent: dict[bytes, bytes] = {}
    for name, value in headers:
        sent[name] = sent[name] + b", " + value if name in sent else value
    findings = _header_findings(declared, sent) if declared.headers else []
    if not declared.content:
        return (
            [*findings, Finding("response", "body", "", "unexpected_body", "must be empty")] if content else findings
        )
    essence = essence_of(sent.get(b"content-type", b"").decode("latin-1"))
    if essence not in declared.content:
        expected = " or ".join(declared.content)
        message = f"must be {expected}, not {shown(essence)}"
        return [*findings, Finding("response", "header", "/Content-Type", "unexpected_content_type", message)]
    if not is_json(essence):
        return findings
    try:
        value = json_text.parse_answer(content)
    except json_text.JsonError as error:
        return [*findings, Finding("response", "body", error.pointer, error.code, error.message)]
    schema = declared.content[essence]
    if schema is not None and not schema.is_valid(value):
        findings += schema.findings(value, "response", "body")
    return findings


def _header_findings(declared: Response, sent: dict[bytes, bytes]) -> list[Finding]:
    findings: list[Finding] = []
    for header in declared.headers:
        value = sent.get(header.name.lower().encode())
        if value is not None:
            value_of(header, [value.decode("latin-1")], findings, "response")
        elif header.required:
            findings.append(wrong(header, "required", "is required", "response"))
    return findings
