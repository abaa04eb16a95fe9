"""Named figures with what was asked of them, for questions whose answer is not bars a second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from harness import console


@dataclass(frozen=True)
class Figure:
    """A number; `most` is the largest that was asked for, where something was."""

    value: float
    unit: str
    most: float | None = None
    note: str = ""

    @property
    def missed(self) -> bool:
        return self.most is not None and self.value > self.most


@dataclass(frozen=True)
class Lines:
    """A table of figures by two names: one line for each name, a value for each of `at`."""

    axis: str
    at: Sequence[float]
    lines: Mapping[str, Sequence[float]]
    unit: str


def number(value: float) -> str:
    """With three digits that say something."""
    size = abs(value)
    if size >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 0.1 else f"{value:.2g}"


def case(figures: Mapping[str, Figure], lines: Lines | None = None, **facts: Any) -> dict[str, Any]:
    """As it is kept."""
    kept = {**facts, "figures": {name: asdict(figure) for name, figure in figures.items()}}
    return kept | ({} if lines is None else {"lines": asdict(lines)})


def show(title: str, figures: Mapping[str, Figure], lines: Lines | None = None) -> None:
    if lines is not None:
        _show_lines(title, lines)
    table = Table(title=None if lines else title, title_justify="left")
    for column in ("", "", "asked for, at most", ""):
        table.add_column(column, justify="right" if table.columns else "left", no_wrap=True)
    for name, figure in figures.items():
        asked = "" if figure.most is None else f"{number(figure.most)} {figure.unit}"
        missed = "[red]missed[/red]" if figure.missed else figure.note
        table.add_row(name, f"{number(figure.value)} {figure.unit}", asked, missed)
    console.print(table)


def _show_lines(title: str, lines: Lines) -> None:
    table = Table(title=f"{title}, {lines.unit}", title_justify="left")
    table.add_column(lines.axis, no_wrap=True)
    for at in lines.at:
        table.add_column(f"{at:,.0f}", justify="right", no_wrap=True)
    for name, values in lines.lines.items():
        table.add_row(name, *(number(value) for value in values))
    console.print(table)
