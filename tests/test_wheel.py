"""The wheel, unpacked outside the checkout."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
VERSION = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"]

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


def install(folder, *requirements):
    """Install the package as the README says, but without its dependencies, and return its version."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*command, "--target", folder, *requirements], check=True, capture_output=True)
    (metadata,) = folder.glob("mka1_mockserver-*.dist-info")
    return metadata.name.removeprefix("mka1_mockserver-").removesuffix(".dist-info")


@pytest.mark.skipif(not (CHECKOUT / ".git").exists(), reason="the tests run outside a Git checkout")
def test_the_package_can_be_installed_from_a_repository(tmp_path):
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    repository = f"git+file://{CHECKOUT}@{commit.stdout.strip()}"
    assert install(tmp_path / "site", f"mka1-mockserver @ {repository}") == VERSION
    assert (tmp_path / "site" / "mockserver" / "_data" / "spec" / "openapi.yaml").exists()


def test_the_package_can_be_installed_from_a_wheel_file(wheel, tmp_path):
    assert install(tmp_path / "site", str(wheel)) == VERSION


def test_pages_name_the_current_version_and_no_package_of_an_index(wheel):
    pages = [CHECKOUT / "README.md", *(CHECKOUT / "docs").glob("*.md")]
    lines = [line for page in pages for line in page.read_text().splitlines() if "pip install" in line]
    assert len(lines) >= 5
    for line in lines:
        assert not re.search(r"pip install [^#]*(?<![/\w])mka1-mockserver(?! @)", line), line
        assert set(re.findall(r"mka1_mockserver\S+\.whl", line)) <= {wheel.name}
        assert set(re.findall(r"@v([0-9.]+)", line)) <= {VERSION}


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
