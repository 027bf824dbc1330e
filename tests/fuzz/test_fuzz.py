"""Run the command of Schemathesis against a running fake, which must conform whatever is sent."""

import pytest
from starlette.types import Message, Scope

from tests.support.middleware import ApiMiddleware

from .rounds import KEYS, Round, create_target, run_schemathesis


@pytest.fixture(scope="module")
def run() -> Round:
    """Return the result of all phases but coverage, which `verify` and `make fuzz` run."""
    return run_schemathesis("--phases=examples,fuzzing,stateful")


def test_every_response_conforms_to_the_document(run: Round) -> None:
    assert run.passed, run.output


def test_most_valid_requests_are_accepted(run: Round) -> None:
    """Otherwise the run above has only seen rejections."""
    assert len(run.outcomes) == 21
    for operation, outcomes in run.outcomes.items():
        if not operation.endswith(("/cancel", "/wake")):  # They need a response that runs, and one that sleeps.
            assert outcomes["accepted"] >= 0.5 * sum(outcomes.values()), (operation, outcomes)


class CrashingMiddleware(ApiMiddleware):
    def change_message(self, scope: Scope, message: Message) -> Message:
        crashes = message.get("status") == 200 and scope["method"] == "GET"
        return message | {"status": 500} if crashes else message


class WrongTypeMiddleware(ApiMiddleware):
    def change_message(self, scope: Scope, message: Message) -> Message:
        if "body" not in message:
            return message
        return message | {"body": message["body"].replace(b'"has_more":false', b'"has_more":"no" ')}


class ZeroLimitMiddleware(ApiMiddleware):
    def change_request(self, scope: Scope) -> Scope:
        return scope | {"query_string": scope["query_string"].replace(b"limit=0", b"limit=1")}


class AnyKeyMiddleware(ApiMiddleware):
    def change_request(self, scope: Scope) -> Scope:
        headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
        return scope | {"headers": [*headers, (b"authorization", f"Bearer {KEYS[0]}".encode())]}


@pytest.mark.parametrize(
    ("defect", "operation", "found"),
    [
        (CrashingMiddleware, "conversations.retrieve", "Server error"),
        (WrongTypeMiddleware, "conversations.items.list", "Response violates schema"),
        (ZeroLimitMiddleware, "conversations.list", "Schema-violating request accepted"),
        (AnyKeyMiddleware, "conversations.retrieve", "API accepts requests without authentication"),
    ],
)
def test_a_defect_is_found(defect: type[ApiMiddleware], operation: str, found: str) -> None:
    run = run_schemathesis(
        "--include-operation-id", operation, "--phases=examples,coverage", app=defect(create_target())
    )
    assert not run.passed
    assert found in run.output
