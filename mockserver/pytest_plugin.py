"""The pytest plugin with the fixture `mka1`, a live, empty, private MKA1 API.

Every pytest run of a project that installs the package loads this module, so nothing else is imported until a fixture
is used.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mockserver.testing import Mka1, Mka1Server
    from mockserver.testing.marker import MarkerOptions
    from mockserver.testing.violations import Violation, ViolationMonitor

_MARKER = (
    "mka1(seed=..., now=..., ids=..., identity_mode=..., api_keys=..., rate_limit=..., unknown_fields=..., "
    "strict=...): settings of the fake for this test"
)
_MONITOR: pytest.StashKey[ViolationMonitor] = pytest.StashKey()
_COVERAGE: pytest.StashKey[dict[str, Any]] = pytest.StashKey()
_ENVIRONMENT: pytest.StashKey[_Environment] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mka1", "a fake MKA1 API (mka1-mockserver)")
    group.addoption("--mka1-url", metavar="URL", help="run the tests against this server instead of a new fake")
    group.addoption(
        "--mka1-api-key-env",
        metavar="NAME",
        default="MKA1_API_KEY",
        help="the environment variable that holds the API key for --mka1-url (default: %(default)s)",
    )
    group.addoption(
        "--mka1-coverage", action="store_true", help="report the operations, statuses and item types in use"
    )
    parser.addini("mka1_strict", "fail tests whose client breaks the OpenAPI document", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)
    config.stash[_COVERAGE] = {}


@pytest.fixture(scope="session")
def mka1_server(request: pytest.FixtureRequest) -> Iterator[Mka1Server]:
    """Provide the server behind `mka1`: a fake in a thread of this process, or the server at `--mka1-url`."""
    from mockserver.testing import open_server

    url = request.config.getoption("--mka1-url")
    key_variable = request.config.getoption("--mka1-api-key-env")
    with ExitStack() as stack:
        with _usage_errors_in_one_line():
            server = stack.enter_context(open_server(url, key_variable))
        yield server


@pytest.fixture
def mka1(request: pytest.FixtureRequest, mka1_server: Mka1Server) -> Iterator[Mka1]:
    """Provide a live, empty, private MKA1 API.

    SDKs find it through the environment variables `OPENAI_BASE_URL`, `OPENAI_API_KEY`, `MKA1_BASE_URL` and
    `MKA1_API_KEY`. The test fails if a planned fault or reply did not fire, if a response of the fake breaks the
    OpenAPI document, or, with `mka1_strict`, if a request of the client does.
    """
    from mockserver.testing.violations import ViolationMonitor

    with _usage_errors_in_one_line():
        options = _read_markers(request.node)
        api = mka1_server.start_test(options, request.path.parent)
    strict = request.config.getini("mka1_strict") if options.strict is None else options.strict
    monitor = ViolationMonitor(api, mka1_server.reproduction, strict=strict)
    request.node.stash[_MONITOR] = monitor
    environment = request.node.stash[_ENVIRONMENT] = _Environment(api.environment())
    try:
        yield api
    finally:
        environment.restore()
    with _usage_errors_in_one_line():
        violations = monitor.check_exchanges()
        if api.is_fake and request.config.getoption("--mka1-coverage"):
            _add_coverage(request.config.stash[_COVERAGE], api.coverage())
        violations += mka1_server.finish_test(api)
    _fail(violations)


class _Environment:
    """Environment variables while a test runs."""

    def __init__(self, variables: dict[str, str]) -> None:
        self._variables = variables
        self._before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)

    def restore(self) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def restore_again(self) -> None:
        """Restore the variables if a fixture that was set up before `mka1`, such as `monkeypatch`, has set ours."""
        if any(os.environ.get(name) == value for name, value in self._variables.items()):
            self.restore()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Leave the environment as it was before the test, in whatever order its fixtures were torn down."""
    try:
        yield
    finally:
        if _ENVIRONMENT in item.stash:
            item.stash[_ENVIRONMENT].restore_again()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Check a test that has passed so far, so that a violation counts as its failure, not as a teardown error."""
    yield
    if _MONITOR in item.stash:
        monitor = item.stash[_MONITOR]
        with _usage_errors_in_one_line():
            violations = [*monitor.check_exchanges(), *monitor.check_faults()]
        _fail(violations)


def _read_markers(node: pytest.Item) -> MarkerOptions:
    """Return the options of all markers of a test; keyword by keyword, the nearest marker wins."""
    from mockserver.errors import UsageError
    from mockserver.testing.marker import MarkerOptions

    keywords: dict[str, Any] = {}
    for marker in reversed(list(node.iter_markers("mka1"))):
        if marker.args:
            raise UsageError(f"the marker mka1 takes keywords only, such as mka1(seed={marker.args[0]!r})")
        keywords.update(marker.kwargs)
    return MarkerOptions.parse(keywords)


@contextmanager
def _usage_errors_in_one_line() -> Iterator[None]:
    """Report usage errors as a one-line failure."""
    from mockserver.errors import UsageError

    try:
        yield
    except UsageError as error:
        raise pytest.fail.Exception(f"mka1: {error}", pytrace=False) from None


def _fail(violations: Sequence[Violation]) -> None:
    if violations:
        pytest.fail("\n\n".join(map(str, violations)), pytrace=False)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if not config.getoption("--mka1-coverage"):
        return
    coverage = config.stash[_COVERAGE]
    terminalreporter.section("MKA1 API coverage")
    if not coverage:
        terminalreporter.line("no test used a fake")
        return
    for operation, statuses in sorted(coverage["operations"].items()):
        counts = ", ".join(
            f"{'no response' if status == '0' else status} x{times}" for status, times in sorted(statuses.items())
        )
        terminalreporter.line(f"{operation}: {counts}")
    if coverage["dropped"]:
        terminalreporter.line(f"not counted: {coverage['dropped']} requests for which the journal had no room")
    items = coverage["items"]
    terminalreporter.line(f"items: {', '.join(f'{name} x{times}' for name, times in sorted(items.items())) or 'none'}")
    for kind, names in sorted(coverage["unused"].items()):
        unused = [name for name in names if name not in coverage[kind]]
        terminalreporter.line(f"{kind} never used: {', '.join(unused) or 'none'}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send the coverage of an xdist worker to the controller."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["mka1_coverage"] = session.config.stash[_COVERAGE]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Add the coverage of an xdist worker to the total."""
    _add_coverage(node.config.stash[_COVERAGE], getattr(node, "workeroutput", {}).get("mka1_coverage", {}))


def _add_coverage(total: dict[str, Any], coverage: dict[str, Any]) -> None:
    if not coverage:
        return
    operations = total.setdefault("operations", {})
    for operation, statuses in coverage["operations"].items():
        _add_counts(operations.setdefault(operation, {}), statuses)
    _add_counts(total.setdefault("items", {}), coverage["items"])
    total.setdefault("unused", coverage["unused"])
    total["dropped"] = total.get("dropped", 0) + coverage["dropped"]


def _add_counts(total: dict[str, int], counts: dict[str, int]) -> None:
    for name, number in counts.items():
        total[name] = total.get(name, 0) + number
