"""A verdict in words, for whatever shows it.

What a target said is shown, never obeyed: no markup, no control character and no line end of its own takes effect.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from mockserver.verify.report.model import (
    PHASES,
    VERDICTS,
    BehaviourRow,
    Cell,
    Deviation,
    OperationRow,
    Phase,
    Report,
)

RepeatCommand = Callable[[str, str], str]
"""Gives the command that repeats a case in a phase."""


# -- Texts of others -------------------------------------------------------------------------------------------


def printable(text: str, *, lines: bool = False, encoding: str = "utf-8") -> str:
    """`text`, what cannot be seen of it written as an escape such as `\\x1b`; with `lines`, line ends are kept."""
    if lines:
        return "\n".join(printable(line, encoding=encoding) for line in text.replace("\r\n", "\n").split("\n"))
    shown = "".join(_escape(character) if _is_hidden(character) else character for character in text)
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def shell_line(command: str, *, encoding: str = "utf-8") -> str:
    """A shell command as one line that can be seen whole and does the same when it is pasted into bash or zsh.

    It is verbatim, but for characters in quotes that cannot be shown: those become `$'...'`.
    """
    if not any(_is_hidden(character) or not _fits(character, encoding) for character in command):
        return command
    shown, quote, is_escaped = "", "", False
    for character in command:
        if _is_hidden(character) or not _fits(character, encoding):
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


def _is_hidden(character: str) -> bool:
    return not character.isprintable()


def _fits(character: str, encoding: str) -> bool:
    return character.isascii() or character.encode(encoding, "ignore") != b""


def _escape(character: str) -> str:
    number = ord(character)
    if character in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[character]
    return f"\\x{number:02x}" if number < 0x80 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


# -- Words that every form of the report shares ----------------------------------------------------------------


def headline(report: Report) -> str:
    """The verdict, as one sentence."""
    target = printable(report.target)
    if report.of("violates"):
        return f"{target} does not conform."
    if report.exit_code == 1:
        return f"{target} is not exactly as assumed, and this run is strict."
    if report.exit_code == 2:
        return "The run did not get to its end, and found no violation until then."
    if not was_anything_checked(report):
        return "Nothing was checked."
    is_whole = all(row.state == "done" for row in report.phases) and all(
        row.verdict != "unchecked" for row in report.behaviours
    )
    return f"{target} conforms." if is_whole else f"{target} conforms, as far as it was checked."


def summary(report: Report) -> str:
    """What was found, counted apart: no number stands for different things."""
    violations = len(report.of("violates"))
    parts = [counted(violations, "violation") if violations else "no violation"]
    for verdict, word in (("learned", "learned"), ("drift", "drifted"), ("accepted", "accepted")):
        if number := sum(deviation.verdict == verdict for deviation in report.deviations):
            parts.append(f"{number} {word}")
    conform = sum(row.verdict == "conforms" for row in report.behaviours)
    if report.behaviours:
        parts.append(f"{counted(conform, 'behaviour')} {'conforms' if conform == 1 else 'conform'}")
    if unchecked := sum(row.verdict == "unchecked" for row in report.behaviours):
        parts.append(f"{unchecked} could not be checked")
    sentences = [", ".join(parts)]
    for row in report.phases:
        if row.state in ("stopped", "crashed"):
            state = "was stopped" if row.state == "stopped" else row.state
            sentences.append(f"{row.phase} {state}{': ' if row.why else ''}{printable(row.why)}")
    if report.left_over:
        sentences.append(f"{counted(len(report.left_over), 'conversation')} could not be deleted")
    sentences.append(f"{counted(report.requests, 'request')} in {duration(report.seconds)}, seed {report.seed}")
    return " ".join(sentence[:1].upper() + sentence[1:].rstrip(".") + "." for sentence in sentences)


def counted(number: int, noun: str) -> str:
    """`1 request`, `4,211 requests`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:,.0f} s"


def cell_words(cell: Cell | None, report: Report) -> str:
    """What came out for one operation in one phase; None is an operation that the phase did not come to."""
    if cell is None:
        return "-"
    if cell.verdict == "conforms":
        return f"conforms ({counted(cell.answers, 'answer')})"
    if cell.verdict == "unchecked":
        return f"unchecked: {cell.why}" if cell.why else "unchecked"
    known = {deviation.case: deviation.verdict for deviation in report.deviations}
    found = [known.get(case, cell.verdict) for case in cell.cases] or [cell.verdict]
    return ", ".join(f"{verdict}: {found.count(verdict)}" for verdict in VERDICTS if verdict in found)


def shown_phases(report: Report) -> list[Phase]:
    """The phases that have something to say of operations."""
    return [phase for phase in PHASES if any(phase in row.cells for row in report.operations)]


def path_of(row: OperationRow, report: Report) -> str:
    """The path of an operation below that of the target."""
    return row.path.removeprefix(urlsplit(report.target).path.rstrip("/"))


def themes(behaviours: Iterable[BehaviourRow]) -> dict[str, list[BehaviourRow]]:
    """The behaviours by their id without its last part, in the order of the catalogue."""
    found: dict[str, list[BehaviourRow]] = {}
    for row in behaviours:
        found.setdefault(row.id.rpartition(".")[0] or row.id, []).append(row)
    return found


def unchecked_by_reason(report: Report) -> dict[str, list[str]]:
    """The behaviours that could not be checked, by why; where all of a theme are among them, the theme alone."""
    found: dict[str, list[str]] = {}
    for theme, rows in themes(report.behaviours).items():
        reasons = {row.why for row in rows}
        if len(rows) > 1 and len(reasons) == 1 and all(row.verdict == "unchecked" for row in rows):
            found.setdefault(rows[0].why, []).append(f"{theme} (all {len(rows)})")
            continue
        for row in rows:
            if row.verdict == "unchecked":
                found.setdefault(row.why, []).append(row.id)
    return found


def facts(deviation: Deviation) -> list[tuple[str, str]]:
    """Everything to be said of a deviation but its case, its statement and how to repeat it."""
    where = f" in {', '.join(deviation.phases)}" if deviation.phases else ""
    first = f"by request {deviation.first_request:,}{f' of {deviation.phases[0]}' if where else ''}"
    if deviation.count == 1:
        met = f"once, {first}" if deviation.first_request else f"once{where}"
    else:
        met = f"{deviation.count:,} times{where}{f', first {first}' if deviation.first_request else ''}"
    told = [
        ("source", deviation.source),
        ("assumed" if deviation.verdict == "learned" else "expected", deviation.expected),
        ("received", deviation.received),
        ("place", deviation.place or ""),
        ("operations", ", ".join(deviation.operations)),
        ("suspect", f"{deviation.suspect}: {deviation.reason}"),
        ("met", met),
        ("unchecked", f"because of this: {', '.join(deviation.also)}" if deviation.also else ""),
        ("accepted", deviation.evidence or ""),
    ]
    return [(name, value) for name, value in told if value]


def repeated(deviation: Deviation, repeat_command: RepeatCommand) -> str:
    """The command that looks for a deviation again, in the phase that met it first."""
    return repeat_command(deviation.case, next(iter(deviation.phases), PHASES[0]))


def in_full(deviation: Deviation, repeat_command: RepeatCommand) -> str:
    """All of a deviation as plain text, as it stands in a test report."""
    lines = [printable(deviation.case), printable(deviation.statement, lines=True)]
    for name, value in facts(deviation):
        first, *more = printable(value, lines=True).split("\n")
        lines += [f"{name:<10} {first}", *(" " * 11 + line for line in more)]
    commands = [*deviation.curl, repeated(deviation, repeat_command)]
    return "\n".join([*lines, "repeat it with", *(shell_line(command) for command in commands)])


def tables(report: Report) -> Iterator[tuple[str, Sequence[str], list[Sequence[str]]]]:
    """What stands at the end of a report: title, header and rows of every table that has any."""
    found: list[tuple[str, Sequence[str], list[Sequence[str]]]] = [
        ("Baseline", ("case", "note"), [(entry.case, entry.note) for entry in report.baseline]),
        (
            "Checks that are off",
            ("check", "on", "because"),
            [(off.check, ", ".join(off.operations) or "all operations", off.reason) for off in report.checks_off],
        ),
        (
            "Left over on the target",
            ("conversation", "end user", "because"),
            [(left.conversation, left.end_user or "-", left.why) for left in report.left_over],
        ),
        (
            "Phases",
            ("phase", "state", "requests", "time", "because"),
            [
                (row.phase, row.state, f"{row.requests:,}", duration(row.seconds), row.why or "-")
                for row in report.phases
            ],
        ),
    ]
    return (table for table in found if table[2])


def was_anything_checked(report: Report) -> bool:
    rows = [row.verdict for row in report.behaviours]
    rows += [cell.verdict for row in report.operations for cell in row.cells.values()]
    return any(verdict != "unchecked" for verdict in rows)
