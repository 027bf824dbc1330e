"""Whatever a target sends, `verify` ends within its limits, with a finding or a reason, and without a traceback."""

import gzip
import itertools
import json
import os
import resource
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from mockserver.cli import main
from mockserver.conformance.scenarios import conversation_lists, conversations, metadata
from mockserver.retry_after import parse_retry_after
from mockserver.verify import transport as transport_module
from tests.support.hostile_server import HostileServer, build_response, run_hostile_server

Respond = Callable[[str, bytes, socket.socket], None]


@pytest.fixture(autouse=True)
def is_impatient(monkeypatch: pytest.MonkeyPatch, select_scenarios: Callable[..., None]) -> None:
    """Let the run wait less, and have fewer scenarios."""
    monkeypatch.setattr(transport_module, "_MAX_SECONDS", 0.4)
    monkeypatch.setattr(transport_module, "_MIN_SECONDS", 0.2)
    select_scenarios(conversations, metadata)


def run(server: HostileServer, tmp_path: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Return the exit code, the report and the output of a run."""
    options = ("--phases", "behaviours,examples", "--max-requests", "60", "--report-dir", str(tmp_path))
    environment = {"MKA1_API_KEY": "some-key-1", "MKA1_SECOND_API_KEY": None}
    result = CliRunner().invoke(main, ["verify", server.url, *options, *arguments], env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    assert len(server.requests) <= 65  # A request may be sent again on a new connection.
    path = tmp_path / "report.json"
    report = json.loads(path.read_text()) if path.exists() else {}
    assert "crashed" not in [row["state"] for row in report.get("phases", ())], report["phases"]
    return result.exit_code, report, result.output


def answer(*parts: bytes, pause: float = 0.0, is_endless: bool = False) -> Respond:
    """Answer every request but the first with these parts; `is_endless` repeats the last one for ever."""
    first = iter([build_response(b'{"data": [], "object": "list", "has_more": false, "last_id": null}')])

    def respond(line: str, body: bytes, connection: socket.socket) -> None:
        response = next(first, None)
        if response is not None:
            connection.sendall(response)
            return
        with suppress(OSError):
            for part in itertools.chain(parts, itertools.repeat(parts[-1]) if is_endless else ()):
                connection.sendall(part)
                time.sleep(pause)
            if not is_endless:
                return
        connection.close()

    return respond


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


# -- Time, bytes and waiting -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "respond",
    [
        pytest.param(answer(HEAD, b"X-Filler: x\r\n", pause=0.05, is_endless=True), id="endless headers, slowly"),
        pytest.param(
            answer(HEAD + b"Content-Length: 1000000\r\n\r\n", b" ", pause=0.05, is_endless=True), id="slow body"
        ),
        pytest.param(
            answer(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", is_endless=True), id="endless chunks"
        ),
        pytest.param(answer(b"HTTP/1.1 103 Early Hints\r\n\r\n", is_endless=True), id="endless early responses"),
    ],
)
def test_the_limits_hold_for_a_response_that_does_not_end(tmp_path: Path, respond: Respond) -> None:
    with run_hostile_server(respond) as server:
        started = time.monotonic()
        code, report, _ = run(server, tmp_path, "--max-time", "2")
    assert time.monotonic() - started < 12  # The start and the report take time, too.
    assert code in (1, 3)
    assert {row["state"] for row in report["phases"]} <= {"stopped", "skipped"}


def test_a_target_that_stops_responding_ends_the_run_without_a_time_limit(tmp_path: Path) -> None:
    with run_hostile_server(answer(HEAD + b"Content-Length: 10\r\n\r\n", pause=60)) as server:
        code, report, _ = run(server, tmp_path)
        assert 5 <= len(server.requests) < 12
    assert code in (1, 3)
    assert report["phases"][0]["reason"]["code"] == "unresponsive"


@pytest.mark.parametrize(
    ("encoding", "bomb"),
    [
        ("gzip", gzip.compress(bytes(300 * 1024 * 1024), 9)),
        ("deflate", zlib.compress(bytes(300 * 1024 * 1024), 9)),
    ],
)
def test_a_compressed_response_is_limited_when_decoded(tmp_path: Path, encoding: str, bomb: bytes) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with run_hostile_server(answer(build_response(bomb, f"Content-Encoding: {encoding}"))) as server:
        code, _, output = run(server, tmp_path, "--max-time", "8", "--max-requests", "30")
    assert code == 1
    assert "longer than 4 MiB" in output
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024  # KiB


@pytest.mark.parametrize("wait", ["0", "119", "9" * 5000, "x"])
def test_429_for_ever_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait: str) -> None:
    slept: list[float] = []
    monkeypatch.setattr(transport_module.Transport, "_sleep", lambda self, seconds: slept.append(seconds))
    rejection = build_response(b'{"error": {}}', f"Retry-After: {wait}", status="429 Too Many Requests")
    with run_hostile_server(answer(rejection)) as server:
        code, report, _ = run(server, tmp_path)
        assert len(server.requests) < 50
    assert code in (1, 3)
    assert report["phases"][0]["reason"]["code"] in ("too_many_requests", "max_requests")
    assert sum(slept) <= 1800


@pytest.mark.parametrize(
    "text",
    ["", " ", "1.5", "-3", "\u0663", "99999999999999999999", "Mon, 99 Foo 2020", "Thu, 01 Jan 0001 00:00:00 +2359",
     "Thu, 01 Jan 1970 00:00:00 +9999", "Fri, 31 Dec 9999 23:59:59 -2359", "1 1 1", ",", "()", "Mon, 1 Jan 99999 0:0",
     "Thu, 01 Jan 1970 00:00:00 -99999999999999999999", "0" * 10000 + "1", "1 Jan 2020 99:99:99 \x00"],
)  # fmt: skip
def test_any_retry_after_is_a_number_or_nothing(text: str) -> None:
    seconds = parse_retry_after(text, datetime.now(UTC))
    assert seconds is None or seconds >= 0


# -- Lists -----------------------------------------------------------------------------------------------------


class EndlessLists:
    """A target that takes everything, and whose lists never end."""

    def __init__(self) -> None:
        self.ids = itertools.count(1)

    def __call__(self, line: str, body: bytes, connection: socket.socket) -> None:
        method, path, _ = line.split()
        entry = {"id": f"conv_{next(self.ids):032}", "object": "conversation", "created_at": 1, "metadata": {}}
        if method == "GET" and path.partition("?")[0].endswith(("conversations", "items")):
            entries = [{**entry, "id": f"conv_x{entry['id']}{n}"} for n in range(50)]
            page = {"object": "list", "data": entries, "has_more": True, "last_id": entries[-1]["id"]}
            connection.sendall(build_response(json.dumps(page).encode()))
        else:
            connection.sendall(build_response(json.dumps(entry).encode()))


def test_pagination_that_does_not_end_is_a_finding(tmp_path: Path, select_scenarios: Callable[..., None]) -> None:
    paging = [one for one in conversation_lists.scenario if one.name == "pages_follow_each_other"]
    select_scenarios(SimpleNamespace(scenario=paging))
    with run_hostile_server(EndlessLists()) as server:
        arguments = ("--repeat", "conversations.list.last-id-is-the-cursor-of-the-next-page")
        code, _, output = run(server, tmp_path, *arguments)
        deleted = [line for line in server.requests if line.startswith("DELETE") and "conv_x" in line]
    assert (code, deleted) == (1, [])
    assert "was reproduced (violates)" in output


# -- Contents --------------------------------------------------------------------------------------------------

DEEP = b"[" * 20_000  # Far beyond what any parser here takes.
BODIES = {
    "deep JSON": DEEP + b"]" * 20_000,
    "deep and open JSON": DEEP,
    "deep objects": b'{"data":' * 10_000 + b"1" + b"}" * 10_000,
    "NaN": b'{"id": NaN, "data": [Infinity]}',
    "huge numbers": b'{"id": "c", "created_at": ' + b"9" * 10_000 + b', "data": 1e999}',
    "lone surrogate": b'{"id": "conv_\\ud800", "object": "\\udfff"}',
    "not UTF-8": b'{"id": "conv_\xff\xfe"}',
    "UTF-16": '{"id": "conv_1"}'.encode("utf-16"),
    "UTF-8 with a mark": b'\xef\xbb\xbf{"id": "conv_1"}',
    "control characters": b'{"id": "\\u001b[2J\\u0000\\r\\n", "error": {"message": "\\u202e\\u0007"}}',
    "ids that are paths": b'{"id": "../../x?y#z/", "data": [{"id": ".."}]}',
    "ids of other types": b'{"id": {"a": 1}, "data": [{"id": [1]}, {"id": null}, 5, null, "x"]}',
    "an array": b"[1, 2, 3]",
    "a list of nothing": b'{"data": null, "has_more": true, "last_id": 7}',
    "an object as list": b'{"data": {"id": "x"}, "id": "", "items": 5, "error": "text"}',
    "an error of errors": b'{"error": {"type": ["x"], "param": {"a": [1]}, "code": {}, "message": 1}}',
    "nothing": b"",
    "null": b"null",
    "text": b"<html>{{7*7}}]]><script>",
    "duplicates": b'{"id": "conv_1", "id": 5, "metadata": {"a": 1, "a": []}}',
}


def answer_in_turn(responses: Iterable[bytes]) -> Respond:
    """Answer with one response after the other, over and over."""
    turns = itertools.cycle(map(answer, responses))
    return lambda line, body, connection: next(turns)(line, body, connection)


@pytest.mark.parametrize("name", ["deep objects", "ids that are paths", "ids of other types", "nothing"])
def test_any_content_ends_in_findings(tmp_path: Path, name: str) -> None:
    with run_hostile_server(answer(build_response(BODIES[name]))) as server:
        code, _, _ = run(server, tmp_path, "--max-requests", "30")
    assert code == 1


@pytest.mark.parametrize("status", ["200 OK", "400 Bad"])
def test_any_contents_in_turn_end_in_findings(tmp_path: Path, status: str) -> None:
    responses = [build_response(body, status=status) for body in BODIES.values()]
    with run_hostile_server(answer_in_turn(responses)) as server:
        code, _, _ = run(server, tmp_path)
    assert code == 1
    assert (tmp_path / "junit.xml").read_text().startswith("<?xml")


RESPONSES = {
    "unknown charset": build_response(b'{"id": "conv_1"}', "Content-Type: application/json; charset=klingon"),
    "codec that is no charset": build_response(b'{"id": "c"}', "Content-Type: application/json; charset=zlib_codec"),
    "charset with NUL": build_response(b'{"id": "c"}', "Content-Type: application/json; charset=\x01\xff"),
    "no content type": build_response(b"{}", "Content-Type: "),
    "strange content type": build_response(b"{}", "Content-Type: ;;;=,/\xff"),
    "encoding that nobody asked for": build_response(b"{}", "Content-Encoding: br, zstd, klingon"),
    "invalid gzip": build_response(b"no gzip", "Content-Encoding: gzip"),
    "truncated gzip": build_response(gzip.compress(b'{"id": "conv_1"}' * 99)[:20], "Content-Encoding: gzip"),
    "negative length": build_response(b"{}", "Content-Length: -5"),
    "length that is no number": build_response(b"{}", "Content-Length: \xb2"),
    "two lengths": build_response(b"{}", "Content-Length: 2", "Content-Length: 3"),
    "invalid chunks": build_response(b"zz\r\n{}\r\n", "Transfer-Encoding: chunked"),
    "status 099": build_response(b"{}", status="099 Odd"),
    "status 999": build_response(b"{}", status="999 Odd"),
    "status 1000": build_response(b"{}", status="1000 Odd"),
    "status 204 with a body": build_response(b'{"id": "conv_1"}', status="204 No Content"),
    "status 304": build_response(b"", status="304 Not Modified"),
    "status 401": build_response(b"{}", "WWW-Authenticate: \xff,,==", status="401 No"),
    "status 407": build_response(b"{}", "Proxy-Authenticate: Basic", status="407 No"),
    "redirect to nowhere": build_response(b"{}", "Location: http://[::1", status="302 Found"),
    "redirect in a circle": build_response(b"{}", "Location: /", status="301 Moved"),
    "headers that are no text": build_response(b"{}", "X-\xe9: \xff\xfe", "Set-Cookie: =;;\xff; Max-Age=x", "Date: x"),
    "header with control characters": build_response(b"{}", "X-A: \x1b[2J\x07"),
    "header without a colon": build_response(b"{}", "nonsense"),
    "huge header": build_response(b"{}", "X-Huge: " + "x" * 300_000),
    "not HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "HTTP/0.9": b'{"id": "conv_1"}\r\n\r\n',
    "HTTP/2 preface": b"HTTP/2 200\r\n\r\n",
    "TLS alert": b"\x15\x03\x01\x00\x02\x02\x46\r\n",
    "upgrade": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x00",
}  # fmt: skip


@pytest.mark.parametrize("name", ["charset with NUL", "status 401", "status 1000", "not HTTP", "HTTP/0.9", "upgrade"])
def test_any_response_ends_in_findings(tmp_path: Path, name: str) -> None:
    with run_hostile_server(answer(RESPONSES[name])) as server:
        code, _, _ = run(server, tmp_path, "--max-time", "3", "--max-requests", "25")
    assert code in (1, 3)


def test_any_responses_in_turn_end_in_findings(tmp_path: Path) -> None:
    with run_hostile_server(answer_in_turn(RESPONSES.values())) as server:
        code, _, _ = run(server, tmp_path, "--max-time", "8")
    assert code == 1


def test_a_connection_that_ends_without_a_response_is_one_finding_an_operation(tmp_path: Path) -> None:
    with run_hostile_server(answer(RESPONSES["status 1000"])) as server:
        code, report, _ = run(server, tmp_path, "--phases", "examples")
    assert code == 1
    assert "conversations.create/no response" in [one["case"] for one in report["deviations"]]


# -- Arguments and environment ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["http://[::1"], ["http://host:99999"], ["http://host:0"], ["http://host:x"], ["http://"], ["host"], [""],
        ["http://h\xf6st"], ["http://host name"], ["http://host/\n"], ["http://a..b\\c/"], ["file:///etc/passwd"],
        ["http://host/%zz"], ["http://host/\x00"], ["http://" + "a" * 300], ["http://127.0.0.1:1", "--prefix", "/a b"],
        ["http://127.0.0.1:1", "--prefix", "/v1?x=1"], ["http://127.0.0.1:1", "--prefix", "/v\xef"],
        ["http://127.0.0.1:1", "--prefix", "/v1#x"], ["http://127.0.0.1:1", "--prefix", "/%"],
        ["http://127.0.0.1:1", "--prefix", "\r\n"], ["http://127.0.0.1:1", "--phases", "first calls"],
    ],
)  # fmt: skip
def test_a_broken_address_is_a_usage_error(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, ["verify", *arguments], env={"MKA1_API_KEY": "some-key-1"})
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert result.output.startswith("mockserver: ")
    assert result.output.count("\n") == 1


def test_a_run_in_the_c_locale_ends_in_findings(tmp_path: Path) -> None:
    locale = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment = {**os.environ, **locale, "MKA1_API_KEY": "some-key-1"}
    environment.pop("PYTHONIOENCODING", None)
    body = '{"id": "conv_é世", "error": {"message": "\N{GRINNING FACE}"}}'.encode()
    with run_hostile_server(answer(build_response(body))) as server:
        command = [sys.executable, "-m", "mockserver", "verify", server.url, "--report-dir", str(tmp_path)]
        limits = ["--max-requests", "30", "--phases", "behaviours"]
        ended = subprocess.run([*command, *limits], env=environment, capture_output=True, timeout=60, check=False)
    assert ended.returncode == 1, ended.stderr
    assert b"Traceback" not in ended.stderr + ended.stdout
    assert json.loads((tmp_path / "report.json").read_text("utf-8"))["deviations"]


@pytest.mark.parametrize("phase", ["behaviours", "examples"])
def test_proxies_and_netrc_of_the_environment_are_ignored(start_fake, tmp_path: Path, phase: str) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret-of-netrc\n")
    netrc.chmod(0o600)
    with run_hostile_server(answer(build_response(b"{}", status="502 Bad Gateway"))) as proxy:
        environment = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), proxy.url)
        environment |= {"NETRC": str(netrc), "NO_PROXY": "", "no_proxy": "", "MKA1_API_KEY": "verify-key-number-1"}
        target = start_fake()
        limits = ["--max-requests", "35", "--phases", phase]
        result = CliRunner().invoke(main, ["verify", target.url, *limits], env=environment)
        assert proxy.requests == []
    assert "no violations" in result.output.lower()
    assert target.count_requests() > 15
