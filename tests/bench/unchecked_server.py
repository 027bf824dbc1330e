"""Serve a fake that sends event streams without checking them, to measure what the checks cost."""

import argparse
from collections.abc import Awaitable
from typing import Any

from mockserver.app import create_app
from mockserver.contract.stream_guard import GuardedStream
from mockserver.server import listen, serve
from mockserver.settings import Settings


class UncheckedStream(GuardedStream):
    """A stream that passes as it is; the journal has it all the same."""

    def send(self, message: Any) -> Awaitable[None]:
        if message.get("more_body"):
            self._record.add(message["body"])
        else:
            self._has_ended = True
        return self._send(message)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    GuardedStream.send = UncheckedStream.send  # type: ignore[method-assign]
    serve(create_app(Settings()), listen("127.0.0.1", given.port), lambda: None)


if __name__ == "__main__":
    main()
