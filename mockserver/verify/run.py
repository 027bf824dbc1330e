"""A verification run: preflight, phases, cleanup, verdicts, report."""

import json
import time
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from urllib.parse import urlsplit
from uuid import uuid4

from mockserver.conformance.catalogue import Behaviour, load_catalogue
from mockserver.conformance.client import ApiClient, http_client
from mockserver.conformance.scenario import Scenario
from mockserver.conformance.suite import all_scenarios, response_scenarios
from mockserver.contract.contract import Contract
from mockserver.contract.document import load_document
from mockserver.curl import KEY_PLACEHOLDER, SECOND_KEY_PLACEHOLDER
from mockserver.errors import UsageError
from mockserver.secrets import mask_tokens
from mockserver.verify.behaviours import BehaviourChecks, RemoteTarget
from mockserver.verify.cleanup import MARK, Cleanup, CleanupResult, CreatedResources
from mockserver.verify.document import allow_unknown_values, relocate_document
from mockserver.verify.fuzzing.checks import SHARED_CHECKS
from mockserver.verify.fuzzing.phases import SchemathesisPhases, Settings
from mockserver.verify.judge import Checks, judge
from mockserver.verify.options import Options
from mockserver.verify.phases import PhaseRecorder, Progress
from mockserver.verify.preflight import (
    MISSING,
    Preflight,
    check_access,
    find_missing_operations,
    is_open_mockserver,
)
from mockserver.verify.replay import Replay, replaying
from mockserver.verify.report.model import Deviation, Report, StopReason, name_kind
from mockserver.verify.reproduction import ExchangeLog
from mockserver.verify.response_checks import ERROR_BODIES, NULL_FIELDS, ResponseChecks
from mockserver.verify.sdk import PublishedSdk, load_sdk
from mockserver.verify.signals import interrupt_on_signals
from mockserver.verify.transport import CLEANUP, REPRODUCTION, HttpxTransport, Stopped, Transport, WireExchange


def verify(options: Options, progress: Progress) -> Report:
    """Verify a target.

    SIGINT, SIGTERM and SIGHUP end the phases, but not the cleanup. The report has what was found until then.

    Raises:
        UsageError: the target cannot be tested with these options.
    """
    options = _select_phases(options)
    started_at, started = datetime.now(UTC), time.monotonic()
    run = _connect(options)
    if options.only not in (None, *run.contract.operations, *(behaviour.id for behaviour in load_catalogue())):
        raise UsageError(f"--only must be an operation or a behaviour, not {options.only}")
    recorder = PhaseRecorder(run.transport, progress)
    with closing(run.client), interrupt_on_signals(run.transport):
        try:
            with suppress(Stopped):  # The next request is rejected, too.
                try:
                    check_access(run.client)
                except UsageError as error:
                    raise UsageError(run.transport.masker.mask(str(error))) from None
            preflight = _find_missing(run)
            if not preflight.accepts_mark:
                run = replace(run, client=replace(run.client, mark={}))
            checks = _create_checks(run, preflight)
            _run_phases(run, checks, recorder)
            found, crashes = _reproduce(run, checks, progress)
        finally:
            cleanup = _clean_up(run, progress)
    report = Report(
        target=options.root_url + options.prefix,
        version=version("mka1-mockserver"),
        seed=options.seed,
        started_at=started_at.isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - started, 1),
        requests=run.transport.total,
        strict=options.strict,
        phases=recorder.rows(options.phases),
        disabled_checks=checks.schemathesis.disabled_checks() if set(options.phases) - {"behaviours"} else (),
        leftovers=cleanup.leftovers,
        notes=(*_list_notes(run), *crashes, *cleanup.notes),
    )
    operations = run.contract.operations.values()
    report = judge(report, checks, found, options.baseline, operations)
    return report.masked(lambda text: mask_tokens(run.transport.masker.mask(text)))


@dataclass(frozen=True, slots=True)
class _Run:
    """The parts that all steps of a run share."""

    options: Options
    contract: Contract
    transport: Transport
    client: ApiClient
    log: ExchangeLog
    created: CreatedResources
    sdk: PublishedSdk | None


def _select_phases(options: Options) -> Options:
    """Return the options with the phases that can reproduce the case, if one is to be repeated.

    Raises:
        UsageError: no such case can exist.
    """
    case = options.repeat
    if case is None:
        if options.only is not None:
            raise UsageError("--only needs --repeat")
        return options
    if case in {behaviour.id for behaviour in _select_behaviours(options)}:
        return replace(options, phases=("behaviours",))
    if case in {behaviour.id for behaviour in load_catalogue()}:
        raise UsageError(f"the case {case!r} needs --include-responses")
    if case.endswith(MISSING):
        return replace(options, phases=())  # The preflight finds it.
    if "/" not in case and case not in (*SHARED_CHECKS, NULL_FIELDS, ERROR_BODIES):
        raise UsageError(f"there is no case {case!r}: it is neither a behaviour nor a place in the document")
    return options


def _connect(options: Options) -> _Run:
    document = relocate_document(
        load_document(), options.root_url, options.prefix, responses=options.include_responses
    )
    contract = Contract.from_document(document)
    run_id = uuid4().hex
    log, created = (
        ExchangeLog(options.origin),
        CreatedResources(run_id, urlsplit(options.root_url).path + options.prefix),
    )
    keys = {KEY_PLACEHOLDER: options.api_key, SECOND_KEY_PLACEHOLDER: options.second_key}
    transport = Transport(
        contract.operations,
        {placeholder: key for placeholder, key in keys.items() if key is not None},
        options.limits,
        created.reserved_requests,
        [log.add, created.track],
        created.may_send,
        f"mockserver-verify mockserver verify {options.base_url} {load_catalogue()} {json.dumps(document)}",
    )
    client = ApiClient(
        options.root_url,
        KEY_PLACEHOLDER if options.api_key else None,
        f"mockserver-verify-{run_id[:8]}",
        SECOND_KEY_PLACEHOLDER if options.second_key else None,
        options.prefix,
        {MARK: run_id},
        options.model,
        http_client(HttpxTransport(transport)),
    )
    return _Run(options, contract, transport, client, log, created, load_sdk())


def _find_missing(run: _Run) -> Preflight:
    try:
        return find_missing_operations(run.client, run.log, responses=run.options.include_responses)
    except Stopped:
        pass  # The transport has the reason.
    except KeyboardInterrupt:
        run.transport.interrupt()
    return Preflight({}, {}, accepts_mark=False)


def _select_scenarios(options: Options) -> list[Scenario]:
    excluded = _excluded_scenarios(options)
    return [scenario for scenario in all_scenarios() if scenario not in excluded]


def _select_behaviours(options: Options) -> list[Behaviour]:
    excluded = {behaviour for scenario in _excluded_scenarios(options) for behaviour in scenario.behaviours}
    return [behaviour for behaviour in load_catalogue() if behaviour.id not in excluded]


def _excluded_scenarios(options: Options) -> list[Scenario]:
    return [] if options.include_responses else response_scenarios()


def _create_checks(run: _Run, preflight: Preflight) -> Checks:
    options, log, operations = run.options, run.log, run.contract.operations
    is_open = False
    with suppress(Stopped):
        is_open = is_open_mockserver(run.client)
    target = RemoteTarget(run.client, options.may_act_for_account, is_open)
    missing = preflight.missing
    cases = {operation: deviation.case for operation, deviation in missing.items()}
    open_contract = Contract.from_document(allow_unknown_values(run.contract.document))
    end_users = (f"{run.client.end_user}-1", f"{run.client.end_user}-2")
    settings = Settings(
        options.seed,
        options.max_examples,
        end_users,
        options.api_key is not None,
        run.created.run,
        run.client.mark,
        options.model,
    )
    responses = ResponseChecks(operations, open_contract.operations, log, run.sdk, missing)
    return Checks(
        preflight=preflight,
        responses=responses,
        behaviours=BehaviourChecks(_select_behaviours(options), target, operations, log, cases, responses),
        schemathesis=SchemathesisPhases(
            run.contract.document, options.root_url, run.transport, log, missing, settings
        ),
    )


def _run_phases(run: _Run, checks: Checks, recorder: PhaseRecorder) -> None:
    """Run the phases one after the other; the first one that is stopped is the last."""
    phases, case = run.options.phases, run.options.repeat

    def check(exchange: WireExchange) -> None:
        if exchange.phase != "behaviours":  # There, the outcome of the scenario has to be known.
            checks.responses.check(exchange)
        if case is not None and (case in checks.responses.deviations or case in checks.schemathesis.deviations):
            run.transport.stop(StopReason.CASE_REPRODUCED)

    run.transport.observers.append(check)
    if case in {deviation.case for deviation in checks.missing.values()}:
        run.transport.stop(StopReason.CASE_REPRODUCED)
    if "behaviours" in phases and run.transport.stop_reason is None:
        with recorder.recording("behaviours"):
            _run_scenarios(run.options, checks.behaviours, recorder)
    others = [phase for phase in phases if phase != "behaviours"]
    if others and run.transport.stop_reason is None:
        operation = run.options.only or (case or "").partition("/")[0]
        is_single = operation in run.contract.operations and "stateful" not in others
        with recorder.recording(others[0]):
            checks.schemathesis.run(others, operation if is_single else None, recorder, case)


def _run_scenarios(options: Options, checks: BehaviourChecks, recorder: PhaseRecorder) -> None:
    scenarios = _select_scenarios(options)
    wanted = options.repeat if options.repeat in checks.ids else options.only
    if wanted in checks.ids:
        scenarios = [one for one in scenarios if wanted in one.behaviours]
    recorder.start("behaviours", len(scenarios))
    for scenario in scenarios:
        recorder.advance(scenario.name)
        checks.run(scenario)


def _reproduce(run: _Run, checks: Checks, progress: Progress) -> tuple[list[Deviation], list[str]]:
    """Try to reproduce the deviations; return them with their commands, and notes about crashes."""
    found = checks.deviations(load_catalogue(), run.created.reused_ids)
    evidence = checks.evidence()
    if not found:
        return [], []
    replay = Replay(run.client, run.transport, run.log)
    progress.begin(REPRODUCTION, len(found))
    reproduced, notes = list[Deviation](), list[str]()
    with replaying(run.transport):
        for deviation in found:
            progress.advance(run.transport.total, deviation.case)
            try:
                name = name_kind(deviation.case, deviation.shown_kind)
                known = evidence.get(name) or evidence.get(deviation.case)
                reproduced.append(replay.reproduce(deviation, known))
            except KeyboardInterrupt:
                run.transport.interrupt()
                reproduced.append(deviation)
            except Exception as error:  # noqa: BLE001 - the report of the run must not be lost
                notes.append(f"{deviation.case} could not be tried again: {type(error).__name__}: {error}")
                reproduced.append(deviation)
    progress.end(REPRODUCTION)
    return reproduced, notes


def _clean_up(run: _Run, progress: Progress) -> CleanupResult:
    run.transport.start_cleanup()
    if not run.created.owners:
        return CleanupResult((), ())
    try:
        progress.begin(CLEANUP, None)
    finally:  # Also if the terminal is gone.
        result = Cleanup(run.client, run.created).run()
    progress.end(CLEANUP)
    return result


def _list_notes(run: _Run) -> list[str]:
    notes = []
    if run.transport.withheld:
        notes.append(
            f"{run.transport.withheld} requests were not sent, because they could change data of other callers"
        )
    if run.sdk is None:
        notes.append("meetkai-mka1 is not installed, so the SDK did not parse the responses")
    return notes
