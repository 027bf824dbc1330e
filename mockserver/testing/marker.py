"""The keywords of the marker `@pytest.mark.mka1(...)`."""

import difflib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from mockserver.errors import UsageError
from mockserver.settings import Settings
from mockserver.testing.mka1 import Mka1

SETTING_KEYWORDS = {
    "identity_mode": "identity_mode",
    "api_keys": "api_keys",
    "rate_limit": "rate_limits",
    "ids": "ids",
    "unknown_fields": "unknown_fields",
}
"""The field of `Settings` that each keyword sets."""

KEYWORDS = ("seed", *SETTING_KEYWORDS, "now", "strict")


class MarkerOptions(NamedTuple):
    """The parsed keywords of a marker; `names` are those it has, without `strict`."""

    names: Sequence[str]
    settings: Settings
    now: float | datetime | None
    seeds: Sequence[Any]
    strict: bool | None

    @classmethod
    def parse(cls, keywords: Mapping[str, Any]) -> "MarkerOptions":
        """Parse the keywords of a marker; UsageError if one is unknown or has a wrong value."""
        for name in keywords:
            if name not in KEYWORDS:
                near = difflib.get_close_matches(name, KEYWORDS, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"the keywords are {', '.join(KEYWORDS)}"
                raise UsageError(f"the marker mka1 has no keyword {name!r}; {hint}")
        settings = {SETTING_KEYWORDS[name]: value for name, value in keywords.items() if name in SETTING_KEYWORDS}
        for name in ("api_keys", "rate_limits"):
            if name in settings:
                settings[name] = _as_strings(name, settings[name])
        now = keywords.get("now")
        if now is not None and (isinstance(now, bool) or not isinstance(now, int | float | datetime)):
            raise UsageError(f"now must be Unix seconds or an aware datetime, not {now!r}")
        names = [name for name in keywords if name != "strict"]
        return cls(names, Settings(**settings), now, _as_tuple(keywords.get("seed")), keywords.get("strict"))

    @property
    def setting_names(self) -> list[str]:
        """The keywords that only a fake of its own can apply."""
        return [name for name in self.names if name in SETTING_KEYWORDS]

    def apply_to(self, api: Mka1) -> None:
        """Set the clock and add the seeds."""
        if self.now is not None:
            api.clock.freeze(self.now)
        for seed in self.seeds:
            api.seed(seed)


def _as_strings(name: str, value: Any) -> tuple[str, ...]:
    strings = _as_tuple(value)
    if not all(isinstance(string, str) for string in strings):
        received = "" if name == "api_keys" else f", not {value!r}"  # Keys are secrets.
        raise UsageError(f"{name} must be a string or a list of strings{received}")
    return strings


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return () if value is None else tuple(value) if isinstance(value, list | tuple) else (value,)
