"""Validate a request against its operation."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

from mockserver.contract import json_text
from mockserver.contract.operations import Operation, Parameter, media_type_essence
from mockserver.contract.parameters import read_object, read_parameter
from mockserver.findings import Finding


class Parameters(NamedTuple):
    """Declared parameters by name, decoded; and the query pairs that belong to none of them, in the order sent."""

    path: dict[str, Any]
    query: dict[str, Any]
    header: dict[str, Any]
    undeclared_query: list[tuple[str, str]]


class CompiledRequestValidator:
    """Validates the requests of one operation with compiled schemas."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        by_location: dict[str, list[Parameter]] = {"path": [], "query": [], "header": []}
        for parameter in operation.parameters:
            by_location[parameter.location].append(parameter)
        self._path = by_location["path"]
        self._query = by_location["query"]
        self._headers = [(parameter, parameter.name.lower().encode()) for parameter in by_location["header"]]
        self._query_defaults = {p.name: p.default for p in self._query if p.has_default}
        self._header_defaults = {p.name: p.default for p in by_location["header"] if p.has_default}
        self._schemas = operation.body_content
        self._required_query = any(parameter.required for parameter in self._query)

    def validate_parameters(
        self,
        raw_path: Mapping[str, str],
        query_string: bytes,
        headers: Callable[[bytes], list[bytes]],
    ) -> tuple[Parameters, list[Finding]]:
        """Return the decoded parameters, and a finding for each mistake.

        `raw_path` has the values of the path, still percent-encoded; `headers` returns all values of a header, by its
        name in lower case.
        """
        findings: list[Finding] = []
        path = self._read_path(raw_path, findings)
        header = self._read_headers(headers, findings)
        if query_string or self._required_query:
            query, undeclared = self._read_query(query_string, findings)
        else:
            query, undeclared = self._query_defaults.copy(), []
        return Parameters(path, query, header, undeclared), findings

    def match_media_type(self, content_type: str) -> str | None:
        """Return the declared media type of a `Content-Type` header."""
        if content_type in self._schemas:  # The usual case, for which parsing the header would take too long.
            return content_type
        essence = media_type_essence(content_type)
        return essence if essence in self._schemas else None

    def validate_body(self, content: bytes, media_type: str = "application/json") -> tuple[Any, list[Finding]]:
        """Return the parsed body, and a finding for each mistake."""
        if not content.strip():
            if self._operation.body_required:
                return None, [Finding("request", "body", "", "required", "is required")]
            return None, []
        try:
            value = json_text.parse(content)
        except json_text.JsonError as error:
            return None, [Finding("request", "body", error.pointer, error.code, error.message)]
        schema = self._schemas[media_type]
        if schema.is_valid(value):
            return value, []
        return value, schema.validate(value, "request", "body")

    def remove_unknown_fields(self, body: Any, media_type: str = "application/json") -> list[Finding]:
        """Remove the fields of a valid body that the document does not declare; return findings for the first."""
        return self._schemas[media_type].remove_unknown_fields(body, "request", "body")

    def _read_path(self, raw: Mapping[str, str], findings: list[Finding]) -> dict[str, Any]:
        values = {}
        for parameter in self._path:
            text = raw[parameter.name]
            try:
                text = unquote(text, errors="strict") if "%" in text else text
            except UnicodeDecodeError:
                findings.append(parameter.finding("invalid_encoding", "is not UTF-8"))
            else:
                values[parameter.name] = read_parameter(parameter, [text], findings)
        return values

    def _read_headers(self, headers: Callable[[bytes], list[bytes]], findings: list[Finding]) -> dict[str, Any]:
        values = self._header_defaults.copy()
        for parameter, name in self._headers:
            sent = headers(name)
            if sent:
                values[parameter.name] = read_parameter(parameter, list(map(decode_header, sent)), findings)
            elif parameter.required:
                findings.append(parameter.finding("required", "is required"))
        return values

    def _read_query(
        self, query_string: bytes, findings: list[Finding]
    ) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        values = self._query_defaults.copy()
        try:
            pairs = parse_qsl(query_string.decode(), keep_blank_values=True, errors="strict")
        except UnicodeDecodeError:
            findings.append(Finding("request", "query", "", "invalid_encoding", "is not UTF-8"))
            return values, []
        sent: dict[str, list[str]] = {}
        for name, text in pairs:
            sent.setdefault(name, []).append(text)
        spread = None
        for parameter in self._query:
            texts = sent.pop(parameter.name, None)
            if texts is not None:
                values[parameter.name] = read_parameter(parameter, texts, findings)
            elif "object" in parameter.schema.json_types:
                spread = parameter  # Its fields are parameters of their own.
            elif parameter.required:
                findings.append(parameter.finding("required", "is required"))
        undeclared = [(name, text) for name, text in pairs if name in sent]
        if spread is not None and undeclared:
            values[spread.name] = read_object(spread, undeclared, findings)
        elif spread is not None and spread.required:
            findings.append(spread.finding("required", "is required"))
        return values, undeclared


def decode_header(value: bytes) -> str:
    """Decode a header's value. RFC 9110 leaves bytes beyond ASCII open; clients send UTF-8 or Latin-1."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
