"""The report as files: report.html, junit.xml and report.json."""

import io
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from mockserver.errors import UsageError
from mockserver.verify.report.html import render_html
from mockserver.verify.report.model import PHASES, Deviation, Phase, PhaseRow, Report, Verdict
from mockserver.verify.report.text import (
    ReproduceCommand,
    baseline_text,
    behaviour_remark,
    full_text,
    headline,
    make_printable,
    phase_state,
    reason_text,
    script,
    script_names,
    summary,
    theme_of,
)

SCRIPTS = "scripts"
"""The folder of the scripts that reproduce the deviations."""
_MAX_MESSAGE = 300


def write_reports(report: Report, directory: Path, command: ReproduceCommand) -> list[Path]:
    """Write all files into the directory, which is created if it is missing, and return their paths.

    The scripts are in a folder of their own, without those of an earlier run. Each file is replaced as a whole: a
    reader sees this run's file or an earlier one. UsageError if the directory is not writable.
    """
    contents = {
        "report.html": render_html(report, command).encode(),
        "junit.xml": render_junit(report, command),
        "report.json": render_json(report),
    }
    names = script_names(report)
    with _convert_os_errors(directory):
        written = [_replace_file(directory / name, content) for name, content in contents.items()]
        scripts = directory / SCRIPTS
        for old in scripts.glob("[0-9][0-9]*-*.sh"):
            old.unlink()
        if names:
            scripts.mkdir(exist_ok=True)
            written.append(scripts)
        for deviation in report.deviations:
            if name := names.get(deviation.case):
                _replace_file(scripts / name, script(deviation).encode("utf-8", "backslashreplace"))
        return written


def create_directory(directory: Path) -> None:
    """Create the directory for reports; UsageError if it is not writable."""
    with _convert_os_errors(directory):
        _replace_file(directory / ".writable", b"").unlink()


@contextmanager
def _convert_os_errors(directory: Path) -> Iterator[None]:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"cannot write reports to {directory}: {reason}; name a writable directory") from error


def _replace_file(path: Path, content: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def render_json(report: Report) -> bytes:
    """Return the report as UTF-8 JSON, with deviations sorted by case so that two runs can be compared."""
    content = report.as_dict()
    content["deviations"] = sorted(content["deviations"], key=lambda one: (one["case"], one["verdict"]))
    # A lone surrogate has no UTF-8 form; the backslash replacement is its escape in JSON, too.
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def render_junit(report: Report, command: ReproduceCommand) -> bytes:
    """Return the report as JUnit XML, in the form that Jenkins accepts (junit-10.xsd of its xUnit plugin).

    There is a suite for each phase. Its tests are the behaviours, the operations without a deviation, the phase itself
    if it did not finish, and each deviation that is no behaviour. A deviation is one test; a test fails if its
    deviation fails the run.
    """
    seconds = {row.phase: row.seconds for row in report.phases}
    suites = []
    for phase in PHASES:
        tests = _PhaseSuite(report, phase, command).tests
        if tests or phase in seconds:
            suites.append(_suite(phase, tests, report, seconds.get(phase, 0.0)))
    if report.baseline:
        suites.append(_suite("baseline", _baseline_tests(report), report))
    xml = JUnitXml("mockserver verify")
    xml.extend(suites)
    # Set one by one: update_statistics() adds an attribute `skipped`, which the schema does not know here.
    xml.tests = sum(suite.tests for suite in suites)
    xml.failures = sum(suite.failures for suite in suites)
    xml.errors = sum(suite.errors for suite in suites)
    xml.time = report.seconds
    content = io.BytesIO()
    xml.write(content, pretty=True)
    return content.getvalue()


class _PhaseSuite:
    """The tests of one phase."""

    def __init__(self, report: Report, phase: Phase, command: ReproduceCommand) -> None:
        self._report = report
        self._phase = phase
        self._command = command
        self.tests: list[TestCase] = []
        by_case = {deviation.case: deviation for deviation in report.deviations}
        if phase == "behaviours":
            for row in report.behaviours:
                self._add_test(theme_of(row.id), row.id, row.verdict, by_case.pop(row.id, None), behaviour_remark(row))
        else:
            behaviours = {row.id for row in report.behaviours}
            by_case = {case: one for case, one in by_case.items() if case not in behaviours}
            for operation in report.operations:
                cell = operation.cells.get(phase)
                if cell and not cell.cases:
                    name = f"{operation.method} {operation.path}"
                    self._add_test(operation.id, name, cell.verdict, None, reason_text(cell.reason))
        for deviation in by_case.values():
            if phase == next((one for one in deviation.phases if one in PHASES), PHASES[0]):
                self._add_test("cases", deviation.case, deviation.verdict, deviation, "")
        for run in report.phases:
            if run.phase == phase and run.state != "done":
                self._add_unfinished(run)

    def _add_test(self, group: str, name: str, verdict: Verdict, deviation: Deviation | None, remark: str) -> None:
        message = f"{deviation.statement} Received: {deviation.received}" if deviation else remark
        text = full_text(deviation, self._command) if deviation else make_printable(remark, lines=True)
        test = _test(f"{self._phase}.{group}", name)
        if deviation is not None and self._report.fails(deviation.verdict):
            test.result = [_result(Failure, deviation.verdict, message, text)]
        elif deviation is not None or verdict != "conforms":
            test.result = [_result(Skipped, verdict, f"{verdict}: {message}", text)]
        elif text:
            test.system_out = text
        self.tests.append(test)

    def _add_unfinished(self, run: PhaseRow) -> None:
        test = _test(f"{self._phase}.phase", f"{run.phase} finishes")
        test.result = [
            _result(Error if run.is_unfinished or run.is_cut_short else Skipped, run.state, phase_state(run))
        ]
        self.tests.append(test)


def _baseline_tests(report: Report) -> Iterator[TestCase]:
    for note in report.baseline:
        test = _test("baseline", note.case)
        test.result = [_result(Failure if report.strict else Skipped, note.problem, baseline_text(note))]
        yield test


def _suite(name: str, tests: Iterable[TestCase], report: Report, seconds: float = 0.0) -> TestSuite:
    suite = TestSuite(name)
    suite.timestamp = datetime.fromisoformat(report.started_at).strftime("%Y-%m-%dT%H:%M:%S")
    for key, value in (
        ("target", report.target),
        ("version", report.version),
        ("seed", str(report.seed)),
        ("verdict", headline(report)),
        ("summary", summary(report)),
    ):
        suite.add_property(key, make_printable(value))
    suite.extend(tests)
    suite.update_statistics()
    suite.time = seconds
    return suite


def _test(class_name: str, name: str) -> TestCase:
    return TestCase(make_printable(name), make_printable(class_name))


def _result(
    kind: type[Failure | Error | Skipped], type_: str, message: str, text: str | None = None
) -> Failure | Error | Skipped:
    shown = make_printable(message)
    if len(shown) > _MAX_MESSAGE:
        shown = shown[: _MAX_MESSAGE - 3] + "..."
    result = kind(shown, type_)
    result.text = make_printable(message, lines=True) if text is None else text
    return result
