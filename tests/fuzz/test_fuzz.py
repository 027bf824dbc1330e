"""Schemathesis by its own command, against a running fake: nothing but what the document says, whatever is sent."""

import pytest
from starlette.types import Message, Scope

from tests.support.middleware import ApiMiddleware

from .rounds import KEYS, Round, fuzz, fuzzed_fake


@pytest.fixture(scope="module")
def run() -> Round:
    """All phases but coverage, which a whole run of `verify` goes through, and `make fuzz`."""
    return fuzz("--phases=examples,fuzzing,stateful")


def test_every_answer_is_what_the_document_says(run: Round) -> None:
    assert run.passed, run.output


def test_most_valid_requests_get_through(run: Round) -> None:
    """Otherwise the run above has seen nothing but refusals."""
    for operation, outcomes in run.outcomes.items():
        assert outcomes["accepted"] >= 0.5 * sum(outcomes.values()), (operation, outcomes)
    assert len(run.outcomes) == 10


class Crashes(ApiMiddleware):
    def change_message(self, scope: Scope, message: Message) -> Message:
        crashes = message.get("status") == 200 and scope["method"] == "GET"
        return message | {"status": 500} if crashes else message


class SendsAnotherType(ApiMiddleware):
    def change_message(self, scope: Scope, message: Message) -> Message:
        if "body" not in message:
            return message
        return message | {"body": message["body"].replace(b'"has_more":false', b'"has_more":"no" ')}


class TakesLimitZero(ApiMiddleware):
    def change_request(self, scope: Scope) -> Scope:
        return scope | {"query_string": scope["query_string"].replace(b"limit=0", b"limit=1")}


class TakesAnyKey(ApiMiddleware):
    def change_request(self, scope: Scope) -> Scope:
        headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
        return scope | {"headers": [*headers, (b"authorization", f"Bearer {KEYS[0]}".encode())]}


@pytest.mark.parametrize(
    ("defect", "operation", "found"),
    [
        (Crashes, "conversations.retrieve", "Server error"),
        (SendsAnotherType, "conversations.items.list", "Response violates schema"),
        (TakesLimitZero, "conversations.list", "Schema-violating request accepted"),
        (TakesAnyKey, "conversations.retrieve", "API accepts requests without authentication"),
    ],
)
def test_the_fuzzer_can_see(defect: type[ApiMiddleware], operation: str, found: str) -> None:
    run = fuzz("--include-operation-id", operation, "--phases=examples,coverage", app=defect(fuzzed_fake()))
    assert not run.passed
    assert found in run.output
