"""Start OGX, a server with a Conversations API that nobody here wrote, on a port of this machine.

    python tests/ogx/server.py --venv DIR [--port N] [--end-users]

prints its URL and serves until it is interrupted. OGX needs Python 3.12 or newer, which is looked for as $OGX_PYTHON,
then as python3.12 and python3.13; it is installed into DIR the first time, with pip as it is configured.
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

_ANSWERS_WITHIN = 60
_STOPS_WITHIN = 10


class OgxFailed(Exception):
    """OGX cannot be installed or started; the message says why."""


@contextmanager
def ogx_server(venv: Path, *, port: int = 0, config: Path = OPEN) -> Iterator[str]:
    """OGX from this virtual environment, which is made if it is not there; the URL comes without the prefix `/v1`.

    It answers when the block begins. At its end it is stopped, and all that it stored is removed. It writes nowhere
    but into a temporary folder, knows nothing of the environment and has no reason to call anybody.

    Raises:
        OgxFailed: there is no Python for it, it could not be installed, the port is taken, or no answer came within
            a minute.
    """
    python = _installed(venv)
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
                start_new_session=True,  # An interrupt from the keyboard is ours to pass on.
            )
        try:
            _wait_until_it_answers(url, process, log)
            yield url
        finally:
            _stop(process)


def _installed(venv: Path) -> Path:
    """The interpreter of the virtual environment, with everything that requirements.txt asks for."""
    python = (venv / "bin" / "python").absolute()
    requirements = HERE / "requirements.txt"
    installed = venv / "ogx-requirements.txt"
    if not installed.exists() or installed.read_text() != requirements.read_text():
        try:
            subprocess.run([_suitable_python(), "-m", "venv", venv], check=True)
            subprocess.run(
                [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements],
                check=True,
                stdout=sys.stderr,
            )
        except subprocess.CalledProcessError as error:
            raise OgxFailed(f"OGX could not be installed: {error}") from error
        shutil.copyfile(requirements, installed)
    return python


def _suitable_python() -> str:
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
    """All that OGX gets to know; what would make it export metrics is not in it."""
    return {
        "PATH": os.defpath,
        "HOME": folder,
        "TMPDIR": folder,
        "OGX_CONFIG_DIR": folder,
        "OGX_STORAGE": folder,
        "OGX_LOG_FORMAT": "json",  # The other format takes 5 seconds to show one error, in which nobody is answered.
        "OTEL_SDK_DISABLED": "true",
    }


def _free_port(wanted: int) -> int:
    try:
        with socket.create_server(("127.0.0.1", wanted)) as listener:
            return int(listener.getsockname()[1])
    except OSError as error:
        raise OgxFailed(f"OGX cannot have port {wanted}: {error.strerror}") from error


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    direct = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + _ANSWERS_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), direct.open(f"{url}/v1/health", timeout=5):
            return
        time.sleep(0.1)
    ended = "did not answer" if process.poll() is None else f"ended with status {process.returncode}"
    raise OgxFailed(f"OGX {ended}; the end of its log:\n{log.read_text(errors='replace')[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="Start OGX, and print its URL once it answers.")
    parser.add_argument("--venv", type=Path, required=True, help="where OGX is, or is to be, installed")
    parser.add_argument("--port", type=int, default=0, help="a free one unless given")
    parser.add_argument("--end-users", action="store_true", help="keep what end users make apart")
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
