"""Fixtures of the attacks on `verify`."""

from tests.verify.conftest import select_scenarios, start_fake

__all__ = ["select_scenarios", "start_fake"]
