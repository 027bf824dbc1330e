"""Every block of the README runs as shown."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mockserver import Settings, create_app, run_server

README = (Path(__file__).parent.parent / "README.md").read_text()


def code_blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def url():
    with run_server(create_app(Settings())) as server:
        yield server.url


def run(url, *command, text):
    result = subprocess.run(
        [*command, text.replace("http://127.0.0.1:8080", url)], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_pytest_examples(tmp_path):
    examples = [block for block in code_blocks("python") if "def test_" in block]
    for number, block in enumerate(examples):
        (tmp_path / f"test_{number}.py").write_text(block)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:schemathesis", "-p", "no:cacheprovider", tmp_path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert f"{sum(block.count('def test_') for block in examples)} passed" in result.stdout, result.stdout


def test_the_failure_text(pytester):
    pytester.makepyfile(
        """
        import openai
        import pytest

        @pytest.mark.mka1(strict=True)
        def test_metadata_has_a_typo(mka1):
            openai.OpenAI().post("/conversations", cast_to=object, body={"metadta": {"channel": "support"}})
        """
    )
    (block,) = code_blocks("text")
    result = pytester.runpytest_subprocess("-p", "no:schemathesis")
    assert block in result.stdout.str()


def test_the_python_examples(url):
    scripts = [block for block in code_blocks("python") if "def test_" not in block]
    sdk, openai, without_pytest = (run(url, sys.executable, "-c", text=block) for block in scripts)
    assert re.fullmatch(r"\['conv_[0-9a-f]{32}'\]\nuser Summarize the latest support ticket\.\n", sdk)
    assert openai == "user Is it raining?\n"
    assert without_pytest == "['message', 'message', 'function_call', 'function_call_output', 'message']\n"


def test_the_curl_example(url):
    (block,) = code_blocks("bash")
    created, found = run(url, "bash", "-c", text=block).split("}{")
    assert '"object":"conversation"' in created
    assert '"has_more":false' in found


def test_the_error(url):
    (block,) = [block for block in code_blocks("console") if "argumens" in block]
    command, shown = block.removeprefix("$ ").rsplit("\n", 2)[:2]
    assert run(url, "bash", "-c", text=command) == shown


def test_the_seed():
    (block,) = code_blocks("yaml")
    create_app(Settings(seeds=(yaml.safe_load(block),)))


def test_every_flag_of_serve_is_described():
    result = subprocess.run(
        [sys.executable, "-m", "mockserver", "serve", "--help"], capture_output=True, text=True, check=True
    )
    flags = set(re.findall(r"--[a-z-]+", result.stdout)) - {"--help"}
    assert flags == set(re.findall(r"--[a-z-]+", "".join(re.findall(r"^\| `--.*", README, re.MULTILINE))))
