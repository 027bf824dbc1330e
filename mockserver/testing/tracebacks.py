"""Frames that pytest leaves out of a traceback."""

from typing import Any

from mockserver.errors import UsageError


def is_test_error(error: Any) -> bool:
    """Return whether the mistake is in the test.

    Modules of this package assign this function to `__tracebackhide__`: pytest then ends the traceback in the test.
    """
    is_one: bool = error.errisinstance((UsageError, AssertionError))
    return is_one
