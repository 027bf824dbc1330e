"""The operations of a document: what each takes and answers, and which one a request is for."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from mockserver.contract.dialect import check_support
from mockserver.contract.document import DocumentError
from mockserver.contract.schemas import Schema, Schemas
from mockserver.findings import Code, Finding, Location, Side, escape_token, json_pointer

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")

_DEFAULT_STYLES = {"query": "form", "path": "simple", "header": "simple", "cookie": "form"}
_SUPPORTED_STYLES = {
    "query": {"form", "deepObject", "spaceDelimited", "pipeDelimited"},
    "path": {"simple"},
    "header": {"simple"},
}


_IGNORED_HEADERS = frozenset({"accept", "content-type", "authorization"})  # As parameters, says OpenAPI.
_STATUS = re.compile(r"[1-5](\d\d|XX)|default")
_PRIMITIVES = frozenset({"string", "number", "integer", "boolean", "null"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a request, or a header of a response."""

    name: str
    location: Location
    required: bool
    style: str
    explode: bool
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
    """What the document allows for one status (or range of statuses) of an operation."""

    pointer: str
    headers: tuple[Parameter, ...]
    content: Mapping[str, Schema | None]


@dataclass(frozen=True, slots=True)
class Operation:
    id: str
    method: str
    path: str
    parameters: tuple[Parameter, ...]
    body_required: bool
    body_content: Mapping[str, Schema | None]
    responses: Mapping[str, Response]

    def response(self, status: int) -> Response | None:
        """By exact status, else by range (`4XX`), else the default one."""
        responses = self.responses
        return responses.get(str(status)) or responses.get(f"{status // 100}XX") or responses.get("default")


class Match(NamedTuple):
    """`parameters` are as they stood in the path, still percent-encoded."""

    operation: Operation
    parameters: dict[str, str]


class Operations(Mapping[str, Operation]):
    """All operations of a document, by `operationId`.

    Raises:
        DocumentError: the document asks for something that is not supported; names the place.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        requests, responses = check_support(document)
        self.schemas = Schemas(requests)
        response_schemas = self.schemas if responses is requests else Schemas(responses)
        self._by_id: dict[str, Operation] = {}
        paths: list[_Path] = []
        prefix = _server_path(document)
        for path in document.get("paths") or {}:
            if path.startswith("x-"):
                continue
            pointer = resolve(self.schemas, f"/paths/{escape_token(path)}")
            item = self.schemas.node(pointer)
            operations = [
                _Reader(self.schemas, response_schemas, pointer, method).read(path)
                for method in METHODS
                if method in item
            ]
            for operation in operations:
                if operation.id in self._by_id:
                    raise DocumentError(f"#/paths: two operations have the operationId {operation.id}")
                self._by_id[operation.id] = operation
            if operations:
                paths.append(_Path(pointer, prefix + path, operations))
        paths.sort(key=lambda path: path.rank)
        for one, other in pairwise(paths):
            if one.pattern == other.pattern:
                raise DocumentError(f"#{other.pointer}: another path means the same")
        by_slashes: dict[int, list[_Path]] = {}
        for one in paths:
            by_slashes.setdefault(one.slashes, []).append(one)
        self._paths = {slashes: _Paths(some) for slashes, some in by_slashes.items()}

    def __getitem__(self, operation_id: str) -> Operation:
        return self._by_id[operation_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def match(self, method: str, raw_path: str) -> Match | None:
        """The operation that a request is for. The path is matched as sent: `%2F` is part of a segment."""
        path, values = self._find(raw_path)
        operation = path and path.operations.get(method)
        return Match(operation, values) if operation else None

    def operations_at(self, raw_path: str) -> list[Operation]:
        """The operations that a path has, whatever their method."""
        path, _ = self._find(raw_path)
        return list(path.operations.values()) if path else []

    def _find(self, raw_path: str) -> tuple["_Path | None", dict[str, str]]:
        paths = self._paths.get(raw_path.count("/"))
        found = paths and paths.pattern.fullmatch(raw_path)
        if not paths or not found or found.lastindex is None:
            return None, {}
        path, groups = paths.by_group[found.lastindex]
        return path, dict(zip(path.names, found.groups()[groups], strict=True))


class _Path:
    """A path template as a regular expression; a template takes a whole segment, and never an empty one."""

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
                raise DocumentError(f"#{pointer}: its templates and its path parameters are not the same")


class _Paths:
    """Paths of as many slashes as one regular expression.

    An empty group after each alternative tells which it was: `by_group` has its path, and which groups are its values.
    """

    def __init__(self, paths: list[_Path]) -> None:
        self.pattern = re.compile("|".join(f"{path.pattern}()" for path in paths))
        self.by_group: dict[int, tuple[_Path, slice]] = {}
        first = 0
        for path in paths:
            last = first + len(path.names)
            self.by_group[last + 1] = path, slice(first, last)
            first = last + 1


def _server_path(document: Mapping[str, Any]) -> str:
    """The path that every server of the document shares, such as `/v1`, without a slash at its end."""
    paths: set[str] = set()
    for server in document.get("servers") or [{"url": "/"}]:
        _, _, rest = server["url"].partition("://")
        path = "/" + rest.partition("/")[2] if rest else server["url"]
        paths.add(path.rstrip("/"))
    if len(paths) > 1 or any("{" in path for path in paths):
        raise DocumentError("#/servers: the servers must have one and the same path, without variables")
    return paths.pop()


class _Reader:
    """Reads one operation out of the document."""

    def __init__(self, requests: Schemas, responses: Schemas, path_pointer: str, method: str) -> None:
        self._requests = requests
        self._responses = responses
        self._path_pointer = path_pointer
        self._method = method
        self._pointer = f"{path_pointer}/{method}"

    def read(self, path: str) -> Operation:
        node = self._requests.node(self._pointer)
        if "operationId" not in node:
            raise DocumentError(f"#{self._pointer}: has no operationId")
        if not node.get("responses"):
            raise DocumentError(f"#{self._pointer}: declares no response")
        for pointer in (self._path_pointer, self._pointer):
            if "servers" in self._requests.node(pointer):
                raise DocumentError(f"#{pointer}/servers: servers of its own are not supported")
        body_required, body_content = self._body(node)
        return Operation(
            id=node["operationId"],
            method=self._method.upper(),
            path=path,
            parameters=tuple(self._parameters(node)),
            body_required=body_required,
            body_content=body_content,
            responses={
                str(status): self._response(f"{self._pointer}/responses/{status}")
                for status in node["responses"]
                if not str(status).startswith("x-")
            },
        )

    def _parameters(self, node: Mapping[str, Any]) -> list[Parameter]:
        """The operation's own parameters and those of its path, its own first."""
        shared = self._requests.node(self._path_pointer).get("parameters", [])
        pointers = [f"{self._pointer}/parameters/{index}" for index in range(len(node.get("parameters", ())))]
        pointers += [f"{self._path_pointer}/parameters/{index}" for index in range(len(shared))]
        parameters: dict[tuple[str, str], Parameter] = {}
        for pointer in pointers:
            at = resolve(self._requests, pointer)
            declared = self._requests.node(at)
            if declared["in"] == "header" and declared["name"].lower() in _IGNORED_HEADERS:
                continue
            parameter = _parameter(self._requests, at, declared["name"], declared["in"])
            parameters.setdefault((parameter.location, parameter.name), parameter)
        return list(parameters.values())

    def _body(self, node: Mapping[str, Any]) -> tuple[bool, Mapping[str, Schema | None]]:
        if "requestBody" not in node:
            return False, {}
        pointer = resolve(self._requests, f"{self._pointer}/requestBody")
        return self._requests.node(pointer).get("required", False), _content(self._requests, pointer)

    def _response(self, pointer: str) -> Response:
        if not _STATUS.fullmatch(pointer.rpartition("/")[2]):
            raise DocumentError(f"#{pointer}: is no status such as 200, 4XX or default")
        pointer = resolve(self._responses, pointer)
        names = [name for name in self._responses.node(pointer).get("headers", {}) if name.lower() != "content-type"]
        places = [resolve(self._responses, f"{pointer}/headers/{escape_token(name)}") for name in names]
        headers = [_parameter(self._responses, at, name, "header") for at, name in zip(places, names, strict=True)]
        # The answer to HEAD has no content, whatever is declared.
        content = {} if self._method == "head" else _content(self._responses, pointer)
        return Response(pointer, tuple(headers), content)


def resolve(schemas: Schemas, pointer: str) -> str:
    """The place that a pointer leads to in the end."""
    node = schemas.node(pointer)
    while "$ref" in node:
        pointer = node["$ref"].removeprefix("#")
        node = schemas.node(pointer)
    return pointer


def _parameter(schemas: Schemas, pointer: str, name: str, location: Location) -> Parameter:
    node = schemas.node(pointer)
    style = node.get("style", _DEFAULT_STYLES.get(location))
    if style not in _SUPPORTED_STYLES.get(location, ()):
        raise DocumentError(f"#{pointer}: a {location} parameter of style {style} is not supported")
    if "schema" not in node:
        raise DocumentError(f"#{pointer}: a parameter without a schema is not supported")
    schema = schemas.at(f"{pointer}/schema")
    _check_that_text_can_say(schema, style, f"#{pointer}/schema")
    if node.get("allowEmptyValue") and "string" not in schema.json_types:
        raise DocumentError(f"#{pointer}: allowEmptyValue is supported for strings only")
    defaults = [part["default"] for part in schemas.flatten(node["schema"]) if "default" in part]
    return Parameter(
        name=name,
        location=location,
        required=node.get("required", False),
        style=style,
        explode=node.get("explode", style == "form"),
        schema=schema,
        has_default=bool(defaults),
        default=defaults[0] if defaults else None,
    )


def _check_that_text_can_say(schema: Schema, style: str, place: str) -> None:
    """Whether a style says how to write every value of the schema; none does for values in values."""
    types = schema.json_types
    if not types - {"array", "object"}:
        parts = [schema.item_types] if "array" in types else []
        parts += [schema.field_types(name) for name in (*schema.field_names, "")]
        if any(not part & _PRIMITIVES for part in parts):
            raise DocumentError(f"{place}: an array or object within one has no written form")
    if style == "deepObject" and "object" not in types:
        raise DocumentError(f"{place}: deepObject is for objects")


_SAYS_NOTHING_OF_TEXT = frozenset(
    {"$ref", "allOf", "type", "format", "contentMediaType", "contentEncoding", "title", "description"}
) | {"example", "examples", "deprecated", "externalDocs"}


def _content(schemas: Schemas, pointer: str) -> dict[str, Schema | None]:
    """The schemas by media type; None where anything goes.

    Raises:
        DocumentError: a schema for what is not JSON says more than that it is text, or a media type is a range.
    """
    content: dict[str, Schema | None] = {}
    for media_type, node in schemas.node(pointer).get("content", {}).items():
        at = f"{pointer}/content/{escape_token(media_type)}"
        essence = media_type_essence(media_type)
        if "*" in essence or essence in content:
            raise DocumentError(f"#{at}: a range of media types, or one with parameters beside it, is not supported")
        content[essence] = None
        if "schema" not in node:
            continue
        if is_json(essence):
            content[essence] = schemas.at(f"{at}/schema")
        elif not _is_any_text(schemas.flatten(node["schema"])):
            raise DocumentError(f"#{at}/schema: only JSON can be held to such a schema")
    return content


def _is_any_text(parts: Iterable[Mapping[str, Any]]) -> bool:
    return all(
        part.get("type", "string") == "string"
        and all(key in _SAYS_NOTHING_OF_TEXT or key.startswith("x-") for key in part)
        for part in parts
    )


@lru_cache(maxsize=256)
def media_type_essence(media_type: str) -> str:
    """A media type without its parameters."""
    return media_type.partition(";")[0].strip().lower()


@lru_cache(maxsize=256)
def is_json(media_type: str) -> bool:
    essence = media_type_essence(media_type)
    return essence == "application/json" or essence.endswith("+json")
