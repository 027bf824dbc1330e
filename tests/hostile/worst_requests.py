"""Requests that take the most time for their size.

`search_bodies` puts fragments into every place of every kind of item, and ranks the bodies by the time that they take.
The worst of each family that it found are in `WORST`, for tests and `make bench`:

    python -m tests.hostile.worst_requests [kilobytes]
    python -m tests.hostile.worst_requests --json kilobytes ...
"""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from mockserver import Fake, Settings
from mockserver.conformance.samples import full_items
from mockserver.contract.contract import Contract
from tests.support.asgi_client import AsgiClient

PATH = "/conversations"
FRAGMENTS = {
    "zeros": "0",
    "strings": '"a"',
    "objects": "{}",
    "arrays": "[]",
    "untyped": '{"text":"a"}',
    "of an unknown type": '{"type":"a"}',
    "nearly valid": '{"type":"input_text"}',
    "with an unknown field": '{"type":"input_text","text":"","a":0}',
    "with unknown objects": '{"type":"input_text","text":"","a":{"b":{}}}',
}


class Request(NamedTuple):
    """One request to the API."""

    method: str
    path: str
    content: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


def body(text: str) -> Request:
    return Request("POST", PATH, text.encode("utf-8", "surrogatepass"), (("Content-Type", "application/json"),))


def with_item(item: str) -> str:
    return f'{{"items":[{item}]}}'


def with_content(content: str) -> Request:
    return body(with_item(f'{{"type":"message","role":"user","content":{content}}}'))


def response(fields: str) -> Request:
    return body('{"model":"auto",' + fields + "}")._replace(path="/responses")


def numbered(fragment: str, size: int) -> str:
    """Return an array of a fragment as often as it fits, each time with another number in place of `#`."""
    return "[" + ",".join(fragment.replace("#", str(number)) for number in range(size // (len(fragment) + 4))) + "]"


def array(fragment: str, size: int) -> str:
    return "[" + ",".join([fragment] * max(size // (len(fragment) + 1), 1)) + "]"


def named(size: int, name: Callable[[int], str], value: str = '""') -> str:
    """Return an object with as many fields as fit."""
    count = max(size // (len(name(size)) + len(value) + 4), 1)
    return "{" + ",".join(f'"{name(number)}":{value}' for number in range(count)) + "}"


def text(unit: str, size: int) -> str:
    return unit * (size // len(unit.encode()))


WORST: dict[str, Callable[[int], Request]] = {
    "zeros as content": lambda size: with_content(array("0", size)),
    "objects as content": lambda size: with_content(array("{}", size)),
    "parts without text": lambda size: with_content(array('{"type":"input_text"}', size)),
    "parts of an unknown type": lambda size: with_content(array('{"type":"a"}', size)),
    "parts with an unknown field": lambda size: with_content(array(FRAGMENTS["with an unknown field"], size)),
    "valid parts and a zero": lambda size: with_content(array('{"type":"input_text","text":""}', size)[:-1] + ",0]"),
    "valid parts": lambda size: with_content(array('{"type":"input_text","text":""}', size)),
    "an item with numeric names": lambda size: body(with_item(named(size, str))),
    "unknown fields in the body": lambda size: body(named(size, "{:08x}".format)),
    "numeric metadata names": lambda size: body(f'{{"metadata":{named(size, str)}}}'),
    "long metadata names": lambda size: body(f'{{"metadata":{named(size, lambda number: f"{number}" + "a" * 99)}}}'),
    "a huge metadata name": lambda size: body(f'{{"metadata":{{"{"a/" * (size // 2)}":0}}}}'),
    "numbers as metadata values": lambda size: body(f'{{"metadata":{named(size, str, "0")}}}'),
    "names like a missing field": lambda size: body(
        with_item('{"type":"message","role":"user",' + named(size, "contnet{}".format)[1:])
    ),
    "zeros instead of an object": lambda size: body(array("0", size)),
    "many items": lambda size: body(f'{{"items":{array("0", size)}}}'),
    "deep arrays": lambda size: body("[" * (size // 2) + "]" * (size // 2)),
    "open arrays": lambda size: body("[" * size),
    "deep objects": lambda size: body('{"a":' * (size // 5)),
    "arrays in arrays of 199 levels": lambda size: body("[" * 198 + array("[0]", size) + "]" * 198),
    "invalid at the end, deeply": lambda size: body("[" * 198 + array("0", size)[:-1] + ",NaN]" + "]" * 198),
    "duplicate at the end": lambda size: body(named(size, str)[:-1] + ',"0":0}'),
    "surrogate at the end": lambda size: body(f'["{text("é", size)}\\ud800"]'),
    "many digits": lambda size: body("1" * size),
    "many digits of a fraction": lambda size: body("[1e999,0." + "1" * size + "]"),
    "many long integers": lambda size: body(array("9" * 1000, size)),
    "escaped quotes without end": lambda size: body("[" * 60_000 + '"' + '\\"' * (size // 2)),
    "a long text": lambda size: with_content(json.dumps("a" * size)),
    "a long text of words": lambda size: with_content(json.dumps(text("word ", size))),
    "a long text beyond ASCII": lambda size: with_content(f'"{text("日本", size)}"'),
    "combining marks in a text": lambda size: with_content(f'"{text(_MARKS, size)}"'),
    "zeros as input": lambda size: response(f'"input":{array("0", size)}'),
    "input without content": lambda size: response('"input":' + array('{"role":"user"}', size)),
    "outputs without a call": lambda size: response(f'"input":{array(_OUTPUT, size)}'),
    "an id many times": lambda size: response('"input":' + array('{"role":"user","content":"","id":"a"}', size)),
    "unknown references": lambda size: response('"input":' + numbered('{"id":"a#"}', size)),
    "input of many messages": lambda size: response('"input":' + array('{"role":"user","content":""}', size)),
    "input of many words": lambda size: response(f'"input":"{text("a ", size)}"'),
    "input of many words, streamed": lambda size: response(f'"stream":true,"input":"{text("a ", size)}"'),
    "zeros as tools": lambda size: response(f'"tools":{array("0", size)}'),
    "tools without a name": lambda size: response('"tools":' + array('{"type":"function"}', size)),
    "tools of one name": lambda size: response(f'"tools":{array(_TOOL, size)}'),
    "tools with invalid schemas": lambda size: response(
        '"tools":' + numbered(_TOOL.replace("{}", '{"type":#}'), size)
    ),
    "many tools": lambda size: response('"tools":' + numbered(_TOOL.replace('"f"', '"f#"'), size)),
    "a choice of unknown tools": lambda size: response(
        '"tool_choice":{"type":"allowed_tools","mode":"auto","tools":'
        + array('{"type":"function","name":"f"}', size)
        + "}"
    ),
    "a format with a wide schema": lambda size: response(_FORMAT.replace("{}", f'{{"enum":{array("0", size)}}}')),
    "a format with an invalid schema": lambda size: response(_FORMAT.replace("{}", f'{{"allOf":{array("0", size)}}}')),
    "a format with a deep schema": lambda size: response(_FORMAT.replace("{}", '{"not":' * 150 + "{}" + "}" * 150)),
    "many query parameters": lambda size: Request("GET", f"{PATH}?" + "&".join(["a=b"] * (size // 4))),
    "many query parameters by name": lambda size: Request(
        "GET", f"{PATH}?" + "&".join(f"{number:x}=1" for number in range(size // 8))
    ),
    "a repeated query parameter": lambda size: Request("GET", f"{PATH}?" + "&".join(["limit=1"] * (size // 8))),
    "a search of many words": lambda size: Request("GET", f"{PATH}?search=" + text("ab%20", size)),
    "a search of different words": lambda size: Request(
        "GET", f"{PATH}?search=" + "+".join(f"{number:x}" for number in range(size // 6))
    ),
    "a search of many quotes": lambda size: Request("GET", f"{PATH}?search=" + text("%22a", size)),
    "combining marks in a search": lambda size: Request("GET", f"{PATH}?search=a" + text("%CC%81%CC%A3", size)),
    "a metadata filter of zeros": lambda size: Request("GET", f"{PATH}?metadata=" + array("0", size)),
    "a metadata filter with a duplicate": lambda size: Request(
        "GET", f"{PATH}?metadata=" + named(size, str)[:-1] + ',"0":""}'
    ),
    "a long id": lambda size: Request("GET", f"{PATH}/{'a' * size}"),
    "a long percent-encoded id": lambda size: Request("GET", f"{PATH}/" + text("%C3%A9", size)),
    "many slashes": lambda size: Request("GET", "/" * size),
    "many headers": lambda size: Request("GET", PATH, headers=(("X-A", "b"),) * (size // 6)),
    "a repeated end user": lambda size: Request("GET", PATH, headers=(("X-On-Behalf-Of", "b"),) * (size // 16)),
    "a fault with unknown fields": lambda size: Request(
        "GET", PATH, headers=(("X-Mock-Fault", '{"status":500,' + named(size, str)[1:]),)
    ),
    "a fault with zeros as patch": lambda size: Request(
        "GET", PATH, headers=(("X-Mock-Fault", f'{{"patch":{array("0", size)}}}'),)
    ),
    "many faults": lambda size: Request("GET", PATH, headers=(("X-Mock-Fault", "0"),) * (size // 16)),
}
_OUTPUT = '{"type":"function_call_output","call_id":"a","output":""}'
_TOOL = '{"type":"function","name":"f","parameters":{}}'
_FORMAT = '"text":{"format":{"type":"json_schema","name":"a","schema":{}}}'
_MAX_HEAD = 256 * 1024  # The server reads no larger heads.
_MARKS = "\u0301\u0323"  # Of two classes, in the wrong order: normalisation sorts them.


def seconds(client: AsgiClient, request: Request) -> float:
    """Return the processor time that the request takes."""
    started = time.thread_time()
    client.request(request.method, request.path, content=request.content, headers=request.headers)
    return time.thread_time() - started


def search_bodies(size: int) -> Iterator[tuple[str, Request]]:
    """Yield a body for each fragment in each place of each kind of item."""
    for kind, item in full_items("1").items():
        for place, put in _places(item):
            for name, fragment in FRAGMENTS.items():
                filled = json.dumps(put("FRAGMENTS")).replace('"FRAGMENTS"', array(fragment, size))
                yield f"{kind} {place}: {name}", body(with_item(filled))


def _places(node: Any) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """Yield each place in a JSON value, with a function that returns the value with another one there."""
    yield "", lambda other: other
    if isinstance(node, dict):
        for name, child in node.items():
            for place, put in _places(child):
                yield f"/{name}{place}", lambda other, name=name, put=put: {**node, name: put(other)}
    elif isinstance(node, list):
        for index, child in enumerate(node):
            for place, put in _places(child):
                yield (
                    f"/{index}{place}",
                    lambda other, index=index, put=put: [*node[:index], put(other), *node[index + 1 :]],
                )


def measure(sizes: Iterable[int]) -> Iterator[dict[str, Any]]:
    """Yield the best of three times of each of the worst requests; those without a body are small at any size."""
    with AsgiClient.connect(Fake(Contract.load(), Settings()), {"Authorization": "Bearer a"}) as client:
        for name, build in WORST.items():
            seconds(client, build(1024))  # Compiles schemas.
            for size in sizes:
                request = build(size - 1024)
                if request.content or size <= _MAX_HEAD:
                    took = min(seconds(client, request) for _ in range(3))
                    yield {"name": name, "size": size, "milliseconds": took * 1000}


def main() -> None:
    if "--json" in sys.argv:
        for figure in measure([kilobytes * 1024 for kilobytes in map(int, sys.argv[2:])]):
            print(json.dumps(figure))  # noqa: T201
        return
    size = int(sys.argv[1]) * 1024 if len(sys.argv) > 1 else 20 * 1024
    found = []
    with AsgiClient.connect(Fake(Contract.load(), Settings()), {"Authorization": "Bearer a"}) as client:
        for name, request in search_bodies(size):
            seconds(client, request)  # Compiles schemas.
            found.append((min(seconds(client, request) for _ in range(2)), name))
    found += [(figure["milliseconds"] / 1000, f"known: {figure['name']}") for figure in measure([size])]
    for took, name in sorted(found, reverse=True)[:40]:
        print(f"{took * 1000:8.1f} ms  {name}")  # noqa: T201
    print(f"{len(found)} requests of {size} bytes")  # noqa: T201


if __name__ == "__main__":
    main()
