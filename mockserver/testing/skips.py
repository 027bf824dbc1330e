"""Skip a test that cannot run against the server under test."""

from typing import NoReturn


def skip_test(reason: str) -> NoReturn:
    """Skip the running test."""
    import pytest  # Only pytest runs tests against other servers, and a fake needs no pytest.

    pytest.skip(reason)
