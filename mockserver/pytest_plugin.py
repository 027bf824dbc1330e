"""The pytest plugin: a test that takes `mka1` has a live, empty, private MKA1 API.

Every pytest run of a project that installs the package loads this file, so it imports nothing heavy until a fixture is
used.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mockserver.testing import Mka1, Target

_MARKER = (
    "mka1(seed=..., now=..., ids=..., identity_mode=..., api_keys=..., rate_limit=..., unknown_fields=..., "
    "strict=...): how the fake of this test is set"
)
_API = pytest.StashKey["tuple[Mka1, bool]"]()
_COVERAGE = pytest.StashKey["dict[str, Any]"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mka1", "a fake MKA1 API (mka1-mockserver)")
    group.addoption("--mka1-url", metavar="URL", help="test against this server in the place of a fake of one's own")
    group.addoption(
        "--mka1-api-key-env",
        metavar="NAME",
        default="MKA1_API_KEY",
        help="the environment variable that holds the API key for --mka1-url (default: %(default)s)",
    )
    group.addoption(
        "--mka1-coverage", action="store_true", help="report which operations, statuses and items were exercised"
    )
    parser.addini(
        "mka1_strict", "fail a test whose client sends what the document does not allow", type="bool", default=False
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)
    config.stash[_COVERAGE] = {}


@pytest.fixture(scope="session")
def mka1_server(request: pytest.FixtureRequest) -> Iterator[Target]:
    """The server behind `mka1`: a fake in a thread of this process, or what `--mka1-url` names."""
    from mockserver.testing import open_target

    url = request.config.getoption("--mka1-url")
    variable = request.config.getoption("--mka1-api-key-env")
    with ExitStack() as running:
        with _one_line_errors():
            target = running.enter_context(open_target(url, os.environ.get(variable) if url else None, variable))
        yield target


@pytest.fixture
def mka1(request: pytest.FixtureRequest, mka1_server: Target) -> Iterator[Mka1]:
    """A live, empty, private MKA1 API.

    The SDKs find it by their environment variables, too: `OPENAI_BASE_URL` and `OPENAI_API_KEY`, `MKA1_BASE_URL` and
    `MKA1_API_KEY`. The test fails if the fake broke its own document, if a planned fault never fired, or, where
    `mka1_strict` is set, if the client sent anything that the document does not allow.
    """
    with _one_line_errors():
        options = _marked(request.node)
        strict = options.pop("strict", request.config.getini("mka1_strict"))
        api = mka1_server.begin(options, request.path.parent)
    request.node.stash[_API] = api, strict
    with pytest.MonkeyPatch.context() as environment:
        for name, value in api.environment().items():
            environment.setenv(name, value)
        yield api
    with _one_line_errors():
        complaints = api.complaints(strict=strict, faults=False)
        if api.is_fake and request.config.getoption("--mka1-coverage"):
            _add(request.config.stash[_COVERAGE], api.coverage())
        complaints += api.end()
    _fail(complaints)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """A test that has come to its end well fails here, and not as an error of its teardown."""
    yield
    if _API in item.stash:
        api, strict = item.stash[_API]
        with _one_line_errors():
            complaints = api.complaints(strict=strict, faults=True)
        _fail(complaints)


def _marked(node: pytest.Item) -> dict[str, Any]:
    """What the markers ask for, the nearest one first."""
    from mockserver.errors import UsageError

    options: dict[str, Any] = {}
    for marker in reversed(list(node.iter_markers("mka1"))):
        if marker.args:
            raise UsageError(f"the marker mka1 takes keywords only, such as mka1(seed={marker.args[0]!r})")
        options.update(marker.kwargs)
    return options


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """What the person who wrote the test has to mend is told in a line, without a traceback."""
    from mockserver.errors import UsageError

    try:
        yield
    except UsageError as error:
        raise pytest.fail.Exception(f"mka1: {error}", pytrace=False) from None


def _fail(complaints: list[str]) -> None:
    if complaints:
        pytest.fail("\n\n".join(complaints), pytrace=False)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if not config.getoption("--mka1-coverage"):
        return
    counted = config.stash[_COVERAGE]
    terminalreporter.section("MKA1 API coverage")
    if not counted:
        terminalreporter.line("no test has used a fake")
        return
    for operation, statuses in sorted(counted["operations"].items()):
        answered = ", ".join(
            f"{'no answer' if status == '0' else status} x{times}" for status, times in sorted(statuses.items())
        )
        terminalreporter.line(f"{operation}: {answered}")
    items = counted["items"]
    terminalreporter.line(f"items: {', '.join(f'{name} x{times}' for name, times in sorted(items.items())) or 'none'}")
    for what, names in sorted(counted["unused"].items()):
        unused = [name for name in names if name not in counted[what]]
        terminalreporter.line(f"{what} never used: {', '.join(unused) or 'none'}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Under xdist: hand what this worker has covered to the controller."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["mka1_coverage"] = session.config.stash[_COVERAGE]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Under xdist: take over what a worker has covered."""
    _add(node.config.stash[_COVERAGE], getattr(node, "workeroutput", {}).get("mka1_coverage", {}))


def _add(total: dict[str, Any], counted: dict[str, Any]) -> None:
    if not counted:
        return
    operations = total.setdefault("operations", {})
    for operation, statuses in counted["operations"].items():
        sums = operations.setdefault(operation, {})
        for status, times in statuses.items():
            sums[status] = sums.get(status, 0) + times
    items = total.setdefault("items", {})
    for name, times in counted["items"].items():
        items[name] = items.get(name, 0) + times
    total.setdefault("unused", counted["unused"])
