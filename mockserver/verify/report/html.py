"""A verdict as one page that needs nothing else: no script, style, font or picture from anywhere."""

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import quote

from mockserver.verify.report.model import VERDICTS, BehaviourRow, Deviation, Report, Verdict
from mockserver.verify.report.text import (
    RepeatCommand,
    cell_words,
    facts,
    headline,
    path_of,
    printable,
    repeated,
    shell_line,
    shown_phases,
    summary,
    tables,
    themes,
)

_TEMPLATE = Path(__file__).with_name("report.html")
_SECTIONS: dict[Verdict, tuple[str, str]] = {
    "violates": ("Violations", "The document, or what is documented or observed, does not hold."),
    "learned": ("Learned", "Nobody had documented this. The catalogue assumed one thing, the target does another."),
    "drift": ("Drift", "The target has something that the document does not know, where it expects to be outgrown."),
    "accepted": ("Accepted", "The baseline knows these."),
}


def page(report: Report, repeat_command: RepeatCommand) -> str:
    """The report as HTML. Nothing of it that a target said can act; its policy lets only its own script run."""
    template = _TEMPLATE.read_text("utf-8")
    cases = {deviation.case for deviation in report.deviations}
    content = [
        _summary(report),
        _filter(report),
        *(
            _section(verdict, report.of(verdict), repeat_command)
            for verdict in VERDICTS
            if verdict in _SECTIONS and report.of(verdict)
        ),
        _operations(report, cases),
        _behaviours(report, cases),
        *(_titled(title, _table(header, map(_cells, rows))) for title, header, rows in tables(report)),
        _titled("Notes", f"<ul>{''.join(f'<li>{_text(note)}</li>' for note in report.notes)}</ul>")
        if report.notes
        else "",
    ]
    return Template(template).substitute(
        policy=_policy(template),
        title=_text(f"{_mark(report)} {report.target}"),
        content="\n".join(part for part in content if part),
        version=_text(report.version),
    )


def anchor(case: str) -> str:
    """The `id` of a case on the page; an id has no spaces."""
    return re.sub(r"\s", "_", printable(case))


def _summary(report: Report) -> str:
    mood = "violates" if report.exit_code else "conforms"
    strict = " A strict run: what was learned, drift and notes of the baseline count." if report.strict else ""
    return (
        f'<header class="{mood}"><h1>{_text(headline(report))}</h1><p class="lead">{_text(summary(report))}</p>'
        f"<p>Asked <code>{_text(report.target)}</code>, {_text(report.started_at)}.{strict}</p></header>"
    )


def _mark(report: Report) -> str:
    return {0: "conforms:", 1: "does not conform:"}.get(report.exit_code, "unfinished:")


def _filter(report: Report) -> str:
    counts = {verdict: len(report.of(verdict)) for verdict in VERDICTS}
    for row in report.behaviours:
        counts[row.verdict] += row.verdict in ("conforms", "unchecked")
    boxes = "".join(
        f'<label class="{verdict}"><input type="checkbox" id="show-{verdict}" checked> '
        f"{verdict} {counts[verdict]}</label>"
        for verdict in VERDICTS
        if counts[verdict]
    )
    return f'<nav aria-label="Show by verdict">{boxes}</nav>' if boxes else ""


def _section(verdict: Verdict, deviations: Sequence[Deviation], repeat_command: RepeatCommand) -> str:
    title, meaning = _SECTIONS[verdict]
    cards = "".join(_card(deviation, repeat_command) for deviation in deviations)
    return f'<section data-verdict="{verdict}"><h2>{title} ({len(deviations)})</h2><p>{meaning}</p>{cards}</section>'


def _card(deviation: Deviation, repeat_command: RepeatCommand) -> str:
    told = "".join(
        f"<dt>{name}</dt><dd{_LITERAL if name in _LITERAL_FACTS else ''}>{_text(value)}</dd>"
        for name, value in facts(deviation)
    )
    script = _commands("Repeat it by hand", "\n".join(shell_line(command) for command in deviation.curl))
    again = _commands("Repeat it with mockserver", shell_line(repeated(deviation, repeat_command)))
    return (
        f'<article id="{escape(anchor(deviation.case))}" class="{deviation.verdict}">'
        f"<h3>{_text(deviation.statement)}</h3><p>{_link(deviation.case)}</p>"
        f"<dl>{told}</dl>{script if deviation.curl else ''}{again}</article>"
    )


_LITERAL = ' class="literal"'
_LITERAL_FACTS = ("expected", "assumed", "received", "place")


def _commands(title: str, commands: str) -> str:
    return (
        f'<figure><figcaption>{title} <button type="button" hidden>Copy</button></figcaption>'
        f"<pre>{escape(commands)}</pre></figure>"
    )


def _operations(report: Report, cases: set[str]) -> str:
    phases = shown_phases(report)
    if not phases:
        return ""
    rows = []
    for row in report.operations:
        cells = [f"<b>{_text(row.id)}</b><br><code>{_text(row.method)} {_text(path_of(row, report))}</code>"]
        for phase in phases:
            cell = row.cells.get(phase)
            links = "".join(f"<br>{_link(case)}" for case in (cell.cases if cell else ()) if case in cases)
            cells.append(_chip(cell.verdict if cell else "unchecked", cell_words(cell, report)) + links)
        rows.append(cells)
    return _titled("Operations", _table(["operation", *phases], rows))


def _behaviours(report: Report, cases: set[str]) -> str:
    if not report.behaviours:
        return ""
    return _titled(
        f"Behaviours ({len(report.behaviours)})",
        "".join(_theme(theme, rows, cases) for theme, rows in themes(report.behaviours).items()),
    )


def _theme(theme: str, rows: Sequence[BehaviourRow], cases: set[str]) -> str:
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in VERDICTS}
    chips = " ".join(_chip(verdict, f"{verdict}: {count}") for verdict, count in counts.items() if count)
    is_open = " open" if counts["conforms"] + counts["unchecked"] < len(rows) else ""
    body = "".join(_behaviour(row, cases) for row in rows)
    return f"<details{is_open}><summary><b>{_text(theme)}</b> {chips}</summary><ul>{body}</ul></details>"


def _behaviour(row: BehaviourRow, cases: set[str]) -> str:
    is_elsewhere = row.id in cases
    place = "" if is_elsewhere else f' id="{escape(anchor(row.id))}"'
    why = f'<br><span class="why">{_text(row.why)}</span>' if row.why and not is_elsewhere else ""
    return (
        f'<li data-verdict="{row.verdict}"{place}>{_chip(row.verdict, row.verdict)} {_text(row.statement)} '
        f"<small>{_link(row.id)}, {_text(row.status)}: {_text(row.source)}</small>{why}</li>"
    )


def _titled(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """`rows` are HTML already. Each cell says what it is of, for where there is no room for columns."""
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(
        "<tr>" + "".join(_named_cell(name, cell) for name, cell in zip(header, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _named_cell(name: str, cell: str) -> str:
    return f'<td data-of="{escape(name)}">{cell}</td>'


def _cells(row: Sequence[str]) -> list[str]:
    return [_text(cell) for cell in row]


def _chip(verdict: str, words: str) -> str:
    return f'<span class="chip {verdict}">{_text(words)}</span>'


def _link(case: str) -> str:
    return f'<a href="#{escape(quote(anchor(case), safe="/.*~:"))}"><code>{_text(case)}</code></a>'


def _text(text: str) -> str:
    return escape(printable(text, lines=True))


def _policy(template: str) -> str:
    """Nothing may be loaded, and only the template's own style and script may be used."""
    hashes = {}
    for element in ("style", "script"):
        (own,) = re.findall(f"<{element}>(.*?)</{element}>", template, re.DOTALL)
        hashes[element] = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{hashes['style']}'; script-src 'sha256-{hashes['script']}'; "
        "base-uri 'none'; form-action 'none'"
    )
