"""The page's tables and plots of named figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import plots
from figures import number


def figure_plot(title: str, cases: dict[str, Any], path: Path) -> str:
    """Draws the lines of the cases where they have some, else their figures; says what is to be seen."""
    if all("lines" in case for case in cases.values()):
        plots.lines(title, cases, path)
        given = next(iter(cases.values()))["lines"]
        return f"{title}: {given['unit']} by {given['axis']}"
    plots.figures(title, cases, path)
    asked = any(each["most"] is not None for case in cases.values() for each in case["figures"].values())
    return f"{title}: a bar for each figure{', a mark at the most that was asked for' if asked else ''}"


def figure_tables(label: str, case: dict[str, Any]) -> str:
    parts = [f"### {label[0].upper()}{label[1:]}\n"]
    if "lines" in case:
        parts.append(_lines(case["lines"]))
    rows = ["| | | asked for, at most | |", "|---|---:|---:|---|"]
    for name, figure in case["figures"].items():
        unit, most = figure["unit"], figure["most"]
        missed = ["missed"] if most is not None and figure["value"] > most else []
        said = "; ".join([*missed, figure["note"]] if figure["note"] else missed)
        asked = "" if most is None else f"{number(most)} {unit}"
        rows.append(f"| {name} | {number(figure['value'])} {unit} | {asked} | {said} |")
    return "\n".join([*parts, *rows]) + "\n"


def _lines(given: dict[str, Any]) -> str:
    head = f"| {given['axis']} ({given['unit']}) | {' | '.join(f'{at:,.0f}' for at in given['at'])} |"
    rows = [head, f"|---|{'---:|' * len(given['at'])}"]
    rows += [
        f"| {name} | {' | '.join(number(value) for value in values)} |"
        for name, values in given["lines"].items()
    ]
    return "\n".join(rows) + "\n"
