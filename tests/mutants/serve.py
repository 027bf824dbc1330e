"""Serve the fake with one defect, to try it by hand: `python -m tests.mutants.serve NAME`."""

import argparse
import threading
from contextlib import suppress

from mockserver import create_app, run_server
from tests.mutants.api import SETTINGS
from tests.mutants.defects import DEFECTS, is_assumed_only
from tests.mutants.proxy import Planted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", choices=[*DEFECTS, "none"], metavar="NAME", help="the defect, or none")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--list", action="store_true", help="say which defects there are")
    arguments = parser.parse_args()
    if arguments.list:
        print(listing())  # noqa: T201
    elif arguments.name is None:
        parser.error("which defect? --list lists them")
    else:
        _serve(arguments.name, arguments.port)


def listing() -> str:
    """A line for each defect: family, name, what it does, what it breaks."""
    lines = []
    for defect in DEFECTS.values():
        mark = " (assumed)" if is_assumed_only(defect) else ""
        lines.append(
            f"{defect.family:<11}{defect.name:<46}{defect.description}\n{'':57}{' '.join(defect.breaks)}{mark}"
        )
    return "\n".join(lines)


def _serve(name: str, port: int) -> None:
    app = Planted(create_app(SETTINGS), DEFECTS.get(name))
    with run_server(app, port=port) as server, suppress(KeyboardInterrupt):
        print(f"Listening on {server.url} with {name}", flush=True)  # noqa: T201
        threading.Event().wait()


if __name__ == "__main__":
    main()
