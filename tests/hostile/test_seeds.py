"""Seeds and states that are made to break the fake: each is rejected with its place, and nothing crashes."""

import json
import math
import subprocess
import sys

import pytest

from mockserver import Settings, UsageError, create_app
from mockserver.determinism import LAST_SECOND

DEEP = 100_000
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + level)}: &{chr(98 + level)} [{', '.join([f'*{chr(97 + level)}'] * 10)}]\n" for level in range(11)
)
FILES = {
    "deep.json": ('{"conversations":' + "[" * DEEP + "]" * DEEP + "}", "nested deeper than"),
    "deep-flow.yaml": ("conversations: " + "[" * DEEP, "nested deeper than 1000 levels"),
    "deep-block.yaml": ("- " * DEEP, "nested deeper than 1000 levels"),
    "less-deep.yaml": ("conversations: " + "[" * 500 + "]" * 500, "nested deeper than 200 levels"),
    "contains-itself.yaml": ("conversations: &a [*a]", "nested deeper than 200 levels"),
    "billion-laughs.yaml": (LAUGHS, "repeats more than 100,000 values"),
    "many-digits.yaml": ("conversations: [{created_at: " + "9" * 5000 + "}]", "an integer of 5,000 digits"),
    "huge-integer.yaml": ("conversations: [{created_at: " + "9" * 30 + "}]", "conversations[0].created_at: is out of"),
    "huge-integer.json": (
        '{"conversations": [{"created_at": ' + "9" * 5000 + "}]}",
        "conversations[0].created_at: is",
    ),
    "nan.yaml": ("conversations: [{created_at: .nan}]", "conversations[0].created_at: must be a JSON value, not nan"),
    "nan.json": ('{"conversations": [{"created_at": NaN}]}', "conversations[0].created_at: must be a JSON value"),
    "nan-in-item.yaml": (
        "conversations: [{items: [{type: message, role: user, content: hi, x: .inf}]}]",
        "conversations[0].items[0].x: must be a JSON value, not inf",
    ),
    "number-as-name.yaml": ("conversations: [{metadata: {1: a}}]", "conversations[0].metadata: has a name that is no"),
    "null-as-name.yaml": ("{~: a}", "has a name that is no string: null"),
    "on-as-name.yaml": ("conversations: [{on: a}]", "conversations[0]: has a name that is no string: true"),
    "bytes.yaml": ("conversations: [{id: !!binary aGk=}]", "conversations[0].id: must be a JSON value"),
    "a-set.yaml": ("conversations: !!set {a, b}", "conversations: must be a JSON value"),
    "surrogate.json": ('{"conversations": [{"id": "\\ud800"}]}', "conversations[0].id: contains a lone surrogate"),
    "duplicate.yaml": ("conversations:\n- id: a\n  items: []\n  id: b\n", "'id' is a duplicate name in \"<"),
    "duplicate-in-merged.yaml": ("conversations: [{metadata: &m {a: b, a: c}}, {<<: *m}]", "'a' is a duplicate name"),
    "duplicate-merge.yaml": ("conversations: [{id: &m {a: b}, <<: *m, <<: *m}]", "'<<' is a duplicate name"),
    "duplicate.json": ('{"conversations": [], "conversations": []}', "conversations: is a duplicate field"),
}
LOAD = """
import sys
from pathlib import Path
from mockserver import Settings, UsageError, create_app
for path in sys.argv[1:]:
    try:
        create_app(Settings(seeds=(Path(path),)))
        print("accepted")
    except UsageError as error:
        print(str(error))
"""


def test_files_are_rejected_with_the_place(tmp_path):
    """In a process of its own, which a deeply nested file could end."""
    paths = [tmp_path / name for name in FILES]
    for path, (text, _) in zip(paths, FILES.values(), strict=True):
        path.write_text(text)
    done = subprocess.run([sys.executable, "-c", LOAD, *paths], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for path, message, (_, expected) in zip(paths, done.stdout.splitlines(), FILES.values(), strict=True):
        assert message.startswith(f"seed {path}: "), message
        assert expected in message


def nested(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        ({"conversations": [{"created_at": math.nan}]}, "conversations[0].created_at: must be a JSON value, not nan"),
        ({"conversations": [{"metadata": {1: "a"}}]}, "conversations[0].metadata: has a name that is no string: 1"),
        ({"conversations": [{"id": b"a"}]}, "conversations[0].id: must be a JSON value, not of the type bytes"),
        ({"conversations": [{"created_at": 10**400}]}, "conversations[0].created_at: is out of range"),
        ({"conversations": [{"id": "\ud800"}]}, "conversations[0].id: contains a lone surrogate"),
        ({"conversations": nested(DEEP)}, "is nested deeper than 200 levels"),
    ],
    ids=["nan", "number-as-name", "bytes", "huge-integer", "surrogate", "deep"],
)
def test_mappings_are_rejected_with_the_place(seed, message):
    with pytest.raises(UsageError) as caught:
        create_app(Settings(seeds=(seed,)))
    assert message in str(caught.value)


def test_a_seed_may_use_aliases(tmp_path, make_client):
    path = tmp_path / "seed.yaml"
    path.write_text("conversations:\n- {id: a, metadata: &m {k: v}}\n- {id: b, metadata: *m}\n")
    client = make_client(seeds=(path,))
    assert client.get("/conversations/b").json()["metadata"] == {"k": "v"}


def test_a_seed_may_override_what_it_merges(tmp_path, make_client):
    path = tmp_path / "seed.yaml"
    path.write_text(
        "conversations:\n"
        "- {id: a, items: [], metadata: {x: '1'}}\n"
        "- &b {id: b, metadata: &m {<<: {x: '1', y: '2'}, x: '3'}}\n"
        "- {<<: *b, id: c, metadata: {<<: *m, y: '4'}}\n"
    )
    client = make_client(seeds=(path,))
    assert client.get("/conversations/b").json()["metadata"] == {"x": "3", "y": "2"}
    assert client.get("/conversations/c").json()["metadata"] == {"x": "3", "y": "4"}


BAD = {"id": 5, "metadata": {"a": 1}, "created_at": "now", "end_user": "", "account": [], "items": {}}


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_bad_values_in_a_state_are_named(make_client, method):
    response = make_client().root.request(method, "/_mock/state", json={"conversations": [BAD]})
    findings = response.json()["error"]["findings"]
    assert {finding["pointer"].removeprefix("/conversations/0") for finding in findings} == {
        *("/id", "/metadata/a", "/created_at", "/end_user", "/account", "/items")
    }


def test_a_state_with_neither_name_nor_conversations_is_explained(make_client):
    response = make_client().root.put("/_mock/state", json={"conversation": []})
    assert "conversations" in json.dumps(response.json())


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"freeze": LAST_SECOND + 1}, "/freeze"),
        ({"freeze": -1}, "/freeze"),
        ({"advance": LAST_SECOND}, "/advance"),
        ({"advance": -LAST_SECOND}, "/advance"),
    ],
)
def test_a_clock_out_of_range_is_rejected_when_it_is_set(make_client, change, pointer):
    client = make_client()
    before = client.root.get("/_mock/clock").json()["now"]
    response = client.root.put("/_mock/clock", json=change)
    assert response.status_code == 400
    assert [finding["pointer"] for finding in response.json()["error"]["findings"]] == [pointer]
    assert client.root.get("/_mock/clock").json()["now"] - before < 60


@pytest.mark.parametrize("time", [math.nan, math.inf, 1e300])
def test_a_test_cannot_set_an_impossible_time(mka1, time):
    with pytest.raises(UsageError, match="freeze"):
        mka1.clock.freeze(time)
    with pytest.raises(UsageError, match="advance"):
        mka1.clock.advance(time)
