"""Every answer of every phase, held to the document."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import orjson

from mockserver.contract.operations import Operation, Operations, Response, media_type_essence
from mockserver.contract.responses import validate_response
from mockserver.findings import Finding, describe, unescape_token
from mockserver.verify.report.model import PHASES, Deviation, Deviations, Suspect
from mockserver.verify.reproduction import ExchangeLog
from mockserver.verify.sdk import PublishedSdk
from mockserver.verify.transport import WireExchange, WireResponse

_INDEX = re.compile(r"/\d+(?=/|$)")
_COMPONENT = re.compile(r"/components/schemas/([^/]+)")
_SHARED_RESPONSE = "/components/responses/"
_EXCERPT = 300
_MANY = 3


class ResponseChecks:
    """Holds answers to the document, and keeps what deviates: each place once.

    `open_operations` are those of the document that takes unknown values; what only they accept is drift.
    """

    def __init__(
        self, operations: Operations, open_operations: Operations, log: ExchangeLog, reader: PublishedSdk | None
    ) -> None:
        self._operations = operations
        self._open = open_operations
        self._log = log
        self._reader = reader
        self.missing: dict[str, str] = {}
        """The operations that the target does not offer, and the case that tells of each."""
        self.deviations = Deviations()
        self.counts: dict[tuple[str, str], int] = {}
        """How many answers were held to the document, by phase and operation."""
        self.successes: set[tuple[str, str]] = set()
        """The phases and operations with at least one success."""

    def observe(self, exchange: WireExchange) -> None:
        response = exchange.response
        if response is None or exchange.phase not in PHASES:
            return
        operation = self._operation(exchange, response)
        if operation is not None and operation.id in self.missing:
            return
        if exchange.match is not None:
            key = (exchange.phase, exchange.match.operation.id)
            self.counts[key] = self.counts.get(key, 0) + 1
            if response.status < 300:
                self.successes.add(key)
        for deviation in self._deviations(exchange, operation, response):
            self.deviations.add(deviation, lambda: self._log.script(self._log.steps_leading_to(exchange)))

    def _operation(self, exchange: WireExchange, response: WireResponse) -> Operation | None:
        """The operation that a request is for; for a method that its path does not take, any of the path's."""
        if exchange.match is not None or response.status != 405:
            return exchange.match.operation if exchange.match else None
        return next(iter(self._operations.operations_at(exchange.request.target.partition("?")[0])), None)

    def miss(self, exchange: WireExchange) -> None:
        """Take note that the target does not offer the operation of an exchange."""
        assert exchange.match is not None
        assert exchange.response is not None
        operation, response = exchange.match.operation, exchange.response
        reason = "it does not offer the operation at all; what needs it cannot be checked"
        finding = Finding("response", "status", "", "missing_operation", "")
        case = self.missing[operation.id] = f"{operation.id}/missing"
        deviation = replace(
            _deviation(exchange, operation, response, finding, ("target", reason)),
            case=case,
            statement=f"{operation.method} {operation.path} is there.",
            expected="anything but 405, 501 or, for a list, 404",
        )
        self.deviations.add(deviation, lambda: self._log.script([exchange]))

    def _deviations(
        self, exchange: WireExchange, operation: Operation | None, response: WireResponse
    ) -> Iterator[Deviation]:
        if response.status >= 500:
            yield _deviation(
                exchange, operation, response, _SERVER_ERROR, ("target", "no request may make a server fail")
            )
        if operation is None:
            return
        findings = validate_response(operation, response.status, _raw(response), response.body)
        for finding, is_drift in self._judged(findings, operation, response):
            if is_drift:
                yield _drift(exchange, operation, response, finding)
            elif self._is_null_for_absent(finding):
                yield _null(exchange, operation, response, finding, self._suspect(operation, response))
            elif not (finding.location == "status" and response.status >= 500):
                yield _deviation(exchange, operation, response, finding, self._suspect(operation, response))
        if not findings:
            for finding in _unknown_fields(operation, response):
                yield _drift(exchange, operation, response, finding)
            if exchange.phase == "behaviours" and (complaint := self._complaint(operation, response)):
                yield _unreadable(exchange, operation, response, complaint)

    def _is_null_for_absent(self, finding: Finding) -> bool:
        """Whether a field is null that may be absent, but not null."""
        *_, field = finding.pointer.split("/")
        owner, declares, _ = f"{finding.schema_pointer}/".rpartition(f"/properties/{field}/")
        return (
            bool(declares)
            and finding.code == "null_not_allowed"
            and field not in self._operations.schemas.node(owner).get("required", ())
        )

    def _judged(
        self, findings: list[Finding], operation: Operation, response: WireResponse
    ) -> Iterator[tuple[Finding, bool]]:
        """Each finding, with whether the document expects to be outgrown there."""
        if not findings:
            return
        still = validate_response(self._open[operation.id], response.status, _raw(response), response.body)
        broken = {(finding.location, finding.pointer) for finding in _summed_up(still)}
        for finding in _summed_up(findings):
            yield finding, (finding.location, finding.pointer) not in broken

    def _complaint(self, operation: Operation, response: WireResponse) -> str | None:
        if self._reader is None or response.status != 200:
            return None
        return self._reader.complaint(operation.id, response)

    def _suspect(self, operation: Operation, response: WireResponse) -> tuple[Suspect, str]:
        if self._reader is None or response.status != 200:
            return "target", "its answer breaks the document"
        complaint = self._complaint(operation, response)
        if complaint is None:
            return "document", "meetkai-mka1 reads the answer without complaint; the document may ask too much"
        return "target", f"meetkai-mka1 cannot read the answer either: {complaint.splitlines()[0]}"


_SERVER_ERROR = Finding("response", "status", "", "server_error", "a server error")


def _deviation(
    exchange: WireExchange,
    operation: Operation | None,
    response: WireResponse,
    finding: Finding,
    suspect: tuple[Suspect, str],
) -> Deviation:
    name = operation.id if operation else f"{exchange.request.method} of no operation"
    declared = operation.response(response.status) if operation else None
    is_status = finding.location == "status"
    place = f"{finding.location} {finding.pointer}".strip()
    if finding is _SERVER_ERROR:
        statement, expected = f"{name} answers no request with a server error.", "a status below 500"
    elif is_status:
        statement, expected = f"{name} answers with the statuses that the document lists.", finding.message
    else:
        component = _COMPONENT.match(finding.schema_pointer)
        whose = (
            f"Every {component[1]}" if component and finding.location == "body" else f"The {response.status} of {name}"
        )
        statement = f"{whose} is as the document says, at {place}."
        expected = finding.message
    return Deviation(
        case=_case(name, declared, response, finding),
        verdict="violates",
        statement=statement,
        source=f"openapi.yaml#{finding.schema_pointer}" if finding.schema_pointer else "openapi.yaml",
        expected=expected,
        received=f"{response.status} {_excerpt(response)}" if is_status else _value_at(response, finding),
        suspect=suspect[0],
        reason=suspect[1],
        operations=(operation.id,) if operation else (),
        place=place,
        phases=(exchange.phase,),
        first_request=exchange.number,
    )


NULLS = "null for absent fields"
"""The case of all optional fields that are null: whoever does it once mostly does it everywhere."""


def _null(
    exchange: WireExchange,
    operation: Operation,
    response: WireResponse,
    finding: Finding,
    suspect: tuple[Suspect, str],
) -> Deviation:
    deviation = _deviation(exchange, operation, response, finding, suspect)
    return replace(
        deviation,
        case=NULLS,
        fields=(deviation.case,),
        statement="An absent optional field is left out of the object instead of being null.",
        expected="no field, or a value that the document allows",
    )


def _drift(exchange: WireExchange, operation: Operation, response: WireResponse, finding: Finding) -> Deviation:
    reason = "the target has something new where the document expects to be outgrown"
    return replace(_deviation(exchange, operation, response, finding, ("document", reason)), verdict="drift")


def _unreadable(exchange: WireExchange, operation: Operation, response: WireResponse, complaint: str) -> Deviation:
    reason = "the answer is as the document says, but meetkai-mka1 cannot read it"
    finding = Finding("response", "body", "", "unreadable_by_sdk", complaint)
    deviation = _deviation(exchange, operation, response, finding, ("SDK", reason))
    return replace(
        deviation,
        case=f"{deviation.case} SDK",
        statement=f"meetkai-mka1 reads the responses of {operation.id}.",
        source="the models of meetkai-mka1",
    )


def _case(name: str, declared: Response | None, response: WireResponse, finding: Finding) -> str:
    """The name of a mistake: by the schema and the field (or keyword) that it breaks, which operations share.

    That of a header is by the response, if operations share it; of anything else by operation, status and place.
    """
    found = _COMPONENT.match(finding.schema_pointer)
    if finding.location == "body" and found:
        *_, keyword = finding.schema_pointer.split("/")
        field = finding.pointer.rpartition("/")[2]
        is_declared = keyword == "required" or f"/properties/{field}/" in finding.schema_pointer + "/"
        return f"{found[1]}/{field if is_declared else keyword}".rstrip("/")
    if finding.location == "header" and declared is not None and declared.pointer.startswith(_SHARED_RESPONSE):
        return declared.pointer.removeprefix(_SHARED_RESPONSE) + finding.pointer
    case = f"{name}/{response.status}"
    return case if finding.location == "status" else f"{case}/{finding.location}{_INDEX.sub('/*', finding.pointer)}"


def _raw(response: WireResponse) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in response.headers]


def _unknown_fields(operation: Operation, response: WireResponse) -> Iterable[Finding]:
    declared = operation.response(response.status)
    schema = declared.content.get(media_type_essence(response.header("content-type") or "")) if declared else None
    return schema.find_unknown_fields(orjson.loads(response.body), "response", "body") if schema is not None else ()


def _summed_up(findings: list[Finding]) -> list[Finding]:
    """The findings; but one alone where an object breaks its schema in so many ways that it must be something else."""
    by_object: dict[str, list[Finding]] = {}
    for finding in findings:
        by_object.setdefault(finding.pointer.rpartition("/")[0], []).append(finding)
    summed_up = []
    for place, found in by_object.items():
        lost = [finding for finding in found if finding.location == "body" and finding.code == "required"]
        if len(lost) < _MANY:
            summed_up += found
            continue
        names = ", ".join(finding.pointer.rpartition("/")[2] for finding in lost)
        summed_up.append(lost[0]._replace(pointer=place, message=f"must have {names}"))
        summed_up += [finding for finding in found if finding not in lost]
    return summed_up


def _value_at(response: WireResponse, finding: Finding) -> str:
    if finding.location == "header":
        name = finding.pointer.removeprefix("/")
        value = response.header(name.lower())
        return f"{name}: {value}" if value is not None else f"no header {name}"
    try:
        place: Any = orjson.loads(response.body)
        for token in finding.pointer.split("/")[1:]:
            place = place[int(token)] if isinstance(place, list) else place[unescape_token(token)]
    except (ValueError, LookupError, TypeError):
        return _excerpt(response)
    return describe(place, _EXCERPT) if finding.pointer else _excerpt(response)


def _excerpt(response: WireResponse) -> str:
    text = response.body.decode("utf-8", "replace")
    return text if len(text) <= _EXCERPT else text[: _EXCERPT - 3] + "..."
