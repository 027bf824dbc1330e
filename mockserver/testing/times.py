"""Times as tests write them."""

from datetime import datetime

from mockserver.errors import UsageError
from mockserver.testing.tracebacks import is_test_error

__tracebackhide__ = is_test_error

Time = float | datetime | str
"""Unix seconds, an aware datetime, or ISO 8601 text with a time zone."""


def unix_seconds(time: Time) -> float:
    """Return a time in Unix seconds; UsageError if it has no time zone."""
    if isinstance(time, str):
        try:
            time = datetime.fromisoformat(time)
        except ValueError:
            raise UsageError(f"{time!r} is not a time in ISO 8601, such as '2024-01-01T00:00:00Z'") from None
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise UsageError(f"the time {time.isoformat()} must have a time zone, such as tzinfo=UTC or a final Z")
        return time.timestamp()
    return time
