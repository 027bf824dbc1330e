"""Requests are matched to operations; unusable documents are rejected."""

import pytest

from mockserver.contract.document import DocumentError
from mockserver.contract.operations import Operations

OK = {"200": {"description": "OK"}}


def operation(operation_id, *path_parameters, **more):
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in path_parameters
    ]
    return {"operationId": operation_id, "responses": OK, "parameters": parameters, **more}


def document(paths, **more):
    return {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": paths, **more}


PETS = document(
    {
        "/pets": {"get": operation("list"), "post": operation("create")},
        "/pets/mine": {"get": operation("mine")},
        "/pets/{pet}": {"get": operation("one", "pet")},
        "/pets/{pet}/toys/{toy}": {"get": operation("toy", "pet", "toy")},
        "/{kind}/mine/toys/all": {"get": operation("all", "kind")},
    }
)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/pets", ("list", {})),
        ("POST", "/pets", ("create", {})),
        ("GET", "/pets/mine", ("mine", {})),
        ("GET", "/pets/7", ("one", {"pet": "7"})),
        ("GET", "/pets/a%2Fb", ("one", {"pet": "a%2Fb"})),
        ("GET", "/pets/..", ("one", {"pet": ".."})),
        ("GET", "/pets/mine/toys/9", ("toy", {"pet": "mine", "toy": "9"})),
        ("GET", "/pets/mine/toys/all", ("toy", {"pet": "mine", "toy": "all"})),
        ("GET", "/birds/mine/toys/all", ("all", {"kind": "birds"})),
        ("GET", "/pets/", None),
        ("GET", "/pets//toys/9", None),
        ("GET", "//pets", None),
        ("GET", "/Pets", None),
        ("GET", "pets", None),
        ("GET", "", None),
        ("PUT", "/pets", None),
    ],
)
def test_a_request_matches_its_operation(method, path, expected):
    match = Operations(PETS).match(method, path)
    assert (match and (match.operation.id, match.parameters)) == expected


def test_a_path_has_its_operations():
    operations = Operations(PETS)
    assert [operation.method for operation in operations.operations_at("/pets")] == ["GET", "POST"]
    assert operations.operations_at("/pets/") == []


def test_the_server_path_is_a_prefix():
    operations = Operations(document({"/pets": {"get": operation("list")}}, servers=[{"url": "https://host/v1/"}]))
    assert operations.match("GET", "/v1/pets") is not None
    assert operations.match("GET", "/pets") is None


def test_an_operation_inherits_and_overrides_the_parameters_of_its_path():
    limit = {"name": "limit", "in": "query", "schema": {"type": "integer"}}
    own = {**limit, "schema": {"type": "integer", "default": 7}}
    page = {"name": "page", "in": "query", "schema": {"type": "integer"}}
    item = {"parameters": [limit, page], "get": operation("list") | {"parameters": [own]}}
    (parameters,) = [operation.parameters for operation in Operations(document({"/a": item})).values()]
    assert [(parameter.name, parameter.default) for parameter in parameters] == [("limit", 7), ("page", None)]


def test_a_response_is_declared_by_status_range_or_default():
    responses = {name: {"description": name} for name in ("200", "4XX", "default")}
    (found,) = Operations(document({"/a": {"get": {"operationId": "a", "responses": responses}}})).values()
    pointers = [found.response(status).pointer.rpartition("/")[2] for status in (200, 404, 500)]
    assert pointers == ["200", "4XX", "default"]


def parameter(**fields):
    return {"get": operation("a") | {"parameters": [{"name": "p", "in": "query", **fields}]}}


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ({"/a": {"get": {"responses": OK}}}, "#/paths/~1a/get: operationId is required"),
        ({"/a": {"get": {"operationId": "a"}}}, "#/paths/~1a/get: at least one response is required"),
        ({"/a": {"get": operation("x"), "post": operation("x")}}, "another operation has the operationId x"),
        ({"/a/{b}": {"get": operation("a")}}, "the templates and the path parameters differ"),
        ({"/a": {"get": operation("a", "b")}}, "the templates and the path parameters differ"),
        ({"/a/x{b}": {"get": operation("a", "b")}}, "a template must be a whole segment"),
        (
            {"/a/{b}": {"get": operation("x", "b")}, "/a/{c}": {"get": operation("y", "c")}},
            "#/paths/~1a~1{c}: another path matches the same requests",
        ),
        ({"/a": parameter()}, "#/paths/~1a/get/parameters/0: a parameter without a schema"),
        ({"/a": parameter(schema={}, style="matrix")}, "style: matrix is not supported for a query parameter"),
        ({"/a": parameter(schema={"type": "strin"})}, "#/paths/~1a/get/parameters/0/schema/type"),
        ({"/a": parameter(schema={"$ref": "#/components/schemas/No"})}, "components/schemas/No"),
        ({"/a": parameter(schema={"pattern": "("})}, "#/paths/~1a/get/parameters/0/schema"),
    ],
)
def test_an_unusable_document_is_rejected_with_its_place(paths, message):
    with pytest.raises(DocumentError) as caught:
        Operations(document(paths))
    assert message in str(caught.value)


@pytest.mark.parametrize("servers", [["/v1", "/v2"], ["https://{host}/v{n}"]])
def test_servers_with_different_paths_are_rejected(servers):
    with pytest.raises(DocumentError, match="#/servers"):
        Operations(document({}, servers=[{"url": url} for url in servers]))
