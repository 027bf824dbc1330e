"""An OpenAPI document, compiled once and shared by everything that needs it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from mockserver.contract.document import data_path, load_document
from mockserver.contract.engine import Engine, create_engine
from mockserver.contract.operations import Operation, Operations, is_json
from mockserver.contract.schemas import Schema, Schemas
from mockserver.settings import EngineName


@dataclass(frozen=True, eq=False)
class Contract:
    """An OpenAPI document with its operations and schemas.

    A contract never changes, so that any number of applications can share one. Properties that not every program
    needs are computed on first use.
    """

    document: dict[str, Any]
    operations: Operations

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Contract":
        """Compile a document whose references all stay inside it.

        Raises:
            DocumentError: the document uses something that is not supported.
        """
        return cls(document, Operations(document))

    @classmethod
    def load(cls, path: Path | None = None) -> "Contract":
        """Load the document at `path`, by default the API's own.

        Raises:
            DocumentError: the document cannot be read or uses something that is not supported.
        """
        return cls.load_shipped("spec/openapi.yaml") if path is None else cls.from_document(load_document(path))

    @classmethod
    def load_shipped(cls, name: str) -> "Contract":
        """Load a shipped document such as `spec/control.yaml`. A test has checked its schemas, which takes long."""
        document = load_document(data_path(name))
        return cls(document, Operations(document, check_schemas=False))

    @property
    def schemas(self) -> Schemas:
        """All schemas of the document."""
        return self.operations.schemas

    def engine(self, name: EngineName) -> Engine:
        """Return the engine that validates requests and responses.

        Raises:
            UsageError: the engine needs a library that is not installed.
        """
        return self._reference_engine if name == "reference" else self._compiled_engine

    @cached_property
    def _compiled_engine(self) -> Engine:
        return create_engine("compiled", self.document)

    @cached_property
    def _reference_engine(self) -> Engine:
        return create_engine("reference", self.document)

    @cached_property
    def id_prefixes(self) -> Mapping[str, str]:
        """The prefixes of generated ids (`x-id-prefix`), by the `type` of an item or the `object` of a resource."""
        prefixes = {}
        for schema in self._component_schemas.values():
            if "x-id-prefix" in schema:
                properties = schema["properties"]
                name = properties["type"]["const"] if "type" in properties else properties["object"]["const"]
                prefixes[name] = schema["x-id-prefix"]
        return prefixes

    @cached_property
    def item_types(self) -> Sequence[str]:
        """The `type` of every kind of item, in the order of the document."""
        branches = self._component_schemas["Item"]["anyOf"]
        kinds = [self._component_schemas[branch["$ref"].rpartition("/")[2]] for branch in branches]
        return tuple(dict.fromkeys(kind["properties"]["type"]["const"] for kind in kinds))

    @cached_property
    def secret_fields(self) -> Mapping[str, frozenset[str]]:
        """The names of the fields with secrets in the requests and JSON responses of each operation that has any."""
        fields = {
            operation.id: frozenset().union(*(schema.secret_fields for schema in _list_body_schemas(operation)))
            for operation in self.operations.values()
        }
        return {name: secrets for name, secrets in fields.items() if secrets}

    @property
    def _component_schemas(self) -> Mapping[str, Any]:
        schemas: Mapping[str, Any] = self.document["components"]["schemas"]
        return schemas


def _list_body_schemas(operation: Operation) -> Iterator[Schema]:
    """Yield the schemas of the request bodies and of the JSON bodies of successful responses."""
    yield from operation.body_content.values()
    response = operation.response(200)
    for media_type, schema in response.content.items() if response else ():
        if is_json(media_type):
            yield schema


@cache
def control_contract() -> Contract:
    """Return the contract of the control API, which all fakes of a process share."""
    return Contract.load_shipped("spec/control.yaml")
