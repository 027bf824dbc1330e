"""Verify OGX, an independent server with a Conversations API: `python tests/ogx/verify.py --help`.

OGX differs from MKA1, so a run succeeds when it ends with a verdict, whatever the verdict is.
"""

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from server import END_USERS, OPEN, OgxFailed, ogx_server


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", type=Path, required=True, help="virtual environment of OGX, created if missing")
    parser.add_argument("--end-users", action="store_true", help="isolate end users")
    arguments, options = parser.parse_known_args()
    try:
        with ogx_server(arguments.venv, config=END_USERS if arguments.end_users else OPEN) as url:
            command = [sys.executable, "-m", "mockserver", "verify", url, "--prefix", "/v1", "--no-api-key"]
            finished = subprocess.run([*command, *options], check=False)
    except OgxFailed as error:
        sys.exit(str(error))
    return 0 if finished.returncode in (0, 1) else finished.returncode


if __name__ == "__main__":
    sys.exit(main())
