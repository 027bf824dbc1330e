"""What `docs/pytest.md` shows is run, and what there is, it tells of."""

import inspect
import re
from pathlib import Path

import pytest

from mockserver.testing import ClockControls, Exchange, FaultControls, Mka1, Requests, StateControls, When
from mockserver.testing.marker import KEYWORDS

TEXT = (Path(__file__).parent.parent.parent / "docs" / "pytest.md").read_text()
EXAMPLES = "\n\n".join(re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE))


def test_every_example_runs(run):
    result = run(EXAMPLES, separately=True)
    assert result.code == 0, result.output
    assert f"{EXAMPLES.count('def test_')} passed" in result.output


def public(owner):
    return [name for name, _ in inspect.getmembers(owner) if not name.startswith("_")]


@pytest.mark.parametrize("owner", [Requests, FaultControls, ClockControls, StateControls, Mka1])
def test_every_name_is_told_of(owner):
    inner = {"count", "index"}
    assert [name for name in public(owner) if not re.search(rf"\b{name}\b", TEXT) and name not in inner] == []


def test_every_field_keyword_and_option_is_told_of():
    names = [*Exchange.__dataclass_fields__, *When.__annotations__, *KEYWORDS, "mka1_strict"]
    names += ["--mka1-url", "--mka1-api-key-env", "--mka1-coverage"]
    assert [name for name in names if f"`{name}" not in TEXT] == []
