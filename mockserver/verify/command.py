"""What `mockserver verify` does with its options."""

import os
import secrets
import shlex
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

from rich.console import Console

from mockserver.conformance.paths import PREFIX
from mockserver.errors import UsageError
from mockserver.settings import Rate, parse_rate
from mockserver.verify.baseline import load_baseline
from mockserver.verify.report.console import Progress, print_report, print_reproduction
from mockserver.verify.report.model import Phase
from mockserver.verify.report.writers import create_directory, write_reports
from mockserver.verify.run import Options
from mockserver.verify.run import verify as run
from mockserver.verify.transport import Limits

_DEFAULT_RATE = "60/m"
_LOCAL = ("127.0.0.1", "localhost", "::1")


def verify(
    base_url: str,
    report_dir: Path | None,
    repeat: str | None,
    *,
    verbose: bool,
    api_key_env: str,
    second_api_key_env: str,
    no_api_key: bool,
    prefix: str,
    phases: str,
    rate_limit: str | None,
    max_requests: int | None,
    max_time: float | None,
    max_examples: int | None,
    seed: int | None,
    strict: bool,
    baseline: Path | None,
    include_responses: bool,
    account_level: bool,
) -> int:
    """Run it, show and write what came out; returns the exit code.

    Raises:
        UsageError: an option is not what it must be, or the target cannot be called.
    """
    host = urlsplit(base_url).hostname
    if urlsplit(base_url).scheme not in ("http", "https") or host is None:
        raise UsageError(f"BASE_URL must be such as https://gateway.example.com, not {base_url!r}")
    limits = Limits(_rate(rate_limit, host), max_requests, max_time)
    options = Options(
        base_url=base_url,
        api_key=None if no_api_key else _key(api_key_env),
        second_key=None if no_api_key else os.environ.get(second_api_key_env) or None,
        prefix=_prefix(prefix),
        phases=_phases(phases),
        limits=limits,
        seed=secrets.randbelow(2**31) if seed is None else seed,
        max_examples=max_examples,
        strict=strict,
        baseline=tuple(load_baseline(baseline)) if baseline else (),
        repeat=repeat,
        include_responses=include_responses,
        may_act_for_the_account=account_level,
    )
    if report_dir is not None:
        create_directory(report_dir)  # Before a long run, not behind it.
    console, stderr = Console(), Console(stderr=True)
    speed = f"at most {limits.rate.limit} requests in {limits.rate.seconds} s" if limits.rate else "no rate limit"

    def reproduce_command(case: str, phase: str) -> str:
        words = ["mockserver", "verify", base_url, "--repeat", case, "--phases", phase, "--seed", str(options.seed)]
        for flag, value, usual in (
            ("--prefix", prefix, PREFIX),
            ("--api-key-env", api_key_env, "MKA1_API_KEY"),
            ("--second-api-key-env", second_api_key_env, "MKA1_SECOND_API_KEY"),
            ("--rate-limit", rate_limit, None),
            ("--max-examples", max_examples, None),
        ):
            words += [flag, str(value)] if value != usual else []
        words += ["--no-api-key"] if no_api_key else []
        words += ["--account-level"] if account_level else []
        return shlex.join(words)

    with Progress(stderr, speed) as progress:
        report = run(options, progress)
    if repeat is not None:
        return print_reproduction(report, repeat, console, command=reproduce_command)
    print_report(report, console, verbose=verbose, command=reproduce_command)
    if report_dir is not None:
        for path in write_reports(report, report_dir, reproduce_command):
            console.print(f"wrote {path}", soft_wrap=True, highlight=False, markup=False)
    return report.exit_code


def _key(name: str) -> str:
    key = os.environ.get(name)
    if not key:
        raise UsageError(f"set {name} to an API key, name another variable with --api-key-env, or say --no-api-key")
    return key


def _prefix(text: str) -> str:
    prefix = "/" + text.strip("/")
    return "" if prefix == "/" else prefix


def _phases(text: str) -> tuple[Phase, ...]:
    known = get_args(Phase)
    asked = {name.strip() for name in text.split(",") if name.strip()}
    if not asked or asked - set(known):
        unknown = ", ".join(sorted(asked - set(known))) or "nothing"
        raise UsageError(f"--phases must be some of {', '.join(known)}, not {unknown}")
    return tuple(phase for phase in known if phase in asked)


def _rate(text: str | None, host: str) -> Rate | None:
    if text == "none" or (text is None and host in _LOCAL):
        return None
    return parse_rate(text or _DEFAULT_RATE)
