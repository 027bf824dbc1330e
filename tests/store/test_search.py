import orjson
import pytest

from mockserver.store.paging import Paging
from mockserver.store.records import Conversation, Item
from mockserver.store.search import SearchIndex
from tests.store.builders import joined_ids, message, reference


def match_searches(body: object, *searches: str) -> list[bool]:
    index: SearchIndex[str] = SearchIndex()
    index.add("somebody", Item("1", orjson.dumps(body)))
    return [index.search(search).has_owner("somebody") for search in searches]


def matches(text: str, search: str) -> bool:
    return match_searches({"role": "user", "content": text}, search) == [True]


@pytest.mark.parametrize(
    ("text", "search"),
    [
        ("the weather forecast", "weather"),
        ("the weather forecast", "forecast  the"),
        ("the weather forecast", "the the"),
        ("(re-read), isn't it?", "read re"),
        ("(re-read), isn't it?", "isn't"),
        ("call get_weather now", "weather"),
        ("room 101b", "101b"),
        ("MÜNCHEN, Straße 5", "münchen STRASSE"),
        ("ΟΔΟΣ", "οδος"),
        ("İstanbul", "i̇stanbul"),
        ("cafe\u0301", "café"),
        ("\uff21\uff22\uff23\uff11\uff12\uff13", "abc123"),
        ("\u210bello", "hello"),
        ("\u0390", "\u03aa\u0301"),
        ("ﾃｽﾄ", "テスト"),
        ("हिन्दी में", "हिन्दी"),
        ("한국어 배우기", "배우기"),
        ("soft\u00adhyphen", "softhyphen"),
        ("i ❤\ufe0f tea", "❤ tea"),
        ("明日の東京の天気", "東京"),
        ("明日の東京の天気", "天気 明日"),
        ("東京tower", "京 tower"),
        ("東京、大阪", "京 大"),
        ("สวัสดีครับ", "ดีค"),
        ("ສະບາຍດີ", "ບາຍ"),
        ("ភាសា\u200bខ្មែរ", "ភាសាខ្មែរ"),
        ("မြန်မာစာ", "မာစာ"),
        ("𠮷野家", "𠮷野"),
    ],
)
def test_words_that_match(text, search):
    assert matches(text, search)


@pytest.mark.parametrize(
    ("text", "search"),
    [
        ("forecasts", "forecast"),
        ("forecast", "forecasts"),
        ("weather forecast", "weather report"),
        ("café", "cafe"),
        ("cafe", "café"),
        ("हिन्दी", "ह"),
        ("한국어", "한국"),
        ("東京の天気", "京東"),
        ("東京の天気", "東の"),
        ("東京、大阪", "京大"),
        ("東京 大阪", "京大"),
        ("hello", "..."),
        ("...", "..."),
        ("hello", '""'),
        ("i ❤\ufe0f tea", "❤\ufe0f"),
    ],
)
def test_words_that_do_not_match(text, search):
    assert not matches(text, search)


@pytest.mark.parametrize(
    ("text", "search", "expected"),
    [
        ("the weather, forecast", '"weather forecast"', True),
        ("the weather forecast", '"forecast weather"', False),
        ("the weather and the forecast", '"the forecast"', True),
        ("the weather and a forecast", '"the forecast"', False),
        ("a b a c a b c", '"a b c"', True),
        ("a b a c b c", '"a b c"', False),
        ("one two three", '"two three" one', True),
        ("one two three", '"two three"one', True),
        ("one two three", 'three"one two"', True),
        ("one two three", '"one" "three"', True),
        ("one two three", '"one two', True),
        ("one x two", '"one two', True),
        ("a 27 inch screen", '27" screen', True),
        ("one two three", '"one two" "three', True),
        ("one two three", '"one three" "two', False),
        ("one two", '"" one', True),
        ("one two", '"..." one', True),
        ("go to 東京 tower", '"to 東京 tower"', True),
        ("go to 東京 tower", '"to 東"', True),
        ("go to 東京 tower", '"京 tower"', True),
        ("go to 東京 tower", '"to 京"', False),
        ("go to 東京 tower", '"東 tower"', False),
        ("go to 東京都 tower", '"to 京 tower"', False),
        ("東京、大阪", '"京 大"', True),
        ("東京、大阪", '"東 大"', False),
        ("東京", '"東 京"', False),
    ],
)
def test_phrases(text, search, expected):
    assert matches(text, search) is expected


def test_words_must_be_in_one_item_and_phrases_in_one_text_part():
    index: SearchIndex[str] = SearchIndex()
    index.add("a", message("1", [{"type": "input_text", "text": "one two"}, {"type": "input_text", "text": "three"}]))
    index.add("a", message("2", "four 東"))
    index.add("b", message("3", "京 five"))
    searches = ["one three", '"one two"', '"two three"', "three four", '"four five"', "東京", '"東 京"']
    assert [set(index.search(search).owners()) for search in searches] == [
        {"a"},
        {"a"},
        set(),
        set(),
        set(),
        set(),
        set(),
    ]


KINDS = {
    "message": (
        {"role": "user", "content": "yes1"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "yes1"}], "status": "no1"},
        {"type": "message", "role": "user", "content": ["yes1", "yes2"]},
        {
            "type": "message",
            "id": "no1",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "yes1", "annotations": [{"type": "file_path", "file_id": "no2"}]},
                {"type": "refusal", "refusal": "yes2"},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "input_image", "image_url": "https://no1", "file_id": "no2"},
                {"type": "input_file", "file_data": "no3", "filename": "no4", "file_url": "https://no5"},
                {"type": "input_audio", "input_audio": {"data": "no6", "format": "wav"}},
            ],
        },
    ),
    "tools": (
        {"type": "function_call", "call_id": "no1", "name": "no2", "arguments": '{"yes1": "yes2"}'},
        {"type": "function_call_output", "call_id": "no1", "output": "yes1"},
        {"type": "custom_tool_call", "call_id": "no1", "name": "no2", "input": "yes1"},
        {"type": "custom_tool_call_output", "call_id": "no1", "output": "yes1"},
        {
            "type": "mcp_call",
            "server_label": "no1",
            "name": "no2",
            "arguments": "yes1",
            "output": "yes2",
            "error": "yes3",
        },
        {"type": "mcp_list_tools", "server_label": "no1", "tools": [{"name": "no2", "description": "yes1"}]},
        {"type": "mcp_approval_request", "arguments": "yes1", "name": "no1"},
        {"type": "mcp_approval_response", "approval_request_id": "no1", "approve": True, "reason": "yes1"},
        {"type": "file_search_call", "queries": ["yes1", "yes2"], "results": [{"text": "yes3", "filename": "no1"}]},
        {"type": "web_search_call", "action": {"type": "search", "query": "yes1", "sources": [{"url": "no1"}]}},
        {"type": "web_search_call", "action": {"type": "find", "pattern": "yes1", "url": "no1"}},
        {"type": "computer_call", "action": {"type": "type", "text": "yes1"}},
        {"type": "computer_call", "pending_safety_checks": [{"id": "no1", "code": "no2", "message": "yes1"}]},
        {"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": "no1"}},
        {"type": "code_interpreter_call", "code": "yes1", "container_id": "no1", "outputs": [{"logs": "yes2"}]},
        {"type": "code_interpreter_call", "code": None, "outputs": [{"type": "image", "url": "no1"}]},
        {"type": "local_shell_call", "action": {"command": ["yes1", "yes2"], "env": {"no1": "no2"}, "user": "no3"}},
        {"type": "local_shell_call_output", "output": "yes1"},
        {"type": "shell_call", "action": {"type": "exec", "command": "yes1"}},
        {"type": "shell_call_output", "output": {"stdout": "yes1", "stderr": "yes2", "outcome": {"type": "exit"}}},
        {"type": "image_generation_call", "result": "no1", "revised_prompt": "yes1"},
    ),
    "others": (
        {
            "type": "reasoning",
            "summary": [{"text": "yes1"}],
            "content": [{"text": "yes2"}],
            "encrypted_content": "no1",
        },
        {"type": "output_audio", "data": "no1", "transcript": "yes1"},
        {"type": "compaction", "content": "yes1", "encrypted_content": "no1", "created_by": "no2"},
        {"type": "item_reference", "id": "no1"},
        {"id": "no1"},
        {"type": "no1", "text": "no2", "content": "no3"},
    ),
}


@pytest.mark.parametrize("body", [body for bodies in KINDS.values() for body in bodies], ids=str)
def test_text_is_searchable_and_other_fields_are_not(body):
    text = str(body)
    words = [f"{kind}{number}" for kind in ("yes", "no") for number in range(1, 7)]
    words = [word for word in words if word in text]
    assert match_searches(body, *words) == [word.startswith("yes") for word in words]


@pytest.mark.parametrize(
    ("arguments", "searches"),
    [
        ('{"city": "Z\\u00fcrich"}', ["zürich", "city", '"city zürich"']),
        ('{"text": "first\\nsecond", "list": [1.5, {"deep": null}, true]}', ["second", "deep null", '"list 1 5"']),
        ('"C:\\\\temp"', ["temp"]),
        ("C:\\new {", ["new"]),
        ('{"text": "\\ud83d cut off"', ["cut off"]),
        ("\\" * 3, []),
        ("[" * 900 + '"\\n"' + "]" * 900, []),
    ],
)
def test_escapes_in_the_json_of_tools_are_decoded(arguments, searches):
    body = {"type": "function_call", "call_id": "1", "name": "f", "arguments": arguments}
    assert all(match_searches(body, *searches))


def test_the_index_follows_additions_and_removals():
    index: SearchIndex[int] = SearchIndex()

    def check(expected: set[int]) -> None:
        assert set(index.search("all").owners()) == expected
        for number in range(40):
            assert index.search("all").has_owner(number) == (number in expected)
            assert set(index.search(f"w{number}").owners()) == {number} & expected

    for number in range(30):
        index.add(number, message(str(number), f"all w{number}"))
    check(set(range(30)))
    for number in range(3, 30):
        index.remove(number, str(number))
    for number in range(30, 40):
        index.add(number, message(str(number), f"all w{number}"))
    index.remove(35, "35")
    index.remove(36, "never added")
    check({0, 1, 2, *range(30, 40)} - {35})


@pytest.fixture
def searchable(store, tenant):
    """Three conversations; a and c say hello, b says goodbye."""
    for number, (conversation_id, text) in enumerate({"a": "hello", "b": "goodbye", "c": "hello"}.items()):
        metadata = {"even": str(number % 2 == 0), "first": str(number == 0)}
        store.create_conversation(tenant, Conversation(conversation_id, 1, metadata), [message(f"{number}", text)])
    return store


@pytest.fixture
def list_ids(searchable, tenant):
    def list_ids(search: str, paging: Paging | None = None, **filters) -> str:
        return joined_ids(searchable.conversations(tenant, paging or Paging(), search=search, **filters))

    return list_ids


@pytest.mark.parametrize(
    ("search", "expected"),
    [("", "abc"), (" \n\u3000", "abc"), ("hello", "ac"), ("goodbye", "b"), ("hello goodbye", ""), ("!", "")],
)
def test_a_search_lists_conversations_with_a_matching_item(list_ids, search, expected):
    assert list_ids(search) == expected


def test_a_search_combines_with_paging_and_filters(searchable, tenant, list_ids):
    assert list_ids("hello", Paging(None, 20, "desc")) == "ca"
    assert list_ids("hello", Paging("a")) == "c"
    assert list_ids("hello", Paging("b")) == "c"
    assert list_ids("hello", metadata=[("even", "True"), ("first", "False")]) == "c"
    assert list_ids("goodbye", metadata=[("even", "True")]) == ""
    page = searchable.conversations(tenant, Paging(None, 1), search="hello")
    assert (joined_ids(page), page.has_more) == ("a", True)


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_reference_to_a_matching_item_is_no_match_in_a_long_list(store, tenant, order):
    for number in range(100):
        store.create_conversation(tenant, Conversation(f"c{number}", 1, {}), [message(f"m{number}", "hello")])
        store.create_conversation(tenant, Conversation(f"r{number}", 1, {}), [reference(f"m{number}")])
    page = store.conversations(tenant, Paging(None, 20, order), search="hello")
    assert all(conversation.id.startswith("c") for conversation in page.data)


def test_searches_reflect_every_write(searchable, tenant, list_ids):
    assert list_ids("hello") == "ac"
    searchable.add_items(tenant, "b", [message("3", "hello"), message("4", "hello again")])
    assert list_ids("hello") == "acb"
    searchable.delete_item(tenant, "c", "2")
    assert list_ids("hello") == "ab"
    searchable.delete_items(tenant, "b", ["3", "4"])
    assert list_ids("hello") == "a"
    searchable.add_items(tenant, "b", [message("2", "what was c's")])
    assert list_ids("hello") == "a"
    searchable.delete_conversation(tenant, "a", at=2)
    assert list_ids("hello") == ""
    searchable.create_conversation(tenant, Conversation("d", 1, {}), [message("5", "hello")])
    assert list_ids("hello") == "d"


def test_an_item_deleted_before_it_was_indexed_is_not_found(searchable, tenant, list_ids):
    assert list_ids("hello") == "ac"
    searchable.add_items(tenant, "b", [message("3", "hello")])
    searchable.delete_item(tenant, "b", "3")
    searchable.add_items(tenant, "b", [message("3", "adieu")])
    assert list_ids("hello") == "ac"
    assert list_ids("adieu") == "b"


def test_a_reference_has_no_text(searchable, tenant, list_ids):
    searchable.add_items(tenant, "b", [reference("0")])
    assert list_ids("hello") == "ac"
    searchable.delete_item(tenant, "b", "0")
    assert list_ids("hello") == "ac"
    searchable.add_items(tenant, "b", [reference("2")])
    searchable.delete_conversation(tenant, "b", at=2)
    assert list_ids("hello") == "ac"


@pytest.mark.parametrize("late", [True, False])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_of_a_search_add_up_to_the_list_of_matches(store, tenant, late, order):
    for number in range(3000):
        words = [word for word, every in (("all", 1), ("some", 7), ("few", 500)) if number % every == 0]
        words += ["late"] * (number > 2500) + ["none"]
        items = [message(f"{number}-{index}", word) for index, word in enumerate(words)]
        metadata = {"some": str(number % 7 == 0), "rare": str(number % 400 == 0)}
        store.create_conversation(tenant, Conversation(f"c{number:04}", 1, metadata), items)
    everything = store.conversations(tenant, Paging(None, 3000, order)).data
    predicates = {
        "all": lambda number: True,
        "some": lambda number: number % 7 == 0,
        "few": lambda number: number % 500 == 0,
        "late": lambda number: number > 2500,
    }
    filters = [[], [("some", "True")], [("rare", "True")], [("some", "False"), ("rare", "False")]]
    for search, has_word in predicates.items():
        for metadata in filters:
            expected = [
                conversation.id
                for conversation in everything
                if has_word(int(conversation.id[1:])) and set(metadata) <= conversation.metadata.items()
            ]
            after = ("c2600" if order == "asc" else "c0400") if late else None
            if after:
                expected = [one for one in expected if (one > after) == (order == "asc") and one != after]
            seen, more = [], True
            while more:
                page = store.conversations(tenant, Paging(after, 100, order), metadata, search)
                seen += [conversation.id for conversation in page.data]
                after, more = seen[-1] if seen else None, page.has_more
            assert seen == expected
