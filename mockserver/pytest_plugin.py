"""The pytest plugin with the fixture `mka1`, a live, empty, private MKA1 API.

Every pytest run of a project that installs the package loads this module, so nothing else is imported until a fixture
is used.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mockserver.testing import Mka1, Mka1Server
    from mockserver.testing.environment import Environment
    from mockserver.testing.marker import MarkerOptions
    from mockserver.testing.violations import Violation, ViolationMonitor

_MARKER = (
    "mka1(seed=..., now=..., ids=..., identity_mode=..., api_keys=..., rate_limit=..., unknown_fields=..., "
    "strict=...): settings of the fake for this test"
)
_NO_SERVER = "http://127.0.0.1:9"
"""An address where nothing listens: port 9 is that of the retired protocol `discard`."""


@dataclass
class _OpenFixture:
    """A fixture that is in use: the monitor of its API, and the environment variables that lead to it."""

    name: str
    is_shared: bool
    api: Mka1
    monitor: ViolationMonitor
    variables: dict[str, str]


@dataclass
class _Run:
    """The state of one pytest run. `removed` are the variables of the fixtures that the running test has closed."""

    coverage: dict[str, Any] = field(default_factory=dict)
    fixtures: list[_OpenFixture] = field(default_factory=list)
    removed: list[dict[str, str]] = field(default_factory=list)
    guarded: dict[str, str | None] = field(default_factory=dict)


_RUN: pytest.StashKey[_Run] = pytest.StashKey()
_ENVIRONMENT: pytest.StashKey[Environment] = pytest.StashKey()


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
    parser.addini("mka1_autouse", "use the fixture mka1 in every test", type="bool", default=False)
    parser.addini("mka1_api_key", "one API key for all tests, instead of a new one for each", default="")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)
    run = config.stash[_RUN] = _Run()
    if config.getini("mka1_autouse"):
        config.pluginmanager.register(_Autouse(), "mka1-autouse")
        if config.getoption("--mka1-url") is None:
            run.guarded = _guard_environment()


def pytest_unconfigure(config: pytest.Config) -> None:
    _restore_environment(config.stash[_RUN].guarded)


class _Autouse:
    """A plugin that uses the fixture `mka1` in every test that uses none of a wider scope."""

    @pytest.fixture(autouse=True)
    def _mka1_autouse(self, request: pytest.FixtureRequest) -> None:
        if not {"mka1_class", "mka1_module", "mka1_session"}.intersection(request.fixturenames):
            request.getfixturevalue("mka1")


def _guard_environment() -> dict[str, str | None]:
    """Lead clients that are created outside a test to no server, and return the variables as they were."""
    guard = {"OPENAI_BASE_URL": f"{_NO_SERVER}/api/v1/llm", "MKA1_BASE_URL": _NO_SERVER}
    guard |= dict.fromkeys(("OPENAI_API_KEY", "MKA1_API_KEY"), "mka1-is-available-only-within-a-test")
    before = {name: os.environ.get(name) for name in guard}
    os.environ.update(guard)
    return before


def _restore_environment(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture(scope="session")
def mka1_server(request: pytest.FixtureRequest) -> Iterator[Mka1Server]:
    """Provide the server behind `mka1`: a fake in a thread of this process, or the server at `--mka1-url`."""
    from mockserver.testing import open_server

    url = request.config.getoption("--mka1-url")
    key_variable = request.config.getoption("--mka1-api-key-env")
    api_key = request.config.getini("mka1_api_key") or None
    with ExitStack() as stack:
        with _usage_errors_in_one_line():
            server = stack.enter_context(open_server(url, key_variable, api_key))
        yield server


@pytest.fixture
def mka1(request: pytest.FixtureRequest, mka1_server: Mka1Server) -> Iterator[Mka1]:
    """Provide a live, empty, private MKA1 API.

    SDKs find it through the environment variables `OPENAI_BASE_URL`, `OPENAI_API_KEY`, `MKA1_BASE_URL` and
    `MKA1_API_KEY`. The test fails if a planned fault or reply did not fire, if a response of the fake breaks the
    OpenAPI document, or, with `mka1_strict`, if a request of the client does.
    """
    yield from _provide(request, mka1_server)


@pytest.fixture(scope="class")
def mka1_class(request: pytest.FixtureRequest, mka1_server: Mka1Server) -> Iterator[Mka1]:
    """Provide an MKA1 API like `mka1`, which the tests of a class share."""
    with mka1_server.for_scope() as server:
        yield from _provide(request, server)


@pytest.fixture(scope="module")
def mka1_module(request: pytest.FixtureRequest, mka1_server: Mka1Server) -> Iterator[Mka1]:
    """Provide an MKA1 API like `mka1`, which the tests of a module share."""
    with mka1_server.for_scope() as server:
        yield from _provide(request, server)


@pytest.fixture(scope="session")
def mka1_session(request: pytest.FixtureRequest, mka1_server: Mka1Server) -> Iterator[Mka1]:
    """Provide an MKA1 API like `mka1`, which all tests share."""
    with mka1_server.for_scope() as server:
        yield from _provide(request, server)


def _provide(request: pytest.FixtureRequest, server: Mka1Server) -> Iterator[Mka1]:
    """Provide an API for the scope of a fixture, and check its exchanges at the end of it."""
    from mockserver.testing.violations import ViolationMonitor

    config, node = request.config, request.node
    folder = config.rootpath if request.scope == "session" else request.path.parent
    with _usage_errors_in_one_line():
        options = _read_markers(node)
        api = server.start_test(options, folder, node.nodeid)
    strict = config.getini("mka1_strict") if options.strict is None else options.strict
    monitor = ViolationMonitor(api, server.reproduction, strict=strict)
    is_shared = request.scope != "function"
    opened = _OpenFixture(request.fixturename or "mka1", is_shared, api, monitor, api.environment())
    run, environment = config.stash[_RUN], _environment(config)
    run.fixtures.append(opened)
    environment.add(opened.variables)
    try:
        yield api
    finally:
        environment.remove(opened.variables)
        run.removed.append(opened.variables)
        run.fixtures.remove(opened)
    with _usage_errors_in_one_line():
        violations = monitor.check_exchanges()
        if is_shared:
            violations += monitor.check_plans()
        if api.is_fake and config.getoption("--mka1-coverage"):
            _add_coverage(run.coverage, api.coverage())
        violations += server.finish_test(api)
    _fail(violations)


def _environment(config: pytest.Config) -> Environment:
    from mockserver.testing.environment import Environment

    return config.stash.setdefault(_ENVIRONMENT, Environment())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Leave the environment as it was before the test, in whatever order its fixtures were torn down.

    A fixture that was set up before `mka1`, such as `monkeypatch`, restores variables to the values of the fake.
    """
    try:
        yield
    finally:
        run = item.config.stash[_RUN]
        for variables in run.removed:
            _environment(item.config).repair(variables)
        run.removed.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Check a test that has passed so far, so that a violation counts as its failure, not as a teardown error."""
    yield
    violations: list[Violation] = []
    for opened in item.config.stash[_RUN].fixtures:
        with _usage_errors_in_one_line():
            violations += opened.monitor.check_exchanges()
            if not opened.is_shared:
                violations += opened.monitor.check_plans()
    _fail(violations)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the exchanges of a failed test."""
    report = yield
    if report.failed:
        for opened in item.config.stash[_RUN].fixtures:
            if text := _describe_exchanges(opened.api):
                report.sections.append((f"requests to {opened.name}", text))
    return report


def _describe_exchanges(api: Mka1) -> str:
    from mockserver.errors import UsageError
    from mockserver.testing.exchanges import describe_exchanges

    if not api.is_fake:
        return ""
    try:
        return describe_exchanges(list(api.requests))
    except UsageError as error:  # The test may have failed because the server is gone.
        return str(error)


def _read_markers(node: Any) -> MarkerOptions:
    """Return the options of all markers of a test or of a collector; keyword by keyword, the nearest marker wins."""
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
    coverage = config.stash[_RUN].coverage
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
        output["mka1_coverage"] = session.config.stash[_RUN].coverage


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Add the coverage of an xdist worker to the total."""
    _add_coverage(node.config.stash[_RUN].coverage, getattr(node, "workeroutput", {}).get("mka1_coverage", {}))


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
