"""The command, run as a user runs it."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest
import yaml

from mockserver.contract.document import load_document

KEY = {"Authorization": "Bearer mka1-test-key"}


def environment(**variables):
    return {name: value for name, value in os.environ.items() if not name.startswith("MOCKSERVER_")} | variables


def run(*arguments, **variables):
    return subprocess.run(
        [sys.executable, "-m", "mockserver", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        env=environment(**variables),
    )


@contextmanager
def serving(*arguments, **variables):
    """Run `mockserver serve` and yield the process and its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mockserver", "serve", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**variables),
    )
    try:
        yield process, re.fullmatch(r"Listening on (http://\S+)\n", process.stdout.readline())[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=15)
        process.stdout.close()
        process.stderr.close()


def test_serve_prints_its_url_when_ready_and_stops_on_sigterm():
    with serving() as (process, url):
        assert httpx.get(f"{url}/api/v1/llm/conversations", headers=KEY).json()["data"] == []
    assert process.returncode == 0


def test_serve_reads_its_settings_from_flags():
    flags = ["--seed", "support-thread", "--api-key", "k1", "--api-key", "k2=acme", "--identity-mode", "raw"]
    flags += ["--rate-limit", "100/m", "--ids", "sequential", "--unknown-fields", "reject", "--max-body", "1KiB"]
    with serving(*flags, "--cors", "https://app.example", "--log-format", "json") as (process, url):
        conversations = f"{url}/api/v1/llm/conversations"
        k1 = {"Authorization": "Bearer k1"}
        k2 = {"Authorization": "Bearer k2", "Origin": "https://app.example"}
        assert [one["id"] for one in httpx.get(conversations, headers=k1).json()["data"]] == ["conv_support"]
        created = httpx.post(conversations, json={}, headers=k2)
        assert created.json()["id"] == "conv_00000000000000000000000000000001"
        assert created.json()["identity"] == "acme:"
        assert created.headers["Access-Control-Allow-Origin"] == "https://app.example"
        assert httpx.post(conversations, json={"colour": 1}, headers=k2).status_code == 400
        assert httpx.post(conversations, json={"metadata": {"a": "x" * 2000}}, headers=k2).status_code == 413
        assert httpx.get(conversations, headers=KEY).status_code == 401
        process.send_signal(signal.SIGTERM)
        lines = [json.loads(line) for line in process.communicate(timeout=15)[1].splitlines()]
    assert [line["status"] for line in lines] == [200, 200, 400, 413, 401]


def test_serve_reads_its_settings_from_the_environment():
    variables = {"MOCKSERVER_API_KEY": "k1,k2", "MOCKSERVER_IDS": "sequential", "MOCKSERVER_LOG_FORMAT": "none"}
    with serving(**variables) as (process, url):
        created = httpx.post(f"{url}/api/v1/llm/conversations", json={}, headers={"Authorization": "Bearer k2"})
        assert created.json()["id"].endswith("0001")
        assert httpx.get(f"{url}/api/v1/llm/conversations", headers=KEY).status_code == 401
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=15)[1] == ""
    assert process.returncode == 0


def test_a_port_in_use_is_reported():
    with serving() as (_, url):
        port = url.rpartition(":")[2]
        result = run("serve", "--port", port)
    assert (result.returncode, result.stdout) == (2, "")
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in result.stderr
    assert "choose another port" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serve", "--rate-limit", "10"], "a rate limit must be such as 10/s"),
        (["serve", "--api-key", "hush hush"], "an API key must be KEY or KEY=ACCOUNT"),
        (
            ["serve", "--seed", "nothing"],
            "seed nothing: there is no such file, and the shipped seeds are: support-thread,",
        ),
        (["serve", "--max-body", "much"], "'much' is not a size such as 500, 64KiB or 10MiB."),
        (["serve", "--max-body", "0"], "'0' is not a size"),
        (["serve", "--host", "203.0.113.1"], "cannot listen on 203.0.113.1:8080: "),
        (["serve", "--port", "70000"], "70000 is not in the range"),
        (["serve", "--ids", "uuid"], "'uuid' is not one of 'random', 'sequential'"),
        (["serve", "--sed", "x"], "No such option"),
        (["spec", "-o", "/nowhere/at/all.yaml"], "cannot write /nowhere/at/all.yaml: No such file or directory"),
        (["sing"], "No such command 'sing'"),
    ],
)
def test_usage_errors_exit_with_2_and_one_line(arguments, message):
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr.splitlines()[-1]
    assert "hush" not in result.stderr


@pytest.mark.parametrize(("text", "size"), [("500", 500), ("2B", 2), ("64KiB", 65536), ("1 mib", 1048576)])
def test_sizes_are_parsed_with_their_unit(text, size):
    from mockserver.cli import Size

    assert Size().convert(text, None, None) == size


def test_spec_prints_the_document_as_one_file(tmp_path):
    document = load_document()
    assert json.loads(run("spec", "--format", "json").stdout) == document
    assert yaml.safe_load(run("spec").stdout) == document
    assert run("spec", "-o", str(tmp_path / "api.yaml")).stdout == ""
    assert yaml.safe_load((tmp_path / "api.yaml").read_text()) == document


def test_spec_check_validates_the_document():
    result = run("spec", "--check")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "The document is valid: 21 operations, every schema compiles.\n"


def test_help_and_version():
    assert "--seed" in run("serve", "--help").stdout
    assert "MOCKSERVER_SEED" in run("serve", "--help").stdout
    assert re.fullmatch(r"mockserver, version \d+\.\d+\.\d+\n", run("--version").stdout)
