"""Ten mistakes, and what four tools say about each: `make compare-explanations` writes docs/explanations.md.

Prism runs on a port of its own; without npx, its row says so.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from jsonschema_path import SchemaPath
from openapi_core import V31RequestValidator
from openapi_core.datatypes import RequestParameters
from referencing import Registry
from referencing.jsonschema import DRAFT202012
from werkzeug.datastructures import Headers, ImmutableMultiDict

from mockserver.contract.document import load_document
from mockserver.contract.engine import CompiledEngine
from mockserver.contract.operations import Operation, Operations
from mockserver.findings import Finding

PRISM = "@stoplight/prism-cli@5.16.0"
PAGE = Path(__file__).parent.parent.parent / "docs" / "explanations.md"
LONGEST = 240
DOCUMENT = load_document()
OPERATIONS = Operations(DOCUMENT)
PATHS = {"conversation_id": "conv_1", "item_id": "msg_1"}


class Mistake(NamedTuple):
    what: str
    operation: str
    body: Any = None
    query: tuple[tuple[str, str], ...] = ()


def _adding(what: str, item: dict[str, Any]) -> Mistake:
    return Mistake(what, "conversations.items.create", {"items": [item]})


def _message(**fields: Any) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": "Is it raining?", **fields}


CALL = {"type": "function_call", "call_id": "call_1", "name": "find_ticket"}
SILENT = {"type": "input_audio", "input_audio": {"data": ""}}
MISTAKES = [
    _adding("a required field is misspelt in one of 24 kinds of item", {**CALL, "argumens": "{}"}),
    _adding("the type has a typo", _message(type="mesage")),
    _adding("the role is none of the four", _message(role="usr")),
    _adding("a part of a message is of a kind that this API does not have", _message(content=[{"type": "text"}])),
    _adding("an object where its JSON text is wanted", {**CALL, "arguments": {"ticket": 7}}),
    _adding("a field is missing three levels down", _message(content=[SILENT])),
    Mistake("metadata with a number in it", "conversations.create", {"metadata": {"visits": 5}}),
    Mistake("too many metadata pairs", "conversations.create", {"metadata": {f"k{n}": "v" for n in range(17)}}),
    Mistake("the page is too large", "conversations.list", query=(("limit", "51"),)),
    Mistake("a parameter is given twice", "conversations.list", query=(("limit", "5"), ("limit", "50"))),
]


def ours(mistake: Mistake) -> list[str]:
    operation = OPERATIONS[mistake.operation]
    validator = CompiledEngine().request_validator(operation)
    query = "&".join(f"{quote(name)}={quote(text)}" for name, text in mistake.query)
    findings: list[Finding] = validator.validate_parameters(PATHS, query.encode(), lambda name: [])[1]
    if operation.body_content:
        findings += validator.validate_body(json.dumps(mistake.body).encode())[1]
    return [f"{finding.location} {finding.pointer}: {finding.message}" for finding in findings]


def openapi_core(mistake: Mistake) -> list[str]:
    operation = OPERATIONS[mistake.operation]
    spec = SchemaPath.from_dict(DOCUMENT)
    request = _Request(operation, mistake)
    validator = V31RequestValidator(spec, base_url="http://127.0.0.1")
    return [_with_cause(error) for error in validator.iter_errors(request)]


def _with_cause(error: Exception) -> str:
    cause = str(error.__cause__ or "")
    return str(error) if cause in str(error) else f"{error}: {cause}"


class _Request:
    """As openapi-core wants a request."""

    host_url = "http://127.0.0.1"

    def __init__(self, operation: Operation, mistake: Mistake) -> None:
        self.method = operation.method.lower()
        self.path = operation.path.format(**PATHS)
        self.content_type = "application/json"
        self.body = json.dumps(mistake.body).encode() if operation.body_content else None
        authorization = Headers({"Authorization": "Bearer key"})
        self.parameters = RequestParameters(query=ImmutableMultiDict(mistake.query), header=authorization)


def _jsonschema_errors(mistake: Mistake) -> list[Any]:
    operation = OPERATIONS[mistake.operation]
    registry: Any = Registry().with_resource("urn:document", DRAFT202012.create_resource(DOCUMENT))
    if operation.body_content:
        schema = operation.body_content["application/json"]
        assert schema is not None
        reference, value = schema.pointer, mistake.body
    else:
        # It knows schemas only: the last of the texts, read as JSON, stands for the parameter.
        (parameter,) = [one for one in operation.parameters if one.name == mistake.query[0][0]]
        reference, value = parameter.schema.pointer, json.loads(dict(mistake.query)[parameter.name])
    validator = Draft202012Validator({"$ref": f"urn:document#{quote(reference, safe='/~')}"}, registry=registry)
    return list(validator.iter_errors(value))


def plain_jsonschema(mistake: Mistake) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in _jsonschema_errors(mistake)]


def best_jsonschema(mistake: Mistake) -> list[str]:
    best = best_match(_jsonschema_errors(mistake))
    return [f"{best.json_path}: {best.message}"] if best else []


@contextlib.contextmanager
def prism() -> Iterator[Callable[[Mistake], list[str]]]:
    """Prism returns an example of the document; its findings are in a header."""
    if shutil.which("npx") is None:
        yield lambda mistake: ["(not run: npx is not installed)"]
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "openapi.json"
        document.write_text(json.dumps(DOCUMENT))
        command = ["npx", "--yes", PRISM, "mock", "--host", "127.0.0.1", "--port", str(port), str(document)]
        silent = subprocess.DEVNULL
        process = subprocess.Popen(command, stdout=silent, stderr=silent, start_new_session=True)
        try:
            base_url = f"http://127.0.0.1:{port}"
            _wait_for(base_url)
            with httpx.Client(base_url=base_url, headers={"Authorization": "Bearer key"}) as client:
                yield lambda mistake: _send_to_prism(client, mistake)
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # npx does not pass it on.
            process.wait(10)


def _wait_for(url: str) -> None:
    for _ in range(120):
        with contextlib.suppress(httpx.TransportError):
            httpx.get(url)
            return
        time.sleep(0.5)
    raise TimeoutError("Prism did not start")


def _send_to_prism(client: httpx.Client, mistake: Mistake) -> list[str]:
    operation = OPERATIONS[mistake.operation]
    body = {"json": mistake.body} if operation.body_content else {}
    response = client.request(operation.method, operation.path.format(**PATHS), params=list(mistake.query), **body)
    # A long list is cut in the middle of its text, so that it is not read as JSON.
    return [
        match[1] for match in re.finditer(r'"message":"((?:[^"\\]|\\.)*)"', response.headers.get("sl-violations", ""))
    ]


def page() -> str:
    lines = [
        "# Error messages, compared",
        "",
        "The messages of four tools for ten mistakes:",
        "",
        "- this fake;",
        "- openapi-core: the text of its errors and of their causes;",
        "- jsonschema: all errors, and the one that `best_match` selects. It knows no parameters, so it validates the",
        "  value in the last two cases;",
        "- Prism: the messages in its header `sl-violations`, which it cuts at about fifty.",
        "",
        "Each tool gets the same document and the same request. Longer texts are cut after "
        f"{LONGEST} characters, and their",
        "length is added.",
        "",
        "This page is the output of `make compare-explanations`.",
    ]
    with prism() as run_prism:
        tools: list[tuple[str, Callable[[Mistake], list[str]]]] = [
            ("mockserver", ours),
            ("openapi-core", openapi_core),
            ("jsonschema", plain_jsonschema),
            ("jsonschema, `best_match`", best_jsonschema),
            ("Prism", run_prism),
        ]
        for number, mistake in enumerate(MISTAKES, 1):
            sent = "?" + "&".join(map("=".join, mistake.query)) if mistake.query else json.dumps(mistake.body)
            lines += ["", f"## {number}. {mistake.what[0].upper()}{mistake.what[1:]}", ""]
            lines += [f"`{_cut(sent)}`", "", "| | findings | messages |", "|---|---:|---|"]
            for name, tool in tools:
                messages = tool(mistake)
                lines.append(f"| {name} | {len(messages)} | {_quote(messages)} |")
    return "\n".join(lines) + "\n"


def _quote(messages: list[str]) -> str:
    if not messages:
        return "nothing"
    shown = "<br>".join(f"`{_cut(text)}`" for text in messages[:2])
    return f"{shown}<br>and {len(messages) - 2} more" if len(messages) > 2 else shown


def _cut(text: str) -> str:
    """On one line, as it may stand in a cell of a table."""
    line = " ".join(text.split()).replace("|", "\\|").replace("`", "'")
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}... ({len(line):,} characters)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=PAGE)
    given = parser.parse_args()
    given.output.parent.mkdir(exist_ok=True)
    given.output.write_text(page())
    sys.stdout.write(f"{given.output}\n")


if __name__ == "__main__":
    main()
