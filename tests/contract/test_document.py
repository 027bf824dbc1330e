"""Bundling makes one document of many files."""

import pytest

from mockserver.contract import bundler, document
from mockserver.contract.document import DocumentError, load_document

ENTRY = """
openapi: 3.1.0
info: {title: t, version: "1"}
paths:
  /things: {$ref: "paths/things.yaml#/things"}
components:
  securitySchemes: {key: {type: http, scheme: bearer}}
"""


def written(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path = path.with_name(path.name + ".yaml")
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    return folder / "openapi.yaml"


def test_paths_are_inlined_and_other_nodes_become_components(tmp_path):
    entry = written(
        tmp_path,
        openapi=ENTRY,
        paths__things="things: {get: {responses: {'200': {$ref: '../responses.yaml#/Things'}}}}",
        responses="Things: {description: d, content: {application/json: {schema: {$ref: 'schemas/a.yaml#/Thing'}}}}",
        schemas__a="Thing: {properties: {next: {$ref: '#/Thing', description: the next}, b: {$ref: 'b.yaml#/B'}}}",
        schemas__b="B: {type: string}",
    )
    document = load_document(entry)
    assert document["paths"]["/things"]["get"]["responses"]["200"] == {"$ref": "#/components/responses/Things"}
    assert document["components"] == {
        "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        "responses": {
            "Things": {
                "description": "d",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
            }
        },
        "schemas": {
            "B": {"type": "string"},
            "Thing": {
                "properties": {
                    "next": {"$ref": "#/components/schemas/Thing", "description": "the next"},
                    "b": {"$ref": "#/components/schemas/B"},
                }
            },
        },
    }


def test_a_discriminator_mapping_follows_its_schemas(tmp_path):
    entry = written(
        tmp_path,
        openapi=ENTRY,
        paths__things="things: {$ref: '../schemas/a.yaml#/U'}",
        schemas__a="U: {oneOf: [{$ref: '#/A'}], discriminator: {propertyName: t, mapping: {a: '#/A'}}}\nA: {}",
    )
    union = load_document(entry)["components"]["schemas"]["U"]
    assert union["discriminator"]["mapping"] == {"a": "#/components/schemas/A"}


def test_literal_values_do_not_change(tmp_path):
    literal = {"$ref": "not-a-reference"}
    entry = written(
        tmp_path,
        openapi=ENTRY,
        paths__things="things: {x: {$ref: '../schemas/a.yaml#/A'}}",
        schemas__a="A: {const: {$ref: not-a-reference}, examples: [{$ref: not-a-reference}], "
        "properties: {const: {$ref: '#/B'}}}\nB: {type: string}",
    )
    schema = load_document(entry)["components"]["schemas"]["A"]
    assert schema["const"] == literal
    assert schema["examples"] == [literal]
    assert schema["properties"]["const"] == {"$ref": "#/components/schemas/B"}


def test_dates_are_text(tmp_path):
    entry = written(tmp_path, openapi=ENTRY, paths__things="things: {x: 2024-01-01}")
    assert load_document(entry)["paths"]["/things"]["x"] == "2024-01-01"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "openapi.yaml: No such file or directory"),
        ({"openapi": "a: ["}, "openapi.yaml: is not valid YAML: while parsing"),
        ({"openapi": "a: 1"}, "the field 'openapi' is missing"),
        ({"openapi": ENTRY}, "things.yaml: No such file"),
        ({"openapi": ENTRY, "paths__things": "other: {}"}, "things.yaml: there is no /things"),
        (
            {
                "openapi": ENTRY,
                "paths__things": "things: [{$ref: '../schemas/a.yaml#/A'}, {$ref: '../schemas/b.yaml#/A'}]",
                "schemas__a": "A: {}",
                "schemas__b": "A: {}",
            },
            "has one of the same name",
        ),
        (
            {
                "openapi": ENTRY,
                "paths__things": "things: {$ref: '../schemas/a.yaml#/A/b'}",
                "schemas__a": "A: {b: {}}",
            },
            "must have the form `file.yaml#/Name`",
        ),
        (
            {"openapi": ENTRY, "paths__things": "things: {x: .nan}"},
            "#/paths/~1things/x: cannot be represented in JSON",
        ),
        ({"openapi": ENTRY, "paths__things": "things: {200: x}"}, "/~1things: cannot be represented in JSON: 200"),
    ],
)
def test_an_unusable_document_is_rejected_with_its_place(tmp_path, files, message):
    with pytest.raises(DocumentError) as caught:
        load_document(written(tmp_path, **files))
    assert message in str(caught.value)


# The cache of the shipped documents


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A folder of documents that counts as the shipped one."""
    entry = written(tmp_path / "spec", openapi=ENTRY, paths__things="things: {get: {responses: {}}}")
    monkeypatch.setattr(document, "data_path", lambda name: tmp_path / name)
    return entry


def test_a_shipped_document_is_read_once(shipped, monkeypatch):
    first = load_document()
    assert first["paths"]["/things"] == {"get": {"responses": {}}}
    monkeypatch.setattr(bundler, "bundle", None)
    assert load_document() == load_document(shipped) == first
    assert load_document() is not first


@pytest.mark.parametrize("changed", ["openapi.yaml", "paths/things.yaml", "schemas/new.yaml"])
def test_a_changed_document_is_read_again(shipped, changed, monkeypatch):
    load_document()
    file = shipped.parent / changed
    file.parent.mkdir(exist_ok=True)
    with file.open("a") as text:
        text.write("# changed\n")
    monkeypatch.setattr(bundler, "bundle", lambda path: {"read": str(path)})
    assert load_document() == load_document() == {"read": str(shipped)}


def test_a_broken_cache_is_written_again(shipped):
    first = load_document()
    (cache,) = (shipped.parent / "build").iterdir()
    cache.write_bytes(b"")
    assert load_document() == first
    assert cache.read_bytes()


def test_a_document_in_a_read_only_folder_is_not_cached(shipped):
    (shipped.parent / "build").write_text("not a folder")
    assert load_document() == load_document()


def test_other_documents_are_not_cached(tmp_path):
    entry = written(tmp_path, openapi=ENTRY, paths__things="things: {get: {responses: {}}}")
    load_document(entry)
    assert not (tmp_path / "build").exists()
