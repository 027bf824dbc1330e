"""Response checks: every response of every phase is validated against the document."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import orjson

from mockserver.contract.event_streams import validate_stream
from mockserver.contract.operations import Operation, Operations, media_type_essence
from mockserver.contract.responses import validate_response, validate_stream_head
from mockserver.findings import Finding, describe, escape_token, unescape_token
from mockserver.verify.places import component_of, name_place, resolve, without_indices
from mockserver.verify.report.model import PHASES, Deviation, Deviations, Kind, Suspect, Weight
from mockserver.verify.reproduction import Evidence, ExchangeLog
from mockserver.verify.request_checks import describe_content, list_mistakes
from mockserver.verify.sdk import PublishedSdk
from mockserver.verify.sent_data import SentData
from mockserver.verify.transport import EXCERPT_LENGTH, WireExchange, WireResponse

NULL_FIELDS = "null for absent fields"
"""The case of all optional fields that are null, because a target that does it once mostly does it everywhere."""
ERROR_BODIES = "error bodies"
"""The case of all errors of another form, because a target mostly has one form for all of them."""

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
        self._sent = SentData()
        self.deviations = Deviations()
        self.counts: Counter[tuple[str, str]] = Counter()
        """The number of validated responses by phase and operation."""
        self.successes: set[tuple[str, str]] = set()
        """The phases and operations with at least one successful response."""

    def check(self, exchange: WireExchange, *, origin: str = "", is_shape_assumed: bool = False) -> None:
        """Validate a response and keep its deviations; `origin` is the behaviour that led to the request, if any.

        If the shape is only assumed, because the behaviours expected an error, its body is not validated.
        """
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
        self._sent.note(exchange)
        for deviation in self._find_deviations(_Subject(exchange, operation, response), is_shape_assumed):
            found = replace(deviation, origin=origin or (operation.id if operation else ""))
            self.deviations.add(found, partial(self._find_evidence, exchange, deviation.case))

    def _find_evidence(self, exchange: WireExchange, case: str) -> Evidence:
        return Evidence(self._log.select_steps(exchange), lambda repeated: case in self.cases_of(repeated))

    def cases_of(self, exchange: WireExchange) -> set[str]:
        """Return the cases that an exchange shows, whatever the phase, and without keeping them."""
        response = exchange.response
        if response is None:
            return set()
        operation = self._find_operation(exchange, response)
        return {one.case for one in self._find_deviations(_Subject(exchange, operation, response), False)}

    def _find_operation(self, exchange: WireExchange, response: WireResponse) -> Operation | None:
        """Return the operation of the request; after a 405, any operation of its path."""
        if exchange.match is not None or response.status != 405:
            return exchange.match.operation if exchange.match else None
        return next(iter(self._operations.operations_at(exchange.request.path)), None)

    def _find_deviations(self, subject: "_Subject", is_shape_assumed: bool) -> Iterator[Deviation]:
        operation, response = subject.operation, subject.response
        if response.status >= 500:
            yield subject.server_error()
            return
        if operation is None:
            return
        subject, nulls = subject.split_nulls(operation)
        findings = subject.findings(operation)
        if is_shape_assumed and response.is_success:
            findings, nulls = [finding for finding in findings if finding.location != "body"], []
        findings = self._sent.without_echoes(findings, subject.exchange)
        if nulls := self._sent.without_echoes(nulls, subject.exchange):
            yield from subject.null_fields(nulls, *self._find_suspect(operation, response, NULL_FIELDS))
        open_findings = subject.findings(self._open_operations[operation.id]) if findings else []
        violated = {(one.location, one.pointer) for one in _merge_missing_fields(open_findings)}
        for finding in _merge_missing_fields(findings):
            if subject.is_error_body(finding):
                yield subject.error_body(finding)
            elif (finding.location, finding.pointer) not in violated:
                yield subject.drift(finding)
            else:
                yield subject.deviation(finding, *self._find_suspect(operation, response, subject.name_case(finding)))
        if is_shape_assumed or subject.findings(operation):
            return
        for finding in self._sent.without_echoes(subject.unknown_fields(operation), subject.exchange):
            yield subject.drift(finding)
        if error := self._parsing_error(operation, subject):
            yield subject.unreadable(operation, error)

    def _find_suspect(self, operation: Operation, response: WireResponse, case: str) -> tuple[Suspect, str]:
        """Return the suspect of a new case. Only the first occurrence asks the SDK, which is slow."""
        if self._sdk is None or response.status != 200 or case in self.deviations:
            return "target", "its response violates the document"
        if self._sdk.parsing_error(operation.id, response) is None:
            return "document", "meetkai-mka1 parses the response; the document may be too strict"
        return "target", "meetkai-mka1 cannot parse the response either"

    def _parsing_error(self, operation: Operation, subject: "_Subject") -> str | None:
        """Return why the SDK cannot parse a valid response. Only the behaviours phase asks it: it is slow."""
        if self._sdk is None or subject.exchange.phase != "behaviours" or subject.response.status != 200:
            return None
        return self._sdk.parsing_error(operation.id, subject.response)


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

    def split_nulls(self, operation: Operation) -> tuple["_Subject", list[Finding]]:
        """Return the response without the optional fields that are null, and the findings that these cause."""
        findings = self.findings(operation)
        body = self.response.json
        if not any(finding.location == "body" for finding in findings) or not isinstance(body, dict | list):
            return self, []
        without = self._without_nulls(body, set())
        kept = {one.pointer for one in without.findings(operation) if one.code in ("required", "null_not_allowed")}
        without = self._without_nulls(body, kept)
        left = {(one.location, one.pointer, one.code) for one in without.findings(operation)}
        nulls = [one for one in findings if (one.location, one.pointer, one.code) not in left]
        return (without, nulls) if nulls else (self, [])

    def _without_nulls(self, body: Any, kept: Collection[str]) -> "_Subject":
        content = json.dumps(_remove_nulls(body, kept)).encode()
        return replace(self, response=self.response._replace(body=content))

    def unknown_fields(self, operation: Operation) -> Iterable[Finding]:
        declared = operation.response(self.response.status)
        media_type = media_type_essence(self.response.header("content-type") or "")
        schema = declared.content.get(media_type) if declared else None
        if schema is None:
            return ()
        return schema.find_unknown_fields(orjson.loads(self.response.body), "response", "body", _MAX_UNKNOWN_FIELDS)

    def is_error_body(self, finding: Finding) -> bool:
        """Return whether a finding is about the form of an error; that of a 429 is documented apart."""
        is_form = finding.location == "body" or finding.code == "unexpected_content_type"
        return is_form and 400 <= self.response.status < 500 and self.response.status != 429

    # -- Deviations ----------------------------------------------------------------------------------------

    def server_error(self) -> Deviation:
        mistakes = list_mistakes(self.exchange)
        content = describe_content(self.exchange)
        kind = Kind(mistakes[0].name, rule=mistakes[0].field) if mistakes else Kind(content, rule=content)
        finding = Finding("response", "status", "", "server_error", "a status below 500")
        found = self.deviation(finding, "target", "no request may make a server fail")
        return replace(found, weight=Weight.FAILURE, kinds=(kind,))

    def error_body(self, finding: Finding) -> Deviation:
        reason = "its errors have another form"
        place = f"{finding.location}{without_indices(finding.pointer)}"
        return replace(
            self.deviation(finding, "target", reason),
            case=ERROR_BODIES,
            statement="An error has the form that the document describes.",
            source="openapi.yaml",
            expected=f"{place}: {_expectation(finding)}",
            received=f"{self.response.status} {self.response.excerpt}",
            weight=Weight.FORM,
            kinds=(Kind(f"{self.response.status} {place}: {finding.message}"),),
        )

    def deviation(self, finding: Finding, suspect: Suspect, reason: str) -> Deviation:
        is_status = finding.location == "status"
        return Deviation(
            case=self.name_case(finding),
            verdict="violates",
            statement=self._statement(finding),
            source=f"openapi.yaml#{finding.schema_pointer}" if finding.schema_pointer else "openapi.yaml",
            expected=_expectation(finding),
            received=f"{self.response.status} {self.response.excerpt}" if is_status else self._received(finding),
            suspect=suspect,
            reason=reason,
            operations=(self.operation.id,) if self.operation else (),
            place=f"{finding.location} {finding.pointer}".strip(),
            weight=Weight.DATA if finding.location == "body" else Weight.FORM,
            phases=(self.exchange.phase,),
            first_request=self.exchange.number,
        )

    def drift(self, finding: Finding) -> Deviation:
        reason = "the target is newer than the document at an extensible place"
        return replace(self.deviation(finding, "document", reason), verdict="drift")

    def null_fields(self, findings: list[Finding], suspect: Suspect, reason: str) -> Iterator[Deviation]:
        """Yield the fields that are null; findings elsewhere follow from them."""
        nulls = list(_list_nulls(self.exchange.response.json if self.exchange.response else None))
        causes = [(finding, [_name_field(finding)]) for finding in findings if finding.pointer in nulls]
        if not causes:
            place = findings[0].pointer.rpartition("/")[0]
            names = sorted({pointer.rpartition("/")[2] for pointer in nulls if pointer.startswith(f"{place}/")})
            causes = [(findings[0], names)]
        for finding, fields in causes:
            yield replace(
                self.deviation(finding, suspect, reason),
                case=NULL_FIELDS,
                statement="An optional field without a value is absent, not null.",
                source="openapi.yaml",
                expected="no field, or a value that the document allows",
                received="null",
                weight=Weight.FORM,
                kinds=tuple(map(Kind, fields)),
            )

    def unreadable(self, operation: Operation, error: str) -> Deviation:
        finding = Finding("response", "body", "", "unreadable_by_sdk", error)
        reason = "the response is valid, but meetkai-mka1 cannot parse it"
        return replace(
            self.deviation(finding, "SDK", reason),
            case=f"{self.name_case(finding)} SDK",
            statement=f"meetkai-mka1 parses the responses of {operation.id}.",
            source="the models of meetkai-mka1",
        )

    def name_case(self, finding: Finding) -> str:
        """Return the name of a mistake.

        In a body it is the schema with the field, or with the keyword; in a header, the response component with the
        header. Operations share both. Any other mistake is named by operation, status and place.
        """
        if place := name_place(finding):
            return place
        declared = self.operation.response(self.response.status) if self.operation else None
        if finding.location == "header" and declared is not None and declared.pointer.startswith(_SHARED_RESPONSE):
            return declared.pointer.removeprefix(_SHARED_RESPONSE) + finding.pointer
        case = f"{self.name}/{self.response.status}"
        if finding.location == "status":
            return case
        return f"{case}/{finding.location}{without_indices(finding.pointer)}"

    def _statement(self, finding: Finding) -> str:
        if finding.code == "server_error":
            return f"{self.name} returns no server error."
        if finding.location == "status":
            return f"{self.name} returns the statuses that the document lists."
        component = component_of(finding)
        subject = f"Every {component}" if component else f"The {self.response.status} of {self.name}"
        if finding.code == "unknown_field":
            return f"{subject} has no unknown fields."
        return f"{subject} is valid at {finding.location} {finding.pointer}".rstrip() + "."

    def _received(self, finding: Finding) -> str:
        if finding.location == "header":
            name = finding.pointer.removeprefix("/")
            header = self.response.header(name.lower())
            return f"{name}: {header}" if header is not None else f"no header {name}"
        if not finding.pointer or finding.code == "required":
            return self.response.excerpt
        return describe(resolve(self.response.content, finding.pointer), EXCERPT_LENGTH)


def _expectation(finding: Finding) -> str:
    """Return what the document says, without what was found."""
    field = unescape_token(finding.pointer.rpartition("/")[2])
    if finding.code == "unknown_field":
        return f"no field {field}"
    return f"a field {field}" if finding.message == "is required" else finding.message


def _name_field(finding: Finding) -> str:
    field = finding.pointer.rpartition("/")[2]
    place = name_place(finding)
    return place if place and place.endswith(f"/{field}") else field


def _list_nulls(value: Any, pointer: str = "") -> Iterator[str]:
    """Yield the pointers of the fields that are null."""
    if isinstance(value, list):
        for index, child in enumerate(value):
            yield from _list_nulls(child, f"{pointer}/{index}")
    elif isinstance(value, dict):
        for name, child in value.items():
            place = f"{pointer}/{escape_token(name)}"
            if child is None:
                yield place
            yield from _list_nulls(child, place)


def _remove_nulls(value: Any, kept: Collection[str], pointer: str = "") -> Any:
    """Return a copy without the fields that are null, except those at the pointers to keep."""
    if isinstance(value, list):
        return [_remove_nulls(child, kept, f"{pointer}/{index}") for index, child in enumerate(value)]
    if not isinstance(value, dict):
        return value
    children = {name: (child, f"{pointer}/{escape_token(name)}") for name, child in value.items()}
    return {
        name: _remove_nulls(child, kept, place)
        for name, (child, place) in children.items()
        if child is not None or place in kept
    }


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
