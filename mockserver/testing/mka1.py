"""The object behind the `mka1` fixture."""

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mockserver.contract.document import DocumentError
from mockserver.contract.yaml_file import read_yaml
from mockserver.errors import UsageError
from mockserver.resources.seeds import shipped_seeds
from mockserver.settings import API_PATH
from mockserver.testing.control_client import ControlClient
from mockserver.testing.controls import ClockControls, FaultControls, StateControls
from mockserver.testing.environment import bypass_proxies
from mockserver.testing.exchanges import count
from mockserver.testing.replies import ReplyControls
from mockserver.testing.requests import Requests
from mockserver.testing.skips import skip_test
from mockserver.testing.tracebacks import is_test_error

__tracebackhide__ = is_test_error


class Mka1:
    """A live MKA1 API for one test.

    `url` has no path; `api_url` ends in `/api/v1/llm`, as the `openai` client expects. `end_user` is set only against
    a real gateway, where each test acts for an end user of its own: send it as `X-On-Behalf-Of` (see `headers`).
    Members that need a fake skip the test when the server is a real gateway.
    """

    def __init__(
        self, url: str, api_key: str, *, control: ControlClient | None, folder: Path, end_user: str | None = None
    ) -> None:
        self.url = url
        self.api_key = api_key
        self.end_user = end_user
        self._control_or_none = control
        self._folder = folder

    def __repr__(self) -> str:
        if not self.is_fake:
            return f"<{type(self).__name__} {self.url}, a real gateway>"
        requests = count(self._control("requests")("GET", "/requests", limit=1)["total"], "request")
        faults, replies = count(len(self.faults.planned), "planned fault"), len(self.replies.planned)
        planned = f"{faults}, {replies} planned {'reply' if replies == 1 else 'replies'}"
        return f"<{type(self).__name__} {self.url}: {requests}, {planned}>"

    @property
    def api_url(self) -> str:
        return self.url + API_PATH

    @property
    def headers(self) -> dict[str, str]:
        """The headers every request needs: the API key and, if there is one, the end user."""
        end_user = {} if self.end_user is None else {"X-On-Behalf-Of": self.end_user}
        return {"Authorization": f"Bearer {self.api_key}", **end_user}

    def environment(self) -> dict[str, str]:
        """Return the variables that SDKs and applications read; they are set while the test runs."""
        return {
            "MKA1_BASE_URL": self.url,
            "MKA1_API_KEY": self.api_key,
            "OPENAI_BASE_URL": self.api_url,
            "OPENAI_API_KEY": self.api_key,
            **bypass_proxies(),
        }

    @property
    def requests(self) -> Requests:
        return Requests(self._control("requests"))

    @property
    def webhooks(self) -> list[dict[str, Any]]:
        """The deliveries of webhooks, oldest first, once no notification is queued any more."""
        deliveries: list[dict[str, Any]] = self._control("webhooks")("GET", "/webhooks")["data"]
        return deliveries

    @property
    def faults(self) -> FaultControls:
        return FaultControls(self._control("faults"))

    @property
    def replies(self) -> ReplyControls:
        return ReplyControls(self._control("replies"))

    @property
    def clock(self) -> ClockControls:
        return ClockControls(self._control("clock"))

    @property
    def state(self) -> StateControls:
        return StateControls(self._control("state"))

    def seed(self, seed: str | Path | Mapping[str, Any]) -> None:
        """Add a seed to the stored data.

        The seed is the name of a shipped one, a YAML or JSON file (relative to the test file or to the current
        directory), or a mapping.
        """
        control = self._control("seed")
        name = "(given as a mapping)" if isinstance(seed, Mapping) else str(seed)
        body = _read_seed(seed, self._folder)
        try:
            control("POST", "/state", body)
        except UsageError as error:
            raise UsageError(f"seed {name}: {error}") from None

    def reset(self) -> None:
        """Reset the state, faults, replies, journal, clock and ids."""
        self._control("reset")("POST", "/reset")

    def coverage(self) -> dict[str, Any]:
        """Return the operations, statuses and item types that this test has exercised so far."""
        coverage: dict[str, Any] = self._control("coverage")("GET", "/coverage")
        return coverage

    @property
    def is_fake(self) -> bool:
        """Whether the server is a fake, with a control API."""
        return self._control_or_none is not None

    def _control(self, member: str) -> ControlClient:
        if self._control_or_none is None:
            skip_test(f"mka1.{member} needs a fake; the server under test has no control API")
        return self._control_or_none


def _read_seed(seed: str | Path | Mapping[str, Any], folder: Path) -> Any:
    """Return the body of a control request that adds the seed."""
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
    raise UsageError(f"seed {seed}: no such file beside the test, and the shipped seeds are: {shipped}")


def unique_name() -> str:
    """Return a name for an API key or an end user that no other test has."""
    return f"test-{uuid.uuid4().hex}"
