"""The `verify` command: its arguments and its output."""

import os
import re
import secrets
import shlex
from dataclasses import dataclass, fields
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

import httpx
from rich.console import Console

from mockserver.errors import UsageError
from mockserver.secrets import validate_key
from mockserver.settings import API_PATH, Rate, parse_rate
from mockserver.verify.baseline import load_baseline
from mockserver.verify.options import Options
from mockserver.verify.report.console import Progress, print_report, print_reproduction
from mockserver.verify.report.model import Deviation, Phase
from mockserver.verify.report.writers import SCRIPTS, create_directory, write_reports
from mockserver.verify.run import verify as run
from mockserver.verify.transport import Limits

_DEFAULT_RATE = "60/m"
_LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
_PATH = re.compile(r"([A-Za-z0-9._~!$&'()*+,;=:/-]|%[0-9A-Fa-f]{2})*")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_REPEATED_FLAGS = ("prefix", "api_key_env", "second_api_key_env", "rate_limit", "max_examples", "model")


@dataclass(frozen=True, kw_only=True, slots=True)
class Arguments:
    """The arguments of the command, as the command line parses them."""

    base_url: str
    phases: str
    api_key_env: str = "MKA1_API_KEY"
    second_api_key_env: str = "MKA1_SECOND_API_KEY"
    no_api_key: bool = False
    prefix: str = API_PATH
    rate_limit: str | None = None
    max_requests: int | None = None
    max_time: float | None = None
    max_examples: int | None = None
    seed: int | None = None
    strict: bool = False
    baseline: Path | None = None
    report_dir: Path | None = None
    repeat: str | None = None
    only: str | None = None
    include_responses: bool = False
    model: str = "auto"
    account_level: bool = False
    verbose: bool = False


def verify(arguments: Arguments) -> int:
    """Run the verification, print and write its report, and return the exit code.

    Raises:
        UsageError: an argument is invalid, or the target cannot be tested.
    """
    options = _build_options(arguments)
    if arguments.report_dir is not None:
        create_directory(arguments.report_dir)  # Now, because a run may take an hour.
    console, stderr, rate = Console(), Console(stderr=True), options.limits.rate
    speed = f"at most {rate.limit} requests in {rate.seconds} s" if rate else "no rate limit"

    def repeat_command(deviation: Deviation) -> str:
        return _render_command(arguments, deviation, options.seed)

    with Progress(stderr, speed) as progress:
        report = run(options, progress)
    if arguments.repeat is not None:
        return print_reproduction(report, arguments.repeat, console, command=repeat_command)
    scripts = arguments.report_dir / SCRIPTS if arguments.report_dir is not None else None
    print_report(report, console, verbose=arguments.verbose, command=repeat_command, scripts=scripts)
    if arguments.report_dir is not None:
        for path in write_reports(report, arguments.report_dir, repeat_command):
            console.print(f"wrote {path}", soft_wrap=True, highlight=False, markup=False)
    return report.exit_code


def _build_options(arguments: Arguments) -> Options:
    rate = _parse_rate_limit(arguments.rate_limit, _validate_url(arguments.base_url))
    prefix = arguments.prefix.strip("/")
    if not _PATH.fullmatch(prefix):
        raise UsageError("--prefix must be a path such as /api/v1/llm, percent-encoded and without a query")
    has_key = not arguments.no_api_key
    return Options(
        base_url=arguments.base_url,
        api_key=_read_key(arguments.api_key_env) if has_key else None,
        second_key=_read_second_key(arguments.second_api_key_env) if has_key else None,
        prefix=f"/{prefix}" if prefix else "",
        phases=_parse_phases(arguments.phases),
        limits=Limits(rate, arguments.max_requests, arguments.max_time),
        seed=secrets.randbelow(2**31) if arguments.seed is None else arguments.seed,
        max_examples=arguments.max_examples,
        strict=arguments.strict,
        baseline=tuple(load_baseline(arguments.baseline)) if arguments.baseline else (),
        repeat=arguments.repeat,
        only=arguments.only,
        include_responses=arguments.include_responses,
        model=arguments.model,
        may_act_for_account=arguments.account_level,
    )


def _render_command(arguments: Arguments, deviation: Deviation, seed: int) -> str:
    """Return the command line that looks for one deviation again, with the arguments that matter for it."""
    words = ["mockserver", "verify", arguments.base_url, "--repeat", deviation.case]
    phase = next((one for one in deviation.phases if one in get_args(Phase)), None)
    words += ["--phases", phase] if phase else []  # The preflight is none, and always runs.
    words += ["--only", deviation.origin] if deviation.origin else []
    words += ["--seed", str(seed)]
    defaults = {field.name: field.default for field in fields(arguments)}
    for name in _REPEATED_FLAGS:
        value = getattr(arguments, name)
        words += [f"--{name.replace('_', '-')}", str(value)] if value != defaults[name] else []
    words += ["--no-api-key"] if arguments.no_api_key else []
    words += ["--account-level"] if arguments.account_level else []
    words += ["--include-responses"] if arguments.include_responses else []
    return shlex.join(words)


def _validate_url(url: str) -> str:
    """Return the host of a base URL.

    Raises:
        UsageError: it is not one. A URL that may contain a password is not shown.
    """
    if set(url) & set("@?#"):
        raise UsageError("BASE_URL must have no user name, no password, no query and no fragment")
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in ("http", "https") and parts.port != 0 and bool(httpx.URL(url).host.encode("idna"))
    except (ValueError, httpx.InvalidURL):
        is_valid = False
    if not is_valid or parts.hostname is None or not _PATH.fullmatch(parts.path) or not url.isascii():
        raise UsageError(f"BASE_URL must be such as https://gateway.example.com, not {url!r}")
    return parts.hostname


def _read_key(variable: str) -> str:
    key = os.environ.get(variable)
    if not key:
        # A name in an unusual form may be the key itself.
        name = variable if _VARIABLE.fullmatch(variable) else "the variable that --api-key-env names"
        raise UsageError(f"set {name} to an API key, name another variable with --api-key-env, or use --no-api-key")
    return validate_key(key, variable)


def _read_second_key(variable: str) -> str | None:
    key = os.environ.get(variable)
    return validate_key(key, variable) if key else None


def _parse_phases(text: str) -> tuple[Phase, ...]:
    known = get_args(Phase)
    selected = {name.strip() for name in text.split(",") if name.strip()}
    if not selected or selected - set(known):
        unknown = ", ".join(sorted(selected - set(known))) or "nothing"
        raise UsageError(f"--phases must be some of {', '.join(known)}, not {unknown}")
    return tuple(phase for phase in known if phase in selected)


def _parse_rate_limit(text: str | None, host: str) -> Rate | None:
    if text == "none" or (text is None and host in _LOCAL_HOSTS):
        return None
    return parse_rate(text or _DEFAULT_RATE)
