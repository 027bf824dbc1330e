"""Options of a run."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mockserver.settings import API_PATH
from mockserver.verify.baseline import BaselineEntry
from mockserver.verify.report.model import PHASES, Phase
from mockserver.verify.transport import Limits


@dataclass(frozen=True, slots=True)
class Options:
    """The target of a run, its scope and its limits.

    Without an `api_key`, the run sends none. With `repeat`, it looks for this case only, and with `only` just in the
    scenarios of a behaviour, or in the requests to an operation. With `include_responses`, it also calls the Responses
    resource, with this `model`.
    """

    base_url: str
    api_key: str | None = field(repr=False)
    second_key: str | None = field(default=None, repr=False)
    prefix: str = API_PATH
    phases: tuple[Phase, ...] = PHASES
    limits: Limits = field(default_factory=Limits)
    seed: int = 1
    max_examples: int | None = None
    strict: bool = False
    baseline: tuple[BaselineEntry, ...] = ()
    repeat: str | None = None
    only: str | None = None
    include_responses: bool = False
    model: str = "auto"
    may_act_for_account: bool = False

    @property
    def root_url(self) -> str:
        """The base URL without the prefix."""
        return self.base_url.rstrip("/").removesuffix(self.prefix)

    @property
    def origin(self) -> str:
        """The scheme and the authority of the base URL."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}"
