"""Fixtures of the attacks on the plugin and on `verify`."""

from tests.plugin.conftest import run
from tests.verify.conftest import select_scenarios, start_fake

__all__ = ["run", "select_scenarios", "start_fake"]
