"""Verify OGX, a server with a Conversations API that nobody here wrote: `python tests/ogx/verify.py --help`.

It differs from MKA1 in places; the run has come well to its end when it has a verdict, whatever that is.
"""

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from server import END_USERS, OPEN, OgxFailed, ogx_server


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", type=Path, required=True, help="where OGX is, or is to be, installed")
    parser.add_argument("--end-users", action="store_true", help="keep what end users make apart")
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
