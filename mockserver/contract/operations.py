"""The operations of a document, and the one that a request is for."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from mockserver.contract.dialect import check_dialect
from mockserver.contract.document import DocumentError
from mockserver.contract.schemas import Schema, Schemas
from mockserver.findings import Code, Finding, Location, Side, escape_token, json_pointer

METHODS = ("get", "put", "post", "delete", "patch")
EVENT_STREAM = "text/event-stream"

_UNSUPPORTED_METHODS = ("head", "options", "trace")
_STYLES = {"query": "form", "path": "simple", "header": "simple"}
_IGNORED_HEADERS = frozenset({"accept", "content-type", "authorization"})  # As parameters, says OpenAPI.
_STATUS = re.compile(r"[1-5](\d\d|XX)|default")
_PRIMITIVES = frozenset({"string", "number", "integer", "boolean", "null"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a request, or a header of a response."""

    name: str
    location: Location
    required: bool
    schema: Schema
    has_default: bool
    default: Any

    @property
    def pointer(self) -> str:
        """The JSON pointer of findings about the parameter."""
        return json_pointer([self.name])

    def finding(self, code: Code, message: str, side: Side = "request") -> Finding:
        """Return a finding about the parameter as a whole."""
        return Finding(side, self.location, self.pointer, code, message)


@dataclass(frozen=True, slots=True)
class Response:
    """The response that the document declares for a status, or a range of statuses, of an operation.

    `content` has the schemas of complete bodies. `events` is the schema of the parsed `data` of each event, if the
    response can be an event stream.
    """

    pointer: str
    headers: tuple[Parameter, ...]
    content: Mapping[str, Schema]
    events: Schema | None


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its address, parameters, request body and responses."""

    id: str
    method: str
    path: str
    parameters: tuple[Parameter, ...]
    body_required: bool
    body_content: Mapping[str, Schema]
    responses: Mapping[str, Response]

    def response(self, status: int) -> Response | None:
        """Return the response declared for a status: exactly, by range (`4XX`) or by default."""
        responses = self.responses
        return responses.get(str(status)) or responses.get(f"{status // 100}XX") or responses.get("default")


class Match(NamedTuple):
    """The operation of a request; `parameters` are those of the path, still percent-encoded."""

    operation: Operation
    parameters: dict[str, str]


class Operations(Mapping[str, Operation]):
    """All operations of a document, by `operationId`.

    Without `check_schemas`, each schema is checked and compiled on first use only.

    Raises:
        DocumentError: the document uses something that is not supported.
    """

    def __init__(self, document: dict[str, Any], *, check_schemas: bool = True) -> None:
        check_dialect(document)
        self.schemas = Schemas(document)
        self._by_id: dict[str, Operation] = {}
        prefix = _server_path(document)
        templates = [
            _PathTemplate(pointer, prefix + path, operations)
            for path in document.get("paths") or {}
            if not path.startswith("x-")
            for pointer, operations in [self._read_path(path)]
            if operations
        ]
        templates.sort(key=lambda template: template.rank)
        for one, other in pairwise(templates):
            if one.pattern == other.pattern:
                raise DocumentError(f"#{other.pointer}: another path matches the same requests")
        by_slashes: dict[int, list[_PathTemplate]] = {}
        for template in templates:
            by_slashes.setdefault(template.slashes, []).append(template)
        self._matchers = {slashes: _PathMatcher(some) for slashes, some in by_slashes.items()}
        if check_schemas:
            self.schemas.check()

    def _read_path(self, path: str) -> tuple[str, list[Operation]]:
        pointer = self.schemas.resolve(f"/paths/{escape_token(path)}")
        item = self.schemas.node(pointer)
        for method in _UNSUPPORTED_METHODS:
            if method in item:
                raise DocumentError(f"#{pointer}/{method}: operations for {method.upper()} are not supported")
        reader = _OperationReader(self.schemas, pointer)
        operations = [reader.read(path, method) for method in METHODS if method in item]
        for operation in operations:
            if operation.id in self._by_id:
                raise DocumentError(f"#{pointer}: another operation has the operationId {operation.id}, too")
            self._by_id[operation.id] = operation
        return pointer, operations

    def __getitem__(self, operation_id: str) -> Operation:
        return self._by_id[operation_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def match(self, method: str, raw_path: str) -> Match | None:
        """Return the operation that a request is for. The path is matched as sent: `%2F` is part of a segment."""
        template, values = self._match_path(raw_path)
        operation = template and template.operations.get(method)
        return Match(operation, values) if operation else None

    def operations_at(self, raw_path: str) -> list[Operation]:
        """Return the operations of a path, one for each method."""
        template, _ = self._match_path(raw_path)
        return list(template.operations.values()) if template else []

    def _match_path(self, raw_path: str) -> tuple["_PathTemplate | None", dict[str, str]]:
        matcher = self._matchers.get(raw_path.count("/"))
        match = matcher and matcher.pattern.fullmatch(raw_path)
        if not matcher or not match or match.lastindex is None:
            return None, {}
        template, groups = matcher.by_group[match.lastindex]
        return template, dict(zip(template.names, match.groups()[groups]))  # noqa: B905 - faster


class _PathTemplate:
    """A path as a regular expression; a template stands for a whole segment, and never for an empty one."""

    def __init__(self, pointer: str, path: str, operations: list[Operation]) -> None:
        self.pointer = pointer
        self.operations = {operation.method: operation for operation in operations}
        segments = path.split("/")
        templated = [segment.startswith("{") and segment.endswith("}") for segment in segments]
        if "?" in path or "#" in path:
            raise DocumentError(f"#{pointer}: a path has no query and no fragment")
        if any("{" in segment for segment, is_template in zip(segments, templated, strict=True) if not is_template):
            raise DocumentError(f"#{pointer}: a template must be a whole segment")
        self.rank = templated, [segment for segment in segments if "{" not in segment]
        self.slashes = path.count("/")
        self.names = [segment[1:-1] for segment in segments if "{" in segment]
        self.pattern = "/".join(
            "([^/]+)" if is_template else re.escape(segment)
            for segment, is_template in zip(segments, templated, strict=True)
        )
        for operation in operations:
            declared = {parameter.name for parameter in operation.parameters if parameter.location == "path"}
            if declared != set(self.names):
                raise DocumentError(f"#{pointer}: the templates and the path parameters differ")


class _PathMatcher:
    """All paths with the same number of slashes as one regular expression.

    An empty group after each alternative tells which path matched: `by_group` has its template, and which groups are
    the values.
    """

    def __init__(self, templates: list[_PathTemplate]) -> None:
        self.pattern = re.compile("|".join(f"{template.pattern}()" for template in templates))
        self.by_group: dict[int, tuple[_PathTemplate, slice]] = {}
        first = 0
        for template in templates:
            last = first + len(template.names)
            self.by_group[last + 1] = template, slice(first, last)
            first = last + 1


def _server_path(document: Mapping[str, Any]) -> str:
    """Return the path that all servers of the document share, such as `/v1`, without a slash at its end."""
    paths: set[str] = set()
    for server in document.get("servers") or [{"url": "/"}]:
        _, _, rest = server["url"].partition("://")
        path = "/" + rest.partition("/")[2] if rest else server["url"]
        paths.add(path.rstrip("/"))
    if len(paths) > 1 or any("{" in path for path in paths):
        raise DocumentError("#/servers: the servers must have one and the same path, without variables")
    return paths.pop()


class _OperationReader:
    """Reads the operations of one path out of the document."""

    def __init__(self, schemas: Schemas, path_pointer: str) -> None:
        self._schemas = schemas
        self._path_pointer = path_pointer

    def read(self, path: str, method: str) -> Operation:
        pointer = f"{self._path_pointer}/{method}"
        node = self._schemas.node(pointer)
        if "operationId" not in node:
            raise DocumentError(f"#{pointer}: operationId is required")
        if not node.get("responses"):
            raise DocumentError(f"#{pointer}: at least one response is required")
        for place in (self._path_pointer, pointer):
            if "servers" in self._schemas.node(place):
                raise DocumentError(f"#{place}/servers: servers of a path or an operation are not supported")
        body_required, body_content = self._read_body(pointer)
        return Operation(
            id=node["operationId"],
            method=method.upper(),
            path=path,
            parameters=tuple(self._read_parameters(pointer)),
            body_required=body_required,
            body_content=body_content,
            responses={
                str(status): self._read_response(f"{pointer}/responses/{status}")
                for status in node["responses"]
                if not str(status).startswith("x-")
            },
        )

    def _read_parameters(self, operation_pointer: str) -> list[Parameter]:
        """Read the operation's own parameters and those of its path, its own first."""
        parameters: dict[tuple[str, str], Parameter] = {}
        for owner in (operation_pointer, self._path_pointer):
            for index in range(len(self._schemas.node(owner).get("parameters", ()))):
                pointer = self._schemas.resolve(f"{owner}/parameters/{index}")
                declared = self._schemas.node(pointer)
                if declared["in"] == "header" and declared["name"].lower() in _IGNORED_HEADERS:
                    continue
                parameter = _read_parameter(self._schemas, pointer, declared["name"], declared["in"])
                parameters.setdefault((parameter.location, parameter.name), parameter)
        return list(parameters.values())

    def _read_body(self, operation_pointer: str) -> tuple[bool, Mapping[str, Schema]]:
        if "requestBody" not in self._schemas.node(operation_pointer):
            return False, {}
        pointer = self._schemas.resolve(f"{operation_pointer}/requestBody")
        return self._schemas.node(pointer).get("required", False), _read_content(self._schemas, pointer)

    def _read_response(self, pointer: str) -> Response:
        if not _STATUS.fullmatch(pointer.rpartition("/")[2]):
            raise DocumentError(f"#{pointer}: must be a status such as 200, 4XX or default")
        pointer = self._schemas.resolve(pointer)
        headers = tuple(
            _read_parameter(self._schemas, self._schemas.resolve(f"{pointer}/headers/{escape_token(name)}"), name)
            for name in self._schemas.node(pointer).get("headers", {})
            if name.lower() != "content-type"
        )
        return Response(
            pointer,
            headers,
            _read_content(self._schemas, pointer, except_for=EVENT_STREAM),
            _read_events(self._schemas, pointer),
        )


def _read_parameter(schemas: Schemas, pointer: str, name: str, location: Location = "header") -> Parameter:
    node = schemas.node(pointer)
    _check_parameter(node, pointer, location)
    schema = schemas.at(f"{pointer}/schema")
    _check_types(schema, location, f"#{pointer}/schema")
    defaults = [part["default"] for part in schemas.flatten(node["schema"]) if "default" in part]
    return Parameter(
        name=name,
        location=location,
        required=node.get("required", False),
        schema=schema,
        has_default=bool(defaults),
        default=defaults[0] if defaults else None,
    )


def _check_parameter(node: Mapping[str, Any], pointer: str, location: str) -> None:
    """Check that a parameter is written in the default style of its location.

    Raises:
        DocumentError: another style is not supported.
    """
    if location not in _STYLES:
        raise DocumentError(f"#{pointer}: a {location} parameter is not supported")
    if node.get("style", _STYLES[location]) != _STYLES[location]:
        raise DocumentError(f"#{pointer}/style: {node['style']} is not supported for a {location} parameter")
    if node.get("explode", location == "query") is not (location == "query"):
        raise DocumentError(f"#{pointer}/explode: {node['explode']} is not supported for a {location} parameter")
    if "schema" not in node:
        raise DocumentError(f"#{pointer}: a parameter without a schema is not supported")
    if node.get("allowEmptyValue"):
        raise DocumentError(f"#{pointer}/allowEmptyValue: is not supported")


def _check_types(schema: Schema, location: str, place: str) -> None:
    """Check that text can represent every value of a parameter's schema."""
    types = schema.json_types
    if types <= {"array", "object"}:
        if location != "query":
            raise DocumentError(f"{place}: an array or object is supported in a query only")
        parts = [schema.item_types] if "array" in types else []
        parts += [schema.field_types(name) for name in (*schema.field_names, "")]
        if any(not part & _PRIMITIVES for part in parts):
            raise DocumentError(f"{place}: an array or object within another cannot be written as text")


def _read_content(schemas: Schemas, pointer: str, *, except_for: str | None = None) -> dict[str, Schema]:
    """Return the schemas by media type.

    Raises:
        DocumentError: a media type is not JSON, or has no schema.
    """
    content: dict[str, Schema] = {}
    for media_type, node in schemas.node(pointer).get("content", {}).items():
        if media_type == except_for:
            continue
        at = f"{pointer}/content/{escape_token(media_type)}"
        if not is_json(media_type) or media_type != media_type_essence(media_type):
            raise DocumentError(f"#{at}: only JSON media types without parameters are supported")
        if "schema" not in node:
            raise DocumentError(f"#{at}: content without a schema is not supported")
        content[media_type] = schemas.at(f"{at}/schema")
    return content


def _read_events(schemas: Schemas, pointer: str) -> Schema | None:
    """Return the schema of the data of the events in an event stream.

    The schema of the stream describes one event, as `itemSchema` does in OpenAPI 3.2; its `data` is JSON text.

    Raises:
        DocumentError: the schema does not say so.
    """
    content = f"{pointer}/content"
    if EVENT_STREAM not in schemas.node(pointer).get("content", {}):
        return None
    at = schemas.resolve(f"{content}/{escape_token(EVENT_STREAM)}/schema")
    data = schemas.node(at).get("properties", {}).get("data", {})
    if data.get("contentMediaType") != "application/json" or "contentSchema" not in data:
        raise DocumentError(f"#{at}: the events of a stream must have `data` with a contentSchema, as JSON")
    return schemas.at(schemas.resolve(f"{at}/properties/data/contentSchema"))


def media_type_essence(media_type: str) -> str:
    """Return a media type without its parameters, in lower case."""
    return media_type.partition(";")[0].strip().lower()


def is_json(media_type: str) -> bool:
    """Whether a media type is JSON."""
    essence = media_type_essence(media_type)
    return essence == "application/json" or essence.endswith("+json")
