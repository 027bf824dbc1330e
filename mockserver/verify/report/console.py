"""A verdict on a terminal or in a log, and while it is still being found."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Column, Table
from rich.text import Text

from mockserver.verify.report.model import VERDICTS, Deviation, Report, Verdict
from mockserver.verify.report.text import (
    RepeatCommand,
    cell_words,
    counted,
    duration,
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
    unchecked_by_reason,
)

_LONGEST_VALUE = 800
_LONGEST_COMMAND = 4000
_MOST_NAMES = 12
_LONG_WORD = 32


_STYLES: dict[str, str] = {
    "violates": "bold red",
    "learned": "cyan",
    "drift": "yellow",
    "accepted": "magenta",
    "unchecked": "dim",
    "conforms": "green",
}
_TITLES: dict[Verdict, str] = {
    "violates": "Violations",
    "learned": "Learned: what was assumed does not hold",
    "drift": "Drift: the target has something that the document does not know",
    "accepted": "Accepted: known to the baseline",
}


def print_report(report: Report, console: Console, *, repeat_command: RepeatCommand, verbose: bool = False) -> None:
    """Print the whole verdict, the sentence to remember last.

    Where the console is no terminal it is plain text of any width, one fact a line. Without `verbose`, behaviours that
    conform are counted only, long values are cut, and commands of several pages left out.
    """
    paper = _Paper(console)
    paper.line(f"mka1-mockserver {report.version} against {report.target}, {report.started_at}, seed {report.seed}")
    _print_operations(report, paper)
    _print_behaviours(report, paper, verbose)
    for verdict, title in _TITLES.items():
        _print_deviations(title, report.of(verdict), paper, repeat_command, verbose)
    for title, header, rows in tables(report):
        paper.heading(title)
        paper.table(header, rows)
    if report.notes:
        paper.heading("Notes")
        for note in report.notes:
            paper.line(note, indent=2)
    paper.line("")
    style = _STYLES["violates" if report.exit_code else "conforms"]
    paper.line(headline(report), style=style)
    paper.line(summary(report))


def print_repeated(report: Report, case: str, console: Console, *, repeat_command: RepeatCommand) -> int:
    """Say what has become of one case, in a run that looked for nothing else.

    Returns the exit code: 1 it was met again, 0 it was not, 2 nobody can tell.
    """
    paper = _Paper(console)
    met = next((deviation for deviation in report.deviations if deviation.case == case), None)
    row = next((row for row in report.behaviours if row.id == case), None)
    cut_short = [run for run in report.phases if run.state != "done"]
    if met is not None:
        paper.line(f"{case} was met again ({met.verdict}).", style=_STYLES[met.verdict])
        _print_deviation(met, paper, repeat_command, verbose=True)
    elif row is not None and row.verdict == "conforms":
        paper.line(f"{case} holds now.", style=_STYLES["conforms"])
    elif row is not None:
        paper.line(f"{case} could not be checked: {row.why}")
    elif cut_short:
        paper.line(f"{case} was not met again, but {cut_short[0].phase} {cut_short[0].state}: {cut_short[0].why}")
    else:
        paper.line(f"{case} was not met again.", style=_STYLES["conforms"])
    others = [deviation.case for deviation in report.deviations if deviation is not met]
    if others:
        paper.line(f"Met besides: {', '.join(others)}")
    paper.line(f"{counted(report.requests, 'request')} in {duration(report.seconds)}, seed {report.seed}.")
    if met is not None:
        return 1
    return 0 if (row.verdict == "conforms" if row is not None else not cut_short) else 2


def _print_operations(report: Report, paper: "_Paper") -> None:
    phases = shown_phases(report)
    if not phases:
        return
    paper.heading("Operations")
    rows = [
        [
            f"{row.id} {row.method} {path_of(row, report)}",
            *(cell_words(row.cells.get(phase), report) for phase in phases),
        ]
        for row in report.operations
    ]
    paper.table(["operation", *phases], rows)


def _print_behaviours(report: Report, paper: "_Paper", verbose: bool) -> None:
    if not report.behaviours:
        return
    paper.heading("Behaviours")
    verdicts = [verdict for verdict in reversed(VERDICTS) if any(row.verdict == verdict for row in report.behaviours)]
    rows = [
        [theme, *(str(sum(row.verdict == verdict for row in members) or "-") for verdict in verdicts)]
        for theme, members in themes(report.behaviours).items()
    ]
    paper.table(["theme", *verdicts], rows)
    told = [row for row in report.behaviours if verbose or row.verdict not in ("conforms", "unchecked")]
    if told:
        paper.line("")
    for row in sorted(told, key=lambda one: VERDICTS.index(one.verdict)):
        paper.fact(row.verdict, f"{row.id}: {row.statement}{f' - {row.why}' if row.why else ''}")
    if not verbose:
        for why, ids in unchecked_by_reason(report).items():
            paper.fact("unchecked", f"{why}: {', '.join(ids)}")


def _print_deviations(
    title: str,
    deviations: Sequence[Deviation],
    paper: "_Paper",
    repeat_command: RepeatCommand,
    verbose: bool,
) -> None:
    if deviations:
        paper.heading(f"{title} ({len(deviations)})")
    for number, deviation in enumerate(deviations, 1):
        if number > 1:
            paper.line("")
        paper.line(f"{number}. {deviation.case}", style=_STYLES[deviation.verdict])
        _print_deviation(deviation, paper, repeat_command, verbose)


def _print_deviation(deviation: Deviation, paper: "_Paper", repeat_command: RepeatCommand, verbose: bool) -> None:
    paper.line(deviation.statement, indent=2)
    for name, value in facts(deviation):
        paper.fact(name, value if verbose else _cut(name, value))
    paper.line("repeat it with", indent=2)
    for command in (*deviation.curl, repeated(deviation, repeat_command)):
        if verbose or len(command) <= _LONGEST_COMMAND:
            paper.command(command)
        else:
            paper.line(f"(a command of {len(command):,} characters; --verbose and --report-dir show it)", indent=4)


def _cut(name: str, value: str) -> str:
    if name == "unchecked":
        names = value.split(", ")
        more = len(names) - _MOST_NAMES
        return value if more <= 0 else f"{', '.join(names[:_MOST_NAMES])} and {more} more"
    more = len(value) - _LONGEST_VALUE
    return value if more <= 0 else f"{value[:_LONGEST_VALUE]}... ({more:,} more characters)"


class _Paper:
    """Takes lines and tables of anybody's text; wraps them on a terminal, and nowhere else."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def heading(self, text: str) -> None:
        self.line("")
        self.line(text, style="bold")

    def line(self, text: str, *, indent: int = 0, style: str = "") -> None:
        self._print(self._text(text, lines=False, style=style), indent)

    def fact(self, name: str, text: str) -> None:
        """A name and, beside it, what it is."""
        value = self._text(text, lines=True)
        if not self._console.is_terminal:
            first, *more = value.plain.split("\n")
            lines = [f"{name:<10} {first}", *(" " * 11 + line for line in more)]
            for line in lines:
                self._print(Text(line), 2)
            return
        grid = Table.grid(Column(width=10), Column(overflow="fold"), padding=(0, 1, 0, 0))
        grid.add_row(Text(name, style=_STYLES.get(name, "dim")), value)
        self._console.print(Padding(grid, (0, 0, 0, 2)))

    def command(self, command: str) -> None:
        """A shell command, on one line however long it is."""
        self._print(Text("    " + shell_line(command, encoding=self._console.encoding)), wrap=False)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        shown = [[self._text(cell) for cell in row] for row in rows]
        if not self._console.is_terminal:
            self._plain_table([[Text(name) for name in header], *shown])
            return
        longest = _longest_words([[Text(name) for name in header], *shown])
        if sum(min(width, _LONG_WORD) + 3 for width in longest) > self._console.width:
            self._narrow_table(header, shown)
            return
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for name, width in zip(header, longest, strict=True):
            table.add_column(name, overflow="fold", width=_LONG_WORD if width > _LONG_WORD else None)
        for row in shown:
            table.add_row(*(_coloured(cell) for cell in row))
        self._console.print(table)

    def _plain_table(self, rows: Sequence[Sequence[Text]]) -> None:
        widths = [max(cell_len(row[place].plain) for row in rows) for place in range(len(rows[0]))]
        for row in rows:
            padded = [
                cell.plain + " " * (width - cell_len(cell.plain)) for cell, width in zip(row, widths, strict=True)
            ]
            self._print(Text("  ".join(padded).rstrip()), 2)

    def _narrow_table(self, header: Sequence[str], rows: Sequence[Sequence[Text]]) -> None:
        for first, *cells in rows:
            self._print(first, 2)
            named = zip(header[1:], cells, strict=True)
            self._print(Text("; ").join(Text.assemble(f"{name}: ", _coloured(cell)) for name, cell in named), 4)

    def _text(self, text: str, *, lines: bool = False, style: str = "") -> Text:
        return Text(printable(text, lines=lines, encoding=self._console.encoding), style=style, overflow="fold")

    def _print(self, text: Text, indent: int = 0, *, wrap: bool = True) -> None:
        if wrap and text.plain and self._console.is_terminal:
            self._console.print(Padding(text, (0, 0, 0, indent), expand=False))
        else:
            self._console.print(Text(" " * indent if text.plain else "") + text, soft_wrap=True)


def _longest_words(rows: Sequence[Sequence[Text]]) -> list[int]:
    """For each column of a table, how wide its widest word is."""
    words = [" ".join(cell.plain for cell in column).split() for column in zip(*rows, strict=True)]
    return [max(map(cell_len, column), default=0) for column in words]


def _coloured(cell: Text) -> Text:
    """The cell of a table, in the colour of the verdict that it begins with."""
    verdict = cell.plain.partition(" ")[0].rstrip(":")
    if verdict in _STYLES:
        cell.stylize(_STYLES[verdict])
    return cell


class Progress:
    """How far a run is: moving bars on a terminal, else one line when a phase begins and one when it ends.

    `rate` says how fast requests may go, in words; empty says nothing. Whatever ends the `with`, the terminal is left
    as it was.
    """

    def __init__(self, console: Console, rate: str = "") -> None:
        self._console = console
        self._rate = printable(rate)
        self._begun: dict[str, tuple[float, TaskID | None]] = {}
        self._bars: Bars | None = None
        if console.is_terminal:
            self._bars = Bars(
                SpinnerColumn(finished_text=" "),
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=20),
                MofNCompleteColumn(),
                TextColumn("{task.fields[requests]}", markup=False),
                TimeElapsedColumn(),
                TextColumn("{task.fields[label]}", markup=False, table_column=Column(no_wrap=True, ratio=1)),
                console=console,
                transient=True,
                redirect_stdout=False,
                expand=True,
            )

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def begin(self, phase: str, total: int | None = None) -> None:
        """A phase of `total` steps has begun; None is not known."""
        task = None
        if self._bars is not None:
            task = self._bars.add_task(phase, total=total, requests="", label=self._rate)
        else:
            self._say(f"{phase} ...{f' ({self._rate})' if self._rate else ''}")
        self._begun[phase] = (time.monotonic(), task)

    def advance(self, requests: int, label: str) -> None:
        """The latest phase begins its next step, called `label`; the run has sent so many `requests` until now."""
        _, task = next(reversed(self._begun.values()), (0.0, None))
        if self._bars is None or task is None:
            return
        words = f"{printable(label)}{f' ({self._rate})' if self._rate else ''}"
        is_first = not self._bars.tasks[task].fields["requests"]
        self._bars.update(task, advance=0 if is_first else 1, requests=counted(requests, "request"), label=words)

    def end(self, phase: str) -> None:
        """A phase has ended; one that has not begun is let be."""
        started, task = self._begun.pop(phase, (None, None))
        if started is None:
            return
        if self._bars is not None and task is not None:
            done = self._bars.tasks[task].completed + 1
            self._bars.update(task, total=done, completed=done, label="")
        else:
            self._say(f"{phase}: {duration(time.monotonic() - started)}")

    def _say(self, line: str) -> None:
        self._console.print(Text(printable(line, encoding=self._console.encoding)), soft_wrap=True)
