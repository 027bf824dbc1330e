"""The wording of a report: the sentences, labels and tables that its forms share.

Text of the target is shown as it is and never takes effect: markup, control characters and line ends are escaped.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from mockserver.verify.report.model import (
    PHASES,
    VERDICTS,
    BaselineNote,
    BehaviourRow,
    Cell,
    Deviation,
    OperationRow,
    Phase,
    PhaseRow,
    Reason,
    Report,
    StopReason,
    UncheckedReason,
    Verdict,
)

ReproduceCommand = Callable[[Deviation], str]
"""Returns the command that reproduces a deviation."""

_REASONS: Mapping[StopReason | UncheckedReason, str] = {
    StopReason.INTERRUPTED: "interrupted",
    StopReason.MAX_REQUESTS: "the request limit was reached",
    StopReason.MAX_TIME: "the time limit was reached",
    StopReason.TOO_MANY_REQUESTS: "the target keeps returning 429",
    StopReason.UNRESPONSIVE: "the target does not respond in time",
    StopReason.CASE_REPRODUCED: "the case was reproduced",
    UncheckedReason.EARLIER_CRASH: "an earlier phase crashed",
    UncheckedReason.NOT_SELECTED: "the phase was not selected",
    UncheckedReason.NOT_REACHED: "no scenario reached it",
    UncheckedReason.NO_REQUEST: "no request was sent",
    UncheckedReason.NO_SUCCESS: "no request succeeded",
}
_NO_FILE_NAME = re.compile(r"[^A-Za-z0-9.]+")
_MAX_NAMES = 4
_COUNTED: tuple[Verdict, ...] = ("learned", "drift", "accepted")


# -- Escaping --------------------------------------------------------------------------------------------------


def make_printable(text: str, *, lines: bool = False, encoding: str = "utf-8") -> str:
    """Replace invisible characters by escape sequences; with `lines`, keep line ends."""
    if lines:
        return "\n".join(make_printable(line, encoding=encoding) for line in text.replace("\r\n", "\n").split("\n"))
    shown = "".join(character if character.isprintable() else _escape(character) for character in text)
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def shell_line(command: str, *, encoding: str = "utf-8") -> str:
    """Return a shell command as one visible line that does the same in bash and zsh.

    Invisible characters become `$'...'`; everything else is verbatim.
    """
    if all(_is_visible(character, encoding) for character in command):
        return command
    shown, quote, is_escaped = "", "", False
    for character in command:
        if not _is_visible(character, encoding):
            literal = "\\" if is_escaped else ""  # In double quotes, a backslash before anything else is itself.
            shown += f"{literal}{quote}$'{_escape(character)}'{quote}"
        else:
            shown += character
            if character == quote and not is_escaped:
                quote = ""
            elif not quote and character in "'\"" and not is_escaped:
                quote = character
        is_escaped = character == "\\" and quote != "'" and not is_escaped
    return shown


def _is_visible(character: str, encoding: str) -> bool:
    return character.isprintable() and (character.isascii() or character.encode(encoding, "ignore") != b"")


def _escape(character: str) -> str:
    number = ord(character)
    if character in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[character]
    return f"\\x{number:02x}" if number < 0x80 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


# -- Sentences -------------------------------------------------------------------------------------------------


def headline(report: Report) -> str:
    """Return the result as one sentence."""
    target = make_printable(report.target)
    if report.of("violates"):
        return f"{target} does not conform."
    if report.exit_code == 1:
        return f"{target} does not conform in strict mode."
    if report.exit_code == 2:
        return "The run did not finish. It found no violation."
    if report.exit_code == 3:
        reason = next(row.reason for row in report.phases if row.is_cut_short)
        checked = sum(row.verdict != "unchecked" for row in report.behaviours)
        done = sum(row.state == "done" for row in report.phases)
        return (
            f"The run was cut short: {reason_text(reason)}. It found no violation, but finished only {done} of "
            f"{len(report.phases)} phases and checked {checked} of {len(report.behaviours)} behaviours."
        )
    results = [row.verdict for row in report.behaviours]
    results += [cell.verdict for row in report.operations for cell in row.cells.values()]
    if all(verdict == "unchecked" for verdict in results):
        return "Nothing was checked."
    is_complete = all(row.state == "done" for row in report.phases) and all(
        row.verdict != "unchecked" for row in report.behaviours
    )
    return f"{target} conforms." if is_complete else f"{target} conforms, as far as it was checked."


def summary(report: Report) -> str:
    """Return the counts: deviations by verdict, behaviours, phases that did not finish, requests."""
    violations = len(report.of("violates"))
    parts = [quantity(violations, "violation") if violations else "no violations"]
    parts += [f"{number} {verdict}" for verdict in _COUNTED if (number := len(report.of(verdict)))]
    if report.behaviours:
        conforming = sum(row.verdict == "conforms" for row in report.behaviours)
        parts.append(f"{quantity(conforming, 'behaviour')} {'conforms' if conforming == 1 else 'conform'}")
    if unchecked := sum(row.verdict == "unchecked" for row in report.behaviours):
        parts.append(f"{unchecked} could not be checked")
    sentences = [", ".join(parts)]
    for row in report.phases:
        if row.state in ("stopped", "crashed"):
            sentences.append(make_printable(f"{row.phase} {phase_state(row)}"))
    if report.leftovers:
        sentences.append(f"{quantity(len(report.leftovers), 'resource')} could not be deleted")
    sentences.append(cost(report))
    return " ".join(sentence[:1].upper() + sentence[1:].rstrip(".") + "." for sentence in sentences)


def cost(report: Report) -> str:
    """Return the requests, the time and the seed of the run."""
    return f"{quantity(report.requests, 'request')} in {duration(report.seconds)}, seed {report.seed}"


def quantity(number: int, noun: str) -> str:
    """Format a number with its noun, such as `1 request` or `4,211 requests`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Format a duration, such as `1.2 s` or `63 s`."""
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:,.0f} s"


def reason_text(reason: Reason | None) -> str:
    """Return the text of a reason; empty without one."""
    if reason is None:
        return ""
    if reason.code == UncheckedReason.BLOCKED:
        return f"blocked by {reason.detail}"
    if reason.code == UncheckedReason.INCLUDED:
        return f"reported with {reason.detail}"
    return _REASONS.get(reason.code, reason.detail)


def phase_state(row: PhaseRow) -> str:
    """Return how a phase ended, with the reason."""
    return f"{row.state}: {reason_text(row.reason)}" if row.reason else row.state


def behaviour_remark(row: BehaviourRow) -> str:
    """Return why a behaviour was not checked, or not in full; else nothing."""
    partly = "checked in part; for the rest: " if row.reason and row.verdict == "conforms" else ""
    return partly + reason_text(row.reason)


def cell_text(cell: Cell | None, report: Report) -> str:
    """Return the result for one operation in one phase; None if the phase did not reach the operation."""
    if cell is None:
        return "-"
    if cell.verdict == "conforms":
        return f"conforms ({quantity(cell.responses, 'response')})"
    if cell.verdict == "unchecked":
        return f"unchecked: {reason_text(cell.reason)}" if cell.reason else "unchecked"
    verdicts = Counter(deviation.verdict for deviation in report.deviations if deviation.case in cell.cases)
    return ", ".join(f"{verdict}: {verdicts[verdict]}" for verdict in VERDICTS if verdict in verdicts)


# -- Lists and tables ------------------------------------------------------------------------------------------


def phases_with_results(report: Report) -> list[Phase]:
    """Return the phases with a result for any operation."""
    return [phase for phase in PHASES if any(phase in row.cells for row in report.operations)]


def relative_path(row: OperationRow, report: Report) -> str:
    """Return the path of an operation below that of the target."""
    return row.path.removeprefix(urlsplit(report.target).path.rstrip("/"))


def theme_of(behaviour: str) -> str:
    """Return the id of a behaviour without its last part."""
    return behaviour.rpartition(".")[0] or behaviour


def group_by_theme(behaviours: Iterable[BehaviourRow]) -> dict[str, list[BehaviourRow]]:
    """Group behaviours by theme, in the order of the catalogue."""
    groups: dict[str, list[BehaviourRow]] = {}
    for row in behaviours:
        groups.setdefault(theme_of(row.id), []).append(row)
    return groups


def group_unchecked(report: Report) -> dict[str, list[str]]:
    """Group the unchecked behaviours by reason; a theme that shares one reason is named as a whole."""
    groups: dict[str, list[str]] = {}
    for theme, rows in group_by_theme(report.behaviours).items():
        unchecked = [row for row in rows if row.verdict == "unchecked"]
        if len(unchecked) == len(rows) > 1 and len({row.reason for row in rows}) == 1:
            groups.setdefault(reason_text(rows[0].reason), []).append(f"{theme} (all {len(rows)})")
            continue
        for row in unchecked:
            groups.setdefault(reason_text(row.reason), []).append(row.id)
    return groups


class Fact(NamedTuple):
    """One labelled property of a deviation: a text, or a list of names."""

    label: str
    text: str
    names: tuple[str, ...] = ()
    is_literal: bool = False
    """Whether it quotes requests or responses."""


def list_facts(deviation: Deviation) -> list[Fact]:
    """Return the properties of a deviation, except its case, its statement and its reproduction."""
    expected = "assumed" if deviation.verdict == "learned" else "expected"
    facts = [
        Fact("weight", deviation.weight),
        Fact("source", deviation.source),
        Fact(expected, deviation.expected, is_literal=True),
        Fact("received", deviation.received, is_literal=True),
        Fact("place", deviation.place or "", is_literal=True),
        Fact("kinds", kinds_text(deviation)),
        _names("operations", deviation.operations),
        Fact("suspect", f"{deviation.suspect}: {deviation.reason}"),
        Fact("seen", _occurrences(deviation)),
        _names("includes", deviation.includes),
        _names("blocks", deviation.blocks),
        Fact("accepted", deviation.evidence or ""),
    ]
    return [fact for fact in facts if fact.text]


def list_short_facts(deviation: Deviation) -> list[Fact]:
    """Return the properties of a deviation that fit on few lines, without what the files say beyond them."""
    includes = f"includes {shorten_names(deviation.includes)}" if deviation.includes else ""
    blocks = f"blocks {shorten_names(deviation.blocks)}" if deviation.blocks else ""
    operations = f" ({shorten_names(deviation.operations)})" if deviation.operations else ""
    suspect = Fact("suspect", f"{deviation.suspect}: {deviation.reason}")
    facts = [
        Fact("assumed" if deviation.verdict == "learned" else "expected", deviation.expected, is_literal=True),
        Fact("received", deviation.received, is_literal=True),
        Fact("kinds", kinds_text(deviation)),
        Fact("seen", _occurrences(deviation) + operations),
        Fact("accepted", deviation.evidence) if deviation.evidence else suspect,
        Fact("also", "; ".join(filter(None, (includes, blocks)))),
    ]
    return [fact for fact in facts if fact.text]


def shorten_names(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - _MAX_NAMES
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:_MAX_NAMES])} and {more} more"


def kinds_text(deviation: Deviation) -> str:
    """Return the kinds of the occurrences with their counts, such as `limit (3), order (1)`."""
    if len(deviation.kinds) < 2:
        return ""
    return "; ".join(f"{kind.name} ({kind.count:,})" for kind in deviation.kinds)


def _names(label: str, names: tuple[str, ...]) -> Fact:
    return Fact(label, ", ".join(names), names)


def occurrences(count: int) -> str:
    """Format a number of occurrences."""
    return "once" if count == 1 else f"{count:,} times"


def _occurrences(deviation: Deviation) -> str:
    where = f" in {', '.join(deviation.phases)}" if deviation.phases else ""
    first = f"request {deviation.first_request:,}{f' of {deviation.phases[0]}' if where else ''}"
    if deviation.count == 1:
        return f"once, in {first}" if deviation.first_request else f"once{where}"
    return f"{deviation.count:,} times{where}{f', first in {first}' if deviation.first_request else ''}"


def reproduction(deviation: Deviation, command: ReproduceCommand) -> list[str]:
    """Return the commands that reproduce a deviation by hand, then the `mockserver` command."""
    return [*deviation.reproduction, command(deviation)]


def reproduction_remark(deviation: Deviation) -> str:
    """Return whether the commands by hand showed the deviation again; nothing if they did."""
    if not deviation.reproduction:
        return "the run has no commands for it"
    if deviation.is_reproduced is None:
        return "not tried"
    return "" if deviation.is_reproduced else "these commands did not show it again when the run tried them"


def script_names(report: Report) -> dict[str, str]:
    """Return the names of the scripts that reproduce the deviations by hand, by case."""
    return {
        deviation.case: f"{number:02}-{_NO_FILE_NAME.sub('-', deviation.case).strip('-')[:80]}.sh"
        for number, deviation in enumerate(report.deviations, 1)
        if deviation.reproduction
    }


def script(deviation: Deviation) -> str:
    """Return a shell script that reproduces a deviation."""
    comments = [
        deviation.case,
        deviation.statement,
        f"Expected: {deviation.expected}",
        f"Received: {deviation.received}",
        *([f"Note: {remark}."] if (remark := reproduction_remark(deviation)) else []),
    ]
    lines = ["#!/usr/bin/env bash", *(f"# {make_printable(one)}" for one in comments), "set -eu"]
    return "\n".join([*lines, *map(shell_line, deviation.reproduction)]) + "\n"


def full_text(deviation: Deviation, command: ReproduceCommand) -> str:
    """Return everything about a deviation as plain text."""
    lines = [make_printable(deviation.case), make_printable(deviation.statement, lines=True)]
    for fact in list_facts(deviation):
        first, *more = make_printable(fact.text, lines=True).split("\n")
        lines += [f"{fact.label:<10} {first}", *(" " * 11 + line for line in more)]
    remark = reproduction_remark(deviation)
    lines.append(f"reproduce with ({remark})" if remark else "reproduce with")
    return "\n".join([*lines, *map(shell_line, reproduction(deviation, command))])


def baseline_text(note: BaselineNote) -> str:
    """Return the problem of a baseline entry, and how to solve it."""
    if note.problem == "expired":
        return f"expired on {note.expires}, and the deviation still occurs; fix it or extend the entry"
    return "no longer occurs; remove the entry"


class Table(NamedTuple):
    """A table of the report's last part."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def list_tables(report: Report) -> list[Table]:
    """Return the tables that follow the deviations, without empty ones."""
    off = [(one.check, ", ".join(one.operations) or "all operations", one.reason) for one in report.disabled_checks]
    left = [(f"{one.collection}/{one.id}", one.end_user or "-", one.reason) for one in report.leftovers]
    phases = [
        (row.phase, row.state, f"{row.requests:,}", duration(row.seconds), reason_text(row.reason) or "-")
        for row in report.phases
    ]
    tables = [
        Table("Baseline", ("case", "note"), [(note.case, baseline_text(note)) for note in report.baseline]),
        Table("Disabled checks", ("check", "for", "reason"), off),
        Table("Left on the target", ("resource", "end user", "reason"), left),
        Table("Phases", ("phase", "state", "requests", "time", "reason"), phases),
    ]
    return [table for table in tables if table.rows]
