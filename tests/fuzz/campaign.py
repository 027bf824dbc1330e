"""Run many rounds of fuzzing, each with its own seed: `python -m tests.fuzz.campaign --help`.

The first round runs every phase, the others only those without an end: fuzzing and stateful.
"""

import argparse
import logging
import sys
import time
from collections.abc import Iterator

from .rounds import Round, run_schemathesis


def main() -> int:
    arguments = _arguments()
    logging.getLogger("uvicorn").addHandler(logging.NullHandler())  # It warns of each request that is not HTTP.
    _print(f"{'round':>5} {'seed':>10} {'cases':>9} {'failures':>9} {'seconds':>9}")
    rounds: list[Round] = []
    for one in _rounds(arguments.seed, arguments.max_examples):
        rounds.append(one)
        _print(f"{len(rounds):>5} {one.seed:>10} {one.cases:>9,} {one.failures:>9,} {one.seconds:>9.1f}")
        if not one.passed:
            _print(one.output)
        is_over = time.monotonic() > arguments.deadline
        if is_over or sum(one.cases for one in rounds) >= arguments.cases:
            break
    totals = [sum(getattr(one, name) for one in rounds) for name in ("cases", "failures", "seconds")]
    _print("{:>16} {:>9,} {:>9,} {:>9.1f}".format("all", *totals))
    if is_over and totals[0] < arguments.cases:
        _print(f"stopped after {arguments.minutes} minutes, short of {arguments.cases:,} cases")
    return 0 if all(one.passed for one in rounds) else 1


def _rounds(seed: int, max_examples: int) -> Iterator[Round]:
    size = f"--max-examples={max_examples}"
    yield run_schemathesis(f"--seed={seed}", size)
    while True:
        seed += 1
        yield run_schemathesis(f"--seed={seed}", size, "--phases=fuzzing,stateful")


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=100_000, help="stop after so many requests (%(default)s)")
    parser.add_argument("--minutes", type=float, default=60, help="start no round after so many (%(default)s)")
    parser.add_argument("--max-examples", type=int, help="per operation and round (500, less for few cases)")
    parser.add_argument("--seed", type=int, default=1, help="of the first round (%(default)s)")
    arguments = parser.parse_args()
    arguments.deadline = time.monotonic() + arguments.minutes * 60
    arguments.max_examples = arguments.max_examples or min(500, arguments.cases // 20 + 1)
    return arguments


if __name__ == "__main__":
    sys.exit(main())
