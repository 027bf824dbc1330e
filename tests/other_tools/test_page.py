"""The examples in `docs/other-tools.md` run, with the tools that are installed: see `make test-other-tools`."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "other-tools.md").read_text()
SECTIONS = {
    "respx": (["respx"], []),
    "VCR": (["vcr"], []),
    "pytest-socket": (["pytest_socket"], ["--disable-socket", "--allow-hosts=127.0.0.1", "-W", "default"]),
    "freezegun and time-machine": (["freezegun", "time_machine"], []),
    "pytest-xdist": (["xdist"], ["-n", "2"]),
    "pytest-rerunfailures": (["pytest_rerunfailures"], []),
}
CREATE = """
import openai

def create(mka1):
    with openai.OpenAI(max_retries=0) as client:
        client.conversations.create()
"""


def examples(section):
    text = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)[1]
    (block,) = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return text, block


@pytest.mark.parametrize("section", SECTIONS)
def test_an_example_passes(run, section):
    modules, arguments = SECTIONS[section]
    for module in modules:
        pytest.importorskip(module)
    text, block = examples(section)
    assert all(argument in text for argument in arguments if argument.startswith("--"))
    result = run(block, *arguments, separately=True)
    assert result.code == 0, result.output
    number = 8 if section == "pytest-xdist" else block.count("\ndef test_")
    assert f"{number} passed" in result.output


def test_every_section_runs():
    with_examples = {
        section for section in re.findall(r"^## (.*)$", PAGE, re.MULTILINE) if "Which client" not in section
    }
    assert with_examples == set(SECTIONS)


def test_respx_sees_only_the_mka1_client(run):
    pytest.importorskip("respx")
    text = (
        CREATE
        + """
import respx
from meetkai_mka1 import SDK

def test_it(mka1):
    with respx.mock(assert_all_called=False):
        create(mka1)
        with SDK(bearer_auth=mka1.api_key, server_url=mka1.url) as sdk:
            with pytest.raises(respx.models.AllMockedAssertionError):
                sdk.llm.conversations.create()
    assert len(mka1.requests) == 1
"""
    )
    assert run(text, separately=True).code == 0


def test_vcr_answers_requests_itself(run):
    pytest.importorskip("vcr")
    text = (
        CREATE
        + """
import vcr

def test_it(mka1, tmp_path):
    for _ in range(2):
        with vcr.use_cassette(tmp_path / "cassette.yaml"):
            create(mka1)
    assert len(mka1.requests) == 1
"""
    )
    result = run(text, separately=True)
    assert result.code == 0, result.output


@pytest.mark.parametrize(
    ("module", "arguments", "is_blocked"),
    [
        ("pytest_socket", ["--disable-socket"], True),
        ("pytest_recording", ["--block-network"], True),
        ("pytest_recording", ["--block-network", "--allowed-hosts=127.0.0.1"], False),
    ],
)
def test_blocked_networks(run, module, arguments, is_blocked):
    pytest.importorskip(module)
    text = CREATE + "\ndef test_it(mka1):\n    create(mka1)\n"
    result = run(text, *arguments, separately=True)
    assert (result.code != 0) == is_blocked, result.output
    if is_blocked:
        assert "SocketBlockedError" in result.output or "Network is disabled" in result.output


@pytest.mark.parametrize("module", ["freezegun", "time_machine"])
def test_delays_and_waiting_end_in_a_frozen_time(run, module):
    pytest.importorskip(module)
    freeze = 'freezegun.freeze_time("2024-01-01")' if module == "freezegun" else "time_machine.travel(0, tick=False)"
    text = (
        CREATE
        + f"""
import {module}

def test_it(mka1):
    with {freeze}:
        mka1.faults.delayed("conversations.create", seconds=0.05)
        create(mka1)
        with pytest.raises(AssertionError, match="waited"):
            mka1.requests.wait_for("conversations.create", times=2, timeout=0.1)
"""
    )
    result = run(text, separately=True)
    assert result.code == 0, result.output


def test_reruns_keep_what_is_shared(run):
    pytest.importorskip("pytest_rerunfailures")
    text = (
        CREATE
        + """
runs = []

@pytest.mark.flaky(reruns=1)
def test_it(mka1_module):
    create(mka1_module)
    runs.append(1)
    assert len(mka1_module.requests) == len(runs) == 2
"""
    )
    result = run(text, separately=True)
    assert result.code == 0, result.output
    assert "1 passed, 1 rerun" in result.output
