"""Who answers whether a request or a response is what the document allows: the engines, and what they share."""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any, Protocol

from mockserver.contract.operations import Operation
from mockserver.contract.requests import Parameters, RequestChecker
from mockserver.contract.responses import response_findings
from mockserver.errors import UsageError
from mockserver.findings import Finding
from mockserver.settings import EngineName


class Checker(Protocol):
    """What one operation asks of a request; `RequestChecker` describes the methods."""

    def media_type(self, content_type: str) -> str | None: ...

    def parameters(
        self, raw_path: Mapping[str, str], query_string: bytes, headers: Callable[[bytes], list[bytes]]
    ) -> tuple[Parameters, list[Finding]]: ...

    def body(self, content: bytes, media_type: str = ...) -> tuple[Any, list[Finding]]: ...

    def unknown_fields(self, body: Any, media_type: str = ...) -> list[Finding]: ...


class Engine(Protocol):
    def checker(self, operation: Operation) -> Checker: ...

    def response_findings(
        self, operation: Operation, status: int, headers: Iterable[tuple[bytes, bytes]], content: bytes
    ) -> list[Finding]: ...


class CompiledEngine:
    """The fast one, on schemas compiled at start."""

    def checker(self, operation: Operation) -> Checker:
        return RequestChecker(operation)

    response_findings = staticmethod(response_findings)


def create_engine(name: EngineName, document: dict[str, Any]) -> Engine:
    """The engine of that name, for the operations of `document`.

    Raises:
        UsageError: it needs a library that is not installed.
    """
    if name == "compiled":
        return CompiledEngine()
    try:
        reference = import_module("mockserver.contract.reference")  # Only on demand: it takes half a second.
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the reference engine needs openapi-core ({error.name} is missing): "
            "pip install 'mka1-mockserver[reference]'"
        ) from error
    engine: Engine = reference.ReferenceEngine(document)
    return engine
