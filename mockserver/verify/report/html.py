"""The report as one HTML page that loads nothing: its style and script are inline, and it has no images."""

import base64
import hashlib
import re
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mockserver.verify.report import text
from mockserver.verify.report.model import VERDICTS, Report, Verdict

_FOLDER = Path(__file__).with_name("page")
_SECTIONS: dict[Verdict, tuple[str, str]] = {
    "violates": ("Violations", "The target breaks the document, or a documented or observed behaviour."),
    "learned": ("Learned", "Undocumented behaviour: the catalogue assumes one thing, the target does another."),
    "drift": ("Drift", "The target has something newer than the document, at an extensible place."),
    "accepted": ("Accepted", "The baseline lists these."),
}


def render_html(report: Report, command: text.ReproduceCommand) -> str:
    """Return the page. No text of the target takes effect: the policy admits the page's own style and script only."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        finalize=_make_printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"anchor": anchor, "fragment": _fragment}
    style, script = ((_FOLDER / name).read_text("utf-8") for name in ("report.css", "report.js"))
    return environment.get_template("report.html").render(
        report=report,
        text=text,
        command=command,
        style=style,
        script=script,
        policy=(
            f"default-src 'none'; style-src {_source_hash(style)}; script-src {_source_hash(script)}; "
            "base-uri 'none'; form-action 'none'"
        ),
        verdicts=VERDICTS,
        sections=_SECTIONS,
        counts=_count_verdicts(report),
        cases={deviation.case for deviation in report.deviations},
    )


def anchor(case: str) -> str:
    """Return the `id` of a case on the page, which has no spaces."""
    return re.sub(r"\s", "_", text.make_printable(case))


def _fragment(case: str) -> str:
    return "#" + quote(anchor(case), safe="/.*~:")


def _make_printable(value: object) -> object:
    """Escape the invisible characters of a text before Jinja escapes its markup."""
    return text.make_printable(value, lines=True) if type(value) is str else value


def _count_verdicts(report: Report) -> dict[Verdict, int]:
    """Count deviations by verdict, and the behaviours that conform or were not checked."""
    counts = {verdict: len(report.of(verdict)) for verdict in VERDICTS}
    for row in report.behaviours:
        counts[row.verdict] += row.verdict in ("conforms", "unchecked")
    return counts


def _source_hash(content: str) -> str:
    """Return the Content-Security-Policy source that admits an inline style or script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
