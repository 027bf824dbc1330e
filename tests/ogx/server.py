"""Start OGX, an independent server with a Conversations API, on a loopback port.

    python tests/ogx/server.py --venv DIR [--port N] [--end-users]

prints its URL and serves until it is interrupted. OGX needs Python 3.12 or newer: $OGX_PYTHON, else python3.12 or
python3.13. It is installed into DIR the first time, with pip as configured.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import ProxyHandler, build_opener

HERE = Path(__file__).parent
OPEN = HERE / "config.yaml"
END_USERS = HERE / "end_users.yaml"

_READY_WITHIN = 60
_STOP_WITHIN = 10


class OgxFailed(Exception):
    """OGX cannot be installed or started; the message says why."""


@contextmanager
def ogx_server(venv: Path, *, port: int = 0, config: Path = OPEN) -> Iterator[str]:
    """Serve OGX from this virtual environment, which is created if missing; yield its URL without the prefix `/v1`.

    OGX accepts requests when the block begins. At its end it is stopped, and all its data is removed. It writes only
    into a temporary folder, sees nothing of the environment, and has no reason to call any other host.

    Raises:
        OgxFailed: there is no Python for it, it could not be installed, the port is taken, or it did not respond
            within a minute.
    """
    python = _install(venv)
    port = _free_port(port)
    url = f"http://127.0.0.1:{port}"
    with TemporaryDirectory(prefix="ogx-") as folder:
        log = Path(folder, "log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [python, "-m", "ogx.cli.ogx", "run", config.absolute(), "--port", str(port)],
                env=_environment(folder),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Keeps a keyboard interrupt from reaching it directly.
            )
        try:
            _wait_until_ready(url, process, log)
            yield url
        finally:
            _stop(process)


def _install(venv: Path) -> Path:
    """Install requirements.txt if needed and return the interpreter of the virtual environment."""
    python = (venv / "bin" / "python").absolute()
    requirements = HERE / "requirements.txt"
    installed = venv / "ogx-requirements.txt"
    if not installed.exists() or installed.read_text() != requirements.read_text():
        try:
            subprocess.run([_find_python(), "-m", "venv", venv], check=True)
            subprocess.run(
                [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements],
                check=True,
                stdout=sys.stderr,
            )
        except subprocess.CalledProcessError as error:
            raise OgxFailed(f"OGX could not be installed: {error}") from error
        shutil.copyfile(requirements, installed)
    return python


def _find_python() -> str:
    chosen = os.environ.get("OGX_PYTHON")
    names = [chosen] if chosen else ["python3.12", "python3.13", sys.executable]
    for name in names:
        found = shutil.which(name)
        if found and subprocess.run(
            [found, "-c", "import sys; sys.exit(sys.version_info < (3, 12))"], capture_output=True
        ).returncode == 0:  # fmt: skip
            return found
    raise OgxFailed(f"OGX needs Python 3.12 or newer; tried {', '.join(names)}. Set OGX_PYTHON to one.")


def _environment(folder: str) -> dict[str, str]:
    """Return the whole environment of OGX, without anything that makes it export metrics."""
    return {
        "PATH": os.defpath,
        "HOME": folder,
        "TMPDIR": folder,
        "OGX_CONFIG_DIR": folder,
        "OGX_STORAGE": folder,
        "OGX_LOG_FORMAT": "json",  # The other format blocks the server for 5 seconds at each error.
        "OTEL_SDK_DISABLED": "true",
    }


def _free_port(wanted: int) -> int:
    try:
        with socket.create_server(("127.0.0.1", wanted)) as listener:
            return int(listener.getsockname()[1])
    except OSError as error:
        raise OgxFailed(f"port {wanted} is not available: {error.strerror}") from error


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    direct = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + _READY_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), direct.open(f"{url}/v1/health", timeout=5):
            return
        time.sleep(0.1)
    ended = "did not respond" if process.poll() is None else f"ended with status {process.returncode}"
    raise OgxFailed(f"OGX {ended}; the end of its log:\n{log.read_text(errors='replace')[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="Start OGX, and print its URL when it is ready.")
    parser.add_argument("--venv", type=Path, required=True, help="virtual environment of OGX, created if missing")
    parser.add_argument("--port", type=int, default=0, help="port; default a free one")
    parser.add_argument("--end-users", action="store_true", help="isolate end users")
    options = parser.parse_args()
    for interrupt in (signal.SIGINT, signal.SIGTERM):
        signal.signal(interrupt, signal.default_int_handler)
    try:
        with ogx_server(options.venv, port=options.port, config=END_USERS if options.end_users else OPEN) as url:
            sys.stdout.write(f"{url}\n")
            sys.stdout.flush()
            signal.pause()
    except KeyboardInterrupt:
        pass
    except OgxFailed as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
