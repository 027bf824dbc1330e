"""A verdict as files: for people, for a CI server, and for programs."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

from mockserver.errors import UsageError
from mockserver.verify.report.html import page
from mockserver.verify.report.model import PHASES, BehaviourRow, Deviation, Phase, PhaseRow, Report, Verdict
from mockserver.verify.report.text import RepeatCommand, headline, in_full, printable, summary

_LONGEST_MESSAGE = 300


def write_reports(report: Report, directory: Path, repeat_command: RepeatCommand) -> list[Path]:
    """Write `report.html`, `junit.xml` and `report.json` into the directory, made if need be; says where they are.

    Each is put in its place whole: whoever looks sees the one of this run or the one of an earlier run.

    Raises:
        UsageError: the directory cannot be written.
    """
    contents = {
        "report.html": page(report, repeat_command).encode(),
        "junit.xml": junit(report, repeat_command),
        "report.json": as_json(report),
    }
    with _writing_to(directory):
        return [_put(directory / name, content) for name, content in contents.items()]


def make_folder(directory: Path) -> None:
    """Make the directory for reports, and see that it can be written.

    Raises:
        UsageError: it cannot.
    """
    with _writing_to(directory):
        _put(directory / ".writable", b"").unlink()


@contextmanager
def _writing_to(directory: Path) -> Iterator[None]:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(
            f"cannot write reports to {directory}: {reason}; name a folder that can be written"
        ) from error


def as_json(report: Report) -> bytes:
    """The report as UTF-8 JSON, its deviations by case, so that two runs can be compared line by line."""
    told = report.as_dict()
    told["deviations"].sort(key=lambda one: (one["case"], one["verdict"]))
    # Half a surrogate pair is none of UTF-8's characters; replaced with a backslash it is JSON's own escape.
    return (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def junit(report: Report, repeat_command: RepeatCommand) -> bytes:
    """The report as JUnit XML, as Jenkins takes it (junit-10.xsd of its xUnit plugin).

    A suite for each phase: a test for each behaviour, or for each operation; one for the phase itself if it did not
    get to its end; and one for each deviation that none of these tells of. A test fails if it makes the run fail.
    """
    suites = [_Suite(report, phase, repeat_command) for phase in PHASES if _is_told(report, phase)]
    elements = [suite.element() for suite in suites]
    if report.baseline:
        elements.append(_baseline(report))
    root = ET.Element("testsuites", name="mockserver verify", time=f"{report.seconds:.3f}")
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(element.get(name, "0")) for element in elements)))
    root.extend(elements)
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


class _Suite:
    """The tests of one phase."""

    def __init__(self, report: Report, phase: Phase, repeat_command: RepeatCommand) -> None:
        self._report = report
        self._phase = phase
        self._repeat_command = repeat_command
        self._by_case = {deviation.case: deviation for deviation in report.deviations}
        self._told: set[str] = set()
        self._tests: list[ET.Element] = []

    def element(self) -> ET.Element:
        if self._phase == "behaviours":
            for row in self._report.behaviours:
                self._behaviour(row)
        for operation in self._report.operations:
            cell = operation.cells.get(self._phase)
            if cell is not None and self._phase != "behaviours":
                test = self._test(operation.id, f"{operation.method} {operation.path}")
                self._judge(test, cell.verdict, cell.cases, cell.why)
        for deviation in self._report.deviations:
            if deviation.case not in self._told and self._phase == _first_phase(deviation):
                self._judge(self._test("cases", deviation.case), deviation.verdict, [deviation.case], "")
        run = next((row for row in self._report.phases if row.phase == self._phase), None)
        if run is not None and run.state != "done":
            self._not_done(run)
        return _suite(self._phase, self._tests, self._report, run.seconds if run else 0.0)

    def _behaviour(self, row: BehaviourRow) -> None:
        test = self._test(row.id.rpartition(".")[0] or row.id, row.id)
        self._judge(test, row.verdict, [row.id], row.why)

    def _not_done(self, run: PhaseRow) -> None:
        test = self._test("phase", f"{run.phase} gets to its end")
        kind = "error" if run.is_unfinished else "skipped"
        _add(test, kind, run.state, f"{run.state}: {run.why}" if run.why else run.state)

    def _test(self, group: str, name: str) -> ET.Element:
        test = ET.Element("testcase", classname=printable(f"{self._phase}.{group}"), name=printable(name))
        self._tests.append(test)
        return test

    def _judge(self, test: ET.Element, verdict: Verdict, cases: Iterable[str], why: str) -> None:
        found = [self._by_case[case] for case in cases if case in self._by_case]
        self._told.update(deviation.case for deviation in found)
        text = "\n\n".join(in_full(deviation, self._repeat_command) for deviation in found)
        message = "; ".join(f"{deviation.statement} Received: {deviation.received}" for deviation in found) or why
        failing = next(
            (one for one in (verdict, *(deviation.verdict for deviation in found)) if self._report.fails(one)), None
        )
        if failing is not None:
            _add(test, "failure", failing, message, text)
        elif verdict in ("learned", "accepted", "unchecked"):
            _add(test, "skipped", verdict, f"{verdict}: {message}", text)
        elif text or why:
            ET.SubElement(test, "system-out").text = text or printable(why, lines=True)


def _baseline(report: Report) -> ET.Element:
    tests = []
    for entry in report.baseline:
        test = ET.Element("testcase", classname="baseline", name=printable(entry.case))
        _add(test, "failure" if report.strict else "skipped", "baseline", entry.note)
        tests.append(test)
    return _suite("baseline", tests, report, 0.0)


def _suite(name: str, tests: list[ET.Element], report: Report, seconds: float) -> ET.Element:
    suite = ET.Element("testsuite", name=name, tests=str(len(tests)), time=f"{seconds:.3f}")
    for attribute, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(test.find(kind) is not None for test in tests)))
    suite.set("timestamp", printable(report.started_at.partition(".")[0].removesuffix("Z").partition("+")[0]))
    properties = ET.SubElement(suite, "properties")
    known = {"target": report.target, "version": report.version, "seed": report.seed}
    for key, value in {**known, "verdict": headline(report), "summary": summary(report)}.items():
        ET.SubElement(properties, "property", name=key, value=printable(str(value)))
    suite.extend(tests)
    return suite


def _add(test: ET.Element, kind: str, verdict: str, message: str, text: str = "") -> None:
    shown = printable(message)
    if len(shown) > _LONGEST_MESSAGE:
        shown = shown[: _LONGEST_MESSAGE - 3] + "..."
    ET.SubElement(test, kind, type=verdict, message=shown).text = text or printable(message, lines=True)


def _is_told(report: Report, phase: Phase) -> bool:
    return (
        any(row.phase == phase for row in report.phases)
        or any(phase in row.cells for row in report.operations)
        or any(_first_phase(deviation) == phase for deviation in report.deviations)
        or (phase == "behaviours" and bool(report.behaviours))
    )


def _first_phase(deviation: Deviation) -> str:
    """The suite that must tell of a deviation, if no test of it does."""
    return next((phase for phase in deviation.phases if phase in PHASES), PHASES[0])


def _put(path: Path, content: bytes) -> Path:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path
