"""The `verify` command: usage errors, output, exit codes, signals."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from packaging.requirements import Requirement
from starlette.types import Message, Scope

import mockserver.verify
from mockserver.cli import main
from mockserver.conformance.scenarios import conversation_lists, conversations
from tests.support.middleware import ApiMiddleware

from .conftest import KEYS
from .test_run import SaysPage


def run(*arguments: str, **environment: str):
    return CliRunner().invoke(main, ["verify", *arguments], env={"MKA1_API_KEY": None, **environment})


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("localhost:8080",), "BASE_URL must be such as https://gateway.example.com, not 'localhost:8080'"),
        (("http://127.0.0.1:1",), "set MKA1_API_KEY to an API key"),
        (("http://127.0.0.1:1", "--api-key-env", "OTHER"), "set OTHER to an API key"),
        (("http://127.0.0.1:1", "--no-api-key"), "cannot be called"),
        (("http://127.0.0.1:1", "--no-api-key", "--phases", "all"), "--phases must be some of behaviours, examples"),
        (("http://127.0.0.1:1", "--no-api-key", "--rate-limit", "1"), "a rate limit must be such as 10/s"),
        (("http://127.0.0.1:1", "--no-api-key", "--report-dir", "/dev/null/x"), "cannot write reports to"),
    ],
)
def test_a_usage_error_is_one_line_with_a_hint(arguments, problem) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("mockserver: ")
    assert problem in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_run_without_deviations_exits_with_0_and_writes_its_reports(start_fake, select_scenarios, tmp_path) -> None:
    select_scenarios(conversations)
    result = run(start_fake().url, "--phases", "behaviours", "--report-dir", str(tmp_path), MKA1_API_KEY=KEYS[0])
    assert result.exit_code == 0, result.output
    assert "conforms, as far as it was checked." in result.stdout
    assert json.loads((tmp_path / "report.json").read_text())["deviations"] == []
    suites = ET.parse(tmp_path / "junit.xml").getroot()
    assert (suites.get("failures"), suites.get("errors")) == ("0", "0")
    assert "<html" in (tmp_path / "report.html").read_text()
    for output in (result.output, *(path.read_text() for path in tmp_path.iterdir())):
        assert KEYS[0] not in output


def test_a_violation_exits_with_1_and_its_command_reproduces_it(start_fake, select_scenarios) -> None:
    select_scenarios(conversation_lists)
    target = start_fake(SaysPage)
    result = run(target.url, "--phases", "behaviours", "--seed", "3", MKA1_API_KEY=KEYS[0])
    assert result.exit_code == 1
    assert "does not conform" in result.stdout
    (command,) = re.findall(r"mockserver (verify .*ConversationListObject/object.*)", result.stdout)
    again = run(*command.split()[1:], MKA1_API_KEY=KEYS[0])
    assert again.exit_code == 1
    assert "ConversationListObject/object was reproduced (violates)." in again.stdout
    fixed = run(start_fake().url, *command.split()[2:], MKA1_API_KEY=KEYS[0])
    assert fixed.exit_code == 0
    assert "ConversationListObject/object was not reproduced." in fixed.stdout


def test_a_baseline_accepts_a_known_violation(start_fake, select_scenarios, tmp_path) -> None:
    select_scenarios(conversations, conversation_lists)
    baseline = tmp_path / "baseline.yaml"
    baseline.write_text(
        "- {case: ConversationListObject/object, reason: old, evidence: seen, expires: '2999-12-31'}\n"
        "- {case: conversations.delete.twice-is-404, reason: old, evidence: seen, expires: '2999-12-31'}\n"
    )
    arguments = (start_fake(SaysPage).url, "--phases", "behaviours", "--baseline", str(baseline))
    result = run(*arguments, MKA1_API_KEY=KEYS[0])
    assert "conversations.delete.twice-is-404  no longer occurs; remove the entry" in result.stdout
    assert "old (seen; until 2999-12-31)" in result.stdout
    assert "ConversationListObject/object" in re.findall(r"^\d+\. (\S+)$", result.stdout, re.M)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run_with_its_cleanup(start_fake, number: int) -> None:
    target = start_fake()
    process = subprocess.Popen(
        [sys.executable, "-m", "mockserver", "verify", target.url, "--rate-limit", "100/s"],
        env={**os.environ, "MKA1_API_KEY": KEYS[0]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while target.count_requests() < 100 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 2, stderr
    assert "The run did not finish" in stdout
    assert "Traceback" not in stderr
    assert target.remaining_conversations() == []


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.delitem(sys.modules, "mockserver.verify.command", raising=False)
    monkeypatch.delattr(mockserver.verify, "command", raising=False)
    result = run("http://127.0.0.1:1")
    assert result.exit_code == 2
    line = result.stderr.splitlines()[-1]
    assert " needs rich.console: pip install " in line
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    named = {Requirement(word) for word in shlex.split(line.partition(" install ")[2])}
    assert named == {Requirement(text) for text in project["optional-dependencies"]["verify"]}


class DiffersEverywhere(ApiMiddleware):
    """Lacks an operation, and names another object."""

    def change_request(self, scope: Scope) -> Scope:
        is_removal = scope["method"] == "DELETE" and scope["path"].endswith("/items")
        return scope | {"method": "PATCH"} if is_removal else scope

    def change_message(self, scope: Scope, message: Message) -> Message:
        if message["type"] == "http.response.start":
            return message | {"headers": [pair for pair in message["headers"] if pair[0] != b"content-length"]}
        body = message.get("body", b"").replace(b'"object":"conversation"', b'"object":"page"')
        return message | {"body": body}


class ShowsNullAndAnyLimit(ApiMiddleware):
    """Returns items with a status that is null, and takes any limit as 2."""

    def change_request(self, scope: Scope) -> Scope:
        query = re.sub(rb"limit=[^&]*", b"limit=2", scope["query_string"])
        return scope | {"query_string": query} if scope["path"].endswith("/conversations") else scope

    def change_message(self, scope: Scope, message: Message) -> Message:
        if message["type"] == "http.response.start":
            return message | {"headers": [pair for pair in message["headers"] if pair[0] != b"content-length"]}
        body = message.get("body", b"").replace(b'"type":"message",', b'"type":"message","status":null,')
        return message | {"body": body}


def requests_of(output: str) -> int:
    (number,) = re.findall(r"^([\d,]+) requests in", output, re.M)
    return int(number.replace(",", ""))


def test_a_printed_command_costs_only_what_its_case_needs(start_fake) -> None:
    target = start_fake(ShowsNullAndAnyLimit)
    result = run(target.url, "--phases", "examples", "--seed", "3", MKA1_API_KEY=KEYS[0])
    (line,) = re.findall(r"^ +mockserver (verify .*--repeat 'null for absent fields'.*)", result.stdout, re.M)
    arguments = shlex.split(line)[1:]
    assert arguments[arguments.index("--only") - 1] == "examples"
    again = run(*arguments, MKA1_API_KEY=KEYS[0])
    assert (again.exit_code, "null for absent fields was reproduced" in again.stdout) == (1, True), again.output
    assert requests_of(again.stdout) < 60
    limited = ("--repeat", "InvalidDataIsRejected", "--phases", "coverage", "--only", "conversations.list")
    again = run(target.url, *limited, "--seed", "3", MKA1_API_KEY=KEYS[0])
    assert (again.exit_code, "InvalidDataIsRejected was reproduced" in again.stdout) == (1, True), again.output
    assert requests_of(again.stdout) < 60


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--only", "conversations.list"), "--only needs --repeat"),
        (("--only", "x", "--repeat", "ItemStatus/enum"), "--only must be an operation or a behaviour, not x"),
    ],
)
def test_only_narrows_a_repetition(start_fake, arguments, problem) -> None:
    result = run(start_fake().url, *arguments, MKA1_API_KEY=KEYS[0])
    assert (result.exit_code, problem in result.stderr) == (2, True)


def test_every_printed_command_reproduces_its_case(start_fake, select_scenarios) -> None:
    select_scenarios(conversations)
    target = start_fake(DiffersEverywhere)
    result = run(target.url, "--phases", "behaviours", "--seed", "3", MKA1_API_KEY=KEYS[0])
    assert result.exit_code == 1
    commands = re.findall(r"^ +mockserver (verify .*--repeat .*)", result.stdout, re.M)
    assert any("/missing" in command for command in commands)
    for command in commands:
        again = run(*shlex.split(command)[1:], MKA1_API_KEY=KEYS[0])
        assert again.exit_code == 1, command + again.output
        assert "was reproduced" in again.stdout
    (missing,) = [command for command in commands if "/missing" in command]
    fixed = run(start_fake().url, *shlex.split(missing)[2:], MKA1_API_KEY=KEYS[0])
    assert (fixed.exit_code, "was not reproduced." in fixed.stdout) == (0, True)
