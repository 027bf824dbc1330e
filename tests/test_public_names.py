import subprocess
import sys

import pytest

import mockserver


def test_the_public_names_are_sorted_and_can_be_had():
    assert mockserver.__all__ == sorted(mockserver.__all__)
    for name in mockserver.__all__:
        assert getattr(mockserver, name).__name__ == name


def test_another_name_cannot_be_had():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        mockserver.nothing  # noqa: B018


def test_importing_the_package_imports_nothing_heavy():
    command = "import sys, mockserver; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout.split()
    assert {"starlette", "uvicorn", "yaml", "jsonschema_rs", "click"}.isdisjoint(loaded)
