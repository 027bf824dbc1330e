"""A running fake as the target of a run, with middleware that plants a defect."""

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
from mockserver.verify.options import Options
from mockserver.verify.phases import Progress
from mockserver.verify.report.model import Report

KEYS = ("verify-key-number-1", "verify-key-number-2")


class NoProgress:
    """A progress display that shows nothing."""

    def begin(self, phase: str, total: int | None) -> None: ...

    def advance(self, requests: int, label: str) -> None: ...

    def end(self, phase: str) -> None: ...


@dataclass
class VerifiedFake:
    """A running fake that is the target of runs."""

    server: RunningServer

    @property
    def url(self) -> str:
        return self.server.url

    def verify(self, progress: Progress | None = None, **options: Any) -> Report:
        options = {"api_key": KEYS[0], "second_key": KEYS[1], "phases": ("behaviours",), **options}
        return run_module.verify(Options(self.url, **options), progress or NoProgress())

    def remaining_conversations(self) -> list[str]:
        """Return the conversations of all owners."""
        state = httpx.get(f"{self.url}/_mock/state").json()
        return [one["id"] for one in state["conversations"] if one.get("deleted_at") is None]

    def count_requests(self) -> int:
        """Return the number of requests to the API."""
        journal = httpx.get(f"{self.url}/_mock/requests?limit=10000").json()
        assert journal["dropped"] == 0
        return len(journal["data"])


@pytest.fixture
def select_scenarios(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that limits runs to the scenarios of these modules."""

    def select(*modules: ModuleType) -> None:
        scenarios = [scenario for module in modules for scenario in module.scenario]
        monkeypatch.setattr(run_module, "all_scenarios", lambda: scenarios)

    return select


@pytest.fixture
def start_fake() -> Iterator[Callable[..., VerifiedFake]]:
    """A function that starts a fake with these settings, behind middleware if given."""
    with ExitStack() as stack:

        def start(middleware: Callable[[ASGIApp], ASGIApp] = lambda app: app, **settings: Any) -> VerifiedFake:
            app = create_app(Settings(**{"api_keys": KEYS, **settings}))
            return VerifiedFake(stack.enter_context(run_server(middleware(app))))

        yield start
