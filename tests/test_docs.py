"""Commands in the documentation run as shown and print what is shown."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from mockserver import Settings, create_app, run_server
from mockserver.contract.document import data_path, load_document
from mockserver.contract.operations import Operations
from mockserver.replies.model import PLANNING_FIELDS

ROOT = Path(__file__).parent.parent
CONTROL = (ROOT / "docs" / "control.md").read_text()
TOKENS = (ROOT / "docs" / "tokens.md").read_text()
BACKGROUND = (ROOT / "docs" / "background.md").read_text()
REPLIES = (ROOT / "docs" / "replies.md").read_text()
RESPONSES = (ROOT / "docs" / "responses.md").read_text()
README = re.search(r"^### Control over HTTP\n(.*?)^## ", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)[1]
OPERATIONS = Operations(load_document(data_path("spec/control.yaml")))
TOKEN = "let-me-in"
VARIABLES = [(r'"version":"[^"]*"', '"version":"..."'), (r'"duration": ?[0-9.e-]+', '"duration": ...')]
VARIABLES += [(r'"host": ?"[^"]*"', '"host": ...'), (r'"user-agent": ?"[^"]*"', '"user-agent": ...')]


def examples(text):
    """Yield each command of the `console` blocks with the output shown."""
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command = re.match(r"(?:.*\\\n)*.*\n", example)[0]
            yield command, example[len(command) :]


def mask_variables(text):
    for pattern, mask in VARIABLES:
        text = re.sub(pattern, mask, text)
    return text.replace("\r\n", "\n")


@pytest.mark.parametrize(
    "page",
    [CONTROL, README, TOKENS, BACKGROUND, REPLIES, RESPONSES],
    ids=["control.md", "README.md", "tokens.md", "background.md", "replies.md", "responses.md"],
)
def test_commands_print_the_output_shown(page, tmp_path):
    """The commands of a page run in order against a new server."""
    with (
        run_server(create_app(Settings(ids="sequential"))) as server,
        run_server(create_app(Settings(control_token=TOKEN))) as server_with_token,
    ):
        printed = []
        for command, _ in examples(page):
            command = command.replace("http://127.0.0.1:8080", server.url)
            command = command.replace("http://127.0.0.1:8081", server_with_token.url)
            environment = {**os.environ, "MOCKSERVER_CONTROL_TOKEN": TOKEN}
            result = subprocess.run(
                ["bash", "-c", command], capture_output=True, text=True, timeout=60, env=environment, cwd=tmp_path
            )
            assert (result.returncode, result.stderr) == (0, ""), command
            printed.append(result.stdout and result.stdout.removesuffix("\n") + "\n")
    assert [(command, mask_variables(text)) for (command, _), text in zip(examples(page), printed, strict=True)] == [
        (command, mask_variables(shown)) for command, shown in examples(page)
    ]


def parse_curl(command):
    """Return the method and the path of a curl command."""
    method = re.search(r"-X ([A-Z]+)", command)
    path = re.search(r"http://127\.0\.0\.1:808\d([^\s'?]*)", command)[1]
    return method[1] if method else "POST" if " -d " in command else "GET", path


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda operation: operation.id)
def test_every_route_has_an_example(operation):
    assert (operation.method, operation.path) in {parse_curl(command) for command, _ in examples(CONTROL)}


def test_every_field_of_a_fault_is_described():
    fields = set(OPERATIONS.schemas.node("/components/schemas/Fault")["properties"])
    actions = OPERATIONS.schemas.node("/components/schemas/Fault/properties/action")["enum"]
    rows = "".join(re.findall(r"^\| `.*?\|", CONTROL, re.MULTILINE))
    assert {*re.findall(r'`"([a-z_]+)": ', CONTROL), *re.findall(r"`([a-z_]+)`", rows)} == fields
    assert set(re.findall(r'`(?:"action": )?"([a-z_]+)"`', rows)) == set(actions)


def test_every_field_of_a_reply_is_described():
    fields = set(OPERATIONS.schemas.node("/components/schemas/Reply")["properties"])
    output, match = (
        section for section in REPLIES.split("\n## ") if section.startswith(("The output", "Which requests"))
    )
    output_fields, match_fields = (
        {name for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
        for section in (output, match)
    )
    assert match_fields == set(PLANNING_FIELDS)
    assert output_fields == fields - match_fields
