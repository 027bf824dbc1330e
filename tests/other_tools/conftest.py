"""The fixture `run`: pytest inside a test."""

from tests.plugin.conftest import run

__all__ = ["run"]
