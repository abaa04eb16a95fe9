"""Plots of the report, the same bytes for the same figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "qmtl"
mpl.rcParams["font.family"] = "DejaVu Sans"

from matplotlib import pyplot as plt  # noqa: E402

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
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)


def _panel(panel: Any, label: str, case: dict[str, Any]) -> None:
    competitors = sorted(case["competitors"].items(), key=lambda item: -item[1]["best"])
    names = [name for name, _ in competitors]
    counted = case.get("bars_of", {})
    speeds = [counted.get(name, case.get("bars", 0)) / each["best"] / 1e6 for name, each in competitors]
    drawn = panel.barh(names, speeds, color=[_colour(name) for name in names], height=0.7)
    panel.bar_label(
        drawn, [f"{speed:,.2f}" if speed < 10 else f"{speed:,.0f}" for speed in speeds], padding=3, fontsize=8
    )
    panel.set_xscale("log")
    panel.margins(x=0.15)
    panel.set_title(f"{label}: {case['symbols']:,} symbols", loc="left", fontsize=9)
    panel.tick_params(labelsize=8)
    panel.spines[["top", "right"]].set_visible(False)


def _colour(name: str) -> str:
    if name.startswith(("qmtl", "in order", "disordered")):
        return OWN
    return LIMIT if name == "limit" else PEER
