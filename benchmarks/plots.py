"""Plots of the report, the same bytes for the same figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "qmtl"
mpl.rcParams["font.family"] = "DejaVu Sans"

from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.ticker import FuncFormatter, NullFormatter  # noqa: E402

from figures import number  # noqa: E402

OWN, LIMIT, PEER = "#0b6e4f", "#9a9a9a", "#c98a3b"


def bars(title: str, cases: dict[str, Any], path: Path) -> None:
    """Million bars a second by competitor, one panel for each case, on one logarithmic axis."""
    shown = {label: case for label, case in cases.items() if "bars" in case or "bars_of" in case}
    heights = [len(case["competitors"]) + 1.2 for case in shown.values()]
    figure, panels = plt.subplots(
        len(shown),
        1,
        sharex=True,
        squeeze=False,
        figsize=(8, 0.3 * sum(heights) + 0.6),
        height_ratios=heights,
    )
    for panel, (label, case) in zip(panels[:, 0], shown.items(), strict=True):
        _panel(panel, label, case)
    panels[-1, 0].set_xlabel("million bars a second")
    figure.suptitle(title, x=0.02, ha="left", fontsize=11)
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)


def _panel(panel: Any, label: str, case: dict[str, Any]) -> None:
    competitors = sorted(case["competitors"].items(), key=lambda item: -item[1]["best"])
    names = [name for name, _ in competitors]
    bars_of = case.get("bars_of", {})
    speeds = [bars_of.get(name, case.get("bars", 0)) / each["best"] / 1e6 for name, each in competitors]
    drawn = panel.barh(names, speeds, color=[_colour(name) for name in names], height=0.7)
    panel.bar_label(
        drawn, [f"{speed:,.2f}" if speed < 10 else f"{speed:,.0f}" for speed in speeds], padding=3, fontsize=8
    )
    panel.set_xscale("log")
    panel.margins(x=0.15)
    counted = f": {case['symbols']:,} symbols" if "symbols" in case else ""
    panel.set_title(f"{label}{counted}", loc="left", fontsize=9)
    panel.tick_params(labelsize=8)
    panel.spines[["top", "right"]].set_visible(False)


def _colour(name: str) -> str:
    if name.startswith(("qmtl", "in order", "disordered")):
        return OWN
    return LIMIT if name == "limit" else PEER


def lines(title: str, cases: dict[str, Any], path: Path) -> None:
    """Each case's figures by what they are over, a line for each name, all on the same logarithmic axes."""
    across = 2
    down = -(-len(cases) // across)
    figure, panels = plt.subplots(
        down, across, sharex=True, sharey=True, squeeze=False, figsize=(8, 2.1 * down + 0.8)
    )
    for panel, (label, case) in zip(panels.flat, cases.items(), strict=False):
        given = case["lines"]
        shades = plt.get_cmap("viridis")(np.linspace(0.0, 0.8, len(given["lines"])))
        for (name, values), shade in zip(given["lines"].items(), shades, strict=True):
            panel.plot(given["at"], values, marker="o", markersize=3, linewidth=1.2, color=shade, label=name)
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_xticks(given["at"], [f"{at:,.0f}" for at in given["at"]])
        panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_minor_formatter(NullFormatter())
        panel.set_title(label, loc="left", fontsize=9)
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels.flat[len(cases) :]:
        panel.set_visible(False)
    given = next(iter(cases.values()))["lines"]
    figure.supxlabel(given["axis"], fontsize=9)
    figure.supylabel(given["unit"], fontsize=9)
    drawn, names = panels[0, 0].get_legend_handles_labels()
    figure.legend(drawn, names, loc="upper right", ncols=2, fontsize=7, frameon=False)
    figure.suptitle(title, x=0.02, ha="left", fontsize=11)
    _save(figure, path)


def figures(title: str, cases: dict[str, Any], path: Path) -> None:
    """A bar for each figure, and a mark at the most that was asked for."""
    heights = [len(case["figures"]) + 1.2 for case in cases.values()]
    figure, panels = plt.subplots(
        len(cases),
        1,
        sharex=True,
        squeeze=False,
        figsize=(8, 0.3 * sum(heights) + 0.6),
        height_ratios=heights,
    )
    for panel, (label, case) in zip(panels[:, 0], cases.items(), strict=True):
        given = list(case["figures"].items())[::-1]
        drawn = panel.barh(
            [name for name, _ in given], [each["value"] for _, each in given], color=OWN, height=0.7
        )
        panel.bar_label(drawn, [number(each["value"]) for _, each in given], padding=3, fontsize=8)
        for at, (_, each) in enumerate(given):
            if each["most"] is not None:
                panel.plot([each["most"]] * 2, [at - 0.45, at + 0.45], color=PEER, linewidth=2)
        panel.set_xscale("log")
        panel.margins(x=0.15)
        panel.set_title(label, loc="left", fontsize=9)
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    units = {each["unit"] for case in cases.values() for each in case["figures"].values()}
    panels[-1, 0].set_xlabel(", ".join(sorted(units)))
    figure.suptitle(title, x=0.02, ha="left", fontsize=11)
    _save(figure, path)
