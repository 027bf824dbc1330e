"""The other phases: Schemathesis, through its own engine."""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests
import schemathesis
import yaml
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.core.parameters import ParameterLocation
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.generation.case import Case
from schemathesis.generation.meta import negated_parameters

from mockserver.verify.document import remove_security
from mockserver.verify.fuzzing import hooks
from mockserver.verify.report.model import PHASES, CheckOff, Deviation, Deviations, Phase
from mockserver.verify.reproduction import ExchangeLog
from mockserver.verify.transport import Transport, requests_through

FOLDER = Path(__file__).parent

_OURS = "every answer of every phase is held to the document by mockserver's own contract layer, which names the field"
_DONE_BY_US = ("status_code_conformance", "content_type_conformance", "response_headers_conformance",
               "response_schema_conformance", "not_a_server_error")  # fmt: skip
SHARED_CHECKS = ("missing_required_header", "ignored_auth", "allow_header_conformance", "unsupported_method")
_STATEMENTS = {
    "ValidDataIsAccepted": "A request that is valid by the document is accepted.",
    "InvalidDataIsRefused": "A request that is invalid by the document is refused.",
    "missing_required_header": "A request without a required header is refused.",
    "unsupported_method": "A method that the document does not list for a path is answered with 405.",
    "use_after_free": "What was deleted cannot be reached any more.",
    "ensure_resource_availability": "What was just created can be reached.",
    "ignored_auth": "A request without a valid key is refused.",
    "object_level_authorization": "What belongs to one end user cannot be reached by another.",
}


class Fuzzing:
    """Runs the phases of Schemathesis that are asked for, and keeps what its checks find."""

    def __init__(
        self,
        document: dict[str, Any],
        base_url: str,
        transport: Transport,
        log: ExchangeLog,
        missing: Mapping[str, str],
        *,
        has_key: bool,
    ) -> None:
        # Without a key there is nothing to be said of keys.
        self._document = document if has_key else remove_security(document)
        self._base_url = base_url
        self._transport = transport
        self._log = log
        self._missing = missing
        self._has_key = has_key
        self._operations = {
            f"{method.upper()} {path}": node["operationId"]
            for path, item in document["paths"].items()
            for method, node in item.items()
            if isinstance(node, dict) and "operationId" in node
        }
        self.deviations = Deviations()
        self.errors: dict[str, str] = {}
        """What kept a phase from running as it should, by phase."""

    def run(
        self,
        phases: Sequence[Phase],
        seed: int,
        max_examples: int | None,
        operation: str | None,
        end_users: tuple[str, str],
        advance: Callable[[str], None],
    ) -> Iterator[Phase]:
        """Run the phases, on one operation alone if one is named; yields each phase when it begins."""
        hooks.KEYS.clear()  # The keys stay placeholders here; the transport fills them in.
        with TemporaryDirectory() as folder:
            users = Path(folder, "users.yaml")
            users.write_text(_users(end_users, has_key=self._has_key))
            schema: Any = schemathesis.openapi.from_dict(
                self._document, config=_config(phases, seed, max_examples, users, has_key=self._has_key)
            )
            schema.config.update(base_url=self._base_url)
            others = {one for one in self._operations.values() if operation not in (None, one)}
            if without := others | self._missing.keys():  # Includes would be added to those of the configuration.
                schema = schema.exclude(operation_id=sorted(without))
            with requests_through(self._transport, lambda sent: sent if sent in end_users else end_users[0]):
                stream = from_schema(schema).execute()
                for event in stream:
                    if isinstance(event, events.PhaseStarted) and event.phase.name.value in PHASES:
                        self._transport.phase = event.phase.name.value
                        yield self._transport.phase
                    self._take(event, advance)
                    if self._transport.stopped:
                        stream.stop()

    def checks_off(self) -> list[CheckOff]:
        """The checks that are off: by the shipped configuration, whose comments say why, and by this run."""
        off = [CheckOff(", ".join(_DONE_BY_US), (), _OURS)]
        off += [] if self._has_key else [CheckOff("ignored_auth", (), "the run has no API key")]
        table, operations = "", ()
        for line in (FOLDER / "schemathesis.toml").read_text().splitlines():
            if line.startswith("["):
                table, operations = line.strip("[]"), ()
            elif line.startswith("include-operation-id"):
                value = tomllib.loads(line)["include-operation-id"]
                operations = tuple(value) if isinstance(value, list) else (value,)
            elif (found := _OFF.match(line)) and (found["name"] or table.startswith("checks.")):
                off.append(CheckOff(found["name"] or table.removeprefix("checks."), operations, found["reason"]))
        return off

    def _take(self, event: events.EngineEvent, advance: Callable[[str], None]) -> None:
        match event:
            case events.ScenarioStarted(label=label):
                advance(self._operations.get(label or "", label or "stories"))
            case events.ScenarioFinished():
                self._take_checks(event.recorder)
            case events.EngineFinished(failures=failures):
                for failure in failures:
                    self._add(failure, type(failure).__name__, None, "")
            case events.Interrupted():
                self._transport.interrupt()
            case events.NonFatalError() if not self._transport.stopped:
                self._take_error(event)
            case events.FatalError():
                raise event.exception

    def _take_checks(self, recorder: ScenarioRecorder) -> None:
        for case_id, checks in recorder.checks.items():
            for check in checks:
                if check.failure_info is not None:
                    case = recorder.cases[case_id].value
                    self._add(check.failure_info.failure, check.name, case, check.failure_info.code_sample)

    def _take_error(self, event: events.NonFatalError) -> None:
        if not isinstance(event.value, requests.RequestException):
            self.errors[self._transport.phase] = f"{event.label}: {event.info.title}: {event.info.message}"
            return
        operation = self._operations.get(event.label, event.label)
        self.deviations.add(Deviation(
            case=f"{operation}/no answer",
            verdict="violates",
            statement=f"{operation} answers every request.",
            source="RFC 9110",
            expected="an answer",
            received=f"{event.info.title}: {event.info.message}",
            suspect="target",
            reason="it closed the connection, or answered with something that is not HTTP",
            operations=(operation,),
            phases=(self._transport.phase,),
            first_request=self._transport.counts.get(self._transport.phase, 0),
        ))  # fmt: skip

    def _add(self, failure: Failure, check: str, case: Case[Any] | None, code_sample: str) -> None:
        operation = self._operations.get(case.operation.label if case else failure.operation or "", "")
        subject = _subject(check, case)
        exchange = self._log.of_test_case(case.id) if case else None
        # What is about keys and methods goes wrong everywhere at once.
        is_shared = check in SHARED_CHECKS or subject == "Authorization"
        name = "/".join(filter(None, ("" if is_shared else operation, check, subject)))
        status = f"{exchange.response.status} " if exchange is not None and exchange.response is not None else ""
        deviation = Deviation(
            case=name,
            verdict="violates",
            statement=_STATEMENTS.get(check, failure.title),
            source=f"openapi.yaml, checked by Schemathesis ({failure.code})",
            expected=failure.title,
            received=f"{status}{failure.message}".strip(),
            suspect="target",
            reason="the document says otherwise",
            operations=(operation,) if operation else (),
            place=subject or None,
            reproduction=(code_sample,),
            phases=(self._transport.phase,),
            first_request=exchange.number if exchange else 0,
        )
        if exchange is None:
            self.deviations.add(deviation)
        else:
            self.deviations.add(deviation, lambda: self._log.script(self._log.steps_leading_to(exchange)))


def _subject(check: str, case: Case[Any] | None) -> str:
    """The parameters that a request had wrong on purpose."""
    if case is None or case.meta is None or check != "InvalidDataIsRefused":
        return ""
    declared = {parameter.name for parameter in case.operation.iter_parameters()} | {"Authorization"}
    names = {
        "body" if location == ParameterLocation.BODY else name if name in declared else "an undeclared parameter"
        for name, location in negated_parameters(case.meta)
    }
    return ",".join(sorted(names))


def _config(
    phases: Sequence[Phase], seed: int, max_examples: int | None, users: Path, *, has_key: bool
) -> SchemathesisConfig:
    """The shipped configuration, as this run needs it."""
    config = tomllib.loads((FOLDER / "schemathesis.toml").read_text())
    del config["hooks"]  # They are imported by now.
    config["seed"] = seed
    config["auth"]["wfc"]["path"] = str(users)
    for phase in ("examples", "coverage", "fuzzing", "stateful"):
        config.setdefault("phases", {}).setdefault(phase, {})["enabled"] = phase in phases
    for check in (*_DONE_BY_US, *(() if has_key else ("ignored_auth",))):
        config["checks"][check] = {"enabled": False}
    if max_examples is not None:
        config["generation"]["max-examples"] = max_examples
        config["phases"]["stateful"]["generation"]["max-examples"] = max_examples
    return SchemathesisConfig.from_dict(config)


def _users(end_users: tuple[str, str], *, has_key: bool) -> str:
    """The shipped users, as end users of this run."""
    users = yaml.safe_load((FOLDER / "users.yaml").read_text())
    for entry, end_user in zip(users["auth"], end_users, strict=True):
        headers = {header["name"]: header for header in entry["fixedHeaders"]}
        headers["X-On-Behalf-Of"]["value"] = end_user
        if not has_key:
            del headers["Authorization"]
        entry["fixedHeaders"] = list(headers.values())
    return yaml.safe_dump(users)


_OFF = re.compile(r"^(?:checks\.(?P<name>\w+)\.)?enabled = false  # (?P<reason>.+)$")
