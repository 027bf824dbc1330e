"""The fixture `run`: pytest inside a test."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import httpcore  # noqa: F401 - httpx loads it late, and keeps its classes; pytester would forget the module
import pytest

PREAMBLE = """
import os, subprocess, sys, asyncio
import httpx, pytest
from mockserver.testing import Mka1

def call(mka1, method="POST", path="/conversations", headers=None, **options):
    return httpx.request(method, mka1.api_url + path, headers=headers or mka1.headers, verify=False, **options)
"""


SLOW = ("schemathesis", "hypothesispytest")
"""Plugins that load slowly and that inner tests do not need."""


@dataclass
class Run:
    """The outcomes of inner tests by name; `texts` has the reasons of those that did not pass."""

    outcomes: dict[str, str]
    texts: dict[str, str]
    output: str
    code: int


@pytest.fixture
def run(pytester: pytest.Pytester) -> Callable[..., Run]:
    """Run a text as a test file, in this process or `separately`."""

    def start(text: str, *arguments: str, separately: bool = False, **files: str) -> Run:
        pytester.makepyfile(test_inner=PREAMBLE + text)
        for name, content in files.items():
            pytester.path.joinpath(name.replace("__", ".")).write_text(content)
        without = [word for name in ("cacheprovider", *SLOW) for word in ("-p", f"no:{name}")]
        arguments = (*without, "-W", "error", *arguments)
        if separately:
            result = pytester.runpytest_subprocess(*arguments)
            return Run({}, {}, result.stdout.str() + result.stderr.str(), result.ret)
        result = pytester.runpytest_inprocess(*arguments)
        outcomes, texts = {}, {}
        for report in result.reprec.getreports("pytest_runtest_logreport"):  # type: ignore[attr-defined]
            name = report.nodeid.split("::", 1)[1]
            if report.outcome != "passed" or name not in outcomes:
                phase = "" if report.when == "call" or report.passed else f" in {report.when}"
                outcomes[name] = report.outcome + phase
            if report.outcome != "passed":
                text = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
                texts[name] = re.sub(r"127\.0\.0\.1:[0-9]+", "127.0.0.1:PORT", text)
        return Run(outcomes, texts, result.stdout.str() + result.stderr.str(), result.ret)

    return start
