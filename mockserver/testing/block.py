"""A fake for a block of code, without pytest."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Unpack

from mockserver.testing.environment import Environment
from mockserver.testing.exchanges import describe_exchanges
from mockserver.testing.fakes import LocalFake
from mockserver.testing.marker import FakeOptions, MarkerOptions
from mockserver.testing.mka1 import Mka1
from mockserver.testing.tracebacks import is_test_error
from mockserver.testing.violations import ViolationMonitor

__tracebackhide__ = is_test_error


@contextmanager
def fake(**options: Unpack[FakeOptions]) -> Iterator[Mka1]:
    """Start a live, empty, private MKA1 API for a block of code.

    The options are the keywords of the marker `mka1`. Within the block, SDKs find the fake through the same
    environment variables as with the fixture `mka1`. Seed files are relative to the current directory.

    Raises:
        UsageError: an option is invalid.
        AssertionError: at the end of the block, for each reason for which the fixture fails a test: a planned fault or
            reply did not fire, or a response or, with `strict`, a request breaks the OpenAPI document.
    """
    parsed = MarkerOptions.parse(options, "mockserver.fake()")
    with LocalFake.run() as server:
        api = server.start_test(parsed, Path())
        monitor = ViolationMonitor(api, server.reproduction, strict=bool(parsed.strict))
        environment, variables = Environment(), api.environment()
        environment.add(variables)
        try:
            yield api
        except Exception as error:
            if exchanges := list(api.requests):
                error.add_note(f"Requests to the fake:\n{describe_exchanges(exchanges)}")
            raise
        finally:
            environment.remove(variables)
        violations = [*monitor.check_exchanges(), *monitor.check_plans()]
    if violations:
        raise AssertionError("\n\n".join(map(str, violations)))
