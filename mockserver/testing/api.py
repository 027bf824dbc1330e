"""What a test holds in its hands."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mockserver.contract.document import DocumentError, read_yaml
from mockserver.errors import UsageError
from mockserver.resources.seeds import shipped_seeds
from mockserver.testing.control_client import Control, hidden
from mockserver.testing.controls import ClockControls, FaultControls, StateControls, unfired
from mockserver.testing.exchanges import Exchange, Requests, listed

__tracebackhide__ = hidden

API_PATH = "/api/v1/llm"


class Mka1:
    """A live MKA1 API for one test.

    `url` has no path; `api_url` ends in `/api/v1/llm`, as the `openai` client wants it. `end_user` is None but against
    a real gateway, where each test acts for an end user of its own: pass it as `X-On-Behalf-Of` (`headers` has it).
    What only a fake can do skips the test when the server under test is none.
    """

    def __init__(
        self, url: str, api_key: str, *, control: Control | None, folder: Path, end_user: str | None = None
    ) -> None:
        self.url = url
        self.api_key = api_key
        self.end_user = end_user
        self._control_or_none = control
        self._folder = folder
        self._checked = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}>"

    @property
    def api_url(self) -> str:
        return self.url + API_PATH

    @property
    def headers(self) -> dict[str, str]:
        """What a request needs: the API key and, if there is one, the end user."""
        end_user = {} if self.end_user is None else {"X-On-Behalf-Of": self.end_user}
        return {"Authorization": f"Bearer {self.api_key}", **end_user}

    def environment(self) -> dict[str, str]:
        """The variables that SDKs and applications read; set while the test runs."""
        return {
            "MKA1_BASE_URL": self.url,
            "MKA1_API_KEY": self.api_key,
            "OPENAI_BASE_URL": self.api_url,
            "OPENAI_API_KEY": self.api_key,
        }

    @property
    def requests(self) -> Requests:
        return Requests(self._control("requests"))

    @property
    def faults(self) -> FaultControls:
        return FaultControls(self._control("faults"))

    @property
    def clock(self) -> ClockControls:
        return ClockControls(self._control("clock"))

    @property
    def state(self) -> StateControls:
        return StateControls(self._control("state"))

    def seed(self, seed: str | Path | Mapping[str, Any]) -> None:
        """Add a seed: a shipped one by its name, a YAML or JSON file (beside the test, or from here), or a mapping.

        Raises:
            UsageError: it cannot be used; names the place.
        """
        control = self._control("seed")
        name = "(given as a mapping)" if isinstance(seed, Mapping) else str(seed)
        body = _seed_body(seed, self._folder)
        try:
            control("POST", "/state", body)
        except UsageError as error:
            raise UsageError(f"seed {name}: {error}") from None

    def reset(self) -> None:
        """Begin anew: state, faults, journal, clock and ids."""
        self._control("reset")("POST", "/reset")

    def coverage(self) -> dict[str, Any]:
        """What of the API this test has exercised so far."""
        coverage: dict[str, Any] = self._control("coverage")("GET", "/coverage")
        return coverage

    @property
    def is_fake(self) -> bool:
        """Whether it can be steered and asked."""
        return self._control_or_none is not None

    def complaints(self, *, strict: bool, faults: bool) -> list[str]:
        """Why the test should fail, as of now: what was not there when this was asked before.

        `strict`: also for what the client sent wrongly. `faults`: also for planned faults that have not fired.
        """
        if not self.is_fake:
            return []
        exchanges = list(self.requests)
        found = [complaint for exchange in exchanges[self._checked :] for complaint in self._held(exchange, strict)]
        self._checked = len(exchanges)
        for line in unfired(self.faults.planned) if faults else ():
            found.append(f"A planned fault never fired: {line}.\nRequests of this test:{listed(exchanges)}")
        return found

    def end(self) -> list[str]:
        """Clean up after the test; what could not be cleaned up, as complaints."""
        return []

    def _held(self, exchange: Exchange, strict: bool) -> list[str]:
        """What is to be held against one exchange."""
        found = []
        if broken := exchange.mistakes("response"):
            lines = "".join(f"\n    {line}" for line in broken)
            found.append(f"The fake broke its own document: please report it.\n  {exchange}{lines}")
        if strict:
            wrong = exchange.mistakes("request", notes=True)
            if not wrong and (refusal := exchange.refusal()):
                wrong = [refusal]
            if wrong:
                lines = "".join(f"\n    {line}" for line in wrong)
                repeat = self._repeat(exchange) if exchange.can_be_repeated else ""
                found.append(f"The client sent what the document does not allow:\n  {exchange}{lines}{repeat}")
        return found

    def _repeat(self, exchange: Exchange) -> str:
        return f"\n  To repeat it:\n    {exchange.curl(self.url)}"

    def _control(self, what: str) -> Control:
        if self._control_or_none is None:
            pytest.skip(f"mka1.{what} needs a fake; the server under test cannot be steered")
        return self._control_or_none


def _seed_body(seed: str | Path | Mapping[str, Any], folder: Path) -> Any:
    if isinstance(seed, Mapping):
        return dict(seed)
    if str(seed) in shipped_seeds():
        return {"name": str(seed)}
    for path in (folder / seed, Path(seed)):
        if path.is_file():
            try:
                return read_yaml(path)
            except DocumentError as error:
                raise UsageError(f"seed {error}") from None
    shipped = ", ".join(shipped_seeds())
    raise UsageError(f"seed {seed}: there is no such file beside the test, and the shipped seeds are: {shipped}")
