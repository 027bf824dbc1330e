"""Serve the fake with one mutant: `python -m tests.mutants.serve NAME`."""

import argparse
import threading
from contextlib import suppress

from mockserver import create_app, run_server
from tests.mutants.client import SETTINGS
from tests.mutants.proxy import MutatedApp
from tests.mutants.registry import MUTANTS, is_assumed_only


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", choices=[*MUTANTS, "none"], metavar="NAME", help="the mutant, or none")
    parser.add_argument("--port", type=int, default=0, help="0, the default, for a free port")
    parser.add_argument("--list", action="store_true", help="list all mutants")
    arguments = parser.parse_args()
    if arguments.list:
        print(listing())  # noqa: T201
    elif arguments.name is None:
        parser.error("name a mutant; --list lists them")
    else:
        _serve(arguments.name, arguments.port)


def listing() -> str:
    """Return two lines for each mutant: family, name and description, then what it breaks."""
    lines = []
    for mutant in MUTANTS.values():
        mark = " (assumed)" if is_assumed_only(mutant) else ""
        lines.append(
            f"{mutant.family:<11}{mutant.name:<46}{mutant.description}\n{'':57}{' '.join(mutant.breaks)}{mark}"
        )
    return "\n".join(lines)


def _serve(name: str, port: int) -> None:
    app = MutatedApp(create_app(SETTINGS), MUTANTS.get(name))
    with run_server(app, port=port) as server, suppress(KeyboardInterrupt):
        print(f"Listening on {server.url} with {name}", flush=True)  # noqa: T201
        threading.Event().wait()


if __name__ == "__main__":
    main()
