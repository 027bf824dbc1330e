"""Long histories of requests, to which the fake and a naive model must give the same responses.

Every run tries the same histories. `STATEFUL_EXAMPLES=1000` tries more, `STATEFUL_SEED=7` other ones.
"""

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from mockserver import Fake, Settings, create_app
from tests.stateful.model import Model, Rejection, Tenant, item_type
from tests.support.asgi_client import AsgiClient
from tests.support.response import Response

KEYS = {"north": ("key-1", "key-3"), "south": ("key-2",)}
TENANTS = [Tenant(account, end_user) for account in KEYS for end_user in (None, "a", "b")]
PREFIXES = {"message": "msg", "function_call": "fc", "function_call_output": "fco"}

# In pairs: words that are the same to a search, or nearly so.
WORDS = [
    *("drum", "Drum", "belt", "belts", "\uff11\uff12", "12", "ﬁn", "FIN", "straße", "STRASSE", "Σίσυφος", "σίσυφοσ"),
    *("zero\u200bwidth", "zerowidth", "café", "cafe\u0301", "cafe", "CAFÉ", "ｶﾒﾗ", "カメラ", "İzmir", "izmir"),
    *("東京都", "京都", "東京", "東京hotel", "กรุงเทพ", "กรุง", "a_b", "don't"),
]
PAIRS = st.dictionaries(
    st.sampled_from(["case", "case", "limit", "", "a[b]", "ключ", "metadata"]),
    st.sampled_from(["open", "closed", "", 'é"']),
    max_size=3,
)
CLIENT_IDS = ["a", "b", "c", "item/1", "x y", "é", ".."]
UNKNOWN_FIELDS = st.sampled_from([{}, {}, {}, {"x_shoe": 43}, {"x_": {"id": "a"}}])

# Invalid in any state: method, path, query, body.
INVALID = [
    ("GET", (), [("limit", "0")], None),
    ("GET", (), [("limit", "51")], None),
    ("GET", (), [("limit", "1.5")], None),
    ("GET", (), [("limit", "5"), ("limit", "5")], None),
    ("GET", (), [("order", "DESC")], None),
    ("GET", (), [("after", "")], None),
    ("GET", (), [("metadata", "{")], None),
    ("GET", (), [("metadata", '{"case": 1}')], None),
    ("GET", ("conv_none", "items"), [("limit", "101")], None),
    ("POST", (), [], {"items": [{"role": "user"}]}),
    ("POST", (), [], {"items": [{"role": "user", "content": "x"}] * 21}),
    ("POST", (), [], {"metadata": {"case": None}}),
    ("POST", (), [], {"metadata": {str(number): "x" for number in range(17)}}),
    ("POST", (), [], []),
    ("POST", ("conv_none",), [], {}),
    ("POST", ("conv_none",), [], {"metadata": None}),
    ("POST", ("conv_none", "items"), [], {"items": []}),
    ("POST", ("conv_none", "items"), [], {"items": [{"type": "none", "id": "a"}]}),
    ("DELETE", ("conv_none", "items"), [], {"item_ids": []}),
    ("DELETE", ("conv_none", "items"), [], {"item_ids": [""]}),
]


@st.composite
def texts(draw: st.DrawFn) -> str:
    words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4))
    return draw(st.sampled_from([" ", " ", "\n", ", ", "-", ""])).join(words)


@st.composite
def searches(draw: st.DrawFn, there: Sequence[str]) -> str:
    """Generate a search for words, some of them from stored texts."""
    words = draw(
        st.sampled_from(WORDS).map(lambda word: [word])
        | st.lists(st.sampled_from(WORDS), min_size=2, max_size=2)
        | st.sampled_from(there).map(lambda text: text.split()[-2:])
        | st.sampled_from(there).map(lambda text: text.split()[::-2])
    )
    form = draw(st.sampled_from(["{}", "{}", '"{}"', '"{}', '{}"', '{} "{}"', '"{}" {}', ",", " ", "", '""']))
    return form.replace("{}", " ".join(words), 1).replace("{}", words[0])


def message(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def message_in_parts(text: str, more: list[str]) -> dict[str, Any]:
    refusals = [{"type": "refusal", "refusal": each, "x_part": True} for each in more]
    content = [{"type": "output_text", "text": text}, "belt", *refusals]
    return {"type": "message", "role": "assistant", "content": content}


def call(text: str) -> dict[str, Any]:
    # Escaped beyond ASCII, as many encoders do.
    arguments = json.dumps({"q": [text, 1, True]}, ensure_ascii=True)
    return {"type": "function_call", "call_id": "call", "name": "find", "arguments": arguments}


def output(text: str) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": "call", "output": text}


def reasoning(text: str) -> dict[str, Any]:
    return {"type": "reasoning", "summary": [{"type": "summary_text", "text": text}], "encrypted_content": None}


IN_PARTS = st.builds(message_in_parts, texts(), st.lists(texts(), max_size=1))
NEED_NO_ID = texts().map(message) | IN_PARTS | texts().map(call) | texts().map(output)
NEED_AN_ID = texts().map(reasoning) | st.just({}) | st.just({"type": "item_reference"})  # {} is a reference, too.


@st.composite
def items(draw: st.DrawFn, ids: Sequence[str]) -> dict[str, Any]:
    """Generate an item to send; `ids` are those that it may choose or refer to."""
    if draw(st.integers(0, 2)):
        item = draw(NEED_NO_ID)
        item_id = draw(st.sampled_from([None, None, *ids[:4]]))
    else:
        item = draw(NEED_AN_ID)
        item_id = draw(st.sampled_from(ids))
    return item | ({} if item_id is None else {"id": item_id}) | draw(UNKNOWN_FIELDS)


class FakeAgainstModel(RuleBasedStateMachine):
    model: Model

    def __init__(self, fake: Fake) -> None:
        super().__init__()
        fake.state.reset()
        fake.state.clock.freeze(1_704_067_200.75)
        self.clock = fake.state.clock
        self.client = AsgiClient.connect(fake)
        self.model = Model()
        self.generated_ids: set[str] = set()
        self.not_found: dict[str, str] = {}
        self.touched: tuple[Tenant, str] = (TENANTS[0], "")

    @initialize(data=st.data(), metadata=st.lists(PAIRS, min_size=3, max_size=3))
    def start_with_something(self, data: st.DataObject, metadata: list[dict[str, str]]) -> None:
        """Create two conversations of one tenant, and one of another with the same item ids."""
        for tenant, pairs in zip((TENANTS[0], TENANTS[0], TENANTS[1]), metadata, strict=True):
            chosen_id = CLIENT_IDS[len(self.model.tenants[tenant].conversations)]
            first, second = message(data.draw(texts())), reasoning(data.draw(texts()))
            self._create(tenant, {"items": [first, second | {"id": chosen_id}], "metadata": pairs})

    # Requests

    @rule(data=st.data())
    def create(self, data: st.DataObject) -> None:
        tenant = self._tenant(data)
        some = st.lists(items(self._ids_to_choose(tenant)), max_size=3)
        body = data.draw(st.fixed_dictionaries({}, optional={"items": some, "metadata": PAIRS, "x_top": st.none()}))
        self._create(tenant, body)

    @rule(data=st.data(), count=st.integers(2, 12))
    def create_many(self, data: st.DataObject, count: int) -> None:
        tenant = self._tenant(data)
        for _ in range(count):
            self._create(tenant, {})

    @rule(data=st.data())
    def retrieve(self, data: st.DataObject) -> None:
        tenant = self._tenant(data)
        conversation_id = self._conversation(data, tenant)
        response = self._send(tenant, "GET", conversation_id)
        self._agree(response, lambda: self.model.retrieve(tenant, conversation_id))

    @rule(data=st.data(), metadata=PAIRS)
    def update(self, data: st.DataObject, metadata: dict[str, str]) -> None:
        tenant = self._tenant(data)
        conversation_id = self._conversation(data, tenant)
        response = self._send(tenant, "POST", conversation_id, body={"metadata": metadata})
        self._agree(response, lambda: self.model.update(tenant, conversation_id, metadata))

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        tenant = self._tenant(data)
        conversation_id = self._conversation(data, tenant)
        response = self._send(tenant, "DELETE", conversation_id)
        self._agree(response, lambda: self.model.delete(tenant, conversation_id))

    @rule(data=st.data())
    def list_conversations(self, data: st.DataObject) -> None:
        tenant = self._tenant(data)
        query = self._paging(data, 50, self._conversation(data, tenant))
        if data.draw(st.booleans(), label="search?"):
            query["search"] = self._search(data, tenant)
        written, pairs = self._filter(data, tenant)
        response = self._send(tenant, "GET", query=[*query.items(), *written])
        self._agree(response, lambda: self.model.list_conversations(tenant, **_as_arguments(query), pairs=pairs))

    @rule(data=st.data())
    def search(self, data: st.DataObject) -> None:
        tenant = self._tenant(data)
        search = self._search(data, tenant)
        response = self._send(tenant, "GET", query=[("search", search)])
        self._agree(response, lambda: self.model.list_conversations(tenant, search=search))

    @rule(data=st.data())
    def add_items(self, data: st.DataObject) -> None:
        tenant = self._tenant(data)
        conversation_id = self._conversation(data, tenant)
        self._add(
            tenant, conversation_id, data.draw(st.lists(items(self._ids_to_choose(tenant)), min_size=1, max_size=4))
        )

    @rule(data=st.data(), start=st.integers(0, 1))
    def add_many_items(self, data: st.DataObject, start: int) -> None:
        tenant = self._tenant(data)
        conversation_id = self._conversation(data, tenant)
        self._add(tenant, conversation_id, [message(word) for word in WORDS[start::2]])

    @rule(data=st.data())
    def refer_to_an_item(self, data: st.DataObject) -> None:
        tenant = self._tenant(data)
        conversation_id, other = self._conversation(data, tenant), self._conversation(data, tenant)
        self._add(tenant, conversation_id, [{"id": self._item_id(data, tenant, other)}])

    @rule(data=st.data())
    def use_an_id_again(self, data: st.DataObject) -> None:
        """Add an item with the id of a deleted one, if there is one, and list the items after it."""
        tenant = self._tenant(data)
        conversation_id = self._conversation(data, tenant)
        own = self.model.tenants[tenant].conversations
        entries = own[conversation_id].entries if conversation_id in own else []
        free = [entry.id for entry in entries if not entry.is_live]
        item_id = data.draw(st.sampled_from(free or [CLIENT_IDS[0]]), label="item")
        self._add(tenant, conversation_id, [message("again") | {"id": item_id}])
        response = self._send(tenant, "GET", conversation_id, "items", query=[("after", item_id)])
        self._agree(response, lambda: self.model.list_items(tenant, conversation_id, after=item_id))

    @rule(data=st.data())
    def list_items(self, data: st.DataObject) -> None:
        tenant = self._tenant(data)
        conversation_id = self._conversation(data, tenant)
        query = self._paging(data, 100, self._item_id(data, tenant, conversation_id))
        also = data.draw(st.sampled_from([[], [("include", "x")], [("include", "x"), ("include", "y"), ("no", "")]]))
        response = self._send(tenant, "GET", conversation_id, "items", query=[*query.items(), *also])
        self._agree(response, lambda: self.model.list_items(tenant, conversation_id, **_as_arguments(query)))

    @rule(data=st.data())
    def retrieve_item(self, data: st.DataObject) -> None:
        tenant = self._tenant(data)
        conversation_id = self._conversation(data, tenant)
        item_id = self._item_id(data, tenant, conversation_id)
        response = self._send(tenant, "GET", conversation_id, "items", item_id)
        self._agree(response, lambda: self.model.retrieve_item(tenant, conversation_id, item_id))

    @rule(data=st.data())
    def delete_item(self, data: st.DataObject) -> None:
        tenant = self._tenant(data)
        conversation_id = self._conversation(data, tenant)
        item_id = self._item_id(data, tenant, conversation_id)
        response = self._send(tenant, "DELETE", conversation_id, "items", item_id)
        self._agree(response, lambda: self.model.delete_item(tenant, conversation_id, item_id))

    @rule(data=st.data())
    def delete_items(self, data: st.DataObject) -> None:
        tenant = self._tenant(data)
        conversation_id = self._conversation(data, tenant)
        count = data.draw(st.integers(1, 4))
        body = {"item_ids": [self._item_id(data, tenant, conversation_id) for _ in range(count)]}
        response = self._send(tenant, "DELETE", conversation_id, "items", body=body)
        self._agree(response, lambda: self.model.delete_items(tenant, conversation_id, body["item_ids"]))

    @rule(data=st.data(), request=st.sampled_from(INVALID))
    def send_something_invalid(self, data: st.DataObject, request: tuple[Any, ...]) -> None:
        tenant = self._tenant(data)
        method, path, query, body = request
        path = [self._conversation(data, tenant) if part == "conv_none" else part for part in path]
        response = self._send(tenant, method, *path, query=query, body=body)
        assert response.status_code == 400, response
        assert response.json()["error"]["findings"]

    @rule(data=st.data(), authorization=st.sampled_from([None, "", "Bearer", "Bearer key-4", "Basic key-1"]))
    def send_without_a_key(self, data: st.DataObject, authorization: str | None) -> None:
        conversation_id = self._conversation(data, TENANTS[0])
        headers = {} if authorization is None else {"authorization": authorization}
        response = self.client.delete(_path("conversations", conversation_id), headers=headers)
        assert response.status_code == 401, response
        assert response.headers["www-authenticate"] == "Bearer"

    @rule(seconds=st.integers(1, 1000))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    # Invariants

    @invariant()
    def everything_is_listed_once(self) -> None:
        tenant, conversation_id = self.touched
        self._agree_on_lists(tenant)
        if conversation_id in self.model.tenants[tenant].conversations:
            self._agree_on_items(tenant, conversation_id)

    def teardown(self) -> None:
        try:
            if sys.exception() is None:  # Otherwise they differ already.
                self._agree_on_everything()
        finally:
            self.client.runner.close()

    def _agree_on_everything(self) -> None:
        for tenant in TENANTS:
            self._agree_on_lists(tenant)
            for conversation_id in self.model.tenants[tenant].conversations:
                self._agree_on_items(tenant, conversation_id)
        for first, second in pairwise(WORDS):
            for search in (first, f"{first} {second}", f'"{first} {second}"'):
                response = self._send(TENANTS[0], "GET", query=[("search", search), ("limit", "50")])
                self._agree(response, partial(self.model.list_conversations, TENANTS[0], search=search, limit=50))

    def _agree_on_lists(self, tenant: Tenant) -> None:
        for order, limit in (("asc", 7), ("desc", 50)):
            whole = self.model.list_conversations(tenant, limit=10_000, order=order)["data"]
            assert _canonical(self._read_all(tenant, order=order, limit=limit)) == _canonical(whole)

    def _agree_on_items(self, tenant: Tenant, conversation_id: str) -> None:
        for order, limit in (("asc", 100), ("desc", 7)):
            whole = self.model.list_items(tenant, conversation_id, limit=10_000, order=order)["data"]
            read = self._read_all(tenant, conversation_id, "items", order=order, limit=limit)
            assert _canonical(read) == _canonical(whole)

    def _read_all(self, tenant: Tenant, *path: str, order: str, limit: int) -> list[Any]:
        found: list[Any] = []
        query = [("order", order), ("limit", str(limit))]
        after: list[tuple[str, str]] = []
        while len(found) < 10_000:
            response = self._send(tenant, "GET", *path, query=query + after)
            assert response.status_code == 200, response
            found += response.json()["data"]
            if not response.json()["has_more"]:
                return found
            assert len(response.json()["data"]) == limit
            after = [("after", response.json()["last_id"])]
        raise AssertionError("the list has no last page")

    # Sending and comparing

    def _create(self, tenant: Tenant, body: Mapping[str, Any]) -> None:
        response = self._send(tenant, "POST", body=body)
        new_id, item_ids = "", [""] * len(body.get("items", ()))
        if response.status_code == 200:
            new_id = response.json()["id"]
            self._check_new_id(new_id, "conv")
            stored = self._send(tenant, "GET", new_id, "items", query=[("limit", "100")])
            item_ids = self._check_ids(body.get("items", ()), stored.json()["data"])
        now = int(self.clock.now(tenant.account))
        self._agree(response, lambda: self.model.create(tenant, now, new_id, body, item_ids))
        self.touched = tenant, new_id

    def _add(self, tenant: Tenant, conversation_id: str, some: list[dict[str, Any]]) -> None:
        response = self._send(tenant, "POST", conversation_id, "items", body={"items": some, "include": ["x"]})
        item_ids = self._check_ids(some, response.json()["data"]) if response.status_code == 200 else [""] * len(some)
        self._agree(response, lambda: self.model.add_items(tenant, conversation_id, some, item_ids))

    def _check_ids(self, sent: Sequence[Mapping[str, Any]], stored: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return the ids of stored items; check that generated ones are new and have the right form."""
        assert len(sent) == len(stored)
        for before, after in zip(sent, stored, strict=True):
            if "id" not in before:
                self._check_new_id(after["id"], PREFIXES[item_type(before)])
        return [after["id"] for after in stored]

    def _check_new_id(self, new_id: str, prefix: str) -> None:
        assert re.fullmatch(rf"{prefix}_[0-9a-f]{{32}}", new_id), new_id
        assert new_id not in self.generated_ids
        self.generated_ids.add(new_id)

    def _send(
        self,
        tenant: Tenant,
        method: str,
        *path: str,
        query: Sequence[tuple[str, str]] = (),
        body: Any = None,
        resource: str = "conversations",
    ) -> Response:
        if resource == "conversations":
            self.touched = tenant, path[0] if path else ""
        headers = self._headers(tenant)
        response = self.client.request(method, _path(resource, *path), params=query, json=body, headers=headers)
        assert response.headers["content-type"] == "application/json"
        return response

    def _headers(self, tenant: Tenant) -> dict[str, str]:
        """Return one of the ways to be this tenant."""
        keys = KEYS[tenant.account]
        headers = {"authorization": f"Bearer {keys[len(self.generated_ids) % len(keys)]}"}
        if tenant.end_user is not None or len(self.generated_ids) % 3 == 0:
            headers["x-on-behalf-of"] = tenant.end_user or ""
        return headers

    def _agree(self, response: Response, expected: Callable[[], Mapping[str, Any]]) -> None:
        """Check that the model gives the same response, but for the wording of errors."""
        try:
            status, body = 200, expected()
        except Rejection as rejection:
            status, body = rejection.status, {"error": rejection.body}
        assert response.status_code == status, (response, body)
        assert _canonical(self._without_wording(response)) == _canonical(body)

    def _without_wording(self, response: Response) -> Any:
        if response.status_code == 200:
            return response.json()
        error = dict(response.json()["error"])
        message = error.pop("message")
        assert message
        if response.status_code == 404:
            # Foreign, deleted and unknown ids must get the same message.
            pattern = re.sub(r"'.*'", "...", message)
            where = re.sub(r"\d+", "0", error["param"])
            assert self.not_found.setdefault(where, pattern) == pattern
        if "findings" in error:
            error["findings"] = [{"in": found["in"], "pointer": found["pointer"]} for found in error["findings"]]
        return {"error": error}

    # Choosing

    def _tenant(self, data: st.DataObject) -> Tenant:
        """Choose a tenant, mostly one that has conversations."""
        owners = [tenant for tenant in TENANTS if self.model.tenants[tenant].conversations]
        return data.draw(st.sampled_from([*owners * 6, *TENANTS]), label="tenant")

    def _conversation(self, data: st.DataObject, tenant: Tenant) -> str:
        """Choose a conversation id, mostly of a live one, sometimes of a deleted or foreign one, or unknown."""
        own = self.model.tenants[tenant].conversations
        live = [conversation_id for conversation_id, conversation in own.items() if conversation.is_live]
        foreign = [each for other in TENANTS if other != tenant for each in self.model.tenants[other].conversations]
        choice = [*live[:3] * 6, *live[-9:], *list(own)[:5], *foreign[:1], "conv_none"]
        return data.draw(st.sampled_from(choice), label="conversation")

    def _item_ids(self, tenant: Tenant, conversation_ids: Iterable[str]) -> list[str]:
        """Return the ids of items that these conversations have or had."""
        own = self.model.tenants[tenant].conversations
        return [entry.id for each in conversation_ids if each in own for entry in own[each].entries[-20:]]

    def _item_id(self, data: st.DataObject, tenant: Tenant, conversation_id: str) -> str:
        """Choose an item id, mostly of this conversation, sometimes of another one, or unknown."""
        own = self.model.tenants[tenant].conversations
        live = [entry.id for entry in own[conversation_id].live_entries()] if conversation_id in own else []
        choice = [*live[:3] * 5, *live[-5:], *self._item_ids(tenant, [conversation_id])[:3], CLIENT_IDS[0], "msg_none"]
        return data.draw(st.sampled_from(choice), label="item")

    def _search(self, data: st.DataObject, tenant: Tenant) -> str:
        conversations = self.model.tenants[tenant].conversations.values()
        contents = [entry.json.get("content") for each in conversations for entry in each.entries[:3]]
        there = [content for content in contents if isinstance(content, str)]
        return data.draw(searches([*there[:20], "drum"]), label="search")

    def _ids_to_choose(self, tenant: Tenant) -> list[str]:
        """Return ids that a client may give to an item, or refer to."""
        return [*CLIENT_IDS, *self._item_ids(tenant, list(self.model.tenants[tenant].conversations)[:9])]

    def _paging(self, data: st.DataObject, most: int, cursor: str) -> dict[str, str]:
        return data.draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "after": st.just(cursor),
                    "limit": st.sampled_from(["1", "2", "3", str(most)]),
                    "order": st.sampled_from(["asc", "desc"]),
                },
            ),
            label="paging",
        )

    def _filter(self, data: st.DataObject, tenant: Tenant) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Choose a metadata filter; return it as query parameters in various spellings, and as pairs."""
        there = [conversation.metadata for conversation in self.model.tenants[tenant].conversations.values()]
        filters = data.draw(st.sampled_from([{}, *there]) | PAIRS, label="filter")
        in_json: dict[str, str] = {}
        written: list[tuple[str, str]] = []
        for name, value in filters.items():
            spellings = ["json"]
            if name not in ("limit", "metadata"):
                spellings.append("plain")
            if name:
                spellings.append("brackets")
            spelling = data.draw(st.sampled_from(spellings), label="spelling")
            if spelling == "json":
                in_json[name] = value
            else:
                written.append((name if spelling == "plain" else f"metadata[{name}]", value))
        if in_json:
            written.append(("metadata", json.dumps(in_json)))
        pairs = list(filters.items())
        if "case" in filters and data.draw(st.booleans(), label="twice"):
            written.append(("case", "open"))
            pairs.append(("case", "open"))
        return written, pairs


def _path(*segments: str) -> str:
    return "".join(f"/{quote(segment, safe='')}" for segment in segments)


def _as_arguments(query: Mapping[str, str]) -> dict[str, Any]:
    return {name: int(value) if name == "limit" else value for name, value in query.items()}


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


_HISTORIES = int(os.environ.get("STATEFUL_EXAMPLES", "60"))
_FIRST_SEED = int(os.environ.get("STATEFUL_SEED", "1"))
_AT_ONCE = 10  # After ten histories, Hypothesis mostly varies earlier ones.


def run_histories(machine: Callable[[Fake], FakeAgainstModel], number: int) -> None:
    """Run some histories; `number` chooses them."""
    keys = tuple(f"{key}={account}" for account, keys in KEYS.items() for key in keys)
    fake = create_app(Settings(api_keys=keys))
    run_state_machine_as_test(
        seed(number)(lambda: machine(fake)),
        settings=settings(
            max_examples=_AT_ONCE,
            stateful_step_count=80,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


NUMBERS = range(_FIRST_SEED, _FIRST_SEED + max(1, _HISTORIES // _AT_ONCE))


@pytest.mark.parametrize("number", NUMBERS)
def test_fake_and_model_agree(number: int) -> None:
    run_histories(FakeAgainstModel, number)
