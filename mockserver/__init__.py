"""A verified fake of the MKA1 Conversations and Responses API."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mockserver.app import Fake as Fake
    from mockserver.app import create_app as create_app
    from mockserver.errors import UsageError as UsageError
    from mockserver.server import RunningServer as RunningServer
    from mockserver.server import run_server as run_server
    from mockserver.settings import Settings as Settings
    from mockserver.testing.block import fake as fake

_HOMES = {
    "Fake": "mockserver.app",
    "RunningServer": "mockserver.server",
    "Settings": "mockserver.settings",
    "UsageError": "mockserver.errors",
    "create_app": "mockserver.app",
    "fake": "mockserver.testing.block",
    "run_server": "mockserver.server",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that the command line and the pytest plugin start faster."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
