"""The operations of a document: what each takes and answers, and which one a request is for."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from mockserver.contract.document import DocumentError
from mockserver.contract.findings import escaped
from mockserver.contract.schemas import Schema, Schemas

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")

_DEFAULT_STYLES = {"query": "form", "path": "simple", "header": "simple", "cookie": "form"}
_SUPPORTED_STYLES = {
    "query": {"form", "deepObject", "spaceDelimited", "pipeDelimited"},
    "path": {"simple"},
    "header": {"simple"},
}


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    location: str
    required: bool
    style: str
    explode: bool
    schema: Schema
    has_default: bool
    default: Any


@dataclass(frozen=True, slots=True)
class Header:
    name: str
    required: bool
    schema: Schema | None


@dataclass(frozen=True, slots=True)
class Response:
    """What the document allows for one status (or range of statuses) of an operation."""

    pointer: str
    headers: tuple[Header, ...]
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
        self.schemas = Schemas(document)
        self._by_id: dict[str, Operation] = {}
        self._paths: list[_Path] = []
        prefix = _server_path(document)
        for path, item in document.get("paths", {}).items():
            pointer = f"/paths/{escaped(path)}"
            operations = [_Reader(self.schemas, pointer, method).read(path) for method in METHODS if method in item]
            for operation in operations:
                if operation.id in self._by_id:
                    raise DocumentError(f"#/paths: two operations have the operationId {operation.id}")
                self._by_id[operation.id] = operation
            if operations:
                self._paths.append(_Path(pointer, prefix + path, operations))
        self._paths.sort(key=lambda path: path.rank)
        for path, other in pairwise(self._paths):
            if path.pattern == other.pattern:
                raise DocumentError(f"#{other.pointer}: another path means the same")
        # One alternative for each path, each ended by an empty group that tells which it was.
        self._pattern = re.compile("|".join(f"{path.pattern}()" for path in self._paths) or "(?!)")
        self._path_of_group = {}
        group = 0
        for path in self._paths:
            group += len(path.names) + 1
            self._path_of_group[group] = path

    def __getitem__(self, operation_id: str) -> Operation:
        return self._by_id[operation_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def match(self, method: str, raw_path: str) -> Match | None:
        """The operation that a request is for. The path is matched as sent: `%2F` is part of a segment."""
        found = self._pattern.fullmatch(raw_path)
        if found is None or found.lastindex is None:
            return None
        path = self._path_of_group[found.lastindex]
        operation = path.operations.get(method)
        if operation is None:
            return None
        values = found.groups()[found.lastindex - 1 - len(path.names) : found.lastindex - 1]
        return Match(operation, dict(zip(path.names, values, strict=True)))

    def allowed(self, raw_path: str) -> list[Operation]:
        """The operations that a path has, whatever their method."""
        found = self._pattern.fullmatch(raw_path)
        return list(self._path_of_group[found.lastindex].operations.values()) if found and found.lastindex else []


class _Path:
    """A path template as a regular expression; a template takes a whole segment, and never an empty one."""

    def __init__(self, pointer: str, path: str, operations: list[Operation]) -> None:
        self.pointer = pointer
        self.operations = {operation.method: operation for operation in operations}
        segments = path.split("/")
        templated = [segment.startswith("{") and segment.endswith("}") for segment in segments]
        if any("{" in segment for segment, is_template in zip(segments, templated, strict=True) if not is_template):
            raise DocumentError(f"#{pointer}: a template must be a whole segment")
        self.rank = templated, [segment for segment in segments if "{" not in segment]
        self.names = [segment[1:-1] for segment in segments if "{" in segment]
        self.pattern = "/".join(
            "([^/]+)" if is_template else re.escape(segment)
            for segment, is_template in zip(segments, templated, strict=True)
        )
        for operation in operations:
            declared = {parameter.name for parameter in operation.parameters if parameter.location == "path"}
            if declared != set(self.names):
                raise DocumentError(f"#{pointer}: its templates and its path parameters are not the same")


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

    def __init__(self, schemas: Schemas, path_pointer: str, method: str) -> None:
        self._schemas = schemas
        self._path_pointer = path_pointer
        self._method = method
        self._pointer = f"{path_pointer}/{method}"

    def read(self, path: str) -> Operation:
        node = self._schemas.node(self._pointer)
        if "operationId" not in node:
            raise DocumentError(f"#{self._pointer}: has no operationId")
        if not node.get("responses"):
            raise DocumentError(f"#{self._pointer}: declares no response")
        body_required, body_content = self._body(node)
        return Operation(
            id=node["operationId"],
            method=self._method.upper(),
            path=path,
            parameters=tuple(self._parameters(node)),
            body_required=body_required,
            body_content=body_content,
            responses={
                str(status): self._response(f"{self._pointer}/responses/{status}") for status in node["responses"]
            },
        )

    def _parameters(self, node: Mapping[str, Any]) -> list[Parameter]:
        """The operation's own parameters and those of its path, its own first."""
        shared = self._schemas.node(self._path_pointer).get("parameters", [])
        pointers = [f"{self._pointer}/parameters/{index}" for index in range(len(node.get("parameters", ())))]
        pointers += [f"{self._path_pointer}/parameters/{index}" for index in range(len(shared))]
        parameters: dict[tuple[str, str], Parameter] = {}
        for pointer in pointers:
            parameter = self._parameter(self._resolved(pointer))
            parameters.setdefault((parameter.location, parameter.name), parameter)
        return list(parameters.values())

    def _parameter(self, pointer: str) -> Parameter:
        node = self._schemas.node(pointer)
        location = node["in"]
        style = node.get("style", _DEFAULT_STYLES.get(location))
        if style not in _SUPPORTED_STYLES.get(location, ()):
            raise DocumentError(f"#{pointer}: a {location} parameter of style {style} is not supported")
        if "schema" not in node:
            raise DocumentError(f"#{pointer}: a parameter without a schema is not supported")
        defaults = [part["default"] for part in self._schemas.flattened(node["schema"]) if "default" in part]
        return Parameter(
            name=node["name"],
            location=location,
            required=node.get("required", False),
            style=style,
            explode=node.get("explode", style == "form"),
            schema=self._schemas.at(f"{pointer}/schema"),
            has_default=bool(defaults),
            default=defaults[0] if defaults else None,
        )

    def _body(self, node: Mapping[str, Any]) -> tuple[bool, Mapping[str, Schema | None]]:
        if "requestBody" not in node:
            return False, {}
        pointer = self._resolved(f"{self._pointer}/requestBody")
        return self._schemas.node(pointer).get("required", False), self._content(pointer)

    def _response(self, pointer: str) -> Response:
        pointer = self._resolved(pointer)
        headers = []
        for name in self._schemas.node(pointer).get("headers", {}):
            at = self._resolved(f"{pointer}/headers/{escaped(name)}")
            node = self._schemas.node(at)
            schema = self._schemas.at(f"{at}/schema") if "schema" in node else None
            headers.append(Header(name, node.get("required", False), schema))
        return Response(pointer, tuple(headers), self._content(pointer))

    def _content(self, pointer: str) -> dict[str, Schema | None]:
        """The schemas by media type; only JSON ones are held to their schema."""
        content = {}
        for media_type, node in self._schemas.node(pointer).get("content", {}).items():
            at = f"{pointer}/content/{escaped(media_type)}/schema"
            content[media_type] = self._schemas.at(at) if "schema" in node and is_json(media_type) else None
        return content

    def _resolved(self, pointer: str) -> str:
        node = self._schemas.node(pointer)
        while "$ref" in node:
            pointer = node["$ref"].removeprefix("#")
            node = self._schemas.node(pointer)
        return pointer


def is_json(media_type: str) -> bool:
    essence = media_type.partition(";")[0].strip().lower()
    return essence == "application/json" or essence.endswith("+json")
