"""The access log under attack: forged lines, terminal escapes, data in messages, and a stderr that nobody reads."""

import json
import logging
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import httpx
import pytest

from mockserver import Settings, create_app
from mockserver.gateway.access_log import AccessLog, LogHandler, describe_dropped_lines
from mockserver.gateway.line_writer import LineWriter
from tests.support.asgi_client import AsgiClient
from tests.support.raw_connection import RawConnection
from tests.test_cli import environment, serving

EVIL_NAMES = [
    "\x1b[2J\x1b]0;title\x07",
    "a\nGET /forged 200 0.1 ms",
    "a\rGET /forged 200 0.1 ms",
    "\x9b31m",
    "\u202e\u2066right to left",
    "\u2028\u2029\u0085\x0b\x0c",
    "a; body /forged unknown_field",
    "\x7f\x00",
    "\U000e0041\ufeff\u200b",
    "n" * 100_000,
]
CONVERSATIONS = "/api/v1/llm/conversations"
KEY = {"Authorization": "Bearer very-secret"}


def read_log(log_format, *requests, **settings):
    """Return the line for each request; a request is a method, a path and options of the client."""
    lines = []
    fake = create_app(Settings(**settings))
    app = AccessLog(fake, fake.state.journal, log_format, lambda make, *arguments: lines.append(make(*arguments)))
    with AsgiClient.connect(app, KEY) as client:
        for method, path, options in requests:
            client.root.request(method, path, **options)
    return lines


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("name", EVIL_NAMES)
@pytest.mark.parametrize("unknown_fields", ["note", "reject"])
def test_a_field_name_does_not_leave_its_place(log_format, name, unknown_fields):
    body = {name: 1, "metadata": {name: 1}, "items": [{name: 2}]}
    requests = [("POST", CONVERSATIONS, {"json": body}), ("POST", CONVERSATIONS, {"json": {name: 1}})]
    for line in read_log(log_format, *requests, unknown_fields=unknown_fields):
        assert line.isascii()
        assert line.isprintable()
        assert len(line) < 10_000
        assert "n" * 1000 not in line
        if log_format == "text":
            assert re.fullmatch(r"POST /\S+ \d+ [\d.]+ ms(; [a-z]+( /\S*)? [a-zA-Z_]+)*", line), line
            assert "; body /forged unknown_field" not in line
        else:
            json.loads(line)


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("path", ["/\x1b[2J", "/a\nforged", "/\x9b31m", "/" + "p" * 100_000, "/\u00e9", "/a b"])
def test_a_path_does_not_leave_its_place(log_format, path):
    (line,) = read_log(log_format, ("GET", path, {}))
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 10_000
    if log_format == "text":
        assert re.fullmatch(r"GET /\S* 404 [\d.]+ ms", line)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_value_of_a_body_or_a_query_is_shown(log_format):
    item = {"type": "private-type", "role": "private-role", "id": "private id"}
    requests = [
        ("POST", CONVERSATIONS, {"json": {"metadata": {"a": ["private-value"]}}}),
        ("POST", CONVERSATIONS, {"json": {"items": [item, {"type": "message", "role": "private-role"}]}}),
        ("POST", CONVERSATIONS, {"json": {"items": "private-items"}}),
        ("POST", CONVERSATIONS, {"content": b'{"a": private', "headers": {"Content-Type": "application/json"}}),
        ("POST", CONVERSATIONS, {"content": b"private", "headers": {"Content-Type": "text/private"}}),
        ("GET", CONVERSATIONS + "?limit=private&after=private&order=private&search=private", {}),
        ("GET", CONVERSATIONS + "?after=private", {}),
        ("GET", CONVERSATIONS, {"headers": {"X-On-Behalf-Of": "private", "X-Mock-Fault": '{"status": "private"}'}}),
    ]
    lines = read_log(log_format, *requests)
    assert len(lines) == len(requests)
    assert not [line for line in lines if "private" in line or "secret" in line]


def test_a_request_with_many_findings_is_one_short_line():
    body = {f"field-{number}": number for number in range(500)}
    text, structured = (read_log(form, ("POST", CONVERSATIONS, {"json": body}))[0] for form in ("text", "json"))
    assert len(text) < 2000
    assert len(structured) < 4000


def test_other_messages_are_escaped_and_keep_the_format():
    lines = []
    for log_format in ("text", "json"):
        handler = LogHandler(log_format, lambda make, *arguments: lines.append(make(*arguments)))
        try:
            raise ValueError("\x1b[2J\rforged \udcff")
        except ValueError:
            handler.handle(logging.LogRecord("a", logging.ERROR, "", 0, "%s failed", ("it",), sys.exc_info()))
    *text, structured = lines
    assert text[0] == "it failed"
    assert not [line for line in text if "\n" in line or "\r" in line]
    entry = json.loads(structured)
    assert (entry["level"], entry["message"].splitlines()[0]) == ("ERROR", "it failed")
    assert structured.isascii()
    assert structured.isprintable()


def test_the_number_of_dropped_lines_is_told_in_the_format_of_the_log():
    assert describe_dropped_lines("text", 3).startswith("3 lines")
    assert json.loads(describe_dropped_lines("json", 3))["dropped"] == 3


# A stderr that nobody reads


def start_server(*arguments, stderr, **variables):
    process = subprocess.Popen(
        [sys.executable, "-m", "mockserver", "serve", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env=environment(**variables),
    )
    return process, process.stdout.readline().split()[-1]


def stop(process):
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    code = process.wait(timeout=10)
    process.stdout.close()
    return code, time.monotonic() - started


def test_a_server_whose_stderr_nobody_reads_keeps_serving():
    process, url = start_server(stderr=subprocess.PIPE)
    path = "/" + "x" * 900
    with httpx.Client(base_url=url, timeout=5) as client:
        for _ in range(500):
            assert client.get(path).status_code == 404
    # Requests that uvicorn itself rejects are logged, too.
    for _ in range(50):
        with RawConnection(url, timeout=5) as connection:
            assert connection.send(b"nonsense\r\n\r\n").read_response().status_code == 400
    code, seconds = stop(process)
    assert code == 0
    assert seconds < 5
    process.stderr.close()


def test_a_server_whose_stderr_is_closed_keeps_serving():
    reading, writing = os.pipe()
    process, url = start_server(stderr=writing)
    os.close(writing)
    os.close(reading)
    with httpx.Client(base_url=url, timeout=5) as client:
        for _ in range(20):
            assert client.get("/").status_code == 404
            time.sleep(0.01)
    assert stop(process)[0] == 0


def test_a_server_that_is_started_without_a_stderr_serves():
    command = f"exec {shlex.quote(sys.executable)} -m mockserver serve --port 0 2>&-"
    process = subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE, text=True, env=environment())
    url = process.stdout.readline().split()[-1]
    for _ in range(3):
        assert httpx.get(url + "/").status_code == 404
    assert stop(process)[0] == 0


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_every_line_is_written_before_the_end(sent):
    with serving() as (process, url):
        for _ in range(20):
            httpx.get(url + "/")
        process.send_signal(sent)
        log = process.communicate(timeout=15)[1]
    assert log.count("GET / 404 ") == 20


def test_lines_are_written_while_the_server_is_idle():
    with serving() as (process, url):
        httpx.get(url + "/")
        os.set_blocking(process.stderr.fileno(), False)
        time.sleep(0.5)
        assert process.stderr.readline().startswith("GET / 404 ")


# The writer


def read_available(descriptor):
    os.set_blocking(descriptor, False)
    return os.read(descriptor, 1 << 24).decode()


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def test_a_full_pipe_drops_lines_and_says_how_many(pipe):
    reading, writing = pipe
    started = time.monotonic()
    with LineWriter(writing, describe_dropped=lambda number: f"{number} dropped") as writer:
        for number in range(50_000):
            writer.write(str, f"line {number} " + "x" * 100)
        assert time.monotonic() - started < 2
        received = ""
        deadline = time.monotonic() + 5
        while " dropped\n" not in received and time.monotonic() < deadline:
            received += read_available_or_wait(reading)
            writer.write(str, "again")
    lines = received.splitlines()
    (dropped,) = [int(line.split()[0]) for line in lines if line.endswith(" dropped")]
    numbered = [line for line in lines if line.startswith("line ")]
    assert dropped + len(numbered) >= 50_000
    assert dropped > 0
    assert all(line.endswith("x" * 100) for line in numbered)


def read_available_or_wait(descriptor):
    try:
        return read_available(descriptor)
    except BlockingIOError:
        time.sleep(0.01)
        return ""


def test_the_end_does_not_wait_for_a_pipe_that_nobody_reads(pipe):
    _, writing = pipe
    started = time.monotonic()
    with LineWriter(writing) as writer:
        for _ in range(20_000):
            writer.write(str, "x" * 100)
    assert time.monotonic() - started < 4


@pytest.mark.parametrize("delay", [0.0, 0.2])
def test_a_non_blocking_pipe_loses_no_part_of_a_line(pipe, delay):
    reading, writing = pipe
    os.set_blocking(writing, False)
    with LineWriter(writing) as writer:
        for number in range(2000):
            writer.write(str, f"{number:04} " + "x" * 100)
        time.sleep(delay)
        received = ""
        deadline = time.monotonic() + 5
        while received.count("\n") < 2000 and time.monotonic() < deadline:
            received += read_available_or_wait(reading)
    assert [line[:4] for line in received.splitlines()] == [f"{number:04}" for number in range(2000)]


def test_lines_are_escaped(pipe):
    reading, writing = pipe
    with LineWriter(writing) as writer:
        writer.write(str, "\x1b[2J\nforged \x9b \u202e \udcff")
    assert read_available(reading) == "\\x1b[2J\\nforged \\x9b \\u202e \\udcff\n"


def test_a_line_is_written_within_a_tenth_of_a_second(pipe):
    reading, writing = pipe
    with LineWriter(writing) as writer:
        time.sleep(0.1)
        writer.write(str, "a line")
        time.sleep(0.15)
        assert read_available(reading) == "a line\n"
