"""Response checks: every response of every phase is validated against the document."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import orjson

from mockserver.contract.event_streams import validate_stream
from mockserver.contract.operations import Operation, Operations, media_type_essence
from mockserver.contract.responses import validate_response, validate_stream_head
from mockserver.findings import Finding, describe, unescape_token
from mockserver.verify.report.model import PHASES, Deviation, Deviations, Suspect
from mockserver.verify.reproduction import ExchangeLog
from mockserver.verify.sdk import PublishedSdk
from mockserver.verify.transport import EXCERPT_LENGTH, WireExchange, WireResponse

NULL_FIELDS = "null for absent fields"
"""The case of all optional fields that are null, because a target that does it once mostly does it everywhere."""

_INDEX = re.compile(r"/\d+(?=/|$)")
_COMPONENT = re.compile(r"/components/schemas/([^/]+)")
_SHARED_RESPONSE = "/components/responses/"
_MAX_UNKNOWN_FIELDS = 1000
_MAX_MISSING_FIELDS = 2  # With more, the object is of another kind.


class ResponseChecks:
    """Checks of responses. They keep each deviation once.

    `open_operations` are those of the document that accepts unknown values: what only they accept is drift. Operations
    in `missing` are not checked.
    """

    def __init__(
        self,
        operations: Operations,
        open_operations: Operations,
        log: ExchangeLog,
        sdk: PublishedSdk | None,
        missing: Collection[str] = (),
    ) -> None:
        self._operations = operations
        self._open_operations = open_operations
        self._log = log
        self._sdk = sdk
        self._missing = missing
        self.deviations = Deviations()
        self.counts: Counter[tuple[str, str]] = Counter()
        """The number of validated responses by phase and operation."""
        self.successes: set[tuple[str, str]] = set()
        """The phases and operations with at least one successful response."""

    def check(self, exchange: WireExchange) -> None:
        """Validate a response and keep its deviations."""
        response = exchange.response
        if response is None or exchange.phase not in PHASES:
            return
        operation = self._find_operation(exchange, response)
        if operation is not None and operation.id in self._missing:
            return
        if exchange.match is not None:
            key = (exchange.phase, exchange.match.operation.id)
            self.counts[key] += 1
            if response.is_success:
                self.successes.add(key)
        for deviation in self._find_deviations(_Subject(exchange, operation, response)):
            self.deviations.add(deviation, lambda: self._log.reproduce(exchange))

    def _find_operation(self, exchange: WireExchange, response: WireResponse) -> Operation | None:
        """Return the operation of the request; after a 405, any operation of its path."""
        if exchange.match is not None or response.status != 405:
            return exchange.match.operation if exchange.match else None
        return next(iter(self._operations.operations_at(exchange.request.path)), None)

    def _find_deviations(self, subject: "_Subject") -> Iterator[Deviation]:
        operation, response = subject.operation, subject.response
        if response.status >= 500:
            yield subject.deviation(_SERVER_ERROR, "target", "no request may make a server fail")
        if operation is None:
            return
        findings = subject.findings(operation)
        open_findings = subject.findings(self._open_operations[operation.id]) if findings else []
        violated = {(one.location, one.pointer) for one in _merge_missing_fields(open_findings)}
        for finding in _merge_missing_fields(findings):
            if (finding.location, finding.pointer) not in violated:
                yield subject.drift(finding)
            elif self._is_null_for_absent(finding):
                yield subject.null_field(finding, *self._find_suspect(operation, response))
            elif not (finding.location == "status" and response.status >= 500):
                yield subject.deviation(finding, *self._find_suspect(operation, response))
        if not findings:
            for finding in subject.unknown_fields(operation):
                yield subject.drift(finding)
            if error := self._parsing_error(operation, subject):
                yield subject.unreadable(operation, error)

    def _is_null_for_absent(self, finding: Finding) -> bool:
        """Return whether a field is null that may be absent, but not null."""
        *_, field = finding.pointer.split("/")
        owner, is_property, _ = f"{finding.schema_pointer}/".rpartition(f"/properties/{field}/")
        return (
            bool(is_property)
            and finding.code == "null_not_allowed"
            and field not in self._operations.schemas.node(owner).get("required", ())
        )

    def _find_suspect(self, operation: Operation, response: WireResponse) -> tuple[Suspect, str]:
        if self._sdk is None or response.status != 200:
            return "target", "its response violates the document"
        error = self._sdk.parsing_error(operation.id, response)
        if error is None:
            return "document", "meetkai-mka1 parses the response; the document may be too strict"
        return "target", f"meetkai-mka1 cannot parse the response either: {error.splitlines()[0]}"

    def _parsing_error(self, operation: Operation, subject: "_Subject") -> str | None:
        """Return why the SDK cannot parse a valid response. Only the behaviours phase asks it: it is slow."""
        if self._sdk is None or subject.exchange.phase != "behaviours" or subject.response.status != 200:
            return None
        return self._sdk.parsing_error(operation.id, subject.response)


_SERVER_ERROR = Finding("response", "status", "", "server_error", "a status below 500")


@dataclass(frozen=True, slots=True)
class _Subject:
    """A response under check, as the source of deviations."""

    exchange: WireExchange
    operation: Operation | None
    response: WireResponse

    @property
    def name(self) -> str:
        return self.operation.id if self.operation else f"{self.exchange.request.method} of no operation"

    def findings(self, operation: Operation) -> list[Finding]:
        headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
            for name, value in self.response.headers
        ]
        if not self.response.is_stream:
            return validate_response(operation, self.response.status, headers, self.response.body)
        findings = validate_stream_head(operation, self.response.status, headers)
        return findings or validate_stream(operation, self.response.status, self.response.body)

    def unknown_fields(self, operation: Operation) -> Iterable[Finding]:
        declared = operation.response(self.response.status)
        media_type = media_type_essence(self.response.header("content-type") or "")
        schema = declared.content.get(media_type) if declared else None
        if schema is None:
            return ()
        return schema.find_unknown_fields(orjson.loads(self.response.body), "response", "body", _MAX_UNKNOWN_FIELDS)

    # -- Deviations ----------------------------------------------------------------------------------------

    def deviation(self, finding: Finding, suspect: Suspect, reason: str) -> Deviation:
        is_status = finding.location == "status"
        return Deviation(
            case=self._case(finding),
            verdict="violates",
            statement=self._statement(finding),
            source=f"openapi.yaml#{finding.schema_pointer}" if finding.schema_pointer else "openapi.yaml",
            expected=finding.message,
            received=f"{self.response.status} {self.response.excerpt}" if is_status else self._received(finding),
            suspect=suspect,
            reason=reason,
            operations=(self.operation.id,) if self.operation else (),
            place=f"{finding.location} {finding.pointer}".strip(),
            phases=(self.exchange.phase,),
            first_request=self.exchange.number,
        )

    def drift(self, finding: Finding) -> Deviation:
        reason = "the target is newer than the document at an extensible place"
        return replace(self.deviation(finding, "document", reason), verdict="drift")

    def null_field(self, finding: Finding, suspect: Suspect, reason: str) -> Deviation:
        return replace(
            self.deviation(finding, suspect, reason),
            case=NULL_FIELDS,
            statement="An optional field without a value is absent, not null.",
            expected="no field, or a value that the document allows",
            received="null",
            fields=(self._case(finding),),
        )

    def unreadable(self, operation: Operation, error: str) -> Deviation:
        finding = Finding("response", "body", "", "unreadable_by_sdk", error)
        reason = "the response is valid, but meetkai-mka1 cannot parse it"
        return replace(
            self.deviation(finding, "SDK", reason),
            case=f"{self._case(finding)} SDK",
            statement=f"meetkai-mka1 parses the responses of {operation.id}.",
            source="the models of meetkai-mka1",
        )

    def _case(self, finding: Finding) -> str:
        """Return the name of a mistake.

        In a body it is the schema with the field, or with the keyword; in a header, the response component with the
        header. Operations share both. Any other mistake is named by operation, status and place.
        """
        component = _COMPONENT.match(finding.schema_pointer)
        if finding.location == "body" and component:
            keyword = finding.schema_pointer.rpartition("/")[2]
            field = finding.pointer.rpartition("/")[2]
            is_declared = keyword == "required" or f"/properties/{field}/" in finding.schema_pointer + "/"
            return f"{component[1]}/{field if is_declared else keyword}".rstrip("/")
        declared = self.operation.response(self.response.status) if self.operation else None
        if finding.location == "header" and declared is not None and declared.pointer.startswith(_SHARED_RESPONSE):
            return declared.pointer.removeprefix(_SHARED_RESPONSE) + finding.pointer
        case = f"{self.name}/{self.response.status}"
        if finding.location == "status":
            return case
        return f"{case}/{finding.location}{_INDEX.sub('/*', finding.pointer)}"

    def _statement(self, finding: Finding) -> str:
        if finding.code == "server_error":
            return f"{self.name} returns no server error."
        if finding.location == "status":
            return f"{self.name} returns the statuses that the document lists."
        component = _COMPONENT.match(finding.schema_pointer)
        is_shared = component is not None and finding.location == "body"
        subject = f"Every {component[1]}" if component and is_shared else f"The {self.response.status} of {self.name}"
        return f"{subject} is valid at {finding.location} {finding.pointer}".rstrip() + "."

    def _received(self, finding: Finding) -> str:
        if finding.location == "header":
            name = finding.pointer.removeprefix("/")
            header = self.response.header(name.lower())
            return f"{name}: {header}" if header is not None else f"no header {name}"
        if not finding.pointer:
            return self.response.excerpt
        try:
            value: Any = self.response.content
            for token in finding.pointer.split("/")[1:]:
                value = value[int(token)] if isinstance(value, list) else value[unescape_token(token)]
        except (ValueError, LookupError, TypeError):
            return self.response.excerpt
        return describe(value, EXCERPT_LENGTH)


def _merge_missing_fields(findings: list[Finding]) -> list[Finding]:
    """Return the findings with one alone for an object that lacks many fields: it must be of another kind."""
    by_object: dict[str, list[Finding]] = {}
    for finding in findings:
        by_object.setdefault(finding.pointer.rpartition("/")[0], []).append(finding)
    merged: list[Finding] = []
    for place, found in by_object.items():
        missing = [finding for finding in found if finding.location == "body" and finding.code == "required"]
        if len(missing) <= _MAX_MISSING_FIELDS:
            merged += found
            continue
        names = ", ".join(finding.pointer.rpartition("/")[2] for finding in missing)
        merged.append(missing[0]._replace(pointer=place, message=f"must have {names}"))
        merged += [finding for finding in found if finding not in missing]
    return merged
