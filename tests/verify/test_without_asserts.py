"""`python -O` removes `assert` statements; the scenarios must find mutants without them."""

import os
import subprocess
import sys

from tests.mutants.proxy import MutatedApp
from tests.mutants.registry import MUTANTS
from tests.verify.conftest import KEYS

MUTANT, BEHAVIOUR = "pages-have-first-id", "conversations.list.has-no-other-cursor"


def test_a_mutant_is_found_under_python_o(start_fake) -> None:
    target = start_fake(lambda app: MutatedApp(app, MUTANTS[MUTANT]))
    command = [sys.executable, "-O", "-m", "mockserver", "verify", target.url, "--repeat", BEHAVIOUR]
    command += ["--phases", "behaviours", "--api-key-env", "KEY"]
    run = subprocess.run(command, env=os.environ | {"KEY": KEYS[0]}, check=False, capture_output=True, text=True)
    assert run.returncode == 1, run.stdout
    assert "violates" in run.stdout
