"""The run: its phases one after the other, and what becomes of their results."""

import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Literal, Protocol
from urllib.parse import urlsplit
from uuid import uuid4

from mockserver.conformance.catalogue import load_catalogue
from mockserver.conformance.client import ApiClient, NoResponse, http_client
from mockserver.conformance.paths import PREFIX
from mockserver.conformance.suite import all_scenarios
from mockserver.contract.document import load_document
from mockserver.contract.operations import Operation, Operations
from mockserver.curl import KEY_PLACEHOLDER, SECOND_KEY_PLACEHOLDER
from mockserver.errors import UsageError
from mockserver.verify.baseline import BaselineEntry, apply_baseline
from mockserver.verify.behaviours import Behaviours, Gateway
from mockserver.verify.cleanup import Cleanup
from mockserver.verify.document import allow_unknown_values, has_responses, relocate_document
from mockserver.verify.fuzzing.phases import SHARED_CHECKS, Fuzzing
from mockserver.verify.preflight import PHASE, find_missing_operations
from mockserver.verify.report.model import (
    PHASES,
    VERDICTS,
    BaselineNote,
    BehaviourRow,
    Cell,
    Deviation,
    LeftOver,
    OperationRow,
    Phase,
    PhaseRow,
    Reason,
    Report,
    StopReason,
    UncheckedReason,
)
from mockserver.verify.reproduction import ExchangeLog
from mockserver.verify.response_checks import NULLS, ResponseChecks
from mockserver.verify.sdk import PublishedSdk
from mockserver.verify.transport import HttpxTransport, Limits, Stopped, Transport, WireExchange


@dataclass(frozen=True, slots=True)
class Options:
    """What to run, against whom, and within which limits.

    Without an `api_key` no key is sent. `repeat` is a case: nothing else is looked for then.
    """

    base_url: str
    api_key: str | None = field(repr=False)
    second_key: str | None = field(default=None, repr=False)
    prefix: str = PREFIX
    phases: tuple[Phase, ...] = PHASES
    limits: Limits = field(default_factory=Limits)
    seed: int = 1
    max_examples: int | None = None
    strict: bool = False
    baseline: tuple[BaselineEntry, ...] = ()
    repeat: str | None = None
    include_responses: bool = False
    may_act_for_the_account: bool = False


class Progress(Protocol):
    """Is told how far the run is."""

    def begin(self, phase: str, total: int | None) -> None: ...

    def advance(self, requests: int, label: str) -> None: ...

    def end(self, phase: str) -> None: ...


def verify(options: Options, progress: Progress) -> Report:
    """Run the phases, clean up, and say what came out.

    SIGINT and SIGTERM end the phases, not the clean-up; what was found until then is in the report.

    Raises:
        UsageError: the target cannot be called like this at all; nothing was made on it.
    """
    if options.repeat is not None:
        options = _to_repeat(options, options.repeat)
    return _Run(options, progress).report()


def _to_repeat(options: Options, case: str) -> Options:
    """What has to run so that a case can be met.

    Raises:
        UsageError: there can be no such case.
    """
    if case in {behaviour.id for behaviour in load_catalogue()}:
        return replace(options, phases=("behaviours",))
    if "/" not in case and case not in (*SHARED_CHECKS, NULLS):
        raise UsageError(f"there is no case {case!r}: it is neither a behaviour nor a place in the document")
    return options


class _Run:
    def __init__(self, options: Options, progress: Progress) -> None:
        self._options = options
        self._progress = progress
        self._base_url = options.base_url.rstrip("/").removesuffix(options.prefix)
        self._name = f"mockserver-verify-{uuid4().hex[:8]}"
        document = load_document()
        self._document = relocate_document(
            document, self._base_url, options.prefix, responses=options.include_responses
        )
        self._operations = Operations(self._document)
        self._log = ExchangeLog(_origin(self._base_url))
        reader, self._notes = _reader()
        if options.include_responses and not has_responses(document):
            self._notes.append("the document describes no operation of the Responses resource yet; none was called")
        self._answers = ResponseChecks(
            self._operations, Operations(allow_unknown_values(self._document)), self._log, reader
        )
        self._made = Cleanup()
        keys = {KEY_PLACEHOLDER: options.api_key, SECOND_KEY_PLACEHOLDER: options.second_key}
        self._transport = Transport(
            self._operations,
            {placeholder: key for placeholder, key in keys.items() if key is not None},
            options.limits,
            self._observe,
            lambda: self._made.pending,
        )
        self._api = ApiClient(
            self._base_url,
            KEY_PLACEHOLDER if options.api_key else None,
            self._name,
            SECOND_KEY_PLACEHOLDER if options.second_key else None,
            options.prefix,
            http_client(HttpxTransport(self._transport)),
        )
        gateway = Gateway(self._api, options.may_act_for_the_account)
        self._behaviours = Behaviours(
            load_catalogue(), gateway, self._transport, self._log, self._operations, self._answers.missing
        )
        self._fuzzing = Fuzzing(
            self._document,
            self._base_url,
            self._transport,
            self._log,
            self._answers.missing,
            has_key=options.api_key is not None,
        )
        self._phase: Phase | Literal[""] = ""
        self._since = 0.0
        self._seconds: dict[str, float] = {}
        self._errors: dict[str, str] = {}
        self._stopped_at = ""

    def _observe(self, exchange: WireExchange) -> None:
        self._log.observe(exchange)
        self._made.observe(exchange)
        self._answers.observe(exchange)
        if self._options.repeat is not None and self._options.repeat in self._answers.deviations:
            self._transport.stopped = StopReason.CASE_REPRODUCED

    def report(self) -> Report:
        started_at, started = datetime.now(UTC), time.monotonic()
        with closing(self._api), self._transport.interrupted_by_signals():
            with suppress(Stopped):  # The phases will not begin then.
                self._call_once()
            try:
                self._run_phases()
            finally:
                left_over, notes = self._clean_up()
        phases = tuple(self._phase_row(phase) for phase in self._options.phases)
        behaviours, deviations, baseline = self._judge(phases)
        report = Report(
            target=self._base_url + self._options.prefix,
            version=version("mka1-mockserver"),
            seed=self._options.seed,
            started_at=started_at.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - started, 1),
            requests=self._transport.total,
            strict=self._options.strict,
            phases=phases,
            operations=tuple(self._operation_row(one, phases, deviations) for one in self._operations.values()),
            behaviours=tuple(behaviours),
            deviations=tuple(deviations),
            checks_off=tuple(self._fuzzing.checks_off()) if set(self._options.phases) - {"behaviours"} else (),
            left_over=tuple(left_over),
            baseline=tuple(baseline),
            notes=(*self._notes, *notes),
        )
        return report.masked(self._transport.masked)

    def _clean_up(self) -> tuple[list[LeftOver], list[str]]:
        self._transport.clean_up()
        self._progress.begin("cleanup", None)
        try:
            return self._made.delete_all(self._api)
        finally:
            self._progress.end("cleanup")

    def _call_once(self) -> None:
        """See that the target is there and lets the key in, before anything is made on it."""
        self._transport.phase = PHASE
        try:
            answer = self._api.get("/conversations", limit=1)
        except NoResponse as error:
            raise UsageError(f"{self._base_url} cannot be called: {error}") from error
        if answer.status in (401, 403):
            problem = "refuses the API key" if self._options.api_key else "wants an API key"
            raise UsageError(f"{self._base_url} {problem}: {answer.path} answers {answer.status}")
        if answer.status == 404 and self._api.post("/conversations", {}).status == 404:
            raise UsageError(f"{answer.url} answers 404; does the API lie under another --prefix?")

    # -- Phases --------------------------------------------------------------------------------------------

    def _run_phases(self) -> None:
        """Run them all; the first that is stopped is the last."""
        try:
            for exchange in find_missing_operations(self._api, self._log).values():
                self._answers.miss(exchange)
            if "behaviours" in self._options.phases:
                self._guarded("behaviours", self._run_behaviours)
            self._end_phase()
            others = tuple(phase for phase in self._options.phases if phase != "behaviours")
            if others and not self._transport.stopped:
                self._guarded(others[0], lambda: self._run_fuzzing(others))
        except Stopped:
            pass  # The transport knows why; every phase's row says it.
        except KeyboardInterrupt:
            self._transport.interrupt()
        self._end_phase()

    def _guarded(self, phase: Phase, run: Callable[[], None]) -> None:
        try:
            run()
        except Stopped:
            pass  # As above.
        except Exception as error:  # noqa: BLE001 - whatever it is: the phase's row says it, and the clean-up goes on
            place = traceback.extract_tb(error.__traceback__)[-1]
            self._errors[self._phase or phase] = f"{type(error).__name__}: {error} ({place.name}, line {place.lineno})"

    def _run_behaviours(self) -> None:
        scenarios = all_scenarios()
        if self._options.repeat in self._behaviours.ids:
            scenarios = [one for one in scenarios if self._options.repeat in one.behaviours]
        self._begin_phase("behaviours", len(scenarios))
        for scenario in scenarios:
            self._progress.advance(self._transport.total, scenario.name)
            self._behaviours.run(scenario)

    def _run_fuzzing(self, phases: tuple[Phase, ...]) -> None:
        operation = (self._options.repeat or "").partition("/")[0]
        selected = operation if operation in self._operations and "stateful" not in phases else None
        for phase in self._fuzzing.run(
            phases,
            self._options.seed,
            self._options.max_examples,
            selected,
            (f"{self._name}-1", f"{self._name}-2"),
            lambda label: self._progress.advance(self._transport.total, label),
        ):
            self._begin_phase(phase, None)
        self._errors |= self._fuzzing.errors

    def _begin_phase(self, phase: Phase, total: int | None) -> None:
        self._end_phase()
        self._phase = self._transport.phase = phase
        self._since = time.monotonic()
        self._progress.begin(phase, total)

    def _end_phase(self) -> None:
        if self._phase:
            self._seconds[self._phase] = round(time.monotonic() - self._since, 1)
            self._progress.end(self._phase)
            if self._transport.stopped:
                self._stopped_at = self._stopped_at or self._phase
        self._phase = ""

    def _phase_row(self, phase: Phase) -> PhaseRow:
        requests, stopped = self._transport.counts.get(phase, 0), self._transport.stopped
        seconds = self._seconds.get(phase, 0.0)
        if phase in self._errors:
            return PhaseRow(phase, "crashed", requests, seconds, Reason(UncheckedReason.CRASHED, self._errors[phase]))
        if phase not in self._seconds:
            return PhaseRow(phase, "skipped", 0, 0.0, Reason(stopped or UncheckedReason.EARLIER_CRASH))
        if stopped is not None and phase == self._stopped_at:
            return PhaseRow(phase, "stopped", requests, seconds, Reason(stopped))
        return PhaseRow(phase, "done", requests, seconds)

    # -- Verdict -------------------------------------------------------------------------------------------

    def _judge(self, phases: Sequence[PhaseRow]) -> tuple[list[BehaviourRow], list[Deviation], list[BaselineNote]]:
        """Return the row of each behaviour, all deviations, and the remarks on the baseline."""
        found = [
            *self._behaviours.deviations(self._made.reused_ids),
            *self._answers.deviations,
            *self._fuzzing.deviations,
        ]
        not_reached = Reason(UncheckedReason.NOT_REACHED)
        skipped = {row.phase: row.why or not_reached for row in phases}
        why_not = skipped.get("behaviours", Reason(UncheckedReason.NOT_SELECTED))
        is_complete = all(row.state == "done" for row in phases) and set(self._options.phases) == set(PHASES)
        unchecked = {row.id for row in self._behaviours.rows(found, why_not) if row.verdict == "unchecked"}

        def was_checked(case: str) -> bool:
            return case not in unchecked if case in self._behaviours.ids else is_complete

        today = datetime.now(UTC).date()
        judged, notes = apply_baseline(self._options.baseline, found, today, was_checked)
        deviations = sorted(judged, key=lambda one: VERDICTS.index(one.verdict))
        return self._behaviours.rows(deviations, why_not), deviations, notes

    def _operation_row(
        self, operation: Operation, phases: Sequence[PhaseRow], deviations: Sequence[Deviation]
    ) -> OperationRow:
        cells = {row.phase: self._cell(operation.id, row, deviations) for row in phases}
        return OperationRow(operation.id, operation.method, operation.path, cells)

    def _cell(self, operation: str, row: PhaseRow, deviations: Sequence[Deviation]) -> Cell:
        responses = self._answers.counts.get((row.phase, operation), 0)
        if operation in self._answers.missing:
            blocked = Reason(UncheckedReason.BLOCKED, self._answers.missing[operation])
            return Cell("unchecked", 0, blocked)
        met = [one for one in deviations if operation in one.operations and row.phase in one.phases]
        if met:
            return Cell(met[0].verdict, responses, cases=tuple(one.case for one in met))
        if not responses:
            return Cell("unchecked", 0, row.why or Reason(UncheckedReason.NO_REQUEST))
        if (row.phase, operation) not in self._answers.successes:
            return Cell("unchecked", responses, Reason(UncheckedReason.NO_SUCCESS))
        return Cell("conforms", responses)


def _origin(url: str) -> str:
    """Scheme and authority."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _reader() -> tuple[PublishedSdk | None, list[str]]:
    try:
        return PublishedSdk(), []
    except ImportError:
        return None, ["meetkai-mka1 is not installed; with it, the SDK is asked what it makes of each answer"]
