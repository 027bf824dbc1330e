"""Hold a request to its operation."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl, unquote

from mockserver.contract import json_text
from mockserver.contract.findings import Finding, Location, json_pointer, unescaped
from mockserver.contract.operations import Operation, Parameter
from mockserver.contract.schemas import from_text


class Parameters(NamedTuple):
    """Declared parameters, decoded, by name; and the query pairs that belong to none of them, in the order sent."""

    path: dict[str, Any]
    query: dict[str, Any]
    header: dict[str, Any]
    undeclared_query: list[tuple[str, str]]


class RequestChecker:
    """What one operation asks of a request."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        by_location: dict[str, list[Parameter]] = {"path": [], "query": [], "header": []}
        for parameter in operation.parameters:
            by_location[parameter.location].append(parameter)
        self._path = by_location["path"]
        self._query = by_location["query"]
        self._headers = [(parameter, parameter.name.lower().encode()) for parameter in by_location["header"]]
        self._query_defaults = {p.name: p.default for p in self._query if p.has_default}
        self._body_schema = next((schema for schema in operation.body_content.values() if schema), None)
        self._required_query = any(parameter.required for parameter in self._query)

    def parameters(
        self,
        raw_path: Mapping[str, str],
        query_string: bytes,
        headers: Callable[[bytes], list[bytes]],
    ) -> tuple[Parameters, list[Finding]]:
        """The decoded parameters, and what is wrong with them.

        `raw_path` holds the path's values still percent-encoded; `headers` gives all values of a lower-case name.
        """
        findings: list[Finding] = []
        path = self._path_values(raw_path, findings)
        header = self._header_values(headers, findings)
        query, undeclared = self._query_values(query_string, findings)
        return Parameters(path, query, header, undeclared), findings

    def body(self, content: bytes) -> tuple[Any, list[Finding]]:
        """The parsed JSON body, and what is wrong with it."""
        if not content.strip():
            if self._operation.body_required:
                return None, [Finding("request", "body", "", "a JSON body is required, the request has none")]
            return None, []
        try:
            value = json_text.parse(content)
        except json_text.JsonError as error:
            subject = "" if error.pointer else "the body "
            return None, [Finding("request", "body", error.pointer, subject + error.message)]
        schema = self._body_schema
        if schema is None or schema.is_valid(value):
            return value, []
        return value, schema.findings(value, "request", "body")

    def unknown_fields(self, body: Any) -> list[Finding]:
        """The fields of a valid body that the document does not know."""
        return self._body_schema.unknown_fields(body, "request", "body") if self._body_schema else []

    def _path_values(self, raw: Mapping[str, str], findings: list[Finding]) -> dict[str, Any]:
        values = {}
        for parameter in self._path:
            try:
                text = unquote(raw[parameter.name], errors="strict")
            except UnicodeDecodeError:
                findings.append(_finding(parameter, "is not UTF-8"))
            else:
                values[parameter.name] = _checked(parameter, [text], findings)
        return values

    def _header_values(self, headers: Callable[[bytes], list[bytes]], findings: list[Finding]) -> dict[str, Any]:
        values = {}
        for parameter, name in self._headers:
            texts = [header_text(value) for value in headers(name)]
            if texts:
                values[parameter.name] = _checked(parameter, texts, findings)
            elif parameter.required:
                findings.append(_finding(parameter, "is required"))
        return values

    def _query_values(
        self, query_string: bytes, findings: list[Finding]
    ) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        values = dict(self._query_defaults)
        if not query_string and not self._required_query:
            return values, []
        try:
            pairs = parse_qsl(query_string.decode(), keep_blank_values=True, errors="strict")
        except UnicodeDecodeError:
            findings.append(Finding("request", "query", "", "is not UTF-8"))
            return values, []
        sent: dict[str, list[str]] = {}
        for name, text in pairs:
            sent.setdefault(name, []).append(text)
        spread = None
        for parameter in self._query:
            texts = sent.pop(parameter.name, None)
            if texts is not None:
                values[parameter.name] = _checked(parameter, texts, findings)
            elif parameter.style == "deepObject":
                fields = _bracketed(parameter.name, sent)
                if fields:
                    values[parameter.name] = _checked_object(parameter, fields, findings)
            elif _is_spread(parameter):
                spread = parameter
            elif parameter.required:
                findings.append(_finding(parameter, "is required"))
        undeclared = [(name, text) for name, text in pairs if name in sent]
        if spread is not None and undeclared:
            values[spread.name] = _checked_object(spread, undeclared, findings)
        return values, undeclared


_PRIMITIVES = frozenset({"string", "number", "integer", "boolean"})
_SEPARATORS = {"form": ",", "simple": ",", "spaceDelimited": " ", "pipeDelimited": "|"}


def drop(body: Any, fields: Iterable[Finding]) -> None:
    """Take unknown fields out of a body."""
    for finding in fields:
        *path, name = finding.pointer.split("/")[1:]
        owner = body
        for token in path:
            owner = owner[int(token)] if isinstance(owner, list) else owner[unescaped(token)]
        del owner[unescaped(name)]


def _is_spread(parameter: Parameter) -> bool:
    """Whether the fields of an object stand as query parameters of their own."""
    return parameter.style == "form" and parameter.explode and "object" in parameter.schema.json_types


def _bracketed(name: str, sent: dict[str, list[str]]) -> list[tuple[str, str]]:
    """The `name[field]=text` pairs, taken out of `sent`."""
    keys = [key for key in sent if key.startswith(f"{name}[") and key.endswith("]")]
    return [(key[len(name) + 1 : -1], text) for key in keys for text in sent.pop(key)]


def _checked(parameter: Parameter, texts: list[str], findings: list[Finding]) -> Any:
    """A parameter's value, read by its style; what is wrong with it is added to `findings`."""
    schema = parameter.schema
    exploded = parameter.explode and parameter.style == "form"
    value: Any
    if "array" in schema.json_types and not schema.json_types & _PRIMITIVES:
        if not exploded:
            texts = [part for text in texts for part in text.split(_SEPARATORS[parameter.style])]
        value = [from_text(text, schema.item_types) for text in texts]
    elif len(texts) > 1:
        findings.append(_finding(parameter, f"must be given once, not {len(texts)} times"))
        return None
    else:
        value = from_text(texts[0], schema.json_types)
    return _valid(parameter, value, findings)


def _checked_object(parameter: Parameter, fields: list[tuple[str, str]], findings: list[Finding]) -> Any:
    schema = parameter.schema
    value = {name: from_text(text, schema.field_types(name)) for name, text in fields}
    return _valid(parameter, value, findings)


def _valid(parameter: Parameter, value: Any, findings: list[Finding]) -> Any:
    if not parameter.schema.is_valid(value):
        at = json_pointer([parameter.name])
        findings += parameter.schema.findings(value, "request", _location(parameter), at)
    return value


def _finding(parameter: Parameter, message: str) -> Finding:
    return Finding("request", _location(parameter), json_pointer([parameter.name]), message)


def _location(parameter: Parameter) -> Location:
    return cast(Location, parameter.location)


def header_text(value: bytes) -> str:
    """A header's value; RFC 9110 leaves its bytes beyond ASCII open, clients send UTF-8 or Latin-1."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
