import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from mockserver.errors import UsageError
from mockserver.verify.report.console import Progress, print_repeated, print_report
from mockserver.verify.report.html import anchor, page
from mockserver.verify.report.model import (
    PHASES,
    BaselineNote,
    BehaviourRow,
    Cell,
    CheckOff,
    Deviation,
    LeftOver,
    OperationRow,
    PhaseRow,
    Report,
)
from mockserver.verify.report.text import headline, shell_line, summary
from mockserver.verify.report.writers import write_reports

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
    operations=["conversations.list"],
    place="body /data/0/created_at",
    curl=[CREATE, CURL],
    phases=["behaviours", "coverage"],
    first_request=1017,
    count=3,
    also=["conversations.list.newest-first"],
)
OF_NO_OPERATION = Deviation(
    case="PATCH of no operation/500",
    verdict="violates",
    statement="PATCH of no operation answers no request with a server error.",
    source="openapi.yaml",
    expected="a status below 500",
    received=f"500 {LONG}",
    suspect="target",
    reason="no request may make a server fail",
    phases=["fuzzing"],
)
LEARNED = Deviation(
    case="conversations.delete.twice",
    verdict="learned",
    statement="Deleting a conversation twice answers 404.",
    source="none: decided here",
    expected="DELETE /conversations/conv_1: 404",
    received='200 {"deleted": true}',
    suspect="document",
    reason="nobody has documented this",
    phases=["behaviours"],
    first_request=5,
)
DRIFT = Deviation(
    case="conversations.create/200/body/mood",
    verdict="drift",
    statement="The 200 of conversations.create is as the document says.",
    source="openapi.yaml",
    expected="no such field",
    received='"sunny"',
    suspect="document",
    reason="the target has something new",
    operations=["conversations.create"],
    phases=["coverage"],
)
ACCEPTED = Deviation(
    case="errors/body/error/code",
    verdict="accepted",
    statement="The body of an error is as the document says.",
    source="openapi.yaml",
    expected="an integer",
    received='"not_found"',
    suspect="target",
    reason="its answer breaks the document",
    operations=["conversations.create"],
    phases=["coverage"],
    evidence="known since spring (ticket 17; until 2027-03-31)",
)


def behaviour(name, verdict, why=""):
    return BehaviourRow(name, f"Statement of {name}.", "docs.mka1.com", "documented", verdict, why)


def full_report(**changes):
    report = Report(
        target="https://gw/api/v1/llm",
        version="0.1.0",
        seed=7,
        started_at="2026-08-01T10:00:00+00:00",
        seconds=63.2,
        requests=4211,
        phases=[
            PhaseRow("behaviours", "done", 412, 12.3),
            PhaseRow("coverage", "stopped", 3000, 40.0, "60 seconds are used up"),
            PhaseRow("fuzzing", "crashed", 799, 10.0, f"ValueError: {HOSTILE}"),
        ],
        operations=[
            OperationRow(
                "conversations.list",
                "GET",
                "/api/v1/llm/conversations",
                {phase: Cell("violates", 9, "", [VIOLATION.case]) for phase in ("behaviours", "coverage")},
            ),
            OperationRow(
                "conversations.create",
                "POST",
                "/api/v1/llm/conversations",
                {"behaviours": Cell("conforms", 1204), "coverage": Cell("drift", 2, "", [ACCEPTED.case, DRIFT.case])},
            ),
            OperationRow(
                "conversations.items.deleteMany",
                "DELETE",
                "/api/v1/llm/conversations/{conversation_id}/items",
                {"behaviours": Cell("conforms", 1), "coverage": Cell("unchecked", 0, "no request was made")},
            ),
            OperationRow(
                "conversations.update",
                "POST",
                "/api/v1/llm/conversations/{conversation_id}",
                {"behaviours": Cell("conforms", 5), "coverage": Cell("conforms", 8)},
            ),
        ],
        behaviours=[
            behaviour("conversations.delete.leaves-the-list", "conforms", "in part: another needs a second key"),
            behaviour(LEARNED.case, "learned", LEARNED.received),
            behaviour("conversations.list.pages", "conforms"),
            behaviour("conversations.list.newest-first", "unchecked", f"because of {VIOLATION.case}"),
        ],
        deviations=[VIOLATION, OF_NO_OPERATION, LEARNED, DRIFT, ACCEPTED],
        checks_off=[CheckOff("unsupported_method", (), "a gateway may answer"), CheckOff("x", ("a", "b"), "y")],
        left_over=[LeftOver("conv_<i>1</i>", None, "500 [red]oops")],
        baseline=[BaselineNote("items.list/200", "no longer occurs; take the entry out")],
        notes=["There was no second key."],
    )  # fmt: skip
    for name, value in changes.items():
        setattr(report, name, value)
    return report


def clean_report():
    return Report(
        "http://127.0.0.1:8080/api/v1/llm", "0.1.0", 1, "2026-08-01T10:00:00+00:00", 1.25, 1,
        phases=[PhaseRow("behaviours", "done", 1, 1.0)],
        operations=[OperationRow("a.b", "GET", "/a", {"behaviours": Cell("conforms", 1)})],
        behaviours=[behaviour("a.b.c", "conforms")],
    )  # fmt: skip


def repeat_command(case, phase):
    return shlex.join(["mockserver", "verify", "https://gw", "--repeat", case, "--phases", phase, "--seed", "7"])


def printed(report, *, width=80, terminal=False, encoding="utf-8", **options):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=stream, width=width, force_terminal=terminal, color_system="standard" if terminal else None)
    print_report(report, console, repeat_command=repeat_command, **options)
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)


# -- On a console ----------------------------------------------------------------------------------------------


def test_a_log_holds_everything_uncut_and_nothing_that_acts():
    text = printed(full_report())
    lines = text.splitlines()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800]", text)
    assert f"  received   {SHOWN} :fox_face:" in lines
    assert f"    {CREATE}" in lines
    assert f"    {CURL}" in lines
    assert f"    {repeat_command(VIOLATION.case, 'behaviours')}" in lines
    assert "  unchecked  because of this: conversations.list.newest-first" in lines
    assert "  suspect    target: its answer breaks the document" in lines
    assert "  met        once in fuzzing" in lines
    assert "  met        once, by request 5 of behaviours" in lines
    assert "  met        3 times in behaviours, coverage, first by request 1,017 of behaviours" in lines
    for expected in (ACCEPTED.evidence, "take the entry out", "500 [red]oops", "There was no second key.", "used up"):
        assert expected in text
    assert lines[-1] == summary(full_report())


def test_a_log_has_one_row_for_each_operation_with_what_each_phase_found():
    rows = [re.split(r"  +", line.strip()) for line in printed(full_report(), width=20).splitlines()]
    assert ["operation", "behaviours", "coverage"] in rows
    assert ["conversations.list GET /conversations", "violates: 1", "violates: 1"] in rows
    assert [
        "conversations.create POST /conversations",
        "conforms (1,204 answers)",
        "drift: 1, accepted: 1",
    ] in rows
    deleted = "conversations.items.deleteMany DELETE /conversations/{conversation_id}/items"
    assert [deleted, "conforms (1 answer)", "unchecked: no request was made"] in rows


def test_behaviours_are_counted_by_theme_and_told_where_they_do_not_conform():
    text = printed(full_report())
    rows = [line.split() for line in text.splitlines()]
    assert ["theme", "conforms", "unchecked", "learned"] in rows
    assert ["conversations.delete", "1", "-", "1"] in rows
    assert ["conversations.list", "1", "1", "-"] in rows
    assert f"  unchecked  because of {VIOLATION.case}: conversations.list.newest-first" in text.splitlines()
    assert "conversations.list.pages" not in text
    verbose = printed(full_report(), verbose=True).splitlines()
    unchecked = "conversations.list.newest-first: Statement of conversations.list.newest-first."
    assert f"  unchecked  {unchecked} - because of {VIOLATION.case}" in verbose
    assert "  conforms   conversations.list.pages: Statement of conversations.list.pages." in verbose


def test_a_long_value_is_cut_unless_asked_for():
    assert LONG[:600] in printed(full_report())
    assert LONG.strip() not in printed(full_report())
    assert "more characters)" in printed(full_report())
    assert LONG.strip() in printed(full_report(), verbose=True)


@pytest.mark.parametrize("width", [30, 60, 120, 300])
def test_a_terminal_of_any_width_gets_whole_commands_and_lines_that_fit(width):
    text = printed(full_report(), width=width, terminal=True)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "\x1b[31mred" not in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", plain)
    lines = [line.rstrip() for line in plain.splitlines()]
    assert f"    {CURL}" in lines
    assert f"    {repeat_command(VIOLATION.case, 'behaviours')}" in lines
    assert [line for line in lines if len(line) > width and not line.startswith("    ")] == []
    joined = re.sub(r"[\s─]+", "", plain)
    assert "conforms(1,204answers)" in joined or width == 60  # There, the table wraps it beside its neighbours.
    assert "".join(SHOWN.split()) in joined


@pytest.mark.parametrize("width", [40, 80, 90, 100, 120, 200])
def test_a_terminal_shows_every_phase_of_every_operation_whole(width):
    path = "/api/v1/llm/conversations/{conversation_id}/items/{item_id}"
    cells = {phase: Cell("conforms", 1000 + number) for number, phase in enumerate(PHASES)}
    report = clean_report()
    report.operations = [OperationRow("conversations.items.retrieve", "GET", path, cells)]
    text = re.sub(r"\x1b\[[0-9;]*m", "", printed(report, width=width, terminal=True))
    words = text.split()
    for number, phase in enumerate(PHASES):
        assert phase in words or f"{phase}:" in words
        assert f"(1,00{number}" in words
    assert words.count("answers)") == 5 or words.count("answers);") == 4
    assert all(len(line.rstrip()) <= width for line in text.splitlines() if not line.startswith("    "))


def test_a_log_that_knows_few_characters_gets_escapes():
    text = printed(full_report(), encoding="ascii")
    assert r"\U0001f98a" in text
    assert "search=[bold]<script>'$'\\U0001f98a''" in text


def test_a_clean_report_is_short():
    text = printed(clean_report())
    assert text.splitlines()[-2:] == [
        "http://127.0.0.1:8080/api/v1/llm conforms.",
        "No violation, 1 behaviour conforms. 1 request in 1.2 s, seed 1.",
    ]
    assert not any(word in text for word in ("Violations", "Learned", "Drift", "Accepted", "Baseline", "Notes", "off"))


def test_a_report_of_nothing_says_so_everywhere(tmp_path):
    report = Report("https://gw", "0.1.0", 1, "2026-08-01T10:00:00+00:00")
    assert printed(report).splitlines()[-2:] == ["Nothing was checked.", "No violation. 0 requests in 0.0 s, seed 1."]
    assert "Nothing was checked." in Page(report).text
    assert len(junit(report, tmp_path)) == 0


def test_a_phase_that_did_not_come_to_an_operation_has_no_verdict_on_it():
    report = clean_report()
    report.operations.append(OperationRow("a.c", "GET", "/c", {"examples": Cell("unchecked")}))
    rows = [line.split() for line in printed(report).splitlines()]
    assert ["a.b", "GET", "/a", "conforms", "(1", "answer)", "-"] in rows
    assert ["a.c", "GET", "/c", "-", "unchecked"] in rows
    assert "unchecked" in Page(report).text


def test_the_closing_line_counts_each_thing_apart():
    assert summary(full_report(phases=[])) == (
        "2 violations, 1 learned, 1 drifted, 1 accepted, 2 behaviours conform, 1 could not be checked. "
        "1 conversation could not be deleted. 4,211 requests in 63 s, seed 7."
    )
    assert " Coverage was stopped: 60 seconds are used up. Fuzzing crashed: " in summary(full_report())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "https://gw/api/v1/llm does not conform."),
        ({"deviations": [LEARNED]}, "The run did not get to its end, and found no violation until then."),
        (
            {"deviations": [LEARNED], "strict": True},
            "https://gw/api/v1/llm is not exactly as assumed, and this run is strict.",
        ),
        ({"deviations": [LEARNED], "phases": []}, "https://gw/api/v1/llm conforms, as far as it was checked."),
        ({"deviations": [], "phases": [], "behaviours": [], "operations": []}, "Nothing was checked."),
    ],
)
def test_the_headline_says_no_more_than_was_found(changes, sentence):
    assert headline(full_report(**changes)) == sentence


@pytest.mark.parametrize(
    ("case", "changes", "code", "says"),
    [
        (VIOLATION.case, {}, 1, "was met again (violates)."),
        ("conversations.list.pages", {}, 0, "holds now."),
        ("conversations.list.newest-first", {}, 2, f"could not be checked: because of {VIOLATION.case}"),
        ("items.list/500", {"phases": []}, 0, "was not met again."),
        ("items.list/500", {}, 2, "was not met again, but coverage stopped: 60 seconds are used up"),
    ],
)
def test_a_repeated_case_is_met_again_or_not_or_cannot_be_told(case, changes, code, says):
    console = Console(file=io.StringIO(), width=80)
    assert print_repeated(full_report(**changes), case, console, repeat_command=repeat_command) == code
    lines = console.file.getvalue().splitlines()
    assert lines[0] == f"{case} {says}"
    assert (f"    {repeat_command(case, 'behaviours')}" in lines) == (code == 1)
    others = [deviation.case for deviation in full_report().deviations if deviation.case != case]
    assert lines[-2:] == [f"Met besides: {', '.join(others)}", "4,211 requests in 63 s, seed 7."]


@pytest.mark.parametrize(
    "command",
    [
        "curl -d 'a\nb\tc'",
        "curl -d 'it'\"'\"'s \x1b[0m' \"x\x01\\\"y\\\\\x02\" z",
        "curl -d 'caf\xe9 \u202e \x85 \U000e0001'",
        'curl -d "back\\\x07slash"',
        "curl -d 'plain \\ $HOME' \"$(printf %s 1)\"",
    ],
)
def test_a_command_with_hidden_characters_does_the_same_on_one_visible_line(command):
    def words(line):
        script = line.replace("curl", "printf '%s\\0'", 1)
        environment = {"LC_ALL": "C.UTF-8", "HOME": "/", "PATH": "/usr/bin:/bin"}
        return subprocess.run(["bash", "-c", script], capture_output=True, check=True, env=environment).stdout

    shown = shell_line(command)
    assert shown.isprintable()
    assert words(shown) == words(command)
    assert shell_line(command, encoding="ascii").isascii()
    assert words(shell_line(command, encoding="ascii")) == words(command)


# -- While it runs ---------------------------------------------------------------------------------------------


def progress_output(*, terminal, interrupt=False):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
    try:
        with Progress(console, "at most 60 requests in 60 s") as progress:
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
    except KeyboardInterrupt:
        assert interrupt
    return console.file.getvalue()


def test_progress_in_a_log_is_a_line_for_each_begin_and_end():
    lines = progress_output(terminal=False).splitlines()
    assert lines == [
        "behaviours ... (at most 60 requests in 60 s)",
        "behaviours: 0.0 s",
        "fuzzing ... (at most 60 requests in 60 s)",
        "fuzzing: 0.0 s",
    ]


@pytest.mark.parametrize("interrupt", [False, True])
def test_progress_on_a_terminal_gives_the_cursor_back(interrupt):
    text = progress_output(terminal=True, interrupt=interrupt)
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l") >= 0
    assert "behaviours" in text


# -- Files -----------------------------------------------------------------------------------------------------


def junit(report, folder):
    write_reports(report, folder, repeat_command)
    return ET.parse(folder / "junit.xml").getroot()


def test_three_files_are_written_and_nothing_else_stays(tmp_path):
    folder = tmp_path / "new" / "folder"
    written = write_reports(full_report(), folder, repeat_command)
    assert [path.name for path in written] == ["report.html", "junit.xml", "report.json"]
    assert sorted(folder.iterdir()) == sorted(written)
    write_reports(clean_report(), folder, repeat_command)
    assert json.loads((folder / "report.json").read_bytes())["deviations"] == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=re.escape(f"cannot write reports to {tmp_path / 'file'}: ")):
        write_reports(full_report(), tmp_path / "file", repeat_command)


def test_a_file_that_cannot_be_replaced_leaves_no_half_file(tmp_path):
    (tmp_path / "report.html" / "in-the-way").mkdir(parents=True)
    with pytest.raises(UsageError):
        write_reports(full_report(), tmp_path, repeat_command)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_the_json_is_the_report(tmp_path):
    write_reports(full_report(), tmp_path, repeat_command)
    content = (tmp_path / "report.json").read_bytes().decode("utf-8")
    expected = full_report().as_dict()
    expected["deviations"].sort(key=lambda one: one["case"])
    expected["checks_off"] = [{**off, "operations": list(off["operations"])} for off in expected["checks_off"]]
    assert json.loads(content) == expected
    assert "🦊" in content
    assert next(iter(json.loads(content))) == "exit_code"


def test_junit_has_a_test_for_every_behaviour_operation_and_stray_deviation(tmp_path):
    root = junit(full_report(), tmp_path)
    counts = {
        suite.get("name"): tuple(int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped"))
        for suite in root
    }
    assert counts == {
        "behaviours": (5, 1, 0, 2),  # Four rows, and the violation that no behaviour is.
        "coverage": (5, 1, 0, 2),  # Four operations, and that it was stopped.
        "fuzzing": (2, 1, 1, 0),  # What no operation is, and that it crashed.
        "baseline": (1, 0, 0, 1),
    }
    assert {name: root.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "13",
        "failures": "3",
        "errors": "1",
    }
    for suite in root:
        assert int(suite.get("tests")) == len(suite.findall("testcase"))
        assert suite.get("timestamp") == "2026-08-01T10:00:00"
        assert float(suite.get("time")) >= 0
    assert root.get("time") == "63.200"


def test_junit_failures_carry_the_full_text(tmp_path):
    root = junit(full_report(), tmp_path)
    (failure,) = root.findall("./testsuite[@name='coverage']/testcase/failure")
    lines = failure.text.splitlines()
    assert f"received   {SHOWN} :fox_face:" in lines
    assert CURL in lines
    assert repeat_command(VIOLATION.case, "behaviours") in lines
    assert failure.get("message").startswith(VIOLATION.statement)
    (crash,) = root.iter("error")
    assert SHOWN in crash.get("message")
    (learned,) = root.findall("./testsuite/testcase[@name='conversations.delete.twice']/skipped")
    assert learned.get("message").startswith("learned: Deleting a conversation twice")
    assert LONG.strip() in root.findall("./testsuite[@name='fuzzing']/testcase/failure")[0].text


def test_junit_fails_where_a_strict_run_fails(tmp_path):
    root = junit(full_report(deviations=[LEARNED, DRIFT], strict=True), tmp_path)
    failed = [test.get("name") for test in root.iter("testcase") if test.find("failure") is not None]
    assert LEARNED.case in failed
    assert "POST /api/v1/llm/conversations" in failed
    assert "items.list/200" in failed


def test_an_interrupted_phase_is_an_error_as_it_is_for_the_exit_code(tmp_path):
    report = clean_report()
    report.phases = [PhaseRow("behaviours", "stopped", 1, 1.0, "interrupted")]
    assert report.exit_code == 2
    assert junit(report, tmp_path).get("errors") == "1"


def test_a_clean_report_is_a_clean_junit(tmp_path):
    root = junit(clean_report(), tmp_path)
    assert [suite.get("name") for suite in root] == ["behaviours"]
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("1", "0", "0")
    assert root.find(".//skipped") is None


# -- The page --------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a browser would see of a page."""

    VOID = ("meta", "input", "br", "link", "img", "hr")

    def __init__(self, report):
        super().__init__()
        self.tags, self.open, self.ids, self.links, self.texts = [], [], [], [], {}
        self.attributes = []
        self.feed(page(report, repeat_command))
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
def test_the_page_needs_nothing_and_runs_only_its_own_script(report):
    seen = Page(report)
    assert seen.tags.count("script") == 1
    assert "alert" not in seen.texts["script"]
    assert all(link.startswith("#") for link in seen.links)
    assert not {"i", "link", "img", "iframe", "object", "base", "form"} & set(seen.tags)
    assert not any(name.startswith("on") or name == "style" for name, _ in seen.attributes)
    assert "url(" not in seen.texts["style"]
    assert "@import" not in seen.texts["style"]
    policy = next(value for name, value in seen.attributes if name == "content" and "default-src" in value)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_the_page_shows_everything_as_text():
    text = Page(full_report()).text
    commands = [CREATE, CURL, repeat_command(VIOLATION.case, "behaviours")]
    for expected in (f"{SHOWN} :fox_face:", *commands, ACCEPTED.evidence, "conv_<i>1</i>", "500 [red]oops", LONG):
        assert expected in text
    assert text.count(summary(full_report())) == 1
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)


def test_the_page_has_one_place_for_each_case_and_links_lead_there():
    from urllib.parse import unquote

    seen = Page(full_report())
    assert len(seen.ids) == len(set(seen.ids))
    for deviation in full_report().deviations:
        assert anchor(deviation.case) in seen.ids
    assert [link for link in seen.links if unquote(link[1:]) not in seen.ids] == []


def test_the_page_can_hide_each_verdict_that_it_shows():
    seen = Page(full_report())
    shown = {value for name, value in seen.attributes if name == "data-verdict"}
    assert {name.removeprefix("show-") for name in seen.ids if name.startswith("show-")} == shown
    for verdict in shown:
        assert f"body:has(#show-{verdict}:not(:checked)) [data-verdict={verdict}]" in seen.texts["style"]


def test_what_the_policy_allows_is_what_the_page_has():
    import base64
    import hashlib

    text = page(full_report(), repeat_command)
    for element in ("script", "style"):
        (own,) = re.findall(f"<{element}>(.*?)</{element}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in text.replace("&#x27;", "'")


@pytest.mark.skipif(shutil.which("xmllint") is None, reason="xmllint is not installed")
def test_a_strict_parser_takes_the_junit(tmp_path):
    junit(full_report(), tmp_path)
    subprocess.run(["xmllint", "--noout", tmp_path / "junit.xml"], check=True)


def test_the_template_ships_beside_the_module():
    assert Path(sys.modules[page.__module__].__file__).with_name("report.html").is_file()
