"""Strings and numbers that conform to JSON schemas, the simplest ones first."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import count
from math import ceil, floor, inf, lcm
from typing import Any

from mockserver.replies.pattern_sample import PatternError, texts_matching
from mockserver.replies.schema_parts import Plain

MAX_LENGTH = 10_000

_FORMATS = {
    "date-time": "2024-01-01T{:02}:00:00Z",
    "date": "2024-01-{:02}",
    "time": "{:02}:00:00Z",
    "duration": "P{}D",
    "email": "user{}@example.com",
    "idn-email": "user{}@example.com",
    "hostname": "host{}.example.com",
    "idn-hostname": "host{}.example.com",
    "ipv4": "192.0.2.{}",
    "ipv6": "2001:db8::{:x}",
    "uri": "https://example.com/{}",
    "uri-reference": "https://example.com/{}",
    "iri": "https://example.com/{}",
    "iri-reference": "https://example.com/{}",
    "uri-template": "https://example.com/{}",
    "uuid": "00000000-0000-4000-8000-{:012x}",
    "json-pointer": "/{}",
    "relative-json-pointer": "{}",
    "regex": "{}",
}


def strings(schemas: Sequence[Plain], name: str, spend: Callable[[int], None]) -> Iterator[str]:
    """Yield strings that probably conform to all of the schemas; `name` is the first if it does.

    `spend` is called with the work that a pattern takes.
    """
    least = max((int(schema.get("minLength", 0)) for schema in schemas), default=0)
    most = min((schema.get("maxLength", inf) for schema in schemas), default=inf)
    if least > min(most, MAX_LENGTH):
        return
    formats = [schema["format"] for schema in schemas if schema.get("format") in _FORMATS]
    patterns = [schema["pattern"] for schema in schemas if "pattern" in schema]
    if formats:
        yield from (_FORMATS[formats[0]].format(number) for number in range(1, 29))
    for pattern in patterns:
        try:
            yield from (text for text in texts_matching(pattern, least, spend) if len(text) <= most)
        except PatternError:
            continue
    name = name or "text"
    yield _fit(name, "", least, most)
    yield from (_fit(name, str(number), least, most) for number in count(2))


def _fit(text: str, suffix: str, least: int, most: float) -> str:
    """Return the text with a suffix, repeated or cut to have an allowed length."""
    if len(text) + len(suffix) < least:
        text = text * (least // len(text) + 1)
        text = text[: least - len(suffix)]
    room = most - len(suffix)
    text = text if len(text) <= room else text[: max(int(room), 0)]
    return (text + suffix)[-int(most) :] if len(text + suffix) > most > 0 else "" if most == 0 else text + suffix


def numbers(schemas: Sequence[Plain], *, is_integer: bool) -> Iterator[int | float]:
    """Yield numbers that probably conform to all of the schemas, those next to zero first."""
    low, high, steps = -inf, inf, [Fraction(1)] if is_integer else []
    excluded = set()
    for schema in schemas:
        low = max(low, _exact(schema.get("minimum", -inf)), _exact(schema.get("exclusiveMinimum", -inf)))
        high = min(high, _exact(schema.get("maximum", inf)), _exact(schema.get("exclusiveMaximum", inf)))
        excluded |= {_exact(schema[name]) for name in ("exclusiveMinimum", "exclusiveMaximum") if name in schema}
        steps += [Fraction(str(schema["multipleOf"]))] if "multipleOf" in schema else []
    values: Iterator[Any] = _multiples(low, high, _common_multiple(steps)) if steps else _fractions(low, high)
    for value in values:
        if value not in excluded:
            yield int(value) if value == int(value) else float(value)


def _exact(number: Any) -> Any:
    return number if number in (inf, -inf) else Fraction(str(number))


def _common_multiple(steps: Sequence[Fraction]) -> Fraction:
    denominator = lcm(*(step.denominator for step in steps))
    return Fraction(lcm(*(int(step * denominator) for step in steps)), denominator)


def _multiples(low: Any, high: Any, step: Fraction) -> Iterator[Any]:
    """Yield the multiples of a step within bounds, those next to zero first."""
    first: Any = 0 if low <= 0 <= high else ceil(low / step) if low > 0 else floor(high / step)
    for distance in count():
        values = {first + distance: None, first - distance: None}
        inside = [number * step for number in values if low <= number * step <= high]
        if not inside and distance:
            return
        yield from inside


def _fractions(low: Any, high: Any) -> Iterator[Any]:
    """Yield numbers within bounds: zero, the bounds, and numbers between them."""
    if low > high:
        return
    bottom = low if low != -inf else (min(high, 0) if high != inf else 0) - 1000
    top = high if high != inf else max(bottom, 0) + 1000
    for value in (Fraction(0), Fraction(1), bottom, top):
        if low <= value <= high:
            yield value
    for parts in range(2, 200):
        yield Fraction(bottom) + Fraction(top - bottom) / parts
