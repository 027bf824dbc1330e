"""The report on a terminal or in a log, and the progress of the run."""

import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBars
from rich.table import Column, Table
from rich.text import Text

from mockserver.verify.report.model import VERDICTS, Deviation, Report, Verdict
from mockserver.verify.report.text import (
    ReproduceCommand,
    behaviour_remark,
    cell_text,
    cost,
    duration,
    group_by_theme,
    group_unchecked,
    headline,
    list_facts,
    list_short_facts,
    list_tables,
    make_printable,
    phase_state,
    phases_with_results,
    quantity,
    relative_path,
    reproduction,
    reproduction_remark,
    script_names,
    shell_line,
    summary,
)

_MAX_VALUE = 400
_MAX_COMMAND = 300
_MAX_WORD = 32
_LABEL = 10

_STYLES: dict[Verdict, str] = {
    "violates": "bold red",
    "learned": "cyan",
    "drift": "yellow",
    "accepted": "magenta",
    "unchecked": "dim",
    "conforms": "green",
}
_TITLES: dict[Verdict, str] = {
    "violates": "Violations",
    "learned": "Learned: assumed behaviours that the target does not show",
    "drift": "Drift: newer than the document",
    "accepted": "Accepted: listed in the baseline",
}


def print_report(
    report: Report,
    console: Console,
    *,
    command: ReproduceCommand,
    verbose: bool = False,
    scripts: Path | None = None,
) -> None:
    """Print the whole report, the conclusion last.

    If the console is no terminal, print plain text of any width, one fact a line. Without `verbose`, only count
    behaviours, print at most ten lines for a deviation, and name its script in the folder `scripts` instead of long
    commands.
    """
    writer = _Writer(console)
    names = script_names(report)
    writer.line(f"mka1-mockserver {report.version} against {report.target}, {report.started_at}, seed {report.seed}")
    _print_operations(report, writer)
    _print_behaviours(report, writer, verbose)
    for verdict, title in _TITLES.items():
        deviations = report.of(verdict)
        if deviations:
            writer.heading(f"{title} ({len(deviations)})")
        for number, deviation in enumerate(deviations, 1):
            if number > 1:
                writer.line("")
            writer.line(f"{number}. {deviation.case}", style=_STYLES[verdict])
            if verbose:
                _print_deviation(deviation, writer, command)
            else:
                name = names.get(deviation.case)
                _print_shortly(deviation, writer, command, scripts / name if scripts and name else None)
    for table in list_tables(report):
        writer.heading(table.title)
        writer.table(table.header, [[writer.text(cell) for cell in row] for row in table.rows])
    if report.notes:
        writer.heading("Notes")
        for note in report.notes:
            writer.line(note, indent=2)
    writer.line("")
    writer.line(headline(report), style=_STYLES["violates" if report.exit_code else "conforms"])
    writer.line(summary(report))


def print_reproduction(report: Report, case: str, console: Console, *, command: ReproduceCommand) -> int:
    """Print the result for one case, after a run that looked for this case only.

    Returns the exit code: 1 it was reproduced, 0 it was not, 2 the run cannot tell.
    """
    writer = _Writer(console)
    deviation = next((one for one in report.deviations if case in (one.case, *one.includes)), None)
    behaviour = next((row for row in report.behaviours if row.id == case), None)
    unfinished = [row for row in report.phases if row.state != "done"]
    code = 2
    if deviation is not None:
        code = 1
        told = "" if deviation.case == case else f"; it is reported with {deviation.case}"
        writer.line(f"{case} was reproduced ({deviation.verdict}{told}).", style=_STYLES[deviation.verdict])
        _print_deviation(deviation, writer, command)
    elif behaviour is not None and behaviour.verdict == "conforms":
        code = 0
        writer.line(f"{case} conforms now.", style=_STYLES["conforms"])
    elif behaviour is not None:
        writer.line(f"{case} could not be checked: {behaviour_remark(behaviour)}")
    elif unfinished:
        writer.line(f"{case} was not reproduced, but {unfinished[0].phase} {phase_state(unfinished[0])}")
    else:
        code = 0
        writer.line(f"{case} was not reproduced.", style=_STYLES["conforms"])
    others = [one.case for one in report.deviations if one is not deviation]
    if others:
        writer.line(f"Other deviations: {', '.join(others)}")
    writer.line(f"{cost(report)}.")
    return code


def _print_operations(report: Report, writer: "_Writer") -> None:
    phases = phases_with_results(report)
    if not phases:
        return
    writer.heading("Operations")
    rows = []
    for row in report.operations:
        cells = [writer.text(f"{row.id} {row.method} {relative_path(row, report)}")]
        for phase in phases:
            cell = row.cells.get(phase)
            cells.append(writer.text(cell_text(cell, report), style=_STYLES[cell.verdict] if cell else ""))
        rows.append(cells)
    writer.table(["operation", *phases], rows)


def _print_behaviours(report: Report, writer: "_Writer", verbose: bool) -> None:
    if not report.behaviours:
        return
    writer.heading("Behaviours")
    verdicts = [verdict for verdict in reversed(VERDICTS) if any(row.verdict == verdict for row in report.behaviours)]
    rows = [
        [theme, *(str(sum(row.verdict == verdict for row in members) or "-") for verdict in verdicts)]
        for theme, members in group_by_theme(report.behaviours).items()
    ]
    writer.table(["theme", *verdicts], [[writer.text(cell) for cell in row] for row in rows])
    listed = report.behaviours if verbose else ()
    writer.line("")
    for row in sorted(listed, key=lambda one: VERDICTS.index(one.verdict)):
        remark = f" - {behaviour_remark(row)}" if row.reason else ""
        writer.labelled(row.verdict, f"{row.id}: {row.statement}{remark}", style=_STYLES[row.verdict])
    if not verbose:
        for reason, names in group_unchecked(report).items():
            writer.labelled("unchecked", f"{reason}: {', '.join(names)}", style=_STYLES["unchecked"])


def _print_deviation(deviation: Deviation, writer: "_Writer", command: ReproduceCommand) -> None:
    writer.line(deviation.statement, indent=2)
    for fact in list_facts(deviation):
        writer.labelled(fact.label, fact.text)
    remark = reproduction_remark(deviation)
    writer.line(f"reproduce with ({remark})" if remark else "reproduce with", indent=2)
    for line in reproduction(deviation, command):
        writer.command(line)


def _print_shortly(deviation: Deviation, writer: "_Writer", command: ReproduceCommand, script: Path | None) -> None:
    """Print a deviation on at most nine lines."""
    writer.short_line(deviation.statement)
    for fact in list_short_facts(deviation):
        writer.short_line(f"{fact.label:<{_LABEL}} {fact.text}")
    *commands, repeat = reproduction(deviation, command)
    remark = reproduction_remark(deviation)
    if not commands:
        writer.short_line(f"by hand    {remark}")
    elif len(commands) == 1 and len(commands[0]) <= _MAX_COMMAND and not remark:
        writer.command(commands[0])
    elif script is not None:
        writer.command(f"bash {shlex.quote(str(script))}" + (f"   # {remark}" if remark else ""))
    else:
        number = quantity(len(commands), "command") + (f" ({remark})" if remark else "")
        writer.short_line(f"by hand    {number}: print with --verbose, or write a script with --report-dir")
    writer.command(repeat)


class _Writer:
    """Writes lines and tables with text of any origin; wraps them on a terminal only."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def text(self, text: str, *, lines: bool = False, style: str = "") -> Text:
        """Return printable text; without `lines`, it is one line."""
        printable = make_printable(text, lines=lines, encoding=self._console.encoding)
        return Text(printable, style=style, overflow="fold")

    def heading(self, text: str) -> None:
        self.line("")
        self.line(text, style="bold")

    def line(self, text: str, *, indent: int = 0, style: str = "") -> None:
        self._print(self.text(text, style=style), indent)

    def short_line(self, text: str) -> None:
        """Write an indented line, cut to the width of a terminal, or to some hundred characters."""
        width = self._console.width - 2 if self._console.is_terminal else _MAX_VALUE
        shown = self.text(text).plain
        self._print(Text(shown if cell_len(shown) <= width else set_cell_size(shown, width - 3).rstrip() + "..."), 2)

    def labelled(self, label: str, text: str, *, style: str = "dim") -> None:
        """Write a label in the given style and, beside it, the text."""
        value = self.text(text, lines=True)
        if not self._console.is_terminal:
            first, *more = value.plain.split("\n")
            self._print(Text(f"{label:<{_LABEL}} {first}"), 2)
            for line in more:
                self._print(Text(" " * (_LABEL + 1) + line), 2)
            return
        grid = Table.grid(Column(width=_LABEL), Column(overflow="fold"), padding=(0, 1, 0, 0))
        grid.add_row(Text(label, style=style), value)
        self._console.print(Padding(grid, (0, 0, 0, 2)))

    def command(self, command: str) -> None:
        """Write a shell command on one line, however long it is."""
        self._print(Text("    " + shell_line(command, encoding=self._console.encoding)), wrap=False)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[Text]]) -> None:
        if not self._console.is_terminal:
            self._plain_table([[Text(name) for name in header], *rows])
            return
        longest = _longest_words([[Text(name) for name in header], *rows])
        if sum(min(width, _MAX_WORD) + 3 for width in longest) > self._console.width:
            self._narrow_table(header, rows)
            return
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for name, width in zip(header, longest, strict=True):
            table.add_column(name, overflow="fold", width=_MAX_WORD if width > _MAX_WORD else None)
        for row in rows:
            table.add_row(*row)
        self._console.print(table)

    def _plain_table(self, rows: Sequence[Sequence[Text]]) -> None:
        widths = [max(cell_len(cell.plain) for cell in column) for column in zip(*rows, strict=True)]
        for row in rows:
            padded = [
                cell.plain + " " * (width - cell_len(cell.plain)) for cell, width in zip(row, widths, strict=True)
            ]
            self._print(Text("  ".join(padded).rstrip()), 2)

    def _narrow_table(self, header: Sequence[str], rows: Sequence[Sequence[Text]]) -> None:
        """Write each row as its first cell and a list of the others."""
        for first, *cells in rows:
            self._print(first, 2)
            named = zip(header[1:], cells, strict=True)
            self._print(Text("; ").join(Text.assemble(f"{name}: ", cell) for name, cell in named), 4)

    def _print(self, text: Text, indent: int = 0, *, wrap: bool = True) -> None:
        if wrap and text.plain and self._console.is_terminal:
            self._console.print(Padding(text, (0, 0, 0, indent), expand=False))
        else:
            self._console.print(Text(" " * indent if text.plain else "") + text, soft_wrap=True)


def _longest_words(rows: Sequence[Sequence[Text]]) -> list[int]:
    """Return the width of the widest word in each column."""
    words = [" ".join(cell.plain for cell in column).split() for column in zip(*rows, strict=True)]
    return [max(map(cell_len, column), default=0) for column in words]


class Progress:
    """The progress of a run: bars on a terminal, else a line at the start and one at the end of each phase.

    `rate` describes the rate limit. The terminal is restored when the `with` block ends.
    """

    def __init__(self, console: Console, rate: str = "") -> None:
        self._console = console
        self._rate = f" ({make_printable(rate)})" if rate else ""
        self._started: dict[str, tuple[float, TaskID | None]] = {}
        self._bars: ProgressBars | None = None
        if console.is_terminal:
            self._bars = ProgressBars(
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
        """Start a phase of `total` steps; None if the number is unknown."""
        task = None
        if self._bars is not None:
            task = self._bars.add_task(phase, total=total, requests="", label=self._rate.strip())
        else:
            self._print(f"{phase} ...{self._rate}")
        self._started[phase] = (time.monotonic(), task)

    def advance(self, requests: int, label: str) -> None:
        """Show the next step of the current phase, after `requests` requests in all."""
        _, task = next(reversed(self._started.values()), (0.0, None))
        if self._bars is None or task is None:
            return
        is_first = not self._bars.tasks[task].fields["requests"]
        self._bars.update(
            task,
            advance=0 if is_first else 1,
            requests=quantity(requests, "request"),
            label=make_printable(label) + self._rate,
        )

    def end(self, phase: str) -> None:
        """End a phase, if it has started."""
        started, task = self._started.pop(phase, (None, None))
        if started is None:
            return
        if self._bars is not None and task is not None:
            done = self._bars.tasks[task].completed + 1
            self._bars.update(task, total=done, completed=done, label="")
        else:
            self._print(f"{phase}: {duration(time.monotonic() - started)}")

    def _print(self, line: str) -> None:
        self._console.print(Text(make_printable(line, encoding=self._console.encoding)), soft_wrap=True)
