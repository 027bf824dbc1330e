"""Tables of figures, printed as they are ready and written into a page of the documentation."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


@dataclass
class Table:
    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    note: str = ""

    def to_text(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.columns, *self.rows, strict=True)]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in _right_aligned(row, widths))])
            for row in (self.columns, *self.rows)
        ]
        return "\n".join([self.title, "-" * len(self.title), *lines, *([self.note] if self.note else [])])

    def to_markdown(self) -> str:
        lines = [
            _markdown_row(self.columns),
            _markdown_row(["---", *("---:" for _ in self.columns[1:])]),
            *map(_markdown_row, self.rows),
        ]
        return "\n".join([f"### {self.title}", "", *lines, *(["", self.note] if self.note else [])])


@dataclass
class Report:
    """Tables in the order of measurement, and the bars, which come first on the page."""

    tables: list[Table] = field(default_factory=list)
    bars: Table = field(default_factory=lambda: Table("The bars", ["what", "bar", "measured", "reached"]))

    def add(self, table: Table) -> None:
        self.tables.append(table)
        sys.stdout.write(table.to_text() + "\n\n")
        sys.stdout.flush()

    def bar(self, what: str, bar: str, measured: str, *, reached: bool) -> None:
        self.bars.rows.append([what, bar, measured, "yes" if reached else "**no**"])

    def finish(self, preface: str, page: Path | None) -> None:
        sys.stdout.write(self.bars.to_text().replace("**", "") + "\n")
        if page is None:
            return
        text = page.read_text()
        before, begin, rest = text.partition(BEGIN)
        _, end, after = rest.partition(END)
        if not begin or not end:
            raise SystemExit(f"{page} has no `{BEGIN}` and `{END}`")
        parts = [preface, *(table.to_markdown() for table in (self.bars, *self.tables))]
        page.write_text(f"{before}{BEGIN}\n\n" + "\n\n".join(parts) + f"\n\n{END}{after}")


def _right_aligned(row: Sequence[str], widths: Sequence[int]) -> list[tuple[str, int]]:
    return list(zip(row[1:], widths[1:], strict=True))


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
