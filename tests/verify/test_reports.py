"""The forms of the report: console, JUnit XML, JSON and HTML."""

import base64
import hashlib
import io
import json
import re
import shlex
import subprocess
from contextlib import suppress
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from mockserver.errors import UsageError
from mockserver.verify.report.console import Progress, print_report, print_reproduction
from mockserver.verify.report.html import anchor, render_html
from mockserver.verify.report.model import (
    PHASES,
    BaselineNote,
    BehaviourRow,
    Cell,
    Deviation,
    Deviations,
    DisabledCheck,
    Kind,
    Leftover,
    OperationRow,
    PhaseRow,
    Reason,
    Report,
    StopReason,
    UncheckedReason,
)
from mockserver.verify.report.text import headline, shell_line, summary
from mockserver.verify.report.writers import write_reports

INVISIBLE = r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800]"
COLOURS = r"\x1b\[[0-9;]*m"
HOSTILE = (
    "<script>alert(1)</script> ]]> [bold]x[/bold] \x1b[31mred\x07 \u202e \ud800 \x85 \ufffe &amp; \"'` 🦊 :fox_face:"
)
SHOWN = r"<script>alert(1)</script> ]]> [bold]x[/bold] \x1b[31mred\x07 \u202e \ud800 \u0085 \ufffe &amp; " + "\"'` 🦊"
LONG = "long " * 4000
CREATE = 'answer1=$(curl -s -X POST https://gw/conversations -H "Authorization: Bearer $MKA1_API_KEY")'
CURL = "curl -i -X GET 'https://gw/conversations?search=[bold]<script>🦊' -H 'X: " + "y" * 300 + "'"

VIOLATION = Deviation(
    case="conversations.list/200/body/data/*/created_at",
    verdict="violates",
    statement="The 200 of conversations.list is as the document says.",
    source="openapi.yaml#/components/schemas/Conversation",
    expected="an integer",
    received=HOSTILE,
    suspect="target",
    reason="its answer breaks the document",
    operations=("conversations.list",),
    place="body /data/0/created_at",
    reproduction=(CREATE, CURL),
    phases=("behaviours", "coverage"),
    first_request=1017,
    count=3,
    blocks=("conversations.list.newest-first",),
)
ONCE = replace(VIOLATION, reproduction=(), first_request=0, count=1, blocks=())
OF_NO_OPERATION = replace(
    ONCE, case="PATCH of no operation/500", received=f"500 {LONG}", operations=(), phases=("fuzzing",)
)
LEARNED = replace(
    ONCE,
    case="conversations.delete.twice",
    verdict="learned",
    statement="Deleting a conversation twice answers 404.",
    received='200 {"deleted": true}',
    operations=(),
    phases=("behaviours",),
    first_request=5,
)
DRIFT = replace(
    ONCE,
    case="conversations.create/200/body/mood",
    verdict="drift",
    operations=("conversations.create",),
    phases=("coverage",),
)
ACCEPTED = replace(
    DRIFT,
    case="errors/body/error/code",
    verdict="accepted",
    evidence="known since spring (ticket 17; until 2027-03-31)",
)


def behaviour(name, verdict, reason=None):
    return BehaviourRow(name, f"Statement of {name}.", "docs.mka1.com", "documented", verdict, reason)


def operation(name, method, path, behaviours, coverage):
    cells = {"behaviours": behaviours, "coverage": coverage}
    return OperationRow(name, method, f"/api/v1/llm/conversations{path}", cells)


VIOLATING = Cell("violates", 9, None, (VIOLATION.case,))
DRIFTING = Cell("drift", 2, None, (DRIFT.case, ACCEPTED.case))
NO_REQUEST = Cell("unchecked", 0, Reason(UncheckedReason.NO_REQUEST))
STOPPED = PhaseRow("coverage", "stopped", 3000, 40.0, Reason(StopReason.MAX_TIME))
INTERRUPTED = PhaseRow("behaviours", "stopped", 1, 1.0, Reason(StopReason.INTERRUPTED))
BLOCKED = Reason(UncheckedReason.BLOCKED, VIOLATION.case)


def full_report(**changes):
    report = Report(
        target="https://gw/api/v1/llm",
        version="0.1.0",
        seed=7,
        started_at="2026-08-01T10:00:00+00:00",
        seconds=63.2,
        requests=4211,
        phases=(
            PhaseRow("behaviours", "done", 412, 12.3),
            STOPPED,
            PhaseRow("fuzzing", "crashed", 799, 10.0, Reason(UncheckedReason.CRASHED, f"ValueError: {HOSTILE}")),
        ),
        operations=(
            operation("conversations.list", "GET", "", VIOLATING, VIOLATING),
            operation("conversations.create", "POST", "", Cell("conforms", 1204), DRIFTING),
            operation("conversations.items.deleteMany", "DELETE", "/{id}/items", Cell("conforms", 1), NO_REQUEST),
            operation("conversations.update", "POST", "/{id}", Cell("conforms", 5), Cell("conforms", 8)),
        ),
        behaviours=(
            behaviour("conversations.delete.unlists", "conforms", Reason(UncheckedReason.SCENARIO, "needs a key")),
            behaviour(LEARNED.case, "learned"),
            behaviour("conversations.list.pages", "conforms"),
            behaviour("conversations.list.newest-first", "unchecked", BLOCKED),
        ),
        deviations=(VIOLATION, OF_NO_OPERATION, LEARNED, DRIFT, ACCEPTED),
        disabled_checks=(
            DisabledCheck("unsupported_method", (), "a gateway may answer"),
            DisabledCheck("x", ("a", "b"), "y"),
        ),
        leftovers=(Leftover("conversations", "conv_<i>1</i>", None, "500 [red]oops"),),
        baseline=(BaselineNote("items.list/200", "not_found", "2027-03-31"),),
        notes=("There was no second key.",),
    )
    return replace(report, **changes)


def clean_report(**changes):
    report = Report(
        "http://127.0.0.1:8080/api/v1/llm", "0.1.0", 1, "2026-08-01T10:00:00+00:00", 1.25, 1,
        phases=(PhaseRow("behaviours", "done", 1, 1.0),),
        operations=(OperationRow("a.b", "GET", "/a", {"behaviours": Cell("conforms", 1)}),),
        behaviours=(behaviour("a.b.c", "conforms"),),
    )  # fmt: skip
    return replace(report, **changes)


def command(deviation):
    case, phase = deviation.case, next(iter(deviation.phases))
    return shlex.join(["mockserver", "verify", "https://gw", "--repeat", case, "--phases", phase, "--seed", "7"])


REPRODUCTION = [CREATE, CURL, command(VIOLATION)]


# -- Model -----------------------------------------------------------------------------------------------------


def test_deviations_keep_the_first_of_each_case_and_count_the_others():
    deviations = Deviations()
    again = replace(VIOLATION, received="another", operations=("conversations.create",), phases=("fuzzing",), count=1)
    deviations.add(VIOLATION, lambda: "evidence")
    deviations.add(again, lambda: pytest.fail("only the first occurrence needs evidence"))
    deviations.add(DRIFT)
    merged, other = deviations
    assert VIOLATION.case in deviations
    assert "another" not in deviations
    assert other == DRIFT
    assert deviations.evidence == {VIOLATION.case: "evidence"}
    assert merged == replace(
        VIOLATION,
        count=4,
        operations=("conversations.list", "conversations.create"),
        phases=("behaviours", "coverage", "fuzzing"),
    )


NOTHING_FOUND = {"deviations": (), "baseline": ()}


@pytest.mark.parametrize(
    ("changes", "code", "sentence"),
    [
        ({}, 1, "https://gw/api/v1/llm does not conform."),
        ({"deviations": (LEARNED,)}, 2, "The run did not finish. It found no violation."),
        ({"deviations": (LEARNED,), "strict": True}, 1, "https://gw/api/v1/llm does not conform in strict mode."),
        ({"deviations": (), "strict": True}, 1, "https://gw/api/v1/llm does not conform in strict mode."),
        ({"deviations": (LEARNED,), "phases": ()}, 0, "https://gw/api/v1/llm conforms, as far as it was checked."),
        ({**NOTHING_FOUND, "phases": (), "behaviours": (), "operations": ()}, 0, "Nothing was checked."),
        (
            {**NOTHING_FOUND, "phases": (STOPPED,)},
            3,
            "The run was cut short: the time limit was reached. It found no violation, but finished only 0 of 1 "
            "phases and checked 3 of 4 behaviours.",
        ),
        ({**NOTHING_FOUND, "phases": (INTERRUPTED,)}, 2, "The run did not finish. It found no violation."),
    ],
)
def test_the_headline_and_the_exit_code_claim_no_more_than_was_found(changes, code, sentence):
    report = full_report(**changes)
    assert (report.exit_code, headline(report)) == (code, sentence)


def test_the_summary_counts_each_kind_of_result_separately():
    assert summary(full_report(phases=())) == (
        "2 violations, 1 learned, 1 drift, 1 accepted, 2 behaviours conform, 1 could not be checked. "
        "1 resource could not be deleted. 4,211 requests in 63 s, seed 7."
    )
    assert " Coverage stopped: the time limit was reached. Fuzzing crashed: " in summary(full_report())


# -- Shell commands --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "curl -d 'a\nb\tc'",
        "curl -d 'it'\"'\"'s \x1b[0m' \"x\x01\\\"y\\\\\x02\" z",
        "curl -d 'caf\xe9 \u202e \x85 \U000e0001'",
        'curl -d "back\\\x07slash"',
        "curl -d 'plain \\ $HOME' \"$(printf %s 1)\"",
    ],
)
def test_a_command_with_invisible_characters_does_the_same_on_one_visible_line(line):
    def run(line):
        script = line.replace("curl", "printf '%s\\0'", 1)
        environment = {"LC_ALL": "C.UTF-8", "HOME": "/", "PATH": "/usr/bin:/bin"}
        return subprocess.run(["bash", "-c", script], capture_output=True, check=True, env=environment).stdout

    assert shell_line(line).isprintable()
    assert run(shell_line(line)) == run(line)
    assert shell_line(line, encoding="ascii").isascii()
    assert run(shell_line(line, encoding="ascii")) == run(line)


# -- Console ---------------------------------------------------------------------------------------------------


def print_text(report, *, width=80, terminal=False, encoding="utf-8", **options):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=stream, width=width, force_terminal=terminal, color_system="standard" if terminal else None)
    print_report(report, console, command=command, **options)
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)


def split_rows(text):
    return [re.split(r"  +", line.strip()) for line in text.splitlines()]


def test_a_log_is_complete_and_nothing_in_it_takes_effect():
    text = print_text(full_report(), verbose=True)
    lines = text.splitlines()
    assert not re.search(INVISIBLE, text)
    for expected in (
        f"  received   {SHOWN} :fox_face:",
        *(f"    {line}" for line in REPRODUCTION),
        "  blocks     conversations.list.newest-first",
        "  suspect    target: its answer breaks the document",
        "  seen       once in fuzzing",
        "  seen       once, in request 5 of behaviours",
        "  seen       3 times in behaviours, coverage, first in request 1,017 of behaviours",
    ):
        assert expected in lines
    for expected in (ACCEPTED.evidence, "remove the entry", "500 [red]oops", "There was no second key.", "time limit"):
        assert expected in text
    assert lines[-1] == summary(full_report())


@pytest.mark.parametrize(
    "row",
    [
        ["operation", "behaviours", "coverage"],
        ["conversations.list GET /conversations", "violates: 1", "violates: 1"],
        ["conversations.create POST /conversations", "conforms (1,204 responses)", "drift: 1, accepted: 1"],
        [
            "conversations.items.deleteMany DELETE /conversations/{id}/items",
            "conforms (1 response)",
            "unchecked: no request was sent",
        ],
        ["theme", "conforms", "unchecked", "learned"],
        ["conversations.delete", "1", "-", "1"],
        ["conversations.list", "1", "1", "-"],
        ["unchecked", f"blocked by {VIOLATION.case}: conversations.list.newest-first"],
    ],
)
def test_a_log_has_a_row_for_each_operation_and_theme(row):
    assert row in split_rows(print_text(full_report(), width=20))


def test_conforming_behaviours_are_listed_in_verbose_mode_only():
    assert "conversations.list.pages" not in print_text(full_report())
    rows = split_rows(print_text(full_report(), verbose=True))
    assert ["conforms", "conversations.list.pages: Statement of conversations.list.pages."] in rows
    unchecked = "conversations.list.newest-first: Statement of conversations.list.newest-first."
    assert ["unchecked", f"{unchecked} - blocked by {VIOLATION.case}"] in rows


def deviation_blocks(text):
    """Return the lines of each deviation of a report; a blank line ends it."""
    return [
        block.splitlines() for block in re.split(r"\n\n|^[A-Z].*\n", text, flags=re.M) if re.match(r"\d+\. ", block)
    ]


MANY = replace(
    VIOLATION,
    blocks=tuple(f"behaviour-{number}" for number in range(20)),
    includes=tuple(f"case-{number}" for number in range(20)),
    kinds=(Kind("items of type message", 7), Kind("items of type reasoning", 2)),
    reproduction=(CREATE, CURL),
    is_reproduced=True,
)


@pytest.mark.parametrize("terminal", [False, True])
def test_a_deviation_has_ten_lines_at_most_except_in_verbose_mode(terminal):
    text = print_text(full_report(deviations=(MANY, OF_NO_OPERATION)), terminal=terminal, width=100)
    blocks = deviation_blocks(re.sub(COLOURS, "", text))
    assert len(blocks) == 2
    assert all(len(block) <= 10 for block in blocks)
    assert LONG[:60] in text
    assert LONG.strip() not in text
    joined = " ".join(text.split())
    assert "kinds items of type message (7); items of type reasoning (2)" in joined
    assert "includes case-0, case-1, case-2, case-3 and 16 more; blocks behaviour-0" in joined
    assert "2 commands: print with --verbose, or write a script with --report-dir" in joined
    assert LONG.strip() in print_text(full_report(), verbose=True)


def test_a_short_command_is_printed_and_longer_ones_are_scripts(tmp_path):
    one = replace(MANY, reproduction=("curl -i https://gw",))
    report = full_report(deviations=(one, MANY, replace(MANY, case="x y/200", is_reproduced=False)))
    blocks = deviation_blocks(print_text(report, scripts=tmp_path / "scripts"))
    assert [block[-2].strip() for block in blocks] == [
        "curl -i https://gw",
        f"bash {tmp_path}/scripts/02-conversations.list-200-body-data-created-at.sh",
        f"bash {tmp_path}/scripts/03-x-y-200.sh   # these commands did not show it again when the run tried them",
    ]
    assert all(block[-1].startswith("    mockserver verify https://gw --repeat ") for block in blocks)


def test_a_deviation_of_which_no_request_is_known_says_so():
    text = print_text(full_report(deviations=(ONCE,)))
    assert "  by hand    the run has no commands for it" in text.splitlines()


@pytest.mark.parametrize("width", [30, 60, 120, 300])
def test_a_terminal_of_any_width_gets_whole_commands_and_lines_that_fit(width):
    text = print_text(full_report(), width=width, terminal=True, verbose=True)
    plain = re.sub(COLOURS, "", text)
    assert "\x1b[31mred" not in text
    assert not re.search(INVISIBLE, plain)
    lines = [line.rstrip() for line in plain.splitlines()]
    assert f"    {CURL}" in lines
    assert f"    {REPRODUCTION[-1]}" in lines
    assert [line for line in lines if len(line) > width and not line.startswith("    ")] == []
    joined = re.sub(r"[\s─]+", "", plain)
    assert "conforms(1,204responses)" in joined or width == 60  # There, the table wraps the cell.
    assert "".join(SHOWN.split()) in joined


@pytest.mark.parametrize("width", [40, 80, 90, 100, 120, 200])
def test_a_terminal_shows_every_phase_of_every_operation(width):
    path = "/api/v1/llm/conversations/{conversation_id}/items/{item_id}"
    cells = {phase: Cell("conforms", 1000 + number) for number, phase in enumerate(PHASES)}
    report = clean_report(operations=(OperationRow("conversations.items.retrieve", "GET", path, cells),))
    text = re.sub(COLOURS, "", print_text(report, width=width, terminal=True))
    words = text.split()
    for number, phase in enumerate(PHASES):
        assert phase in words or f"{phase}:" in words
        assert f"(1,00{number}" in words
    assert words.count("responses)") == 5 or words.count("responses);") == 4
    assert all(len(line.rstrip()) <= width for line in text.splitlines() if not line.startswith("    "))


def test_a_cell_has_the_colour_of_its_verdict():
    text = print_text(full_report(), width=200, terminal=True)
    for colour, words in (("1;31", "violates: 1"), ("33", "drift: 1, accepted: 1"), ("32", "conforms (1 response)")):
        assert f"\x1b[{colour}m{words}" in text


def test_a_log_in_ascii_gets_escapes():
    text = print_text(full_report(), encoding="ascii", verbose=True)
    assert r"\U0001f98a" in text
    assert "search=[bold]<script>'$'\\U0001f98a''" in text


def test_a_clean_report_is_short():
    text = print_text(clean_report())
    assert "/api/v1/llm conforms.\nNo violations, 1 behaviour conforms. 1 request in 1.2 s, seed 1.\n" in text
    assert [line for line in text.splitlines() if line.istitle()] == ["Operations", "Behaviours", "Phases"]


def test_a_report_of_nothing_says_so_in_every_form(tmp_path):
    report = Report("https://gw", "0.1.0", 1, "2026-08-01T10:00:00+00:00")
    assert print_text(report).endswith("Nothing was checked.\nNo violations. 0 requests in 0.0 s, seed 1.\n")
    assert "Nothing was checked." in Page(report).text
    assert len(write_junit(report, tmp_path)) == 0


def test_an_operation_without_a_result_in_a_phase_has_a_dash():
    report = clean_report()
    other = OperationRow("a.c", "GET", "/c", {"examples": Cell("unchecked")})
    rows = split_rows(print_text(replace(report, operations=(*report.operations, other))))
    assert ["a.b GET /a", "conforms (1 response)", "-"] in rows
    assert ["a.c GET /c", "-", "unchecked"] in rows


@pytest.mark.parametrize(
    ("case", "changes", "code", "result"),
    [
        (VIOLATION.case, {}, 1, "was reproduced (violates)."),
        ("conversations.list.pages", {}, 0, "conforms now."),
        ("conversations.list.newest-first", {}, 2, f"could not be checked: blocked by {VIOLATION.case}"),
        ("items.list/500", {"phases": ()}, 0, "was not reproduced."),
        ("items.list/500", {}, 2, "was not reproduced, but coverage stopped: the time limit was reached"),
    ],
)
def test_a_case_is_reproduced_or_not_or_the_run_cannot_tell(case, changes, code, result):
    console = Console(file=io.StringIO(), width=80)
    assert print_reproduction(full_report(**changes), case, console, command=command) == code
    lines = console.file.getvalue().splitlines()
    assert lines[0] == f"{case} {result}"
    assert (f"    {command(VIOLATION)}" in lines) == (code == 1)
    others = [deviation.case for deviation in full_report().deviations if deviation.case != case]
    assert lines[-2:] == [f"Other deviations: {', '.join(others)}", "4,211 requests in 63 s, seed 7."]


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("interrupt", [False, True])
def test_progress_is_a_line_for_each_begin_and_end_or_bars_that_restore_the_cursor(terminal, interrupt):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
    with suppress(KeyboardInterrupt), Progress(console, "at most 60 requests in 60 s") as progress:
        progress.begin("behaviours", 2)
        progress.advance(0, "[bold]first\x1b")
        progress.advance(12, "second")
        if interrupt:
            raise KeyboardInterrupt
        progress.end("behaviours")
        progress.begin("fuzzing", None)
        progress.advance(30, "conversations.list")
        progress.end("fuzzing")
        progress.end("never begun")
    text = console.file.getvalue()
    if terminal:
        assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l") >= 0
        assert "behaviours" in text
    else:
        rate = "(at most 60 requests in 60 s)"
        lines = [f"behaviours ... {rate}", "behaviours: 0.0 s", f"fuzzing ... {rate}", "fuzzing: 0.0 s"]
        assert text.splitlines() == lines[: 1 if interrupt else 4]


# -- Files -----------------------------------------------------------------------------------------------------


def write_junit(report, directory):
    write_reports(report, directory, command)
    return ET.parse(directory / "junit.xml").getroot()


def test_three_files_and_the_scripts_are_written_and_no_others(tmp_path):
    directory = tmp_path / "new" / "directory"
    written = write_reports(full_report(), directory, command)
    assert [path.name for path in written] == ["report.html", "junit.xml", "report.json", "scripts"]
    assert sorted(directory.iterdir()) == sorted(written)
    assert [path.name for path in (directory / "scripts").iterdir()] == [
        "01-conversations.list-200-body-data-created-at.sh"
    ]
    (directory / "scripts" / "notes.sh").write_text("mine")
    write_reports(clean_report(), directory, command)
    assert [path.name for path in (directory / "scripts").iterdir()] == ["notes.sh"]
    assert json.loads((directory / "report.json").read_bytes())["deviations"] == []


def test_a_script_says_what_it_shows_and_hostile_text_in_it_is_a_comment(tmp_path):
    first = "curl -i https://gw; printf '%s' \"$MKA1_API_KEY\""
    hostile = replace(MANY, statement="It is so.\necho hostile", received=f"{HOSTILE}\n$(echo hostile)")
    write_reports(full_report(deviations=(replace(hostile, reproduction=(first,)),)), tmp_path, command)
    (path,) = (tmp_path / "scripts").iterdir()
    text = path.read_text()
    assert text.startswith(f"#!/usr/bin/env bash\n# {MANY.case}\n# It is so.\\necho hostile\n")
    assert text.splitlines()[-2:] == ["set -eu", first]
    assert "# Received: <script>" in text
    assert not re.search(INVISIBLE, text)
    shell = subprocess.run(
        ["bash", "-c", f"curl() {{ :; }}; . {path}"], env={"MKA1_API_KEY": "key"}, capture_output=True, check=True
    )
    assert shell.stdout == b"key"


def test_a_directory_that_cannot_be_created_is_a_usage_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=re.escape(f"cannot write reports to {tmp_path / 'file'}: ")):
        write_reports(full_report(), tmp_path / "file", command)


def test_a_file_that_cannot_be_replaced_leaves_no_partial_file(tmp_path):
    (tmp_path / "report.html" / "in-the-way").mkdir(parents=True)
    with pytest.raises(UsageError):
        write_reports(full_report(), tmp_path, command)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_the_json_is_the_report_sorted_by_case(tmp_path):
    write_reports(full_report(), tmp_path, command)
    text = (tmp_path / "report.json").read_bytes().decode("utf-8")
    content = json.loads(text)
    assert next(iter(content)) == "exit_code"
    assert "🦊" in text
    assert [one["case"] for one in content["deviations"]] == sorted(one.case for one in full_report().deviations)
    assert content["phases"][1]["reason"] == {"code": "max_time", "detail": ""}
    expected = json.loads(json.dumps(full_report().as_dict()))
    assert sorted(content.pop("deviations"), key=str) == sorted(expected.pop("deviations"), key=str)
    assert content == expected


def test_junit_has_a_test_for_each_behaviour_operation_and_other_deviation(tmp_path):
    root = write_junit(full_report(), tmp_path)
    counts = {
        suite.get("name"): tuple(int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped"))
        for suite in root
    }
    assert counts == {
        "behaviours": (5, 1, 0, 2),  # Four rows, and the violation that belongs to no behaviour.
        "coverage": (5, 0, 1, 3),  # Two operations without a deviation, two deviations, and the stopped phase.
        "fuzzing": (2, 1, 1, 0),  # The deviation of no operation, and the crashed phase.
        "baseline": (1, 0, 0, 1),
    }
    assert root.attrib == {
        "name": "mockserver verify", "tests": "13", "failures": "2", "errors": "2", "time": "63.2",
    }  # fmt: skip
    for suite in root:
        assert int(suite.get("tests")) == len(suite.findall("testcase"))
        assert suite.get("timestamp") == "2026-08-01T10:00:00"
    assert [float(suite.get("time")) for suite in root] == [12.3, 40.0, 10.0, 0.0]


def test_junit_failures_carry_the_full_text(tmp_path):
    root = write_junit(full_report(), tmp_path)
    (failure,) = root.findall("./testsuite[@name='behaviours']/testcase/failure")
    assert {f"received   {SHOWN} :fox_face:", *REPRODUCTION} <= set(failure.text.splitlines())
    assert failure.get("message").startswith(VIOLATION.statement)
    _, crash = root.iter("error")
    assert SHOWN in crash.get("message")
    (learned,) = root.findall(f"./testsuite/testcase[@name='{LEARNED.case}']/skipped")
    assert learned.get("message").startswith(f"learned: {LEARNED.statement}")
    assert LONG.strip() in root.findall("./testsuite[@name='fuzzing']/testcase/failure")[0].text


def test_junit_has_one_failure_for_each_violation(tmp_path):
    behaviour_violation = replace(LEARNED, verdict="violates", includes=("conversations.list.pages",))
    report = full_report(deviations=(VIOLATION, behaviour_violation, OF_NO_OPERATION, DRIFT))
    included = replace(report.behaviours[2], verdict="violates", reason=Reason(UncheckedReason.INCLUDED, LEARNED.case))
    report = replace(report, behaviours=(*report.behaviours[:2], included, *report.behaviours[3:]))
    root = write_junit(report, tmp_path)
    assert int(root.get("failures")) == len(report.of("violates")) == 3
    (told,) = root.findall("./testsuite/testcase[@name='conversations.list.pages']/skipped")
    assert told.get("message") == f"violates: reported with {LEARNED.case}"


@pytest.mark.parametrize(
    ("report", "failed", "errors"),
    [
        (clean_report(), [], 0),
        (
            full_report(deviations=(LEARNED, DRIFT), strict=True),
            [LEARNED.case, DRIFT.case, "items.list/200"],
            2,
        ),
        (clean_report(phases=(INTERRUPTED,)), [], 1),
    ],
    ids=["clean", "strict", "interrupted"],
)
def test_junit_fails_like_the_exit_code(report, failed, errors, tmp_path):
    root = write_junit(report, tmp_path)
    assert [test.get("name") for test in root.iter("testcase") if test.find("failure") is not None] == failed
    assert int(root.get("errors")) == errors
    assert report.exit_code == (1 if failed else 2 if errors else 0)


# -- The page --------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """The page as a browser parses it."""

    VOID = ("meta", "input", "br", "link", "img", "hr")

    def __init__(self, report):
        super().__init__()
        self.tags, self.open, self.ids, self.links, self.texts = [], [], [], [], {}
        self.attributes = []
        self.feed(render_html(report, command))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name in ("href", "src")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts[self.open[-1]] = self.texts.get(self.open[-1], "") + data

    @property
    def text(self):
        return "".join(text for tag, text in self.texts.items() if tag not in ("script", "style"))


@pytest.mark.parametrize("report", [full_report(), clean_report()], ids=["full", "clean"])
def test_the_page_loads_nothing_and_runs_its_own_script_only(report):
    page = Page(report)
    assert page.tags.count("script") == 1
    assert "alert" not in page.texts["script"]
    assert all(link.startswith("#") for link in page.links)
    assert not {"i", "link", "img", "iframe", "object", "base", "form"} & set(page.tags)
    assert not any(name.startswith("on") or name == "style" for name, _ in page.attributes)
    assert "url(" not in page.texts["style"]
    assert "@import" not in page.texts["style"]
    policy = next(value for name, value in page.attributes if name == "content" and "default-src" in value)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_the_page_shows_hostile_text_as_text():
    text = Page(full_report()).text
    for expected in (f"{SHOWN} :fox_face:", *REPRODUCTION, ACCEPTED.evidence, "conv_<i>1</i>", "500 [red]oops", LONG):
        assert expected in text
    assert text.count(summary(full_report())) == 1
    assert not re.search(INVISIBLE, text)


def test_the_page_has_one_anchor_for_each_case_and_links_lead_to_it():
    page = Page(full_report())
    assert len(page.ids) == len(set(page.ids))
    for deviation in full_report().deviations:
        assert anchor(deviation.case) in page.ids
    assert [link for link in page.links if unquote(link[1:]) not in page.ids] == []


def test_the_page_begins_with_the_summary_and_a_table_of_contents():
    text = render_html(full_report(), command)
    body = text[text.index("<body>") :]
    assert body.index(unescape(summary(full_report()))[:20]) < body.index("Contents") < body.index("<article")
    contents = body[body.index("Contents") : body.index("<article")]
    links = re.findall(r'<a href="#([^"]+)">([^<]+)</a> <small>([^<]+)</small>', contents)
    assert [unescape(unquote(link)) for link, _, _ in links] == [anchor(one.case) for one in full_report().deviations]
    assert links[0][1:] == (VIOLATION.statement, "limit or form, 3 times")


def test_the_page_is_printed_without_what_only_a_screen_needs():
    style = Page(full_report()).texts["style"]
    printed = style[style.index("@media print") :]
    for rule in (
        "nav, button",
        "details li[data-verdict=conforms]",
        "dd, pre { max-height: 3.9em; overflow: hidden }",
    ):
        assert rule in printed
    assert "details[open]" not in printed


def test_the_page_can_hide_each_verdict_that_it_shows():
    page = Page(full_report())
    shown = {value for name, value in page.attributes if name == "data-verdict"}
    assert {name.removeprefix("show-") for name in page.ids if name.startswith("show-")} == shown
    for verdict in shown:
        assert f"body:has(#show-{verdict}:not(:checked)) [data-verdict={verdict}]" in page.texts["style"]


def test_the_policy_admits_the_style_and_the_script_of_the_page():
    text = render_html(full_report(), command)
    for element in ("script", "style"):
        (content,) = re.findall(f"<{element}>(.*?)</{element}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in unescape(text)
