"""The wheel, unpacked outside the checkout."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent

USE = """
import json, pathlib, sys, urllib.request
import mockserver
from mockserver import Settings, create_app, run_server
from mockserver.contract.document import data_path
from mockserver.resources.seeds import shipped_seeds
with run_server(create_app(Settings(seeds=tuple(shipped_seeds())))) as server:
    headers = {"Authorization": "Bearer mka1-test-key"}
    request = urllib.request.Request(f"{server.api_url}/conversations", headers=headers)
    with urllib.request.urlopen(request) as response:
        ids = [conversation["id"] for conversation in json.load(response)["data"]]
print(json.dumps({"package": mockserver.__file__, "document": str(data_path("spec/openapi.yaml")), "ids": ids}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, CHECKOUT]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Unpack the wheel, and return its folder and a function that runs Python with it, away from the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)

    def run(*arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=folder.parent,
            env={**os.environ, "PYTHONPATH": str(folder)},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return folder, run


def test_an_installed_copy_uses_its_own_files(installed):
    folder, run = installed
    result = run("-c", USE)
    assert result.stderr == ""
    output = json.loads(result.stdout)
    assert output["package"].startswith(str(folder))
    assert output["document"].startswith(str(folder))
    assert output["ids"] == ["conv_support", "conv_account"]


def test_the_installed_command_has_the_document(installed):
    _, run = installed
    result = run("-m", "mockserver", "spec", "--check")
    assert result.stdout.startswith("The document is valid: 21 operations")


def test_the_wheel_contains_only_the_package(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith("METADATA"))).decode()
    assert all(name.startswith(("mockserver/", "mka1_mockserver-")) for name in names)
    assert "mockserver/py.typed" in names
    assert "mockserver/_data/spec/behaviours.yaml" in names
    assert {f"mockserver/_data/spec/build/{name}.json" for name in ("control", "openapi", "streams")} <= set(names)
    assert any(name.startswith("mockserver/_data/fixtures/exchanges/") for name in names)
    required = [line for line in metadata.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line]
    heavy = ("schemathesis", "httpx", "pytest", "openai", "meetkai", "jsonschema>", "hypothesis")
    assert not any(name in line for line in required for name in heavy)
