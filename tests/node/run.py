"""Run the tests of the npm client: `python -m tests.node.run`. They need npm and its registry."""

import os
import subprocess
import sys
from pathlib import Path

from mockserver import Settings, create_app, run_server

FOLDER = Path(__file__).parent


def main() -> int:
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"], cwd=FOLDER, check=True)
    with run_server(create_app(Settings())) as server:
        environment = {**os.environ, "MOCKSERVER_URL": server.url, "NO_PROXY": "127.0.0.1"}
        return subprocess.run(["npm", "test"], cwd=FOLDER, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
