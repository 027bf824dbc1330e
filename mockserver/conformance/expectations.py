"""Checks of the scenarios: functions that raise, so that they also check under `python -O`."""


class ScenarioFailure(Exception):
    """A difference between what a behaviour promises and what the target does."""

    def __init__(self, subject: str, expected: str, received: str) -> None:
        super().__init__(f"{subject}: expected {expected}, received {received}")
        self.subject = subject
        self.expected = expected
        self.received = received


def expect(received: object, expected: object, subject: str) -> None:
    """Fail unless the two are equal."""
    if received != expected:
        raise ScenarioFailure(subject, repr(expected), repr(received))


def require(condition: object, subject: str, expected: str, received: object) -> None:
    """Fail unless the condition holds; `expected` describes it in words."""
    if not condition:
        raise ScenarioFailure(subject, expected, repr(received))


def require_text(value: object, subject: str) -> None:
    """Fail unless the value is a string that is not empty."""
    require(isinstance(value, str) and value, subject, "some text", value)
