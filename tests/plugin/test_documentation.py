"""The examples in `docs/pytest.md` run, and the page names all that is public."""

import inspect
import re
from pathlib import Path

import pytest

from mockserver.testing import CallFields, ClockControls, Exchange, FaultControls, Mka1, Requests, StateControls, When
from mockserver.testing.marker import KEYWORDS

TEXT = (Path(__file__).parent.parent.parent / "docs" / "pytest.md").read_text()
EXAMPLES = "\n\n".join(re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE))


def test_every_example_runs(run):
    result = run(EXAMPLES, separately=True)
    assert result.code == 0, result.output
    assert f"{EXAMPLES.count('def test_')} passed" in result.output


def public_names(owner):
    return [name for name, _ in inspect.getmembers(owner) if not name.startswith("_")]


@pytest.mark.parametrize("owner", [Requests, FaultControls, ClockControls, StateControls, Mka1])
def test_every_public_name_is_documented(owner):
    inherited, internal = {"count", "index"}, {"load_since"}
    undocumented = {name for name in public_names(owner) if not re.search(rf"\b{name}\b", TEXT)}
    assert undocumented <= inherited | internal


def test_every_field_keyword_and_option_is_documented():
    names = [
        *Exchange.__dataclass_fields__,
        *When.__annotations__,
        *KEYWORDS,
        *CallFields.__annotations__,
        "mka1_strict",
        "mka1_autouse",
        "mka1_api_key",
    ]
    names += ["mka1_server", "mka1_class", "mka1_module", "mka1_session", "mockserver.fake()"]
    names += ["--mka1-url", "--mka1-api-key-env", "--mka1-coverage"]
    assert [name for name in names if f"`{name}" not in TEXT and f" {name}=" not in TEXT] == []
