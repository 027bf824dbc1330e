"""Options, the ini file, xdist, and the cost of the plugin in runs that do not use it."""

import subprocess
import sys

import pytest

COVERAGE = """
ITEMS = [
    {"type": "message", "role": "user", "content": "hi"},
    {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
]

@pytest.mark.parametrize("number", range(4))
def test_create(mka1, number):
    call(mka1, json={"items": ITEMS[: number % 2 + 1]})
    mka1.requests.assert_called("conversations.create", times=1)

def test_list(mka1):
    mka1.faults.closed("conversations.list")
    with pytest.raises(httpx.HTTPError):
        call(mka1, "GET")
    call(mka1, "GET", "/conversations?limit=0")

def test_missing(mka1):
    call(mka1, "GET", "/conversations/conv_1")

def test_without():
    pass
"""


@pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_coverage_is_reported(run, arguments):
    output = run(COVERAGE, "--mka1-coverage", *arguments, separately=bool(arguments)).output
    _, _, summary = output.partition(" MKA1 API coverage ")
    lines = summary.splitlines()[1:]
    assert lines[:3] == [
        "conversations.create: 200 x4",
        "conversations.list: no response x1, 400 x1",
        "conversations.retrieve: 404 x1",
    ]
    assert lines[3] == "items: function_call x2, message x4"
    assert lines[4].startswith("items never used: ")
    assert "custom_tool_call" in lines[4]
    assert " message" not in lines[4]
    assert lines[5].startswith(
        "operations never used: conversations.update, conversations.delete, conversations.items.list, "
        "conversations.items.create, conversations.items.deleteMany, conversations.items.retrieve, "
        "conversations.items.delete"
    )


def test_coverage_without_a_fake(run):
    output = run("def test_it(): ...", "--mka1-coverage").output
    assert "MKA1 API coverage" in output
    assert "no test used a fake" in output
    assert "MKA1 API coverage" not in run("def test_it(mka1): ...").output


def test_strict_can_be_set_for_all_tests(run, pytester):
    pytester.makeini("[pytest]\nmka1_strict = true")
    result = run(
        """
def test_wrong(mka1):
    call(mka1, json=[])

def test_unknown_field(mka1):
    call(mka1, json={"colour": "blue"})

@pytest.mark.mka1(strict=False)
def test_not_strict(mka1):
    call(mka1, json=[])
"""
    )
    assert result.outcomes == {"test_wrong": "failed", "test_unknown_field": "failed", "test_not_strict": "passed"}
    assert "body : must be an object, not an empty array" in result.texts["test_wrong"]
    assert "body /colour: is not a known field" in result.texts["test_unknown_field"]


def test_the_options_are_described(pytester):
    shown = pytester.runpytest_inprocess("--help").stdout.str()
    assert "a fake MKA1 API (mka1-mockserver):" in shown
    for option in ("--mka1-url=URL", "--mka1-api-key-env=NAME", "--mka1-coverage", "mka1_strict (bool):"):
        assert option in shown


def test_the_plugin_can_be_disabled(run):
    result = run("def test_it(): ...\ndef test_other(mka1): ...", "-p", "no:mka1")
    assert "fixture 'mka1' not found" in result.output
    assert "1 passed, 1 error" in result.output


HEAVY = {
    "starlette",
    "uvicorn",
    "uvloop",
    "yaml",
    "jsonschema_rs",
    "orjson",
    "jiter",
    "click",
    "httptools",
    "openapi_core",
}
OURS = {"mockserver", "mockserver.pytest_plugin"}


def test_loading_the_plugin_loads_nothing_else(pytester):
    """Compare the modules after a run on an empty file, with and without the plugin."""
    pytester.makepyfile("")
    pytester.makeconftest("import sys\ndef pytest_unconfigure():\n    print('modules:', *sorted(sys.modules))")

    def loaded(*arguments):
        command = [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", *arguments]
        others = ("xdist", "hypothesispytest", "_hypothesis_pytestplugin", "anyio", "schemathesis")
        without = [word for name in others for word in ("-p", f"no:{name}")]
        output = subprocess.run([*command, *without], capture_output=True, text=True, cwd=pytester.path).stdout
        (line,) = [line for line in output.splitlines() if line.startswith("modules: ")]
        return set(line.split()[1:])

    with_plugin = loaded()
    assert with_plugin - loaded("-p", "no:mka1") == OURS
    assert with_plugin.isdisjoint(HEAVY)


def test_a_run_that_does_not_use_the_fixture_starts_no_server(run):
    text = """
import threading

def test_it():
    assert [thread.name for thread in threading.enumerate() if thread.name == "mockserver"] == []
"""
    result = run(text, separately=True)  # This process has servers of its own.
    assert result.code == 0, result.output
    assert "1 passed" in result.output
