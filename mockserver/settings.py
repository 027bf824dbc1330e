"""The settings of one fake, and the choices that several settings offer."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

from mockserver.errors import UsageError

IdentityMode = Literal["sha256", "raw"]
Ids = Literal["random", "sequential"]
UnknownFields = Literal["note", "reject"]
EngineName = Literal["compiled", "reference"]
Seed = str | Path | Mapping[str, Any]

LogFormat = Literal["text", "json", "none"]

API_PATH = "/api/v1/llm"
"""The path under which the operations of the API lie, but for those of `AUTHENTICATION_PATH`."""

AUTHENTICATION_PATH = "/api/v1/authentication"
"""The path under which API keys are exchanged for tokens."""

MAX_VALUES = 15_000
"""JSON values that a body may have. Validating so many takes about 50 ms, in which the server does nothing else."""

DEFAULT_API_KEY = "mka1-test-key"
"""The default owner of seeded data that names no owner, unless `Settings.api_keys` lists keys."""


class Rate(NamedTuple):
    """`limit` requests in `seconds`, counted from the first request."""

    limit: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one fake, validated on construction.

    `api_keys` are `KEY` or `KEY=ACCOUNT`; if there are none, every key is accepted. `rate_limits` such as `60/m`
    (units `s`, `m`, `h`, `d`) apply to each API key. `max_body` is in bytes. `seeds` are names of shipped seeds, paths
    or mappings.

    `control` enables the control API; a `control_token` is then required in its requests. Without a token, a request
    must name a loopback address, the address that it is sent to, or one of `allowed_hosts` in its `Host`. Pages of
    `cors_origins` may use the API and the control API. `fault_header` enables faults that a request asks for in
    `X-Mock-Fault`, and replies that it carries in `X-Mock-Reply`. Webhooks go to loopback addresses and
    `webhook_hosts` only; `*` among them stands for every host.

    Raises:
        UsageError: a setting is invalid.
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
    allowed_hosts: tuple[str, ...] = ()
    webhook_hosts: tuple[str, ...] = ()
    fault_header: bool = True

    def __post_init__(self) -> None:
        self.accounts()
        self.rates()
        for setting in fields(self):
            choices = get_args(setting.type) if get_origin(setting.type) is Literal else ()
            if choices and getattr(self, setting.name) not in choices:
                value = getattr(self, setting.name)
                raise UsageError(f"{setting.name} must be {' or '.join(choices)}, not {value!r}")
        if self.max_body < 1:
            raise UsageError(f"max_body must be at least 1 byte, not {self.max_body}")
        if self.control_token is not None and not _is_secret(self.control_token):
            raise UsageError("control_token must be ASCII without spaces, and not empty")
        for host in self.allowed_hosts:
            if not _is_host(host):
                raise UsageError(f"allowed_hosts must be names or addresses without a port, not {host!r}")
        for host in self.webhook_hosts:
            if host != "*" and not _is_host(host):
                raise UsageError(f"webhook_hosts must be names or addresses without a port, or *, not {host!r}")

    def accounts(self) -> dict[str, str | None]:
        """Map each listed API key to its account, or to None if it names none."""
        accounts: dict[str, str | None] = {}
        for entry in self.api_keys:
            key, separator, account = entry.partition("=")
            if not _is_secret(key) or not account.isprintable() or (separator and not account.strip()):
                raise UsageError(
                    "an API key must be KEY or KEY=ACCOUNT, where KEY is ASCII without spaces and ACCOUNT is one line"
                )
            if key in accounts:
                raise UsageError("an API key is listed twice")
            accounts[key] = account or None
        return accounts

    def rates(self) -> tuple[Rate, ...]:
        """Parse the rate limits."""
        return tuple(parse_rate(text) for text in self.rate_limits)


_HOST_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


def _is_secret(text: str) -> bool:
    """Return whether the text can be sent as a bearer token."""
    return text.isascii() and text.isprintable() and text != "" and " " not in text


def _is_host(text: str) -> bool:
    """Return whether the text is a host name or an IP address, without a port."""
    try:
        return bool(_HOST_NAME.fullmatch(text) or ipaddress.ip_address(text))
    except ValueError:
        return False


_RATE = re.compile(r"([1-9][0-9]{0,8})/(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_rate(text: str) -> Rate:
    """Parse a rate such as `60/m`.

    Raises:
        UsageError: the text is not a rate.
    """
    match = _RATE.fullmatch(text)
    if match is None:
        raise UsageError(f"a rate limit must be such as 10/s, 60/m, 1000/h or 5000/d, not {text!r}")
    return Rate(int(match[1]), _SECONDS[match[2]])
