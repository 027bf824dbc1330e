"""The servers to compare: each a command that serves the API on a port, in a process group of its own on core 0."""

import contextlib
import http.client
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PRISM = "@stoplight/prism-cli@5.16.0"
API = "/api/v1/llm/conversations"
HEADERS = {
    "Authorization": "Bearer bench-key",
    "X-On-Behalf-Of": "bench-user",
    "Content-Type": "application/json",
}
_TICKS = os.sysconf("SC_CLK_TCK")
_READY_WITHIN = 60


def pin_to_core(core: int) -> list[str]:
    """Return the command prefix that pins a process to a core, if there are two cores and taskset."""
    return ["taskset", "-c", str(core)] if shutil.which("taskset") and (os.cpu_count() or 1) > 1 else []


def build_environment() -> dict[str, str]:
    """Return the environment of a user's shell, in which Python caches byte code."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MOCKSERVER_", "PYTHONDONT"))}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))}


@dataclass(frozen=True)
class Subject:
    """A server to measure; `command` contains `{port}`."""

    name: str
    command: Sequence[str]


def _uvicorn(name: str, module: str) -> Subject:
    options = ["--port", "{port}", "--log-level", "warning", "--no-access-log", "--no-server-header"]
    options += ["--lifespan", "off", "--loop", "uvloop", "--http", "httptools", "--timeout-keep-alive", "75"]
    return Subject(name, [sys.executable, "-m", "uvicorn", f"{module}:app", *options])


MOCKSERVER = str(Path(sys.executable).parent / "mockserver")
OURS = Subject("mockserver", [MOCKSERVER, "serve", "--port", "{port}", "--log-format", "none"])
DEFAULTS = Subject("mockserver, access log on", [MOCKSERVER, "serve", "--port", "{port}"])
BARE = _uvicorn("bare Starlette", "bare_starlette")
ECHO = _uvicorn("raw ASGI echo", "echo_app")


def find_openapi_core() -> Subject | None:
    if importlib.util.find_spec("openapi_core") is None:
        sys.stderr.write("openapi-core is not installed, so it is left out\n")
        return None
    return _uvicorn("openapi-core", "openapi_core_app")


def find_prism() -> Subject | None:
    if shutil.which("npx") is None:
        sys.stderr.write("Prism needs npx (Node.js), so it is left out\n")
        return None
    document = Path(tempfile.mkdtemp()) / "openapi.json"
    subprocess.run([MOCKSERVER, "spec", "--format", "json", "-o", str(document)], check=True)
    command = ["npx", "--yes", PRISM, "mock", "--port", "{port}", "--verboseLevel", "silent", str(document)]
    return Subject("Prism", command)


class Server:
    """A running subject."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, output: int) -> None:
        self.process = process
        self.port = port
        self._output = output
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def request(self, method: str, path: str, body: Any = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        self._connection.request(method, path, content, HEADERS)
        response = self._connection.getresponse()
        text = response.read()
        if response.status != 200:
            raise SystemExit(f"{method} {path} returned {response.status}: {text[:500].decode(errors='replace')}")
        return json.loads(text)

    def processor_seconds(self) -> float:
        """Return the processor time that the process group has used."""
        return sum(fields[11] + fields[12] for fields in self._stats()) / _TICKS

    def resident_bytes(self) -> int:
        """Return the resident memory of the main process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+)", status, re.MULTILINE)
        return int(found[1]) * 1024 if found else 0

    def read_output(self) -> str:
        """Return what the server has written so far; its own position in the file stays."""
        return os.pread(self._output, 1 << 24, 0).decode(errors="replace")

    def _stats(self) -> Iterator[list[int]]:
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = path.read_text().rpartition(")")[2].split()
                if fields[2] == str(self.process.pid):
                    yield [0, *map(int, fields[1:])]

    def stop(self) -> None:
        self._connection.close()
        for ending in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(self.process.pid, ending)
                self.process.wait(15)
                return


@contextlib.contextmanager
def start_server(subject: Subject) -> Iterator[Server]:
    port = free_port()
    command = [part.replace("{port}", str(port)) for part in subject.command]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [*pin_to_core(0), *command], stdout=output, stderr=output, env=build_environment(), start_new_session=True
        )
        server = Server(process, port, output.fileno())
        try:
            if not _wait_until_listening(server):
                raise SystemExit(f"{subject.name} did not start: {server.read_output()[-2000:]}")
            yield server
        finally:
            server.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_listening(server: Server) -> bool:
    until = time.monotonic() + _READY_WITHIN
    while time.monotonic() < until and server.process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", server.port), 1).close()
            return True
        time.sleep(0.002)
    return False
