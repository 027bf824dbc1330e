"""Strict JSON parsing, compared with the standard library."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.contract.json_text import MAX_DEPTH, JsonError, parse

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


# A long text is parsed in another way.
PADDING = {"short": b"", "long": b" " * 300_000}
padded = pytest.mark.parametrize("padding", PADDING.values(), ids=PADDING)


@padded
@given(value=values, ascii_only=st.booleans())
def test_any_json_value_is_parsed_like_the_standard_library(padding, value, ascii_only):
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert parse(text.encode() + padding) == json.loads(text)


@given(st.text('[]{}:,"\\0123456789.eE+-untrfalsbd\x00\x1f\ud800 é', max_size=20))
def test_a_long_text_is_accepted_like_a_short_one(text):
    text = text.encode("utf-8", "surrogatepass")
    outcomes = []
    for padding in PADDING.values():
        try:
            outcomes.append(repr(parse(text + padding)))
        except JsonError as error:
            outcomes.append(error.code)
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    ("text", "pointer", "message"),
    [
        (b"{", "", "is not valid JSON: Expecting property name enclosed in double quotes (line 1, column 2)"),
        (b'{"a":\n x}', "", "is not valid JSON: Expecting value (line 2, column 2)"),
        (b'{"a": 1} 2', "", "is not valid JSON: Extra data (line 1, column 10)"),
        (b"[1,]", "", "is not valid JSON: "),
        (b"'a'", "", "is not valid JSON: Expecting value (line 1, column 1)"),
        (b'"\x01"', "", "is not valid JSON: Invalid control character at (line 1, column 2)"),
        (b"\xff", "", "is not UTF-8 (byte 0)"),
        (b'{"a": "\xc3\x28"}', "", "is not UTF-8 (byte 7)"),
        (b'{"a": "\xed\xa0\x80"}', "", "is not UTF-8 (byte 7)"),
        (b"\xef\xbb\xbf{}", "", "is not valid JSON: starts with a byte order mark"),
        (b'[{"a": 1, "b": 2, "a": 3}]', "/0/a", "is a duplicate field"),
        (b'{"x": {"a/b": 1, "a/b": 1}}', "/x/a~1b", "is a duplicate field"),
        (b'{"a": [1, NaN]}', "/a/1", "must be a JSON value, not NaN"),
        (b'{"a": -Infinity}', "/a", "must be a JSON value, not -Infinity"),
        (b'{"a": "x\\ud800y"}', "/a", "contains a lone surrogate"),
        (b'{"b": {"\\udc00": 1}}', "/b", "contains a name with a lone surrogate"),
        (b'{"a": 1e400}', "/a", "is out of range: inf"),
        (b'{"a": 18446744073709551616}', "/a", "is out of range: 18446744073709551616"),
        (b'{"a": -9223372036854775809}', "/a", "is out of range: -9223372036854775809"),
        (b'{"a": ' + b"9" * 400 + b"}", "/a", "is out of range: a huge integer"),
        (b'{"a": ' + b"9" * 5000 + b"}", "/a", "is out of range: a huge integer"),
        (b"[" * (MAX_DEPTH + 2) + b"]" * (MAX_DEPTH + 2), "", "is nested deeper than 200 levels"),
        (b"[" * 100_000, "", "is nested deeper than 200 levels"),
        (b'{"a":' * 100_000, "", "is nested deeper than 200 levels"),
    ],
)
@padded
def test_rejected_text_is_explained_with_its_place(text, pointer, message, padding):
    with pytest.raises(JsonError) as caught:
        parse(text + padding)
    assert caught.value.pointer == pointer
    assert caught.value.message.startswith(message if not padding else message.partition(" (line")[0])


@pytest.mark.parametrize("text", [b"18446744073709551615", b"-9223372036854775808", b"1.7976931348623157e308"])
@padded
def test_the_largest_numbers_are_exact(text, padding):
    assert parse(text + padding) == json.loads(text)


def test_the_deepest_nesting_is_accepted():
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) is not None
