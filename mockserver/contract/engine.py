"""Who answers whether a request or a response is what the document allows: the engines, and what they share."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from mockserver.contract.operations import Operation
from mockserver.contract.requests import CompiledRequestValidator, Parameters
from mockserver.contract.responses import validate_response
from mockserver.errors import UsageError
from mockserver.findings import Finding
from mockserver.settings import EngineName


class RequestValidator(Protocol):
    """What one operation asks of a request; `CompiledRequestValidator` describes the methods."""

    def match_media_type(self, content_type: str) -> str | None: ...

    def validate_parameters(
        self, raw_path: Mapping[str, str], query_string: bytes, headers: Callable[[bytes], list[bytes]]
    ) -> tuple[Parameters, list[Finding]]: ...

    def validate_body(self, content: bytes, media_type: str = ...) -> tuple[Any, list[Finding]]: ...

    def find_unknown_fields(self, body: Any, media_type: str = ...) -> list[Finding]: ...


class Engine(Protocol):
    def request_validator(self, operation: Operation) -> RequestValidator: ...

    def validate_response(
        self, operation: Operation, status: int, headers: Iterable[tuple[bytes, bytes]], content: bytes
    ) -> list[Finding]: ...


class CompiledEngine:
    """The fast one, on schemas compiled at start."""

    def __init__(self) -> None:
        self._request_validators: dict[str, RequestValidator] = {}

    def request_validator(self, operation: Operation) -> RequestValidator:
        if operation.id not in self._request_validators:
            self._request_validators[operation.id] = CompiledRequestValidator(operation)
        return self._request_validators[operation.id]

    validate_response = staticmethod(validate_response)


def create_engine(name: EngineName, document: dict[str, Any]) -> Engine:
    """The engine of that name, for the operations of `document`.

    Raises:
        UsageError: it needs a library that is not installed.
    """
    if name == "compiled":
        return CompiledEngine()
    try:
        from mockserver.contract.reference import ReferenceEngine  # Takes half a second to import.
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the reference engine needs openapi-core ({error.name} is missing): "
            "pip install 'mka1-mockserver[reference]'"
        ) from error
    return ReferenceEngine(document)
