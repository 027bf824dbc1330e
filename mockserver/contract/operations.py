"""The operations of a document: what each takes and answers, and which one a request is for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class _PathNode:
    """One segment of the path templates: literal children come before the templated one."""

    literals: dict[str, "_PathNode"] = field(default_factory=dict)
    templated: "_PathNode | None" = None
    operations: dict[str, tuple[Operation, tuple[str, ...]]] = field(default_factory=dict)


class Operations(Mapping[str, Operation]):
    """All operations of a document, by `operationId`.

    Raises:
        DocumentError: the document asks for something that is not supported; names the place.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self.schemas = Schemas(document)
        self._root = _PathNode()
        self._by_id: dict[str, Operation] = {}
        prefix = _server_path(document)
        for path, item in document.get("paths", {}).items():
            for method in METHODS:
                if method in item:
                    self._add(_Reader(self.schemas, f"/paths/{escaped(path)}", method).read(path), prefix + path)

    def __getitem__(self, operation_id: str) -> Operation:
        return self._by_id[operation_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def match(self, method: str, raw_path: str) -> Match | None:
        """The operation that a request is for. The path is matched as sent: `%2F` is part of a segment."""
        node, values = self._descend(raw_path)
        found = node.operations.get(method) if node else None
        if found is None:
            return None
        operation, names = found
        return Match(operation, dict(zip(names, values, strict=True)))

    def allowed(self, raw_path: str) -> list[Operation]:
        """The operations that a path has, whatever their method."""
        node, _ = self._descend(raw_path)
        return [operation for operation, _ in node.operations.values()] if node else []

    def _descend(self, raw_path: str) -> tuple[_PathNode | None, list[str]]:
        return _find(self._root, raw_path.split("/"), 0, [])

    def _add(self, operation: Operation, path: str) -> None:
        if operation.id in self._by_id:
            raise DocumentError(f"#/paths: two operations have the operationId {operation.id}")
        node, names = self._root, []
        for segment in path.split("/"):
            if segment.startswith("{") and segment.endswith("}"):
                names.append(segment[1:-1])
                node.templated = node.templated or _PathNode()
                node = node.templated
            elif "{" in segment:
                raise DocumentError(f"#/paths/{escaped(operation.path)}: a template must be a whole segment")
            else:
                node = node.literals.setdefault(segment, _PathNode())
        if operation.method in node.operations:
            raise DocumentError(f"#/paths/{escaped(operation.path)}: another path means the same")
        declared = {parameter.name for parameter in operation.parameters if parameter.location == "path"}
        if declared != set(names):
            raise DocumentError(
                f"#/paths/{escaped(operation.path)}: its templates and its path parameters are not the same"
            )
        node.operations[operation.method] = (operation, tuple(names))
        self._by_id[operation.id] = operation


def _find(node: _PathNode, segments: list[str], index: int, values: list[str]) -> tuple[_PathNode | None, list[str]]:
    """Literal segments win, and a template never takes an empty segment."""
    if index == len(segments):
        return (node if node.operations else None), values
    segment = segments[index]
    literal = node.literals.get(segment)
    if literal is not None:
        found, found_values = _find(literal, segments, index + 1, values)
        if found is not None:
            return found, found_values
    if node.templated is not None and segment:
        return _find(node.templated, segments, index + 1, [*values, segment])
    return None, values


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
