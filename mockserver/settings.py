"""What can be set about one fake."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mockserver.errors import UsageError

IdentityMode = Literal["sha256", "raw"]
Ids = Literal["random", "sequential"]
UnknownFields = Literal["note", "reject"]
EngineName = Literal["compiled", "reference"]
Seed = str | Path | Mapping[str, Any]

DEFAULT_API_KEY = "mka1-test-key"
"""The key that owns what a seed gives to nobody, as long as every key is let in. It opens nothing but the fake."""


class Rate(NamedTuple):
    """`limit` requests in any `seconds` that begin with a key's first one."""

    limit: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one fake; each is checked when the record is made.

    `api_keys` are `KEY` or `KEY=ACCOUNT`; without any, every key is let in. `rate_limits` are such as `60/m`, per API
    key, in `s`, `m`, `h` or `d`. `max_body` is in bytes. `seeds` are names of shipped seeds, paths, or mappings.
    Without `control` there is no control API; with a `control_token`, only for who sends it.

    Raises:
        UsageError: a setting is not what it must be.
    """

    api_keys: tuple[str, ...] = field(default=(), repr=False)
    identity_mode: IdentityMode = "sha256"
    rate_limits: tuple[str, ...] = ()
    ids: Ids = "random"
    unknown_fields: UnknownFields = "note"
    engine: EngineName = "compiled"
    max_body: int = 10 * 1024 * 1024
    seeds: tuple[Seed, ...] = ()
    cors_origins: tuple[str, ...] = ()
    control: bool = True
    control_token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.accounts()
        self.rates()
        for name, options in (
            ("identity_mode", ("sha256", "raw")),
            ("ids", ("random", "sequential")),
            ("unknown_fields", ("note", "reject")),
            ("engine", ("compiled", "reference")),
        ):
            if getattr(self, name) not in options:
                raise UsageError(f"{name} must be {' or '.join(options)}, not {getattr(self, name)!r}")
        if self.max_body < 1:
            raise UsageError(f"max_body must be at least 1 byte, not {self.max_body}")

    def accounts(self) -> dict[str, str | None]:
        """Each listed API key with the account that it was given, if any."""
        accounts: dict[str, str | None] = {}
        for entry in self.api_keys:
            key, separator, account = entry.partition("=")
            if not key or key.split() != [key] or not key.isascii() or (separator and not account.strip()):
                raise UsageError("an API key must be KEY or KEY=ACCOUNT, KEY without spaces; one is not")
            if key in accounts:
                raise UsageError("an API key is listed twice")
            accounts[key] = account or None
        return accounts

    def rates(self) -> tuple[Rate, ...]:
        return tuple(rate_of(text) for text in self.rate_limits)


_RATE = re.compile(r"([1-9][0-9]{0,8})/(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def rate_of(text: str) -> Rate:
    """The rate that a text such as `60/m` means.

    Raises:
        UsageError: it means none.
    """
    found = _RATE.fullmatch(text)
    if found is None:
        raise UsageError(f"a rate limit must be such as 10/s, 60/m, 1000/h or 5000/d, not {text!r}")
    return Rate(int(found[1]), _SECONDS[found[2]])
