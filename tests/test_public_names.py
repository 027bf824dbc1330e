import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import mockserver


def test_static_tools_see_the_public_names():
    imports = re.findall(r"from (\S+) import (\w+) as \2\n", Path(mockserver.__file__).read_text())
    assert sorted(name for _, name in imports) == mockserver.__all__
    for module, name in imports:
        assert getattr(mockserver, name) is getattr(import_module(module), name)


def test_other_names_raise_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing"):
        mockserver.nothing  # noqa: B018


def test_importing_the_package_imports_nothing_heavy():
    command = "import sys, mockserver; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout.split()
    assert {"starlette", "uvicorn", "yaml", "jsonschema_rs", "click"}.isdisjoint(loaded)
