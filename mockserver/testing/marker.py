"""The keywords of the marker `@pytest.mark.mka1(...)`."""

import difflib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypedDict

from mockserver.errors import UsageError
from mockserver.settings import IdentityMode, Ids, Seed, Settings, UnknownFields
from mockserver.testing.mka1 import Mka1
from mockserver.testing.times import Time, unix_seconds

SETTING_KEYWORDS = {
    "identity_mode": "identity_mode",
    "api_keys": "api_keys",
    "rate_limit": "rate_limits",
    "ids": "ids",
    "unknown_fields": "unknown_fields",
}
"""The field of `Settings` that each keyword sets."""

ANY_KEY = "*"
"""The value of `api_keys` with which a fake accepts every key."""


class FakeOptions(TypedDict, total=False):
    """The keywords of the marker."""

    seed: Seed | Sequence[Seed] | None
    identity_mode: IdentityMode
    api_keys: str | Sequence[str]
    rate_limit: str | Sequence[str]
    ids: Ids
    unknown_fields: UnknownFields
    now: Time | None
    strict: bool | None


KEYWORDS = ("seed", *SETTING_KEYWORDS, "now", "strict")


class MarkerOptions(NamedTuple):
    """The parsed keywords of a marker; `names` are those it has, without `strict`.

    If `settings` list no API keys, the fake accepts only a key of the test, or every key if it `accepts_any_key`.
    """

    names: Sequence[str]
    settings: Settings
    accepts_any_key: bool
    now: float | None
    seeds: Sequence[Any]
    strict: bool | None

    @classmethod
    def parse(cls, keywords: Mapping[str, Any], owner: str = "the marker mka1") -> "MarkerOptions":
        """Parse the keywords of a marker or of another `owner`.

        Raises:
            UsageError: a keyword is unknown or has a wrong value.
        """
        for name in keywords:
            if name not in KEYWORDS:
                near = difflib.get_close_matches(name, KEYWORDS, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"the keywords are {', '.join(KEYWORDS)}"
                raise UsageError(f"{owner} has no keyword {name!r}; {hint}")
        settings = {SETTING_KEYWORDS[name]: value for name, value in keywords.items() if name in SETTING_KEYWORDS}
        for name in ("api_keys", "rate_limits"):
            if name in settings:
                settings[name] = _as_strings(name, settings[name])
        accepts_any_key = settings.get("api_keys") == (ANY_KEY,)
        if accepts_any_key:
            del settings["api_keys"]
        now = keywords.get("now")
        if now is not None and (isinstance(now, bool) or not isinstance(now, int | float | datetime | str)):
            raise UsageError(f"now must be Unix seconds, an aware datetime or ISO 8601 text, not {now!r}")
        names = [name for name in keywords if name != "strict"]
        seeds, strict = _as_tuple(keywords.get("seed")), keywords.get("strict")
        now = None if now is None else unix_seconds(now)
        return cls(names, Settings(**settings), accepts_any_key, now, seeds, strict)

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
