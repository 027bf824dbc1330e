"""A client for one request on a connection of its own."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

import h11

_MAX_HEAD = 64 * 1024


async def post(url: str, headers: Sequence[tuple[str, str]], content: bytes) -> int:
    """Send a POST request, and return the status of the response.

    Redirects are not followed, because they could lead anywhere, and proxies of the environment are not used.

    Raises:
        OSError: there is no connection, or no valid response.
    """
    parts = urlsplit(url)
    host, is_secure = parts.hostname or "", parts.scheme == "https"
    # A resolver need not know the names of this machine.
    address = "127.0.0.1" if host.endswith(".localhost") else host
    port = parts.port or (443 if is_secure else 80)
    framing = [("Host", parts.netloc), ("Content-Length", str(len(content))), ("Connection", "close")]
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request = h11.Request(method="POST", target=target, headers=[*framing, *headers])
    connection = h11.Connection(h11.CLIENT)
    reader, writer = await asyncio.open_connection(address, port, ssl=is_secure or None)
    try:
        for event in (request, h11.Data(data=content), h11.EndOfMessage()):
            writer.write(connection.send(event) or b"")
        await writer.drain()
        return await _read_status(connection, reader)
    except h11.RemoteProtocolError as error:
        raise ConnectionError(str(error)) from error
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _read_status(connection: h11.Connection, reader: asyncio.StreamReader) -> int:
    received = 0
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Response):
            return event.status_code
        if event is h11.NEED_DATA:
            data = await reader.read(_MAX_HEAD)
            received += len(data)
            if received > _MAX_HEAD:
                raise ConnectionError("the head of the response is too long")
            connection.receive_data(data)
        elif isinstance(event, h11.ConnectionClosed):
            raise ConnectionError("the connection was closed before the response")
