"""The command line."""

import gc
import secrets
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from mockserver.errors import UsageError

_Command = TypeVar("_Command", bound=Callable[..., Any])


class Size(click.ParamType[int]):
    """A number of bytes: `500`, `64KiB`, `10MiB`."""

    name = "SIZE"
    _UNITS = {"": 1, "B": 1, "KIB": 1024, "MIB": 1024**2, "GIB": 1024**3}  # noqa: RUF012

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value).strip()
        digits = text.rstrip("BKMGibkmgI")
        unit = text[len(digits) :].upper()
        digits = digits.strip()
        if not digits.isdecimal() or unit not in self._UNITS or int(digits) < 1:
            self.fail(f"{value!r} is not a size such as 500, 64KiB or 10MiB.", param, ctx)
        return int(digits) * self._UNITS[unit]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="mka1-mockserver", prog_name="mockserver")
def main() -> None:
    """A verified fake of the MKA1 Conversations and Responses API."""


def _setting(*names: str, of: str = "MOCKSERVER", **attributes: Any) -> Callable[[_Command], _Command]:
    """An option that also reads an environment variable, `<OF>_<FLAG>`."""
    flag = names[0].removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=f"{of}_{flag}", show_envvar=True, **attributes)


_verify_setting = partial(_setting, of="MOCKSERVER_VERIFY")


@main.command()
@_setting("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@_setting(
    "--port",
    default=8080,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="The port to listen on; 0 takes a free one.",
)
@_setting(
    "--seed",
    "seeds",
    multiple=True,
    metavar="NAME|FILE",
    help="A starting state: a shipped one or a file; repeatable.",
)
@_setting(
    "--api-key",
    "api_keys",
    multiple=True,
    metavar="KEY[=ACCOUNT]",
    help="Let in only the listed keys; repeatable. Without any, every key is let in.",
)
@_setting(
    "--identity-mode",
    type=click.Choice(["sha256", "raw"]),
    default="sha256",
    show_default=True,
    help="How `identity` shows the owner of a conversation.",
)
@_setting(
    "--rate-limit",
    "rate_limits",
    multiple=True,
    metavar="N/s|m|h|d",
    help="The most requests of one API key; repeatable.",
)
@_setting(
    "--ids",
    type=click.Choice(["random", "sequential"]),
    default="random",
    show_default=True,
    help="How ids are made up.",
)
@_setting(
    "--unknown-fields",
    type=click.Choice(["note", "reject"]),
    default="note",
    show_default=True,
    help="Drop and note the body fields that the document does not know, or refuse the request.",
)
@_setting(
    "--engine",
    type=click.Choice(["compiled", "reference"]),
    default="compiled",
    show_default=True,
    help="What checks requests and answers: the fast engine, or openapi-core (needs the extra `reference`).",
)
@_setting("--max-body", type=Size(), default="10MiB", show_default=True, help="The largest request body.")
@_setting("--cors", "cors_origins", multiple=True, metavar="ORIGIN", help="Let pages of this origin call; repeatable.")
@_setting(
    "--control-token",
    metavar="TOKEN",
    help="Let only who sends this token steer the fake. Off loopback, one is made and printed when none is given.",
)
@_setting(
    "--log-format",
    type=click.Choice(["text", "json", "none"]),
    default="text",
    show_default=True,
    help="The form of the line that each request leaves on stderr.",
)
def serve(host: str, port: int, log_format: str, **settings: Any) -> None:
    """Run the fake until it is interrupted."""
    gc.disable()  # Until it serves: what is made on the way there stays, and looking through it takes its time.
    from mockserver.app import create_app
    from mockserver.contract.document import DocumentError
    from mockserver.gateway.access_log import AccessLog
    from mockserver.server import is_loopback, listen, url_of
    from mockserver.server import serve as run
    from mockserver.settings import Settings

    made_up = None
    try:
        listener = listen(host, port)
        if settings["control_token"] is None and not is_loopback(listener):
            made_up = settings["control_token"] = secrets.token_urlsafe(16)
        fake = create_app(Settings(**settings))
    except (UsageError, DocumentError) as error:
        _stop(str(error))
    url = url_of(listener)

    def announce() -> None:
        click.echo(f"Listening on {url}")
        sys.stdout.flush()
        if made_up is not None:
            click.echo(f"Control token: {made_up}", err=True)
        if sys.stderr.isatty():
            for operation in fake.operations.values():
                click.echo(f"  {operation.method:<6} {url}{operation.path}  {operation.id}", err=True)
            click.echo(f"  GET    {url}/openapi.json", err=True)

    run(fake if log_format == "none" else AccessLog(fake, log_format, sys.stderr), listener, announce)


@main.command()
@click.argument("base_url")
@_verify_setting(
    "--api-key-env",
    metavar="NAME",
    default="MKA1_API_KEY",
    show_default=True,
    help="The environment variable with the API key.",
)
@_verify_setting(
    "--second-api-key-env",
    metavar="NAME",
    default="MKA1_SECOND_API_KEY",
    show_default=True,
    help="The one with an API key of another account, if there is one.",
)
@_verify_setting("--no-api-key", is_flag=True, help="Send no key, for a target that wants none.")
@_verify_setting("--prefix", default="/api/v1/llm", show_default=True, help="Where the API lies on the target.")
@_verify_setting(
    "--phases",
    default="behaviours,examples,coverage,fuzzing,stateful",
    show_default=True,
    help="What to run, separated by commas.",
)
@_verify_setting(
    "--rate-limit",
    metavar="N/s|m|h|d",
    help="The most requests; 60/m unless the target is on this machine. `none` for no limit.",
)
@_verify_setting("--max-requests", type=click.IntRange(min=1), help="The most requests in all, the clean-up included.")
@_verify_setting(
    "--max-time", type=click.FloatRange(min=1), metavar="SECONDS", help="The longest time, the clean-up included."
)
@_verify_setting("--max-examples", type=click.IntRange(min=1), help="Made-up requests for each operation and phase.")
@_verify_setting(
    "--seed", type=click.IntRange(min=0), help="What the made-up requests grow from; a new one each time if not set."
)
@_verify_setting("--strict", is_flag=True, help="What was only assumed must hold as well, and nothing may be new.")
@_verify_setting(
    "--baseline",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file of deviations that are known and accepted.",
)
@_verify_setting(
    "--report-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write report.json, junit.xml and report.html into this folder.",
)
@click.option("--repeat", metavar="CASE", help="Look for this one case again, and say whether it is fixed.")
@_verify_setting(
    "--include-responses", is_flag=True, help="Run the operations of the Responses resource too; they cost money."
)
@_verify_setting(
    "--account-level",
    is_flag=True,
    help="Act for the account itself too: outside of the end users that the run makes up.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show every behaviour, also those that conform.")
def verify(base_url: str, report_dir: Path | None, repeat: str | None, verbose: bool, **settings: Any) -> None:
    """Hold the server at BASE_URL to the document and to the catalogue of behaviours.

    What it makes there belongs to end users of its own and is deleted at the end.

    Exit code: 0 it conforms, 1 it does not, 2 it could not be run to the end.
    """
    try:
        from mockserver.verify import command
    except ModuleNotFoundError as error:
        _stop(f"verify needs {error.name}: pip install 'mka1-mockserver[verify]'")
    try:
        sys.exit(command.verify(base_url, report_dir, repeat, verbose=verbose, **settings))
    except UsageError as error:
        _stop(str(error))


@main.command()
@click.option("--format", "form", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")
@click.option("--check", is_flag=True, help="Say whether the document is sound; print nothing else.")
def spec(form: str, output: Path | None, check: bool) -> None:
    """Print the OpenAPI document, bundled into one file."""
    from mockserver.app import as_json, as_yaml
    from mockserver.contract.document import DocumentError, load_document
    from mockserver.contract.operations import Operations

    try:
        document = load_document()
        if check:
            operations = Operations(document)
            click.echo(f"The document is sound: {len(operations)} operations, every schema compiles.")
            return
    except DocumentError as error:
        _stop(str(error), status=1)
    text = as_json(document) if form == "json" else as_yaml(document)
    if output is None:
        sys.stdout.buffer.write(text)
        return
    try:
        output.write_bytes(text)
    except OSError as error:
        _stop(f"cannot write {output}: {error.strerror}")


def _stop(message: str, status: int = 2) -> NoReturn:
    click.echo(f"mockserver: {message}", err=True)
    sys.exit(status)
