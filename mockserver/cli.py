"""The command line."""

import gc
import logging
import os
import secrets
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_args

import click

from mockserver.errors import UsageError
from mockserver.settings import API_PATH, EngineName, IdentityMode, Ids, LogFormat, Settings, UnknownFields

_Command = TypeVar("_Command", bound=Callable[..., Any])
_DEFAULTS = Settings()


class Entry(click.ParamType[str]):
    """An entry of a list; in an environment variable, commas separate the entries."""

    name = "TEXT"

    def split_envvar_value(self, rv: str) -> list[str]:
        """Split a variable, as `click` demands. Empty entries stay, because they are mistakes."""
        return [entry.strip(" ") for entry in rv.split(",")]


class PortOption(click.Option):
    """The port, whose variable Kubernetes sets to an address for a service of the same name."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the value of the variable, unless it is an address."""
        value = super().resolve_envvar_value(ctx)
        if value is None or "://" not in value:
            return value
        # Without the value, which might have a password in it.
        click.echo("mockserver: MOCKSERVER_PORT is ignored, because it is an address and not a port", err=True)
        return None


class TokenOption(click.Option):
    """The control token; `click` would ignore a variable that is set to an empty token."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the value of the variable, even if it is empty."""
        return os.environ.get(str(self.envvar))


class Size(click.ParamType[int]):
    """A number of bytes: `500`, `64KiB`, `10MiB`."""

    name = "SIZE"
    _UNITS = {"": 1, "B": 1, "KIB": 1024, "MIB": 1024**2, "GIB": 1024**3}  # noqa: RUF012

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse a size, as `click` demands."""
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
    """Run a verified fake of the MKA1 Conversations and Responses API, or verify a server against its contract."""


def _option(*names: str, prefix: str = "MOCKSERVER", **attributes: Any) -> Callable[[_Command], _Command]:
    """Declare an option that can also be set by an environment variable, `<PREFIX>_<FLAG>`."""
    flag = names[0].removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=f"{prefix}_{flag}", show_envvar=True, **attributes)


def _list_option(*names: str, **attributes: Any) -> Callable[[_Command], _Command]:
    """Declare an option that can be repeated."""
    return _option(*names, multiple=True, type=Entry(), **attributes)


def _choice(name: str, literal: Any, default: str, **attributes: Any) -> Callable[[_Command], _Command]:
    """Declare an option whose choices are those of a `Literal` type."""
    return _option(name, type=click.Choice(get_args(literal)), default=default, show_default=True, **attributes)


_verify_option = partial(_option, prefix="MOCKSERVER_VERIFY", show_default=True)


@main.command()
@_option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@_option(
    "--port",
    cls=PortOption,
    default=8080,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 selects a free port.",
)
@_list_option("--seed", "seeds", metavar="NAME|FILE", help="Initial state: a shipped seed or a file; repeatable.")
@_list_option(
    "--api-key",
    "api_keys",
    metavar="KEY[=ACCOUNT]",
    help="Accept only the listed keys; repeatable. Without this option, every key is accepted.",
)
@_choice(
    "--identity-mode",
    IdentityMode,
    _DEFAULTS.identity_mode,
    help="Form of a conversation's `identity`: the hashed owner or the owner itself.",
)
@_list_option(
    "--rate-limit",
    "rate_limits",
    metavar="N/s|m|h|d",
    help="Maximum number of requests for each API key; repeatable.",
)
@_choice("--ids", Ids, _DEFAULTS.ids, help="Form of generated ids; sequential ids are the same in every run.")
@_choice(
    "--unknown-fields",
    UnknownFields,
    _DEFAULTS.unknown_fields,
    help="Drop and log body fields that the document does not define, or reject the request.",
)
@_choice(
    "--engine",
    EngineName,
    _DEFAULTS.engine,
    help="Validator of requests and responses: compiled schemas, or openapi-core (needs the extra `reference`).",
)
@_option("--max-body", type=Size(), default="10MiB", show_default=True, help="Maximum size of a request body.")
@_list_option("--cors", "cors_origins", metavar="ORIGIN", help="Allow pages of this origin; repeatable.")
@_option(
    "--control-token",
    cls=TokenOption,
    metavar="TOKEN",
    help="Require this token for control requests. Off loopback, one is generated and printed if none is given.",
)
@_list_option(
    "--allowed-host",
    "allowed_hosts",
    metavar="NAME",
    help="Serve control requests without a token under this host name, too; repeatable.",
)
@_list_option(
    "--webhook-host",
    "webhook_hosts",
    metavar="NAME",
    help="Send webhooks to this host, too, or to every host with `*`; repeatable. Loopback gets them always.",
)
@_option("--no-fault-header", is_flag=True, help="Ignore `X-Mock-Fault` and `X-Mock-Reply` in requests.")
@_choice("--log-format", LogFormat, "text", help="Format of the access log on stderr.")
def serve(host: str, port: int, log_format: LogFormat, no_fault_header: bool, **settings: Any) -> None:
    """Run the fake until it is interrupted.

    Each option can be set by its environment variable. There, the entries of a repeatable option are separated by
    commas.
    """
    if sys.stderr is None:  # The caller has closed it; a socket would take its number, and get the log.
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - for as long as the process lives
    gc.disable()  # Until the server is ready: the objects made on the way live as long as the process.
    from mockserver.app import create_app
    from mockserver.contract.document import DocumentError
    from mockserver.gateway.access_log import AccessLog, LogHandler, describe_dropped_lines
    from mockserver.gateway.line_writer import LineWriter
    from mockserver.server import is_loopback, listen, url_of
    from mockserver.server import serve as run

    generated_token = None
    try:
        listener = listen(host, port)
        if settings["control_token"] is None and not is_loopback(listener):
            generated_token = settings["control_token"] = secrets.token_urlsafe(16)
        fake = create_app(Settings(fault_header=not no_fault_header, **settings))
    except (UsageError, DocumentError) as error:
        _exit(str(error))
    url = url_of(listener)

    def announce() -> None:
        click.echo(f"Listening on {url}")
        sys.stdout.flush()
        if generated_token is not None:
            click.echo(f"Control token: {generated_token}", err=True)
        if sys.stderr.isatty():
            for operation in fake.contract.operations.values():
                click.echo(f"  {operation.method:<6} {url}{operation.path}  {operation.id}", err=True)
            click.echo(f"  GET    {url}/openapi.json", err=True)

    with LineWriter(sys.stderr.fileno(), partial(describe_dropped_lines, log_format)) as writer:
        logging.basicConfig(handlers=[LogHandler(log_format, writer.write)])
        run(
            fake if log_format == "none" else AccessLog(fake, fake.state.journal, log_format, writer.write),
            listener,
            announce,
        )


@main.command()
@click.argument("base_url")
@_verify_option(
    "--api-key-env", metavar="NAME", default="MKA1_API_KEY", help="Environment variable that holds the API key."
)
@_verify_option(
    "--second-api-key-env",
    metavar="NAME",
    default="MKA1_SECOND_API_KEY",
    help="Environment variable that holds an API key of another account, if there is one.",
)
@_verify_option("--no-api-key", is_flag=True, help="Send no key, for a target that needs none.")
@_verify_option("--prefix", default=API_PATH, help="Path of the API on the target.")
@_verify_option(
    "--phases", default="behaviours,examples,coverage,fuzzing,stateful", help="Phases to run, separated by commas."
)
@_verify_option(
    "--rate-limit",
    metavar="N/s|m|h|d",
    help="Maximum request rate, or `none`; defaults to 60/m unless the target is on this machine.",
)
@_verify_option("--max-requests", type=click.IntRange(min=1), help="Maximum number of requests, cleanup included.")
@_verify_option(
    "--max-time", type=click.FloatRange(min=1), metavar="SECONDS", help="Maximum duration, cleanup included."
)
@_verify_option(
    "--max-examples", type=click.IntRange(min=1), help="Number of generated requests for each operation and phase."
)
@_verify_option(
    "--seed", type=click.IntRange(min=0), help="Random seed for the generated requests; by default a new one each run."
)
@_verify_option("--strict", is_flag=True, help="Also fail on learned behaviours, drift and outdated baseline entries.")
@_verify_option(
    "--baseline",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of known, accepted deviations.",
)
@_verify_option(
    "--report-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write report.html, junit.xml, report.json and a script for each deviation to this directory.",
)
@click.option("--repeat", metavar="CASE", help="Check only this case, and report whether it is fixed.")
@click.option("--only", metavar="NAME", help="With --repeat: look only in this operation, or where this behaviour is.")
@_verify_option(
    "--include-responses", is_flag=True, help="Also run the operations of the Responses resource, which cost money."
)
@_verify_option(
    "--model", metavar="NAME", default="auto", show_default=True, help="The model of all responses of the run."
)
@_verify_option(
    "--account-level",
    is_flag=True,
    help="Also send requests for the account itself, not only for end users that the run creates.",
)
@click.option("-v", "--verbose", is_flag=True, help="List every behaviour, and print every deviation in full.")
def verify(**arguments: Any) -> None:
    """Test whether the server at BASE_URL conforms to the OpenAPI document and the catalogue of behaviours.

    The run creates its own end users and deletes their data at the end.

    Exit code: 0 if the server conforms, 1 if it does not, 2 if the run could not finish, 3 if a limit cut it short.
    """
    try:
        from mockserver.verify import command
    except ModuleNotFoundError as error:
        from mockserver.installation import install_command

        _exit(f"verify needs {error.name}: {install_command('verify')}")
    try:
        sys.exit(command.verify(command.Arguments(**arguments)))
    except UsageError as error:
        _exit(str(error))


@main.command()
@click.option("--format", "form", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")
@click.option("--check", is_flag=True, help="Validate the document instead of printing it.")
def spec(form: str, output: Path | None, check: bool) -> None:
    """Print the OpenAPI document as one file."""
    from mockserver.contract.contract import Contract
    from mockserver.contract.document import DocumentError, dump_json, load_document
    from mockserver.contract.yaml_file import dump_yaml

    try:
        document = load_document()
        if check:
            operations = Contract.from_document(document).operations
            click.echo(f"The document is valid: {len(operations)} operations, every schema compiles.")
            return
    except DocumentError as error:
        _exit(str(error), status=1)
    text = dump_json(document) if form == "json" else dump_yaml(document)
    if output is None:
        sys.stdout.buffer.write(text)
        return
    try:
        output.write_bytes(text)
    except OSError as error:
        _exit(f"cannot write {output}: {error.strerror}")


def _exit(message: str, status: int = 2) -> NoReturn:
    click.echo(f"mockserver: {message}", err=True)
    sys.exit(status)
