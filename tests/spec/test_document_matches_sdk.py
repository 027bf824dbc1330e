"""Compare the document with the models of the published SDK: every operation, parameter, field, type and default.

How the SDK's classes say what the API requires:

* `T` without a default, and `Nullable[T]`, are required; the latter may be null.
* `Optional[T]` may be left out but not be null; `OptionalNullable[T]` may be both.
* A constant such as `type` always has a default, so that callers need not write it. What tells is the annotation:
  `Literal["x"]` is required on the wire, `Optional[Literal["x"]]` is not.
* `Union[Literal[...], UnrecognizedStr]` and a union parsed by `parse_open_union` are open: they let through what they
  do not know. The document marks these `x-speakeasy-unknown-values: allow`.

The TypedDict twins of the classes follow other rules and are not read.

A request that creates or compacts a response may have null in place of an optional field, in itself and in all its
parts but the items. The classes do not say so; the document does.

Both sides are boiled down to the alternatives that a value has, as text: `[InputText | string]`, `"asc" | "desc"`,
`number | null`. An alternative `...` means that unknown ones are let through.
"""

import ast
import copy
import inspect
import json
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import pytest
from meetkai_mka1 import models
from meetkai_mka1.apikeys import APIKeys
from meetkai_mka1.auth_apikey import AuthAPIKey
from meetkai_mka1.conversations import Conversations
from meetkai_mka1.responses import Responses
from meetkai_mka1.types import UNSET, Nullable, OptionalNullable, UnrecognizedStr
from meetkai_mka1.utils import FieldMetadata
from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from typing_extensions import TypeAliasType

from mockserver.contract.document import load_document

# The SDK's name -> ours, where they differ. The SDK has a class for each place where a thing is used.
RENAMED = {
    "Conversation": "ConversationReference",
    "ConversationsItemsCreateInputMessageItem": "InputMessageWithID",
    "ConversationsItemsCreateResponse": "ConversationItemList",
    "ConversationsItemsDeleteManyRequestBody": "DeleteItemsRequest",
    "ConversationsItemsListInputMessageItem": "InputMessageWithID",
    "ConversationsItemsListResponse": "ConversationItemList",
    "ConversationsItemsRetrieveInputMessageItem": "InputMessageWithID",
    "CreateResponseResponseBody": "ServerSentEvent",
    "Error": "ResponseError",
    "ExchangeAPIKeyTokenRequestBody": "ExchangeTokenRequest",
    "ExchangeAPIKeyTokenResponse": "ExchangedToken",
    "GetJwtFromKeyRequestBody": "ExchangeTokenRequest",
    "GetJwtFromKeyResponse": "ExchangedToken",
    "GetResponseResponseBody": "ServerSentEvent",
    "InputAudioInputAudio": "InputAudioData",
    "Path": "DragPoint",
    "ResponseObjectFileSearchToolDefinition": "FileSearchToolDefinition",
    "ResponseObjectFilter": "CompoundFilter",
    "ResponseObjectFilters": "CompoundFilter",
    "ResponseOutputTextAnnotationAddedEventAnnotation": "StreamedAnnotation",
    "ShellCallOutputOutcome": "ShellCallOutcome",
    "ShellCallOutputOutput": "ShellCallResult",
    "ShellCallOutputWithIDOutcome": "ShellCallOutcome",
    "ShellCallOutputWithIDOutput": "ShellCallResult",
    "Update": "UpdateConversationRequest",
    "WakeResponseRequestBody": "WakeResponseRequest",
    "WakeResponseResponse": "WakeResponseObject",
}

# The SDK's classes of requests that may have null in place of an optional field, with their parts.
WITH_NULLS = ("ResponsesCreateRequest", "CompactResponseRequest")

# (place, aspect) -> why the document says something else than the SDK. An entry that is not needed fails the tests.
DEVIATIONS = {
    ("CompactResponseRequest.instructions", "existence"): "the published pages and the client of OpenAI have it",
    ("CompoundFilter.filters", "type"): "recursive; the SDK's class for responses stops at the third level",
    ("CompoundFilter.type", "type"): "one schema for requests and responses; only the latter are open in the SDK",
    ("ConversationDeletedObject.deleted", "type"): "the SDK's own words are that it is always true",
    ("DeleteResponseObject.deleted", "type"): "the SDK's own words are that it is always true",
    ("FileSearchToolDefinition.filters", "type"): "one schema for requests and responses",
    ("FileSearchToolDefinition.max_num_results", "type"): "one schema for requests, with null, and responses",
    ("FileSearchToolDefinition.ranking_options", "type"): "one schema for requests, with null, and responses",
    ("FunctionToolDefinition.strict", "default"): "what its absence means, for clients written for OpenAI",
    ("FunctionToolDefinition.strict", "required"): "clients written for OpenAI leave it out",
    ("FunctionToolDefinition.strict", "type"): "clients written for OpenAI send null",
    ("ResponseObject.tools", "type"): "the union of the SDK ends in Any, because it lacks MCPToolDefinition",
    ("ShellToolRequestEnvironment.session_scope", "type"): "the SDK's own words are that it must be omitted",
}

PLANTED = {
    "field added": ("InputText", lambda schema: schema["properties"].update(lang={"type": "string"})),
    "field missing": ("URLCitation", lambda schema: schema["properties"].pop("title")),
    "field renamed": (
        "LogProb",
        lambda schema: schema["properties"].update(byte=schema["properties"].pop("bytes")),
    ),
    "no longer required": ("ConversationObject", lambda schema: schema["required"].remove("deleted_at")),
    "required too much": ("ItemReference", lambda schema: schema["required"].append("type")),
    "no longer nullable": (
        "CodeInterpreterToolCall",
        lambda schema: schema["properties"]["code"].update(type="string"),
    ),
    "nullable too much": (
        "MCPToolCall",
        lambda schema: schema["properties"]["error"].update(type=["string", "null"]),
    ),
    "enum value missing": (
        "FileSearchToolCall",
        lambda schema: schema["properties"]["status"]["enum"].remove("failed"),
    ),
    "enum closed": (
        "ClickAction",
        lambda schema: schema["properties"]["button"].pop("x-speakeasy-unknown-values"),
    ),
    "other constant": ("WaitAction", lambda schema: schema["properties"]["type"].update(const="pause")),
    "other default": ("InputImage", lambda schema: schema["properties"]["detail"].update(default="low")),
    "other number": ("LogProb", lambda schema: schema["properties"]["logprob"].update(type="integer")),
    "union member missing": ("Item", lambda schema: schema["anyOf"].pop(3)),
    "other union member": (
        "Annotation",
        lambda schema: schema["discriminator"]["mapping"].pop("file_path"),
    ),
    "stored form missing": (
        "ConversationItem",
        lambda schema: schema["anyOf"].remove({"$ref": "#/components/schemas/MCPToolCallWithID"}),
    ),
    "null in a request no longer accepted": (
        "ResponsesCreateRequest",
        lambda schema: schema["properties"]["instructions"].update(type="string"),
    ),
    "null in a tool no longer accepted": (
        "UserLocation",
        lambda schema: schema["properties"]["city"].update(type="string"),
    ),
    "null in a response accepted": (
        "ResponseObject",
        lambda schema: schema["properties"]["model"].update(type=["string", "null"]),
    ),
    "event missing": (
        "ResponseStreamingEvent",
        lambda schema: schema["discriminator"]["mapping"].pop("response.shell_call.executing"),
    ),
    "field of an event missing": (
        "ResponseFunctionCallArgumentsDoneEvent",
        lambda schema: schema["properties"].pop("name"),
    ),
    "field of many events missing": ("ItemEventFields", lambda schema: schema["properties"].pop("output_index")),
    "other event": (
        "ServerSentEvent",
        lambda schema: schema["properties"]["data"].update(
            contentSchema={"$ref": "#/components/schemas/ResponseCreatedEvent"}
        ),
    ),
    "other list": ("DeleteItemsRequest", lambda schema: schema["properties"]["item_ids"].pop("items")),
    "other map": ("LocalShellAction", lambda schema: schema["properties"]["env"].pop("additionalProperties")),
}

PLANTED_PARAMETERS = {
    "other default": ("ItemLimit", lambda parameter: parameter["schema"].update(default=50)),
    "other enum": ("ConversationOrder", lambda parameter: parameter["schema"]["enum"].append("random")),
    "other name": ("OnBehalfOf", lambda parameter: parameter.update(name="X-End-User")),
    "other place": ("Search", lambda parameter: parameter.update({"in": "header"})),
    "required too much": ("AfterItem", lambda parameter: parameter.update(required=True)),
    "other include": ("ResponseIncludes", lambda parameter: parameter["schema"].update(items={"type": "string"})),
    "other style": ("IncludeFields", lambda parameter: parameter.update(explode=False)),
}


class Field(NamedTuple):
    required: bool
    type: str
    default: Any


class Parameter(NamedTuple):
    required: bool
    type: str
    default: Any
    style: str
    explode: bool


class Operation(NamedTuple):
    verb: str
    path: str
    tags: list[str]
    extensions: dict[str, Any]
    parameters: dict[str, Parameter]  # by "place name"
    body: tuple[bool, str, str] | None  # required, media type, alternatives
    answers: dict[tuple[str, str], str]  # alternatives by status and media type


class Difference(NamedTuple):
    place: str
    aspect: str
    sdk: Any
    document: Any


# The SDK's side


class Sdk:
    def __init__(self) -> None:
        self.classes: dict[str, set[type[BaseModel]]] = {}  # by our name
        self._with_nulls = {part for name in WITH_NULLS for part in _parts(getattr(models, name), without=models.Item)}
        self.operations = dict(self._operations())
        compared: set[str] = set()
        while missing := self.classes.keys() - compared:
            compared |= missing
            for name in missing:
                for model in set(self.classes[name]):
                    self.fields(model)  # Finds the classes that the fields refer to.

    def fields(self, model: type[BaseModel]) -> dict[str, Field]:
        return {
            info.alias or name: Field(
                not _is_optional(hint),
                self._type(hint, or_null=model in self._with_nulls and _is_optional(hint)),
                _default(hint, model.model_fields[name]),
            )
            for name, hint in get_type_hints(model, include_extras=True).items()
            if (info := model.model_fields.get(name))
        }

    def _operations(self) -> Iterator[tuple[str, Operation]]:
        for method in _list_methods():
            calls = _calls(method)
            request = getattr(models, calls["request"].func.attr)
            build, hook = _keywords(calls["_build_request"]), _keywords(calls["HookContext"])
            parameters, body = self._request(request, build["request_body_required"])
            yield (
                hook["operation_id"],
                Operation(
                    build["method"],
                    build["path"],
                    hook["tags"],
                    hook["extensions"] or {},
                    parameters,
                    body,
                    {place: self._type(getattr(models, name)) for place, name in _answers(method)},
                ),
            )

    def _request(
        self, model: type[BaseModel], body_required: bool
    ) -> tuple[dict[str, Parameter], tuple[bool, str, str] | None]:
        parameters, body = {}, None
        for name, hint in get_type_hints(model, include_extras=True).items():
            info = model.model_fields.get(name)
            if info is None:
                continue
            metadata = next(marker for marker in info.metadata if isinstance(marker, FieldMetadata))
            if metadata.request:
                body = (body_required, metadata.request.media_type, self._type(hint))
                continue
            for place in ("path", "query", "header"):
                if details := getattr(metadata, place):
                    parameters[f"{place} {info.alias or name}"] = Parameter(
                        not _is_optional(hint),
                        self._type(hint),
                        _default(hint, info),
                        details.style,
                        details.explode,
                    )
        return parameters, body

    def _type(self, hint: Any, *, or_null: bool = False) -> str:
        return _joined(self._alternatives(hint) | ({"null"} if or_null else set()))

    def _alternatives(self, hint: Any) -> set[str]:
        origin, arguments = get_origin(hint), get_args(hint)
        if origin is Annotated:
            for marker in arguments[1:]:
                if isinstance(marker, BeforeValidator) and isinstance(marker.func, partial):
                    return self._open_union(**marker.func.keywords)
            return self._alternatives(arguments[0])
        if isinstance(hint, TypeAliasType):
            return self._alternatives(hint.__value__)
        if origin in (Nullable, OptionalNullable):
            return self._alternatives(arguments[0]) | {"null"}
        if origin is Union:
            return set().union(*(self._alternatives(part) for part in arguments if part is not NoneType))
        if origin is Literal:
            return {json.dumps(value) for value in arguments}
        if origin is list:
            return {f"[{self._type(arguments[0])}]"}
        if origin is dict:
            return {f"{{{self._type(arguments[1])}}}"}
        if isinstance(hint, type) and issubclass(hint, BaseModel):
            return {self._name(hint)}
        return {_SCALARS[hint]}

    def _open_union(self, disc_key: str, variants: Mapping[str, Any], **_: Any) -> set[str]:
        return {f"{disc_key} {tag}: {self._name(model)}" for tag, model in variants.items()} | {"..."}

    def _name(self, model: type[BaseModel]) -> str:
        name = RENAMED.get(model.__name__, model.__name__)
        self.classes.setdefault(name, set()).add(model)
        return name


def _list_methods() -> Iterator[Callable[..., Any]]:
    """Yield the synchronous methods of the operations that the document has."""
    for resource in (Conversations, Responses):
        for name, method in inspect.getmembers(resource, inspect.isfunction):
            if not name.startswith("_") and not name.endswith("_async") and method.__module__ == resource.__module__:
                yield method
    yield APIKeys.exchange_token
    yield inspect.unwrap(AuthAPIKey.get_jwt_from_key)


_SCALARS = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    UnrecognizedStr: "...",
    Any: "anything",
    datetime: "string",
}


def _parts(hint: Any, without: Any) -> set[type[BaseModel]]:
    """Return all classes that a class or annotation consists of, except for what `without` consists of."""
    found: set[type[BaseModel]] = set()
    waiting = [hint]
    while waiting:
        hint = waiting.pop()
        if hint is without or hint in found:
            continue
        if isinstance(hint, TypeAliasType):
            waiting.append(hint.__value__)
        elif isinstance(hint, type) and issubclass(hint, BaseModel):
            found.add(hint)
            waiting += get_type_hints(hint, include_extras=True).values()
        else:
            waiting += get_args(hint)
    return found


def _answers(method: Callable[..., Any]) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the status and media type of each successful response of a method, with the name of its class."""
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(method)))):
        if isinstance(node, ast.If):
            matched = re.match(r"utils.match_response\(http_res, '(2..)', '(.+)'\)", ast.unparse(node.test))
            model = re.search(r"models\.(\w+)", ast.unparse(node.body[-1]))
            if matched and model:
                yield (matched[1], matched[2]), model[1]


def _calls(method: Callable[..., Any]) -> dict[str, ast.Call]:
    """Return the first call of each function in a method, by name, and the one assigned to `request`."""
    calls: dict[str, ast.Call] = {}
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(method)))):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            calls.setdefault(name, node)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "request":
            calls["request"] = node.value
    return calls


def _keywords(call: ast.Call) -> dict[str, Any]:
    """Return the keyword arguments of a call with literal values."""
    found = {}
    for keyword in call.keywords:
        try:
            found[keyword.arg] = ast.literal_eval(keyword.value)
        except ValueError:
            continue
    return found


def _bare(hint: Any) -> Any:
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    return hint


def _is_optional(hint: Any) -> bool:
    hint = _bare(hint)
    return get_origin(hint) is OptionalNullable or NoneType in get_args(hint)


def _default(hint: Any, info: FieldInfo) -> Any:
    """Return the default of the API; that of a constant is a convenience of the SDK."""
    is_constant = get_origin(_bare(hint)) is Literal or any(
        get_origin(part) is Literal and len(get_args(part)) == 1 for part in get_args(_bare(hint))
    )
    return None if is_constant or info.is_required() or info.default is UNSET else info.default


# The document's side


class Document:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self.names = document["components"]["schemas"].keys()
        self.seen: set[str] = set()  # names of schemas
        self.operations = dict(self._operations())

    def fields(self, name: str) -> dict[str, Field]:
        parts = list(self._flattened({"$ref": f"#/components/schemas/{name}"}))
        required = {field for part in parts for field in part.get("required", ())}
        fields: dict[str, Field] = {}
        for part in parts:
            for field, schema in part.get("properties", {}).items():
                described = Field(field in required, self._type(schema), schema.get("default"))
                # Where a request form and what every stored item has state a field twice, they must agree.
                assert fields.setdefault(field, described) == described, f"{name}.{field} is stated twice"
        return fields

    def _operations(self) -> Iterator[tuple[str, Operation]]:
        for path, item in self._document["paths"].items():
            for verb in item.keys() - {"parameters"}:
                operation = item[verb]
                body = None
                if "requestBody" in operation:
                    [(media_type, content)] = operation["requestBody"]["content"].items()
                    body = (operation["requestBody"]["required"], media_type, self._type(content["schema"]))
                yield (
                    operation["operationId"],
                    Operation(
                        verb.upper(),
                        path,
                        operation["tags"],
                        {key: value for key, value in operation.items() if key.startswith("x-")},
                        dict(self._parameters(item.get("parameters", []) + operation.get("parameters", []))),
                        body,
                        {
                            (status, media_type): self._type(content["schema"])
                            for status, response in operation["responses"].items()
                            if status.startswith("2")
                            for media_type, content in response["content"].items()
                        },
                    ),
                )

    def _parameters(self, parameters: list[Mapping[str, Any]]) -> Iterator[tuple[str, Parameter]]:
        for reference in parameters:
            parameter = self._node(reference)
            # https://spec.openapis.org/oas/v3.1.0#parameter-object says what holds when nothing is said.
            style = parameter.get("style", "form" if parameter["in"] == "query" else "simple")
            yield (
                f"{parameter['in']} {parameter['name']}",
                Parameter(
                    parameter.get("required", False),
                    self._type(parameter["schema"]),
                    parameter["schema"].get("default"),
                    style,
                    parameter.get("explode", style == "form"),
                ),
            )

    def _node(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" not in node:
            return node
        _, section, name = node["$ref"].rsplit("/", 2)
        if section == "schemas":
            self.seen.add(name)
        return self._document["components"][section][name]

    def _flattened(self, schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        schema = self._node(schema)
        yield schema
        for part in schema.get("allOf", ()):
            yield from self._flattened(part)

    def _type(self, schema: Mapping[str, Any]) -> str:
        return _joined(self._alternatives(schema))

    def _alternatives(self, schema: Mapping[str, Any]) -> set[str]:
        if any("properties" in part for part in self._flattened(schema)):
            return {schema["$ref"].rsplit("/", 1)[1] if "$ref" in schema else "an object without a name"}
        schema = self._node(schema)
        is_open = {"..."} if schema.get("x-speakeasy-unknown-values") == "allow" else set()
        if "discriminator" in schema:
            key, mapping = schema["discriminator"]["propertyName"], schema["discriminator"]["mapping"]
            return {f"{key} {tag}: {self._type({'$ref': target})}" for tag, target in mapping.items()} | is_open
        if union := schema.get("anyOf") or schema.get("oneOf"):
            return set().union(*map(self._alternatives, union)) | is_open
        if "contentSchema" in schema:
            return self._alternatives(schema["contentSchema"])
        if "const" in schema:
            return {json.dumps(schema["const"])}
        if "enum" in schema:
            return {json.dumps(value) for value in schema["enum"]} | is_open
        types = schema.get("type", "anything")
        return {self._plain(name, schema) for name in ([types] if isinstance(types, str) else types)}

    def _plain(self, name: str, schema: Mapping[str, Any]) -> str:
        if name == "array":
            return f"[{self._type(schema.get('items', {}))}]"
        if name == "object":
            values = schema.get("additionalProperties", "nothing is said about the values")
            if isinstance(values, str):
                return values
            return f"{{{'anything' if values is True else self._type(values)}}}"
        return name


def _joined(alternatives: set[str]) -> str:
    return "anything" if "anything" in alternatives else " | ".join(sorted(alternatives))


# The comparison


def differences(sdk: Sdk, document: Document) -> list[Difference]:
    found = []
    for name, ours in document.operations.items():
        theirs = sdk.operations[name]
        found += _differing(name, theirs._replace(parameters={}), ours._replace(parameters={}))
        found += _differing_maps(name, " ", theirs.parameters, ours.parameters)
    for name, classes in sdk.classes.items():
        if name not in document.names:
            found.append(Difference(name, "existence", True, False))
            continue
        for model in classes:
            found += _differing_maps(name, ".", sdk.fields(model), document.fields(name))
    return sorted(set(found), key=str)


def _differing_maps(
    place: str, separator: str, sdk: Mapping[str, Any], document: Mapping[str, Any]
) -> Iterator[Difference]:
    for name in sdk.keys() | document.keys():
        where = f"{place}{separator}{name}"
        if name in sdk and name in document:
            yield from _differing(where, sdk[name], document[name])
        else:
            yield Difference(where, "existence", name in sdk, name in document)


def _differing(place: str, sdk: Any, document: Any) -> Iterator[Difference]:
    for aspect in sdk._fields:
        theirs, ours = getattr(sdk, aspect), getattr(document, aspect)
        if theirs != ours:
            yield Difference(place, aspect, _frozen(theirs), _frozen(ours))


def _frozen(value: Any) -> Any:
    return value if isinstance(value, str | bool | int | NoneType) else repr(value)


@pytest.fixture(scope="module")
def sdk() -> Sdk:
    return Sdk()


@pytest.fixture(scope="module")
def bundled() -> dict[str, Any]:
    return load_document()


@pytest.fixture(scope="module")
def document(bundled: dict[str, Any]) -> Document:
    return Document(bundled)


def test_the_document_and_the_sdk_have_the_same_operations(sdk: Sdk, document: Document) -> None:
    assert sorted(document.operations) == sorted(sdk.operations)


def test_the_document_agrees_with_the_sdk(sdk: Sdk, document: Document) -> None:
    unexplained = [found for found in differences(sdk, document) if found[:2] not in DEVIATIONS]
    assert not unexplained, "\n".join(map(str, unexplained))


def test_every_deviation_is_needed(sdk: Sdk, document: Document) -> None:
    needed = {found[:2] for found in differences(sdk, document)}
    assert sorted(DEVIATIONS.keys() - needed) == []


def test_every_renaming_is_needed(sdk: Sdk) -> None:
    used = {model.__name__ for classes in sdk.classes.values() for model in classes}
    assert sorted(RENAMED.keys() - used) == []


def test_all_schemas_of_requests_and_responses_are_compared(
    sdk: Sdk, document: Document, bundled: dict[str, Any]
) -> None:
    differences(sdk, document)
    assert sorted(_schemas_in_use(bundled) - document.seen) == []


def _schemas_in_use(bundled: dict[str, Any]) -> set[str]:
    """Return the schemas of parameters, request bodies and successful responses; the SDK has classes for them only."""
    in_use: set[str] = set()
    waiting: list[Any] = []
    for item in bundled["paths"].values():
        for verb, operation in item.items():
            if verb == "parameters":
                waiting.append(operation)
            else:
                waiting += [operation.get("parameters"), operation.get("requestBody")]
                waiting.append(operation["responses"]["200"]["content"])
    while waiting:
        for section, name in re.findall(r'"#/components/(\w+)/(\w+)"', json.dumps(waiting.pop())):
            if section == "schemas" and name not in in_use:
                in_use.add(name)
                waiting.append(bundled["components"]["schemas"][name])
            elif section == "parameters":
                waiting.append(bundled["components"]["parameters"][name])
    return in_use


@pytest.mark.parametrize(("name", "change"), PLANTED.values(), ids=PLANTED.keys())
def test_a_planted_deviation_is_found(
    sdk: Sdk, bundled: dict[str, Any], name: str, change: Callable[[Any], Any]
) -> None:
    planted = copy.deepcopy(bundled)
    change(planted["components"]["schemas"][name])
    assert {found[:2] for found in differences(sdk, Document(planted))} - DEVIATIONS.keys()


@pytest.mark.parametrize(("name", "change"), PLANTED_PARAMETERS.values(), ids=PLANTED_PARAMETERS.keys())
def test_a_planted_deviation_of_a_parameter_is_found(
    sdk: Sdk, bundled: dict[str, Any], name: str, change: Callable[[Any], Any]
) -> None:
    planted = copy.deepcopy(bundled)
    change(planted["components"]["parameters"][name])
    assert {found[:2] for found in differences(sdk, Document(planted))} - DEVIATIONS.keys()
