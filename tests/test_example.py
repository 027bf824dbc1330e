"""The project in `tests/example`, tested with the built wheel as one who installs it would: away from the checkout."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
EXAMPLE = CHECKOUT / "tests" / "example"
TESTS = (EXAMPLE / "tests" / "test_support_bot.py").read_text()

WHERE = """
import mockserver

def pytest_report_header(config):
    found = {dist.name: dist for _, dist in config.pluginmanager.list_plugin_distinfo()}
    dist = found["mka1-mockserver"]
    entry = [one.value for one in dist.entry_points if one.group == "pytest11"]
    return [f"package: {mockserver.__file__}", f"metadata: {dist.locate_file('')}", f"entry points: {entry}"]
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder / "dist", CHECKOUT]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    (folder / "site" / "where.py").write_text(WHERE)
    return folder / "site"


@pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_the_example_runs_against_the_wheel(installed, tmp_path, arguments):
    project = shutil.copytree(EXAMPLE, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__"))
    quick = ("-p", "no:schemathesis", "-p", "no:hypothesispytest", "-p", "no:cacheprovider")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "where", *quick, *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    shown = dict(re.findall(r"^(package|metadata|entry points): (.*)$", result.stdout, re.MULTILINE))
    assert re.search(r"=+ 17 passed in", result.stdout), result.stdout + result.stderr
    assert shown == {
        "package": str(installed / "mockserver" / "__init__.py"),
        "metadata": str(installed),
        "entry points": "['mockserver.pytest_plugin']",
    }


def test_the_documentation_shows_code_of_the_example():
    page = (CHECKOUT / "docs" / "pytest.md").read_text()
    shown = re.findall(r"^```py\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert shown
    assert [block for block in shown if block not in TESTS] == []
