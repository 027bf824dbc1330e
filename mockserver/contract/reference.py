"""An engine that validates with openapi-core and jsonschema: slow, but independent of the compiled engine.

The verdicts are those of the libraries. This module only does what they leave to a web framework: it takes a request
apart into text, and parses JSON text. It needs the extra `reference`.
"""

import json
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from math import isinf
from operator import getitem
from typing import Any, NamedTuple, cast
from urllib.parse import unquote_to_bytes

from jsonschema.exceptions import ValidationError, best_match
from jsonschema.protocols import Validator
from jsonschema_path import SchemaPath
from openapi_core import V31RequestValidator, V31ResponseValidator
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.media_types.exceptions import MediaTypeNotFound
from openapi_core.templating.media_types.finders import MediaTypeFinder
from openapi_core.validation.request.exceptions import MissingRequiredParameter, ParametersError
from openapi_core.validation.response.exceptions import HeaderValidationError, MissingHeaderError
from werkzeug.datastructures import Headers, ImmutableMultiDict

from mockserver.contract.event_streams import EventValidator
from mockserver.contract.json_text import MAX_DEPTH
from mockserver.contract.operations import EVENT_STREAM, Operation, is_json
from mockserver.contract.requests import Parameters, decode_header
from mockserver.contract.responses import validate_stream_head
from mockserver.findings import CODES, MAX_FINDINGS, Code, Finding, Location, Side, describe, json_pointer


class ReferenceEngine:
    """The engine of openapi-core for one document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._spec = SchemaPath.from_dict(document)
        media_types = set(_json_media_types(document))
        self._requests = V31RequestValidator(
            self._spec, extra_media_type_deserializers=dict.fromkeys(media_types, _parse_request)
        )
        self._responses = V31ResponseValidator(
            self._spec, extra_media_type_deserializers=dict.fromkeys(media_types, _parse_response)
        )

    def request_validator(self, operation: Operation) -> "ReferenceRequestValidator":
        """Return the validator of an operation's requests."""
        return ReferenceRequestValidator(self._requests, self._place(operation), operation)

    def validate_response(
        self, operation: Operation, status: int, headers: Iterable[tuple[bytes, bytes]], content: bytes
    ) -> list[Finding]:
        """Return a finding for each mistake in a complete response."""
        sent: dict[str, str] = {}
        for name, value in headers:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            sent[key] = f"{sent[key]}, {text}" if key in sent else text
        place = self._place(operation).operation
        media_type = sent.get("content-type", "")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # It warns of deprecated keywords.
            try:
                errors = list(self._responses._iter_errors(status, content, Headers(sent), media_type, place))
            except (TypeError, ValueError) as error:  # It fails on a tag that is an array or object.
                return [Finding("response", "body", "", "reference_engine", f"cannot be read: {_on_one_line(error)}")]
        return [finding for error in errors for finding in _response_findings(error)]

    validate_stream_head = staticmethod(validate_stream_head)

    def event_validator(self, operation: Operation, status: int) -> EventValidator:
        """Return the validator of the events in a stream."""
        content = self._place(operation).operation / "responses" / str(status) / "content" / EVENT_STREAM
        schema = content / "schema" / "properties" / "data" / "contentSchema"
        return ReferenceEventValidator(self._responses.schema_validators_factory.create(self._spec, schema).validator)

    def _place(self, operation: Operation) -> "_Place":
        path = self._spec / "paths" / operation.path
        return _Place(path, path / operation.method.lower())


class _Place(NamedTuple):
    path: SchemaPath
    operation: SchemaPath


class ReferenceRequestValidator:
    """Validates the requests of one operation with openapi-core."""

    def __init__(self, validator: V31RequestValidator, place: _Place, operation: Operation) -> None:
        self._validator = validator
        self._place = place
        self._operation = operation

    def match_media_type(self, content_type: str) -> str | None:
        """Return the declared media type of a `Content-Type` header."""
        try:
            found = MediaTypeFinder(self._place.operation / "requestBody" / "content").find(content_type)
        except (MediaTypeNotFound, ValueError):
            return None
        return cast(str, found.mime_type)

    def validate_parameters(
        self, raw_path: Mapping[str, str], query_string: bytes, headers: Callable[[bytes], list[bytes]]
    ) -> tuple[Parameters, list[Finding]]:
        """Return the decoded parameters, and a finding for each mistake."""
        location: Location = "path"
        try:
            path = {name: unquote_to_bytes(text).decode() for name, text in raw_path.items()}
            location = "query"
            pairs = list(_query_pairs(query_string))
        except UnicodeDecodeError:
            return Parameters({}, {}, {}, []), [Finding("request", location, "", "invalid_encoding", "is not UTF-8")]
        declared = {parameter.name for parameter in self._operation.parameters if parameter.location == "query"}
        names = [parameter.name for parameter in self._operation.parameters if parameter.location == "header"]
        header = [(name, decode_header(value)) for name in names for value in headers(name.lower().encode())]
        texts = RequestParameters(query=ImmutableMultiDict(pairs), header=Headers(header), path=path)
        findings: list[Finding] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                values = self._validator._get_parameters(texts, self._place.operation, self._place.path)
            except ParametersError as found:
                values = found.parameters
                findings = [finding for error in found.errors for finding in _parameter_findings(error)]
        undeclared = [(name, text) for name, text in pairs if name not in declared]
        return Parameters(dict(values.path), dict(values.query), dict(values.header), undeclared), findings

    def validate_body(self, content: bytes, media_type: str = "application/json") -> tuple[Any, list[Finding]]:
        """Return the parsed body, and a finding for each mistake."""
        if not content and not self._operation.body_required:
            return None, []
        try:
            return self._validator._get_body(content, media_type, self._place.operation), []
        except (OpenAPIError, TypeError) as error:  # It fails on a tag that is an array or object.
            return None, list(_findings_of(error, "request", "body", [], "required", "is required"))

    def remove_unknown_fields(self, body: Any, media_type: str = "application/json") -> list[Finding]:
        """Remove the fields of a valid body that the document does not declare; return findings for the first."""
        content = self._place.operation / "requestBody" / "content" / media_type
        if "schema" not in content:
            return []
        factory = self._validator.schema_validators_factory
        validator = factory.create(self._validator.spec, content / "schema").validator
        unknown = list(_find_unknown([validator], body, []))
        for *path, name in unknown:
            del reduce(getitem, path, body)[name]
        return [
            Finding("request", "body", json_pointer(path), "unknown_field", "is not a known field")
            for path in unknown[:MAX_FINDINGS]
        ]


class ReferenceEventValidator:
    """Validates events with jsonschema."""

    def __init__(self, validator: Validator) -> None:
        self._validator = validator

    def validate(self, content: bytes) -> tuple[Any, list[Finding]]:
        """Return the parsed data, and a finding for each mistake."""
        try:
            event = _parse_response(content)
        except ValueError as error:
            return None, [Finding("response", "body", "", "reference_engine", f"cannot be read: {error}")]
        return event, [_schema_finding(error, "response", "body", []) for error in self._validator.iter_errors(event)]

    def takes_any_delta(self, _event_type: str) -> bool:
        """Return that no event may pass without validation."""
        return False


def _json_media_types(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, child in node.items():
            if key == "content" and isinstance(child, dict):
                yield from filter(is_json, child)
            yield from _json_media_types(child)
    elif isinstance(node, list):
        for child in node:
            yield from _json_media_types(child)


def _query_pairs(query_string: bytes) -> Iterator[tuple[str, str]]:
    for pair in query_string.split(b"&"):
        if pair:
            name, _, text = (unquote_to_bytes(part.replace(b"+", b" ")).decode() for part in pair.partition(b"="))
            yield name, text


def _parameter_problem(is_missing: bool) -> tuple[Code, str]:
    return ("required", "is required") if is_missing else ("reference_engine", "is not valid")


def _code(error: ValidationError) -> Code:
    if error.instance is None and error.validator in ("type", "enum", "const"):
        return "null_not_allowed"
    if error.validator in ("additionalProperties", "unevaluatedProperties"):
        return "unknown_field"
    return cast(Code, error.validator) if error.validator in CODES else "schema"


def _parameter_findings(error: Any) -> Iterator[Finding]:
    problem = _parameter_problem(isinstance(error, MissingRequiredParameter))
    yield from _findings_of(error, "request", error.location, [error.name], *problem)


def _response_findings(error: Any) -> Iterator[Finding]:
    if isinstance(error, HeaderValidationError):
        problem = _parameter_problem(isinstance(error, MissingHeaderError))
        yield from _findings_of(error, "response", "header", [error.name], *problem)
    elif not hasattr(error, "http_status"):
        yield from _findings_of(error, "response", "body", [], "required", "is required")
    else:
        yield Finding(
            "response", "status", "", "undeclared_status", f"{error.http_status} is not declared for this operation"
        )


def _findings_of(
    error: Exception, side: Side, location: Location, at: list[str | int], code: Code, message: str
) -> Iterator[Finding]:
    """Yield the findings of an error of openapi-core: of its cause, or of the schema."""
    cause = error.__cause__ or error
    schema_errors = getattr(cause, "schema_errors", None)
    if schema_errors:
        yield from (_schema_finding(schema_error, side, location, at) for schema_error in schema_errors)
    elif isinstance(cause, MediaTypeNotFound):
        expected = " or ".join(cause.availableMimetypes)
        yield Finding(
            side,
            "header",
            "/Content-Type",
            "unexpected_content_type",
            f"must be {expected}, not {describe(cause.mimetype)}",
        )
    elif cause is error and isinstance(error, OpenAPIError):
        yield Finding(side, location, json_pointer(at), code, message)
    else:
        reason = cause.__cause__ or cause.__context__ or cause
        yield Finding(side, location, json_pointer(at), "reference_engine", f"cannot be read: {_on_one_line(reason)}")


def _schema_finding(error: ValidationError, side: Side, location: Location, at: list[str | int]) -> Finding:
    deepest = cast(ValidationError, best_match(iter([error])))
    path = [*at, *deepest.absolute_path, *_missing_field(deepest)]
    return Finding(side, location, json_pointer(path), _code(deepest), _on_one_line(deepest.message))


def _missing_field(error: ValidationError) -> Iterator[str]:
    """Yield the name of the missing field; the error has it in its message only."""
    if error.validator == "required":
        names = [name for name in cast(list[str], error.validator_value) if error.message.startswith(repr(name))]
        yield from names[:1]


def _on_one_line(message: object, limit: int = 200) -> str:
    text = " ".join(str(message).split())
    return text if len(text) <= limit else f"{text[: limit // 2]} ... {text[-limit // 2 :]}"


def _find_unknown(validators: list[Validator], value: Any, path: list[str | int]) -> Iterator[list[str | int]]:
    """Yield the paths of fields that no applied schema declares, in a value that is valid for `validators`."""
    applied = [one for validator in validators for one in _applied_validators(validator, value)]
    if isinstance(value, list):
        items = [_within(one, one.schema["items"]) for one in applied if "items" in one.schema]
        for index, child in enumerate(value):
            yield from _find_unknown(items, child, [*path, index])
    elif isinstance(value, dict):
        is_declared = any(one.schema.keys() & {"properties", "patternProperties", *_OTHERS} for one in applied)
        for name, child in value.items():
            declaring = [schema for one in applied for schema in _schemas_of_field(one, name)]
            if is_declared and not declaring:
                yield [*path, name]
            yield from _find_unknown(declaring, child, [*path, name])


_OTHERS = ("additionalProperties", "unevaluatedProperties")


def _applied_validators(validator: Validator, value: Any) -> Iterator[Any]:
    """Yield a validator for a schema, and one for each schema that it applies to the same value."""
    schema = validator.schema
    if not isinstance(schema, dict):
        return
    yield validator
    if "$ref" in schema:
        resolved = cast(Any, validator)._resolver.lookup(schema["$ref"])
        yield from _applied_validators(validator.evolve(schema=resolved.contents, _resolver=resolved.resolver), value)
    for part in schema.get("allOf", ()):
        yield from _applied_validators(_within(validator, part), value)
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        if _within(validator, branch).is_valid(value):
            yield from _applied_validators(_within(validator, branch), value)


def _schemas_of_field(validator: Validator, name: str) -> Iterator[Validator]:
    schema = cast(dict[str, Any], validator.schema)
    found = [schema["properties"][name]] if name in schema.get("properties", ()) else []
    found += [one for pattern, one in schema.get("patternProperties", {}).items() if re.search(pattern, name)]
    yield from (_within(validator, one) for one in found or [schema[key] for key in _OTHERS if key in schema])


def _within(validator: Validator, schema: Any) -> Validator:
    return validator.evolve(schema=schema)


def _parse_request(text: bytes, **_: str) -> Any:
    """Parse JSON text by RFC 7493 (I-JSON)."""
    value = json.loads(
        text.decode(), object_pairs_hook=_build_object, parse_constant=_reject_constant, parse_int=_parse_integer
    )
    _check_json(value, MAX_DEPTH)
    return value


def _parse_response(text: bytes, **_: str) -> Any:
    """Parse JSON text by RFC 8259."""
    try:
        value = json.loads(text.decode(), parse_constant=_reject_constant)
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    _check_json(value, 10**6)
    return value


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("contains a duplicate name")
    return dict(pairs)


def _reject_constant(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _parse_integer(digits: str) -> int:
    number = int(digits)
    if not -(2**63) <= number < 2**64:
        raise ValueError("a number is too large")
    return number


def _check_json(root: Any, most_levels: int) -> None:
    levels = [root]
    depth = 0
    while levels:
        depth += any(isinstance(value, dict | list) for value in levels)
        if depth > most_levels:
            raise ValueError("is nested too deeply")
        for value in levels:
            if isinstance(value, float) and isinf(value):
                raise ValueError("a number is too large")
            if isinstance(value, str):
                value.encode()  # Raises on a lone surrogate.
        nested = [value for value in levels if isinstance(value, dict | list)]
        levels = [child for value in nested for child in (value.values() if isinstance(value, dict) else value)]
        levels += [name for value in nested if isinstance(value, dict) for name in value]
