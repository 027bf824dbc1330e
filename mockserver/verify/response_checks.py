"""Every answer of every phase, held to the document."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from mockserver.contract.operations import Operation, Operations, Response, essence_of
from mockserver.contract.responses import response_findings
from mockserver.findings import Finding, shown, unescaped
from mockserver.verify.report.model import PHASES, Deviation, Suspect, keep
from mockserver.verify.reproduction import History
from mockserver.verify.sdk import Reader
from mockserver.verify.transport import Exchange, Reply

_INDEX = re.compile(r"/\d+(?=/|$)")
_COMPONENT = re.compile(r"/components/schemas/([^/]+)")
_SHARED_RESPONSE = "/components/responses/"
_EXCERPT = 300
_MANY = 3


class Answers:
    """Holds answers to the document, and keeps what deviates: each place once.

    `open_operations` are those of the document that takes unknown values; what only they accept is drift.
    """

    def __init__(
        self, operations: Operations, open_operations: Operations, history: History, reader: Reader | None
    ) -> None:
        self._operations = operations
        self._open = open_operations
        self._history = history
        self._reader = reader
        self.missing: dict[str, str] = {}
        """The operations that the target does not offer, and the case that tells of each."""
        self.deviations: dict[str, Deviation] = {}
        self.counts: dict[tuple[str, str], int] = {}
        """How many answers were held to the document, by phase and operation."""
        self.successes: set[tuple[str, str]] = set()
        """The phases and operations with at least one success."""

    def observe(self, exchange: Exchange) -> None:
        reply = exchange.reply
        if reply is None or exchange.phase not in PHASES:
            return
        operation = self._operation(exchange, reply)
        if operation is not None and operation.id in self.missing:
            return
        if exchange.match is not None:
            key = (exchange.phase, exchange.match.operation.id)
            self.counts[key] = self.counts.get(key, 0) + 1
            if reply.status < 300:
                self.successes.add(key)
        for deviation in self._deviations(exchange, operation, reply):
            if keep(self.deviations, deviation):
                deviation.curl = self._history.script(self._history.leading_to(exchange))
            elif deviation.case == NULLS and deviation.received not in self.deviations[NULLS].received:
                self.deviations[NULLS].received += f", {deviation.received}"

    def _operation(self, exchange: Exchange, reply: Reply) -> Operation | None:
        """The operation that a request is for; for a method that its path does not take, any of the path's."""
        if exchange.match is not None or reply.status != 405:
            return exchange.match.operation if exchange.match else None
        return next(iter(self._operations.allowed(exchange.sent.target.partition("?")[0])), None)

    def miss(self, exchange: Exchange) -> None:
        """Take note that the target does not offer the operation of an exchange."""
        assert exchange.match is not None
        assert exchange.reply is not None
        operation, reply = exchange.match.operation, exchange.reply
        deviation = _deviation(exchange, operation, reply, Finding("response", "status", "", ""), (
            "target", "it does not offer the operation at all; what needs it cannot be checked"
        ))  # fmt: skip
        deviation.case = self.missing[operation.id] = f"{operation.id}/missing"
        deviation.statement = f"{operation.method} {operation.path} is there."
        deviation.expected = "anything but 405, 501 or, for a list, 404"
        deviation.curl = self._history.script([exchange])
        self.deviations[deviation.case] = deviation

    def _deviations(self, exchange: Exchange, operation: Operation | None, reply: Reply) -> Iterator[Deviation]:
        if reply.status >= 500:
            yield _deviation(
                exchange, operation, reply, _SERVER_ERROR, ("target", "no request may make a server fail")
            )
        if operation is None:
            return
        findings = response_findings(operation, reply.status, _raw(reply), reply.body)
        for finding, is_drift in self._judged(findings, operation, reply):
            if is_drift:
                yield _drift(exchange, operation, reply, finding)
            elif self._is_null_for_absent(finding):
                yield _null(exchange, operation, reply, finding, self._suspect(operation, reply))
            elif not (finding.location == "status" and reply.status >= 500):
                yield _deviation(exchange, operation, reply, finding, self._suspect(operation, reply))
        if not findings:
            for finding in _unknown_fields(operation, reply):
                yield _drift(exchange, operation, reply, finding)
            if exchange.phase == "behaviours" and (complaint := self._complaint(operation, reply)):
                yield _unreadable(exchange, operation, reply, complaint)

    def _is_null_for_absent(self, finding: Finding) -> bool:
        """Whether a field is null that may be absent, but not null."""
        *_, field = finding.pointer.split("/")
        owner, declares, _ = f"{finding.schema_pointer}/".rpartition(f"/properties/{field}/")
        return (
            bool(declares)
            and finding.message.endswith("not null")
            and field not in self._operations.schemas.node(owner).get("required", ())
        )

    def _judged(self, findings: list[Finding], operation: Operation, reply: Reply) -> Iterator[tuple[Finding, bool]]:
        """Each finding, with whether the document expects to be outgrown there."""
        if not findings:
            return
        still = response_findings(self._open[operation.id], reply.status, _raw(reply), reply.body)
        broken = {(finding.location, finding.pointer) for finding in _summed_up(still)}
        for finding in _summed_up(findings):
            yield finding, (finding.location, finding.pointer) not in broken

    def _complaint(self, operation: Operation, reply: Reply) -> str | None:
        if self._reader is None or reply.status != 200:
            return None
        return self._reader.complaint(operation.id, reply)

    def _suspect(self, operation: Operation, reply: Reply) -> tuple[Suspect, str]:
        if self._reader is None or reply.status != 200:
            return "target", "its answer breaks the document"
        complaint = self._complaint(operation, reply)
        if complaint is None:
            return "document", "meetkai-mka1 reads the answer without complaint; the document may ask too much"
        return "target", f"meetkai-mka1 cannot read the answer either: {complaint.splitlines()[0]}"


_SERVER_ERROR = Finding("response", "status", "", "a server error")


def _deviation(
    exchange: Exchange, operation: Operation | None, reply: Reply, finding: Finding, suspect: tuple[Suspect, str]
) -> Deviation:
    name = operation.id if operation else f"{exchange.sent.method} of no operation"
    response = operation.response(reply.status) if operation else None
    is_status = finding.location == "status"
    place = f"{finding.location} {finding.pointer}".strip()
    if finding is _SERVER_ERROR:
        statement, expected = f"{name} answers no request with a server error.", "a status below 500"
    elif is_status:
        statement, expected = f"{name} answers with the statuses that the document lists.", finding.message
    else:
        component = _COMPONENT.match(finding.schema_pointer)
        whose = (
            f"Every {component[1]}" if component and finding.location == "body" else f"The {reply.status} of {name}"
        )
        statement = f"{whose} is as the document says, at {place}."
        expected = finding.message
    return Deviation(
        case=_case(name, response, reply, finding),
        verdict="violates",
        statement=statement,
        source=f"openapi.yaml#{finding.schema_pointer}" if finding.schema_pointer else "openapi.yaml",
        expected=expected,
        received=f"{reply.status} {_excerpt(reply)}" if is_status else _value_at(reply, finding),
        suspect=suspect[0],
        reason=suspect[1],
        operations=[operation.id] if operation else [],
        place=place,
        phases=[exchange.phase],
        first_request=exchange.number,
    )


NULLS = "null for absent fields"
"""The case of all optional fields that are null: whoever does it once mostly does it everywhere."""


def _null(
    exchange: Exchange, operation: Operation, reply: Reply, finding: Finding, suspect: tuple[Suspect, str]
) -> Deviation:
    deviation = _deviation(exchange, operation, reply, finding, suspect)
    deviation.received = f"null at {deviation.case}"
    deviation.case = NULLS
    deviation.statement = "An optional field that is not there is left out; null is something else."
    deviation.expected = "no field, or a value that the document allows"
    return deviation


def _drift(exchange: Exchange, operation: Operation, reply: Reply, finding: Finding) -> Deviation:
    reason = "the target has something new where the document expects to be outgrown"
    deviation = _deviation(exchange, operation, reply, finding, ("document", reason))
    deviation.verdict = "drift"
    return deviation


def _unreadable(exchange: Exchange, operation: Operation, reply: Reply, complaint: str) -> Deviation:
    reason = "the answer is as the document says, but meetkai-mka1 cannot read it"
    finding = Finding("response", "body", "", complaint)
    deviation = _deviation(exchange, operation, reply, finding, ("SDK", reason))
    deviation.case += " SDK"
    deviation.statement = f"meetkai-mka1 reads the answers of {operation.id}."
    deviation.source = "the models of meetkai-mka1"
    return deviation


def _case(name: str, response: Response | None, reply: Reply, finding: Finding) -> str:
    """The name of a mistake: by the schema and the field (or keyword) that it breaks, which operations share.

    That of a header is by the response, if operations share it; of anything else by operation, status and place.
    """
    found = _COMPONENT.match(finding.schema_pointer)
    if finding.location == "body" and found:
        *_, keyword = finding.schema_pointer.split("/")
        field = finding.pointer.rpartition("/")[2]
        is_declared = keyword == "required" or f"/properties/{field}/" in finding.schema_pointer + "/"
        return f"{found[1]}/{field if is_declared else keyword}".rstrip("/")
    if finding.location == "header" and response is not None and response.pointer.startswith(_SHARED_RESPONSE):
        return response.pointer.removeprefix(_SHARED_RESPONSE) + finding.pointer
    case = f"{name}/{reply.status}"
    return case if finding.location == "status" else f"{case}/{finding.location}{_INDEX.sub('/*', finding.pointer)}"


def _raw(reply: Reply) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in reply.headers]


def _unknown_fields(operation: Operation, reply: Reply) -> Iterable[Finding]:
    declared = operation.response(reply.status)
    schema = declared.content.get(essence_of(reply.header("content-type") or "")) if declared else None
    return schema.unknown_fields(orjson.loads(reply.body), "response", "body") if schema is not None else ()


def _summed_up(findings: list[Finding]) -> list[Finding]:
    """The findings; but one alone where an object breaks its schema in so many ways that it must be something else."""
    by_object: dict[str, list[Finding]] = {}
    for finding in findings:
        by_object.setdefault(finding.pointer.rpartition("/")[0], []).append(finding)
    summed_up = []
    for place, found in by_object.items():
        lost = [finding for finding in found if finding.schema_pointer.endswith("/required")]
        if len(lost) < _MANY:
            summed_up += found
            continue
        names = ", ".join(finding.pointer.rpartition("/")[2] for finding in lost)
        summed_up.append(lost[0]._replace(pointer=place, message=f"must have {names}"))
        summed_up += [finding for finding in found if finding not in lost]
    return summed_up


def _value_at(reply: Reply, finding: Finding) -> str:
    if finding.location == "header":
        name = finding.pointer.removeprefix("/")
        value = reply.header(name.lower())
        return f"{name}: {value}" if value is not None else f"no header {name}"
    try:
        place: Any = orjson.loads(reply.body)
        for token in finding.pointer.split("/")[1:]:
            place = place[int(token)] if isinstance(place, list) else place[unescaped(token)]
    except (ValueError, LookupError, TypeError):
        return _excerpt(reply)
    return shown(place, _EXCERPT) if finding.pointer else _excerpt(reply)


def _excerpt(reply: Reply) -> str:
    text = reply.body.decode("utf-8", "replace")
    return text if len(text) <= _EXCERPT else text[: _EXCERPT - 3] + "..."
