"""The phases of Schemathesis, run by its own engine."""

import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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

from mockserver.conformance.client import Withheld
from mockserver.verify.document import remove_security
from mockserver.verify.fuzzing.checks import (
    EXPECTATIONS,
    INVALID_DATA,
    RESPONSE_CHECKS,
    SHARED_CHECKS,
    STATEFUL_CHECKS,
    STATEMENTS,
    VALID_DATA,
    WEIGHTS,
    list_disabled_checks,
)
from mockserver.verify.fuzzing.extension import registered_extension
from mockserver.verify.fuzzing.requests_transport import send_requests_through
from mockserver.verify.phases import PhaseRecorder
from mockserver.verify.report.model import (
    PHASES,
    Deviation,
    Deviations,
    DisabledCheck,
    Kind,
    Phase,
    StopReason,
    Weight,
)
from mockserver.verify.reproduction import Evidence, ExchangeLog
from mockserver.verify.request_checks import describe_content, list_mistakes
from mockserver.verify.transport import Transport, WireExchange

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the phases for one run. All requests are sent for the two end users."""

    seed: int
    max_examples: int | None
    end_users: tuple[str, str]
    has_key: bool
    run: str
    mark: Mapping[str, str]
    model: str


class SchemathesisPhases:
    """The phases of Schemathesis with the deviations that its checks find.

    The operations in `missing` are left out.
    """

    def __init__(
        self,
        document: dict[str, Any],
        origin: str,
        transport: Transport,
        log: ExchangeLog,
        missing: Collection[str],
        settings: Settings,
    ) -> None:
        # Without a key, no statement about keys can be checked.
        self._document = document if settings.has_key else remove_security(document)
        self._origin = origin
        self._transport = transport
        self._log = log
        self._missing = missing
        self._settings = settings
        self._operations = {
            f"{method.upper()} {path}": node["operationId"]
            for path, item in document["paths"].items()
            for method, node in item.items()
            if isinstance(node, dict) and "operationId" in node
        }
        self.deviations = Deviations()

    def run(
        self, phases: Sequence[Phase], only: str | None, recorder: PhaseRecorder, repeat: str | None = None
    ) -> None:
        """Run the phases, for one operation alone if `only` names one, until the case `repeat` has occurred."""

        def stop_when_reproduced(check: str, case: Case[Any], failure: Failure) -> None:
            if repeat == self._name_case(check, case):  # Schemathesis tells it only after all requests of a scenario.
                self._add_failure(failure, check, case)
                self._transport.stop(StopReason.CASE_REPRODUCED)

        skipped = {one for one in self._operations.values() if only not in (None, one)} | set(self._missing)
        end_users = self._settings.end_users
        with (
            registered_extension(self._settings.run, self._settings.mark, self._settings.model, stop_when_reproduced),
            self._load_schema(phases, skipped) as schema,
            send_requests_through(
                self._transport, self._origin, lambda sent: sent if sent in end_users else end_users[0]
            ),
        ):
            stream = from_schema(schema).execute()
            for event in stream:
                if isinstance(event, events.PhaseStarted) and event.phase.name.value in PHASES:
                    recorder.start(event.phase.name.value)
                self._handle(event, recorder)
                if self._transport.stop_reason is not None:
                    stream.stop()

    def disabled_checks(self) -> tuple[DisabledCheck, ...]:
        return list_disabled_checks(_load_config(), has_key=self._settings.has_key)

    @contextmanager
    def _load_schema(self, phases: Sequence[Phase], skipped: Collection[str]) -> Iterator[Any]:
        with TemporaryDirectory() as folder:
            users = Path(folder, "users.yaml")
            users.write_text(_render_users(self._settings), "utf-8")
            config = _configure(phases, self._settings, users)
            schema: Any = schemathesis.openapi.from_dict(self._document, config=config)
            schema.config.update(base_url=self._origin)
            # Not `include`, which would add to the filters of the configuration.
            yield schema.exclude(operation_id=sorted(skipped)) if skipped else schema

    # -- Events --------------------------------------------------------------------------------------------

    def _handle(self, event: events.EngineEvent, recorder: PhaseRecorder) -> None:
        match event:
            case events.ScenarioStarted(label=label):
                recorder.advance(self._operations.get(label or "", label or "stateful scenarios"))
            case events.ScenarioFinished():
                self._add_failures(event.recorder)
            case events.EngineFinished(failures=failures):
                for failure in failures:
                    self._add_failure(failure, type(failure).__name__, None)
            case events.Interrupted():
                self._transport.interrupt()
            case events.NonFatalError() if self._transport.stop_reason is None:
                if isinstance(event.value, requests.RequestException):
                    self._add_missing_response(event)
                elif not isinstance(event.value, Withheld):
                    recorder.fail(f"{event.label}: {event.info.title}: {event.info.message}")
            case events.FatalError():
                raise event.exception

    def _add_failures(self, recorder: ScenarioRecorder) -> None:
        for case_id, checks in recorder.checks.items():
            for check in checks:
                if check.failure_info is not None:
                    case = recorder.cases[case_id].value
                    self._add_failure(check.failure_info.failure, check.name, case)

    def _add_missing_response(self, event: events.NonFatalError) -> None:
        operation = self._operations.get(event.label, event.label)
        self.deviations.add(Deviation(
            case=f"{operation}/no response",
            verdict="violates",
            statement=f"{operation} responds to every request.",
            source="RFC 9110",
            expected="a response",
            received=f"{event.info.title}: {event.info.message}",
            suspect="target",
            weight=Weight.FAILURE,
            reason="it closed the connection, or sent something other than HTTP",
            operations=(operation,),
            phases=(self._transport.phase,),
            first_request=self._transport.counts.get(self._transport.phase, 0),
        ))  # fmt: skip

    def _add_failure(self, failure: Failure, check: str, case: Case[Any] | None) -> None:
        operation = self._operations.get(case.operation.label if case else failure.operation or "", "")
        exchange = self._log.find_test_case(case.id) if case else None
        response = exchange.response if exchange is not None else None
        deviation = Deviation(
            case=self._name_case(check, case, operation),
            verdict="violates",
            statement=STATEMENTS.get(check, failure.title),
            source=f"openapi.yaml, checked by Schemathesis ({failure.code})",
            expected=EXPECTATIONS.get(check, "a response that passes the check"),
            received=f"{response.status} {response.excerpt}" if response is not None else failure.message,
            suspect="target",
            reason="the document says otherwise",
            operations=(operation,) if operation else (),
            origin=operation,
            weight=WEIGHTS.get(check, Weight.FORM),
            kinds=_find_kinds(check, case, exchange),
            phases=(self._transport.phase,),
            first_request=exchange.number if exchange else 0,
        )
        self.deviations.add(deviation, lambda: self._find_evidence(exchange, check))

    def _name_case(self, check: str, case: Case[Any] | None, operation: str = "") -> str:
        if case is not None:
            operation = self._operations.get(case.operation.label, "")
        subject = "Authorization" if _is_about_key(check, case) else ""
        is_shared = check in SHARED_CHECKS or subject
        return "/".join(filter(None, ("" if is_shared else operation, check, subject)))

    def _find_evidence(self, exchange: WireExchange | None, check: str) -> Evidence | None:
        """Return how to show a failure again: the same status, after the writes that led to it if these matter."""
        if exchange is None or exchange.response is None:
            return None
        status = exchange.response.status

        def shows(repeated: WireExchange) -> bool:
            return repeated.response is not None and repeated.response.status == status

        return Evidence(self._log.select_steps(exchange), shows, needs_writes=check in STATEFUL_CHECKS)


def _is_about_key(check: str, case: Case[Any] | None) -> bool:
    """Return whether the API key alone was invalid on purpose."""
    if case is None or case.meta is None or check != INVALID_DATA:
        return False
    return {name for name, _ in negated_parameters(case.meta)} == {"Authorization"}


def _find_kinds(check: str, case: Case[Any] | None, exchange: WireExchange | None) -> tuple[Kind, ...]:
    """Return the mistakes in a request that should have been rejected, or the content of one that should not."""
    if exchange is None or exchange.match is None:
        return ()
    if check == VALID_DATA:
        return (Kind(describe_content(exchange)),)
    if check != INVALID_DATA or _is_about_key(check, case):
        return ()
    for mistake in list_mistakes(exchange):
        return (Kind(mistake.name, rule=mistake.rule),)
    return (Kind(f"{exchange.match.operation.id}: {_invalid_parameters(case)}"),)


def _invalid_parameters(case: Case[Any] | None) -> str:
    """Return the names of the parameters that were invalid on purpose."""
    if case is None or case.meta is None:
        return "a part that is not known"
    declared = {parameter.name for parameter in case.operation.iter_parameters()}
    names = {
        "body" if location == ParameterLocation.BODY else name if name in declared else "an undeclared parameter"
        for name, location in negated_parameters(case.meta)
    }
    return ", ".join(sorted(names))


# -- Configuration ---------------------------------------------------------------------------------------------


def _load_config() -> dict[str, Any]:
    return tomllib.loads((_FOLDER / "schemathesis.toml").read_text("utf-8"))


def _configure(phases: Sequence[Phase], settings: Settings, users: Path) -> SchemathesisConfig:
    """Return the shipped configuration, adapted to this run."""
    config = _load_config()
    del config["hooks"]  # The run registers hooks of its own.
    config["seed"] = settings.seed
    config["auth"]["wfc"]["path"] = str(users)
    for phase in ("examples", "coverage", "fuzzing", "stateful"):
        config.setdefault("phases", {}).setdefault(phase, {})["enabled"] = phase in phases
    for check in (*RESPONSE_CHECKS, *(() if settings.has_key else ("ignored_auth",))):
        config["checks"][check] = {"enabled": False}
    if settings.max_examples is not None:
        for section in (config, config["phases"]["stateful"]):
            section["generation"]["max-examples"] = settings.max_examples
    return SchemathesisConfig.from_dict(config)


def _render_users(settings: Settings) -> str:
    """Return the shipped users as end users of this run."""
    users = yaml.safe_load((_FOLDER / "users.yaml").read_text("utf-8"))
    for entry, end_user in zip(users["auth"], settings.end_users, strict=True):
        headers = {header["name"]: header for header in entry["fixedHeaders"]}
        headers["X-On-Behalf-Of"]["value"] = end_user
        if not settings.has_key:
            del headers["Authorization"]
        entry["fixedHeaders"] = list(headers.values())
    return yaml.safe_dump(users)
