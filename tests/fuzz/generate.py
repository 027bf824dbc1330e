"""Generate requests and responses from a document: valid ones, and valid ones with one or two mutations."""

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from mockserver.contract.operations import Operation, Operations, Parameter
from mockserver.contract.schemas import Schemas


class Request(NamedTuple):
    """A generated request for an operation."""

    operation: Operation
    path: dict[str, str]
    query: bytes
    headers: list[tuple[bytes, bytes]]
    content: bytes

    def all_headers(self, name: bytes) -> list[bytes]:
        """Return all values of a header."""
        return [value for key, value in self.headers if key == name]


class Response(NamedTuple):
    """A generated response of an operation."""

    operation: Operation
    status: int
    headers: list[tuple[bytes, bytes]]
    content: bytes


TEXTS = (
    "",
    "a",
    "conv_1",
    "5",
    "null",
    "Zo\u00eb \u6771\u4eac",
    "\U0001f600",
    "a\nb",
    "\x00",
    "a/b",
    "100%",
    "x" * 63,
)
PATTERNED = {
    "^[A-Za-z][A-Za-z0-9+.-]*:": ("https://app.example.com", "urn:example:app", "a+b.c-1:"),
    "^resp[-_][a-zA-Z0-9]+$": ("resp_1", "resp-a9Z", "resp_" + "0" * 32),
    r"^(?!\*$)[ -~]*$": ("*a", "ada", "~"),
}
"""Texts for each pattern of the document."""
NAMES = ("channel", "", "x" * 64, "x" * 65, "\U0001f600" * 64, "type", "a b", "a/b~c")
OTHERS: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1.0, 1.5, 1e308, 2**53),
    *("", "text", "1", [], [None], {}, {"type": "message"}),
)
NUMBERS = (
    *("5", "+5", " 5", "05", "5.0", "1e1", "1_0", "\u0665", "", "x", "-0", "0", "1", "50", "51", "100", "101"),
    *("9" * 18, "9" * 30, "true", "NaN", "5 ", "0x5"),
)
STATUSES = (201, 204, 302, 400, 401, 404, 405, 413, 415, 418, 429, 500, 503)
CONTENT_TYPES: tuple[str, ...] = (
    "application/json; charset=utf-8",
    "Application/JSON",
    "application/json;q",
    "text/plain",
    "text/html",
)
CONTENT_TYPES += ("application/problem+json", "application/jsonp", "*/*", "json", "", "application/json ; a=b")
FIELDS = (
    *('"x": 0, "a": 1, "a": 2', '"x": NaN', '"x": -Infinity', '"x": 1e999', '"x": 1.0', '"x": -0', '"x": 1E+2'),
    *('"x": 18446744073709551616', '"x": 18446744073709551615', '"x": -9223372036854775809', '"x": 5e-400'),
    *('"x": "\\ud800"', '"\\udc00": 1', '"x": "\\ud83d\\ude00"', '"x": "\t"', '"x": "\\x"'),
    *('"x": 01', '"x": .5', "'x': 1", '"x": tru', '"x": 1,', '/**/"x": 1', f'"x": {"9" * 5000}'),
)
"""Additions to the text of an object; many are not JSON, or not I-JSON."""


class Generator:
    """Generates cases; picks what it has picked least often, so that few cases reach every corner."""

    def __init__(self, operations: Operations, seed: int) -> None:
        self._operations = list(operations.values())
        self._schemas: Schemas = operations.schemas
        self._random = random.Random(seed)
        self._used: Counter[Any] = Counter()
        self._interned: dict[Any, Mapping[str, Any]] = {}
        self._places: list[tuple[tuple[str | int, ...], list[Mapping[str, Any]]]] = []

    def cases(self, count: int) -> Iterator[Request | Response]:
        """Yield requests and responses in turn, for one operation after the other."""
        for number in range(count):
            operation = self._operations[number // 2 % len(self._operations)]
            yield self.request(operation) if number % 2 else self.response(operation)

    def values(self, pointer: str, count: int) -> Iterator[Any]:
        """Yield values for one schema of the document; every third is valid."""
        for number in range(count):
            yield self._mutate(pointer) if number % 3 else self._value(pointer)

    # Requests

    def request(self, operation: Operation) -> Request:
        """Generate a request; most have a mistake in one part."""
        wrong = self._random.choice(["nothing", *sorted({parameter.location for parameter in operation.parameters})])
        if operation.body_content and self._chance(0.7):
            wrong = self._random.choice(("nothing", "type", "body", "body", "body", "text"))
        path = {
            parameter.name: self._segment(parameter, wrong == "path")
            for parameter in operation.parameters
            if parameter.location == "path"
        }
        query = self._query(operation, wrong == "query")
        headers = self._headers(operation, wrong == "header")
        content = b""
        if operation.body_content:
            content = self._text(self._body(operation, wrong == "body"), "request" if wrong == "text" else None)
            media_type = self._random.choice(CONTENT_TYPES) if wrong == "type" else "application/json"
            if wrong != "type" or self._chance(0.9):
                headers.append((b"content-type", media_type.encode()))
        return Request(operation, path, query, headers, content)

    def _segment(self, parameter: Parameter, wrong: bool) -> str:
        if wrong and self._chance(0.8):
            return self._random.choice(("%ff", "%C3%28", "%zz", "%80", "%2", "%E2%82", "%2F%2f", "a+b", "gr\u00fcn"))
        text = str(self._value(parameter.schema.pointer)) or "a"
        return quote(text, safe=self._random.choice(("", "~@:!$&'()*+,;="))) if self._chance(0.9) else text

    def _query(self, operation: Operation, wrong: bool) -> bytes:
        pairs: list[tuple[str, str]] = []
        for parameter in operation.parameters:
            if parameter.location == "query" and self._chance(0.5):
                times = self._random.choice((1, 1, 1, 2, 3)) if wrong or "array" in parameter.schema.json_types else 1
                pairs += [(parameter.name, self._parameter_text(parameter, wrong)) for _ in range(times)]
        if self._chance(0.2):
            pairs.append((self._random.choice(("channel", "metadata[channel]", "Limit", "", "limit[]")), "web"))
        self._random.shuffle(pairs)
        texts = [f"{self._encode(name)}={self._encode(text)}" for name, text in pairs]
        if wrong and self._chance(0.2):
            texts.append(
                self._random.choice(("search=%ff", "search=%zz", "search", "&", "=x", "search=a%", "after=%C3"))
            )
        query = "&".join(texts).encode()
        return query + (b"&search=\xff" if wrong and self._chance(0.03) else b"")

    def _parameter_text(self, parameter: Parameter, wrong: bool) -> str:
        types = parameter.schema.json_types
        if "integer" in types and wrong:
            return self._random.choice(NUMBERS)
        if wrong and self._chance(0.6):
            return self._random.choice((*TEXTS, '{"channel": "web"}', '{"a"', "ASC", "des", "asc,desc"))
        value = self._value(parameter.schema.pointer)
        if isinstance(value, list):
            value = value[0] if value else ""
        return value if isinstance(value, str) else json.dumps(value)

    def _encode(self, text: str) -> str:
        if "\x00" in text or self._chance(0.8):
            return quote(text, safe="")
        return quote(text, safe='[]{}":,/').replace("%20", "+")

    def _headers(self, operation: Operation, wrong: bool) -> list[tuple[bytes, bytes]]:
        headers = [(b"authorization", b"Bearer key"), (b"x-other", b"1")]
        for parameter in operation.parameters:
            if parameter.location == "header" and self._chance(0.5):
                times = 2 if wrong else 1
                value = self._random.choice((b"ada", "Zo\u00eb".encode(), b"Zo\xeb", b"", b"a, b", b"5"))
                headers += [(parameter.name.lower().encode(), value)] * times
        return headers

    def _body(self, operation: Operation, wrong: bool) -> Any:
        schema = operation.body_content["application/json"]
        return self._mutate(schema.pointer) if wrong else self._value(schema.pointer)

    # Responses

    def response(self, operation: Operation) -> Response:
        """Generate a response; most have a mistake in one part."""
        wrong = self._random.choice(("nothing", "nothing", "header", "type", "status", "body", "body", "body", "text"))
        key = self._pick_rarest(list(operation.responses))
        declared = operation.responses[key]
        status = int(key.replace("XX", "99").replace("default", "599"))
        schema = declared.content.get("application/json")
        content = b""
        if schema is not None:
            value = self._mutate(schema.pointer) if wrong == "body" else self._value(schema.pointer)
            content = self._text(value, "response" if wrong == "text" else None)
        headers = [(b"content-length", str(len(content)).encode())]
        for header in declared.headers:
            if wrong != "header" or self._chance(0.5):
                text = self._parameter_text(header, wrong == "header").replace("\n", " ").encode("ascii", "replace")
                headers += [(header.name.lower().encode(), text)] * self._random.choice((1, 1, 2))
        media_type = self._random.choice(CONTENT_TYPES) if wrong == "type" else "application/json"
        if wrong != "type" or self._chance(0.9):
            headers.append((b"content-type", media_type.encode()))
        if wrong == "status":
            status = self._random.choice(STATUSES)
        return Response(operation, status, headers, content)

    # JSON text

    def _text(self, value: Any, wrong_for: str | None) -> bytes:
        text = json.dumps(value, ensure_ascii=self._chance(0.5), indent=self._random.choice((None, 1)))
        if wrong_for is None:
            return text.encode()
        nested = "[" * 150 + "]" * 150
        deep = "[" * 300 + "]" * 300
        addition = self._pick_rarest([*FIELDS, f'"x": {nested}', f'"x": {deep}'], key=wrong_for)
        changed = {
            "add": f"{text.rstrip()[:-1]}{', ' if text.rstrip()[-2:-1] != '{' else ''}{addition}}}",
            "cut": text[: self._random.randrange(len(text))],
            "more": text + self._random.choice((" ", "\n\n", "x", "{}", ",", "\x00")),
            "blank": self._random.choice(("", " ", "\r\n\t", "\u00a0")),
            "mark": "\ufeff" + text,
        }
        how = self._random.choice((*changed, "add", "add", "add", "add", "bytes", "utf-16"))
        if how == "bytes":
            return text.encode() + self._random.choice((b"\xff", b"\x80", b"\xc3"))
        return text.encode("utf-16") if how == "utf-16" else changed[how].encode()

    # JSON values

    def _value(self, pointer: str) -> Any:
        """Return a value that is valid by the keywords that the document uses."""
        self._places = []
        return self._generate(self._intern(pointer, {"$ref": "#" + pointer}), ())

    def _mutate(self, pointer: str) -> Any:
        value = self._value(pointer)
        for _ in range(self._random.choice((1, 1, 1, 2))):
            path, parts = min(
                self._places,
                key=lambda place: (self._used[self._key(place[1])] // 4, len(place[0]), self._random.random()),
            )
            self._used[self._key(parts)] += 1
            value = self._apply_mutation(value, path, parts)
        return value

    def _intern(self, key: Any, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the same object for the same key, because uses are counted by object."""
        return self._interned.setdefault(key, schema)

    def _key(self, parts: list[Mapping[str, Any]]) -> tuple[str, int]:
        return "changed", id(parts[0])

    def _generate(self, schema: Any, path: tuple[str | int, ...]) -> Any:
        parts = list(self._parts(schema))
        self._places.append((path, parts))
        if len(path) > 20:
            return None  # A recursive schema would never end.
        values = [part["const"] for part in parts if "const" in part]
        if values:
            return values[-1]
        values = [part["enum"] for part in parts if "enum" in part]
        if values:
            return self._pick_rarest(values[-1], key=id(values[-1]))
        types = frozenset({"string", "integer", "object"})
        stated = [
            frozenset([part["type"]] if isinstance(part["type"], str) else part["type"])
            for part in parts
            if "type" in part
        ]
        kinds = sorted(frozenset.intersection(*stated) if stated else types) or ["string"]
        kind = self._pick_rarest(kinds, key=id(parts[0]))
        match kind:
            case "string":
                return self._string(parts)
            case "integer" | "number":
                return self._number(parts, kind)
            case "boolean":
                return self._chance(0.5)
            case "array":
                return self._array(parts, path)
            case "object":
                return self._object(parts, path)
        return None

    def _parts(self, schema: Any) -> Iterator[Mapping[str, Any]]:
        """Yield all that a schema includes, with one branch of each union."""
        for part in self._schemas.flatten(schema):
            yield part
            for union in ("anyOf", "oneOf"):
                if union in part:
                    yield from self._parts(self._pick_rarest(part[union]))

    def _string(self, parts: list[Mapping[str, Any]]) -> str:
        low, high = _bound(parts, "minLength", max, 0), _bound(parts, "maxLength", min, 2000)
        if any(part.get("format") == "json-pointer" for part in parts):
            return self._random.choice(("", "/a", "/items/0/role", "/a~1b"))
        for part in parts:
            if "pattern" in part:
                return self._random.choice(PATTERNED[part["pattern"]])
        text: str = self._random.choice(TEXTS)
        if self._chance(0.2) and high < 2000:
            text = "\U0001f600" * high
        return text[:high] if len(text) >= low else text + "x" * (low - len(text))

    def _number(self, parts: list[Mapping[str, Any]], kind: str) -> float:
        low, high = _bound(parts, "minimum", max, -(2**53)), _bound(parts, "maximum", min, 2**53)
        numbers = [low, high, low + 1, high - 1, *(number for number in (0, 1, 7, 1.0, 2.0) if low <= number <= high)]
        return self._random.choice(numbers + ([low + 0.5, 1e-7] if kind == "number" and low < 0 else []))

    def _array(self, parts: list[Mapping[str, Any]], path: tuple[str | int, ...]) -> list[Any]:
        low, high = _bound(parts, "minItems", max, 0), _bound(parts, "maxItems", min, 30)
        size = self._random.choice((low, low, 1, 1, 2, 3, high if len(path) < 2 and self._chance(0.05) else 1))
        items: Any = {}
        for part in parts:
            items = part.get("items", items)
        return [self._generate(items, (*path, index)) for index in range(max(low, min(size, high)))]

    def _object(self, parts: list[Mapping[str, Any]], path: tuple[str | int, ...]) -> dict[str, Any]:
        properties: dict[str, list[Any]] = {}
        for part in parts:
            for name, schema in part.get("properties", {}).items():
                properties.setdefault(name, []).append(schema)
        required = {name for part in parts for name in part.get("required", ())}
        names = [name for name in properties if name in required or self._chance(0.5 if len(path) < 6 else 0.05)]
        made = {}
        for name in names:
            first, *more = properties[name]
            schema = self._intern(tuple(map(id, properties[name])), {"allOf": [first, *more]}) if more else first
            made[name] = self._generate(schema, (*path, name))
        additional: list[Any] = [part["additionalProperties"] for part in parts if "additionalProperties" in part]
        most = _bound(parts, "maxProperties", min, 20)
        if isinstance(additional[0] if additional else None, dict):
            longest = _bound([part.get("propertyNames", {}) for part in parts], "maxLength", min, 70)
            for number in range(self._random.choice((0, 1, 2, most))):
                name = f"{number}{self._random.choice(NAMES)}"[:longest]
                made[name] = self._generate(additional[0], (*path, name))
        elif self._chance(0.1):
            made[self._random.choice(("x_other", "a/b", ""))] = self._random.choice(OTHERS)
        return dict(self._random.sample(list(made.items()), len(made)))

    # Mutations

    def _apply_mutation(self, root: Any, path: tuple[str | int, ...], parts: list[Mapping[str, Any]]) -> Any:
        """Return `root` with the rarest mutation at `path`; not every mutation makes it invalid."""
        owner: Any = None
        value = root
        for token in path:
            is_there = (
                token in value if isinstance(value, dict) else isinstance(value, list) and token in range(len(value))
            )
            if not is_there:
                return root  # An earlier mutation has removed it.
            owner, value = value, value[token]
        how = self._pick_rarest(list(self._mutations(value, parts)), key=self._key(parts), in_order=True)
        if how == "drop" and path:
            del owner[path[-1]]
            return root
        if how == "rename" and path and isinstance(owner, dict):
            owner[f"{path[-1]}s"] = owner.pop(path[-1])
            return root
        changed = self._replacement(how, value, parts)
        if not path:
            return changed
        owner[path[-1]] = changed
        return root

    def _mutations(self, value: Any, parts: list[Mapping[str, Any]]) -> Iterator[str]:
        yield "retype"
        if isinstance(value, str):
            yield from ("case", "short", "long", "tag")
            if any("format" in part for part in parts):
                yield "format"
        elif isinstance(value, bool):
            yield "not"
        elif isinstance(value, int | float):
            yield from ("low", "high", "float", "digits")
        elif isinstance(value, list):
            yield from ("short", "long", "item")
        elif isinstance(value, dict):
            for part in parts:
                yield from (f"without {name}" for name in part.get("required", ()) if name in value)
            yield from ("extra", "many", "empty", "name", "misfit")
        yield from ("drop", "rename", "null")

    def _replacement(self, how: str, value: Any, parts: list[Mapping[str, Any]]) -> Any:
        match how:
            case "null":
                return None
            case "case":
                return value.upper()
            case "format":
                return f"x{value}"
            case "tag":
                return self._random.choice(("message", "output_text", "refusal", "nope", "function_call", "exec", ""))
            case "short":
                return value[: max(_bound(parts, "minLength", max, 1), _bound(parts, "minItems", max, 1)) - 1]
            case "long" if isinstance(value, str):
                return "\U0001f600" * (_bound(parts, "maxLength", min, 3000) + 1)
            case "long":
                return (value or ["x"]) * (_bound(parts, "maxItems", min, 21) + 1)
            case "not":
                return not value
            case "low":
                return _bound(parts, "minimum", max, -(2**53)) - 1
            case "high":
                return _bound(parts, "maximum", min, 2**53) + 1
            case "float":
                return self._random.choice((float(value), value + 0.5))
            case "digits":
                return str(value)
            case "item":
                return [*value, self._random.choice(OTHERS)]
            case "extra":
                return {**value, "x_extra": self._random.choice(OTHERS)}
            case "many":
                return {**value, **{f"k{number}": "v" for number in range(20)}}
            case "empty":
                return {}
            case "name":
                return {**value, "n" * 65: "v"}
            case "misfit":
                return {**value, "x_extra": {}, "channel": 5}
            case str() if how.startswith("without "):
                return {name: child for name, child in value.items() if name != how.removeprefix("without ")}
        return self._random.choice([other for other in OTHERS if type(other) is not type(value)])

    # Chance

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _pick_rarest(self, options: list[Any], key: Any = None, *, in_order: bool = False) -> Any:
        """Return the option picked least often so far; of several, the first or a random one."""
        keys = [(key, option if isinstance(option, str | int) else id(option)) for option in options]
        ranks = [index if in_order else self._random.random() for index in range(len(options))]
        least = min(range(len(options)), key=lambda index: (self._used[keys[index]], ranks[index]))
        self._used[keys[least]] += 1
        return options[least]


def _bound(parts: list[Mapping[str, Any]], keyword: str, tighter: Any, default: int) -> int:
    values: list[int] = [part[keyword] for part in parts if keyword in part]
    return tighter(values) if values else default
