"""A fake to verify, and what lies between it and the run."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from mockserver import RunningServer, Settings, create_app, run_server
from mockserver.verify import run as run_module
from mockserver.verify.report.model import Report
from mockserver.verify.run import Options, verify

KEYS = ("verify-key-number-1", "verify-key-number-2")


class Quiet:
    """Hears how far a run is, and says nothing."""

    def begin(self, phase: str, total: int | None) -> None: ...

    def advance(self, requests: int, label: str) -> None: ...

    def end(self, phase: str) -> None: ...


@dataclass
class Gateway:
    """A running fake, to be verified."""

    server: RunningServer

    @property
    def url(self) -> str:
        return self.server.url

    def verify(self, progress: Any = None, **options: Any) -> Report:
        options = {"api_key": KEYS[0], "second_key": KEYS[1], "phases": ("behaviours",), **options}
        return verify(Options(self.url, **options), progress or Quiet())

    def left(self) -> list[str]:
        """The conversations that are there, whoever they belong to."""
        state = httpx.get(f"{self.url}/_mock/state").json()
        return [one["id"] for one in state["conversations"] if one.get("deleted_at") is None]

    def requests(self) -> int:
        """How many requests of the API there were."""
        exchanges = httpx.get(f"{self.url}/_mock/requests?limit=10000").json()
        assert exchanges["dropped"] == 0
        return len(exchanges["data"])


@pytest.fixture
def scenarios_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs have no other scenarios than those of these themes."""

    def only(*themes: ModuleType) -> None:
        chosen = [scenario for theme in themes for scenario in theme.scenario]
        monkeypatch.setattr(run_module, "all_scenarios", lambda: chosen)

    return only


@pytest.fixture
def gateway() -> Iterator[Callable[..., Gateway]]:
    """Starts a fake with these settings, with something in front of it if need be."""
    with ExitStack() as stack:

        def start(in_front: Callable[[ASGIApp], ASGIApp] = lambda app: app, **settings: Any) -> Gateway:
            app = create_app(Settings(**{"api_keys": KEYS, **settings}))
            return Gateway(stack.enter_context(run_server(in_front(app))))

        yield start
