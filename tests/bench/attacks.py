"""Random attacks on a running fake, of the families of `tests/hostile`."""

import asyncio
import contextlib
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from raw_client import RawConnection, build_request, chunked_request, mutate
from subjects import API

from tests.hostile.test_seeds import FILES
from tests.hostile.worst_requests import WORST

LARGE = 10 * 1024 * 1024 - 1024
_HEAVY = 8 * 1024
"""Bytes of a request that is sent alone: the blocks of several would add up to one."""
_ODD = [
    "",
    "\u0000",
    "\u0301" * 400,
    "a/" * 100,
    "\u202e",
    "日本" * 50,
    "'\";--",
    "{",
    "%",
    "\ud83d\ude00",
    "null",
    "x" * 500,
]
_HEADERS = [
    "X-A",
    "Expect",
    "Content-Length",
    "Transfer-Encoding",
    "X-Mock-Fault",
    "Authorization",
    "X-On-Behalf-Of",
    "Host",
]
_VALUES = [
    b"",
    b"b",
    b"100-continue",
    b"-1",
    b"chunked",
    b"9" * 30,
    b"\xff\xfe",
    b"a" * 3000,
    b"Bearer ",
    b"\x01",
    b"[",
    b"{}",
]
_ACTIONS = ["time_out", "close", "reset", "truncate", "garbage", "drip"]

Attack = Callable[[], Awaitable[None]]


def _build(method: str, path: str, body: Any = None, lines: bytes = b"") -> bytes:
    return build_request(method, path, body, lines, b"" if b"Host: " in lines else b"Host: localhost\r\n")


class Attackers:
    """Clients that attack a server until `stop`; `failures` lists what it must never send."""

    def __init__(self, port: int, seed: int) -> None:
        self._port = port
        self._random = random.Random(seed)
        self._is_heavy = asyncio.Lock()
        self.counts: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.failures: list[str] = []
        self.families: dict[str, Attack] = {
            "clients": self._attack_as_client,
            "bodies": self._attack_by_body,
            "headers": self._attack_by_headers,
            "connections": self._attack_by_connection,
            "control API": self._attack_control,
            "faults": self._attack_by_fault,
            "seeds": self._attack_by_seed,
            "searches": self._attack_by_search,
        }

    async def attack(self, stops_at: float) -> None:
        """Attack with one random family after the other."""
        while asyncio.get_running_loop().time() < stops_at:
            family = self._random.choice(list(self.families))
            with contextlib.suppress(ConnectionError, TimeoutError):
                await self.families[family]()
            self.counts[family] += 1

    async def _send(self, data: bytes, *, within: float = 20, may_fail: bool = False) -> tuple[int, bytes]:
        async with self._is_heavy if len(data) > _HEAVY else contextlib.nullcontext():
            connection = await RawConnection.open(self._port)
            try:
                await connection.send(data)
                status, body = await connection.read_response(within)
            finally:
                connection.abort()
        self.statuses[status] += 1
        if status >= 500 and not may_fail:
            self.failures.append(f"{status} for {data[:200]!r}")
        return status, body

    def _key(self, kind: str, number: int = 5) -> bytes:
        return b"Authorization: Bearer %b-%d\r\n" % (kind.encode(), self._random.randrange(number))

    def _size(self, largest: int = LARGE) -> int:
        return int(largest ** self._random.uniform(0.2, 1))

    async def _attack_as_client(self) -> None:
        """Send valid requests, mutated or not, for very many keys and end users."""
        message = {"role": "user", "content": self._random.choice(_ODD)}
        path = API + self._random.choice(
            ["", "/conv_1", "/conv_1/items", "/conv_1/items/msg_1", "?limit=3&order=desc"]
        )
        method = self._random.choice(["GET", "POST", "DELETE"])
        body = {"metadata": {"a": "b"}, "items": [message]} if method == "POST" else None
        headers = self._key("client", 100_000) + b"X-On-Behalf-Of: %d\r\n" % self._random.randrange(100_000)
        data = _build(method, path, body, headers)
        await self._send(mutate(self._random, data) if self._random.random() < 0.7 else data, within=0.2)

    async def _attack_by_body(self) -> None:
        request = WORST[self._random.choice(list(WORST))](self._size())
        if len(request.path) > 60_000:
            return
        # Its own tenants, because the first search after many additions indexes them, which takes long.
        headers = self._key("body" if request.content else "reader") + b"".join(
            f"{n}: {v}\r\n".encode() for n, v in request.headers[:500]
        )
        head = f"{request.method} {API}{request.path.removeprefix('/conversations')} HTTP/1.1\r\nHost: localhost\r\n"
        length = f"Content-Length: {len(request.content)}\r\n\r\n".encode()
        await self._send(head.encode("utf-8", "replace") + headers + length + request.content, may_fail=True)

    async def _attack_by_headers(self) -> None:
        names = self._random.choices(_HEADERS, k=self._random.choice((1, 3, 50)))
        lines = [name.encode() + b": " + self._random.choice(_VALUES) + b"\r\n" for name in names]
        head = b"".join(lines) * self._random.choice((1, 1, 1, 40))
        data = b"POST " + API.encode() + b" HTTP/1.1\r\n" + head + self._key("header")
        await self._send(data + b"Content-Length: 2\r\n\r\n{}", within=0.2, may_fail=b"X-Mock-Fault" in head)

    async def _attack_by_connection(self) -> None:
        whole = _build("POST", API, {"metadata": {"a": "b"}}, self._key("connection"))
        connection = await RawConnection.open(self._port)
        try:
            match self._random.randrange(5):
                case 0:
                    await connection.send(whole[: self._random.randrange(len(whole))])
                case 1:
                    await connection.send(whole * 30)
                    await connection.read_response(1)
                case 2:
                    for byte in whole[:100]:
                        await connection.send(bytes([byte]))
                case 3:
                    await connection.send(self._random.randbytes(200) + b"\r\n\r\n")
                    await connection.read_response(1)
                case 4:
                    await connection.send(chunked_request(API, b'{"metadata":{}}', 3)[:-5] + b"0\r\nX-A: b\r\n\r\n")
                    await connection.read_response(0.2)
            await asyncio.sleep(self._random.random() * 0.2)
        finally:
            connection.abort()

    async def _attack_control(self) -> None:
        path, body = self._random.choice(
            [
                ("GET /_mock/requests?limit=5", None),
                ("POST /_mock/reset", None),
                ("PUT /_mock/clock", {"freeze": self._random.choice([0, -1, 1e300, 253402300799, "now"])}),
                ("PUT /_mock/clock", {"advance": self._random.choice([0, 1, -1e18, None])}),
                ("PUT /_mock/clock", {"resume": True}),
                (
                    "POST /_mock/faults",
                    {"status": self._random.randrange(0, 1000), "times": self._random.randrange(-1, 3)},
                ),
                ("POST /_mock/faults", {"body": {"a": [0] * self._random.randrange(30_000)}, "status": 400}),
                ("DELETE /_mock/faults", None),
                ("GET /_mock/faults", None),
                ("GET /_mock/coverage", None),
                ("GET /_mock/state", None),
            ]
        )
        method, _, target = path.partition(" ")
        if self._random.random() < 0.9:
            target += f"{'&' if '?' in target else '?'}api_key=control-{self._random.randrange(5)}"
        elif method != "GET" or "state" in target or "coverage" in target:
            return  # On the data of all keys, these take as long as there is data.
        odd = [
            b"",
            b"",
            b"Origin: http://evil.example\r\n",
            b"Sec-Fetch-Site: cross-site\r\n",
            b"Host: evil.example\r\n",
        ]
        await self._send(_build(method, target, body, self._random.choice(odd)))

    async def _attack_by_fault(self) -> None:
        fault = {"delay": self._random.random() * 0.2, "action": self._random.choice(_ACTIONS)}
        fault = self._random.choice(
            [fault, {"status": self._random.randrange(100, 700)}, {"body": _ODD}, {"patch": [{}]}]
        )
        header = f"X-Mock-Fault: {json.dumps(fault)}\r\n".encode()
        await self._send(_build("GET", API, None, self._key("fault") + header), within=0.5, may_fail=True)

    async def _attack_by_seed(self) -> None:
        text, _ = self._random.choice(list(FILES.values()))
        content = (
            text.encode()[:100_000]
            if self._random.random() < 0.5
            else mutate(
                self._random,
                json.dumps({"conversations": [{"id": "a", "items": [{"role": "user", "content": "b"}]}]}).encode(),
            )
        )
        await self._send(_build(self._random.choice(["PUT", "POST"]), "/_mock/state?api_key=seed", content))

    async def _attack_by_search(self) -> None:
        text = self._random.choice(_ODD) * self._random.randrange(1, 20)
        key = self._key("search", 50)
        if self._random.random() < 0.3:
            await self._send(_build("POST", API, {"items": [{"role": "user", "content": text}]}, key))
            return
        query = "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "replace")[:15_000])
        name = self._random.choice(["search", "metadata", "after", "limit", "metadata[a]"])
        await self._send(_build("GET", f"{API}?{name}={query}", None, key))
