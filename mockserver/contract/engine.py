"""The engines that validate requests and responses, and their protocols."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from mockserver.contract.event_streams import CompiledEventValidator, EventValidator
from mockserver.contract.operations import Operation
from mockserver.contract.requests import CompiledRequestValidator, Parameters
from mockserver.contract.responses import event_schema, validate_response, validate_stream_head
from mockserver.errors import UsageError
from mockserver.findings import Finding
from mockserver.installation import install_command
from mockserver.settings import EngineName


class RequestValidator(Protocol):
    """Validates the requests of one operation."""

    def match_media_type(self, content_type: str) -> str | None:
        """Return the declared media type of a `Content-Type` header."""
        ...

    def validate_parameters(
        self, raw_path: Mapping[str, str], query_string: bytes, headers: Callable[[bytes], list[bytes]]
    ) -> tuple[Parameters, list[Finding]]:
        """Return the decoded parameters, and a finding for each mistake."""
        ...

    def validate_body(self, content: bytes, media_type: str = ...) -> tuple[Any, list[Finding]]:
        """Return the parsed body, and a finding for each mistake."""
        ...

    def remove_unknown_fields(self, body: Any, media_type: str = ...) -> list[Finding]:
        """Remove the fields of a valid body that the document does not declare; return findings for the first."""
        ...


class Engine(Protocol):
    """Validates the requests and responses of one document."""

    def request_validator(self, operation: Operation) -> RequestValidator:
        """Return the validator of an operation's requests."""
        ...

    def validate_response(
        self, operation: Operation, status: int, headers: Iterable[tuple[bytes, bytes]], content: bytes
    ) -> list[Finding]:
        """Return a finding for each mistake in a complete response."""
        ...

    def validate_stream_head(
        self, operation: Operation, status: int, headers: Iterable[tuple[bytes, bytes]]
    ) -> list[Finding]:
        """Return a finding for each mistake in the status and the headers of an event stream."""
        ...

    def event_validator(self, operation: Operation, status: int) -> EventValidator:
        """Return the validator of the events in a stream."""
        ...


class CompiledEngine:
    """The fast engine, with schemas compiled at start."""

    def __init__(self) -> None:
        self._request_validators: dict[str, RequestValidator] = {}
        self._event_validators: dict[str, EventValidator] = {}

    def request_validator(self, operation: Operation) -> RequestValidator:
        """Return the validator of an operation's requests."""
        if operation.id not in self._request_validators:
            self._request_validators[operation.id] = CompiledRequestValidator(operation)
        return self._request_validators[operation.id]

    validate_response = staticmethod(validate_response)
    validate_stream_head = staticmethod(validate_stream_head)

    def event_validator(self, operation: Operation, status: int) -> EventValidator:
        """Return the validator of the events in a stream."""
        schema = event_schema(operation, status)
        if schema.pointer not in self._event_validators:
            self._event_validators[schema.pointer] = CompiledEventValidator(schema)
        return self._event_validators[schema.pointer]


def create_engine(name: EngineName, document: dict[str, Any]) -> Engine:
    """Create the engine of that name for a document.

    Raises:
        UsageError: the engine needs a library that is not installed.
    """
    if name == "compiled":
        return CompiledEngine()
    try:
        from mockserver.contract.reference import ReferenceEngine  # Slow to import, and optional.
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the reference engine needs openapi-core ({error.name} is missing): {install_command('reference')}"
        ) from error
    return ReferenceEngine(document)
