"""The blocks of docs/ci.md run as shown; blocks for other systems are at least well-formed."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PAGE = (Path(__file__).parent.parent / "docs" / "ci.md").read_text()


def code_blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def run(tmp_path):
    """Run a command in an empty folder, with `mockserver` and a stand-in for `npm` that calls the API on the PATH."""
    commands = tmp_path / "commands"
    commands.mkdir()
    (commands / "npm").write_text(
        '#!/bin/sh\ncurl -sf "$OPENAI_BASE_URL/conversations" -H "Authorization: Bearer $OPENAI_API_KEY"\n'
    )
    (commands / "npm").chmod(0o755)
    path = os.pathsep.join([str(commands), str(Path(sys.executable).parent), os.environ["PATH"]])

    def run(*command):
        return subprocess.run(
            command, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=60
        )

    return run


def test_the_shell_script_starts_waits_and_stops(run, tmp_path):
    (script,) = code_blocks("bash")
    result = run("bash", "-e", "-c", script)
    assert '{"status":"ok"' in result.stdout, result.stderr
    assert result.returncode == 0
    journal = json.loads((tmp_path / "journal.json").read_text())
    assert [exchange["operation"] for exchange in journal["data"]] == ["conversations.list"]
    coverage = json.loads((tmp_path / "coverage.json").read_text())
    assert coverage["operations"] == {"conversations.list": {"200": 1}}


def test_the_makefile_returns_the_status_of_the_tests(run, tmp_path):
    (makefile,) = code_blocks("make")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (tmp_path / "Makefile").write_text(makefile.replace("8080", str(port)))
    result = run("make", "test")
    assert result.returncode == 0, result.stderr
    assert '{"object":"list","data":[]' in result.stdout
    (tmp_path / "commands" / "npm").write_text("#!/bin/sh\nexit 3\n")
    assert run("make", "test").returncode == 2


@pytest.mark.parametrize("block", code_blocks("yaml"), ids=["GitHub Actions", "GitLab CI", "Docker Compose"])
def test_the_yaml_points_clients_at_the_api(block):
    assert re.search(r"OPENAI_BASE_URL: http://[a-z0-9.]+:8080/api/v1/llm\n", block)
    assert yaml.safe_load(block)
