"""The graph as a drawing, sources on the left; shared and corrected nodes are marked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from qmtl.runtime.report.dag_layout import arrange, depths
from qmtl.runtime.report.data import DagNode
from qmtl.runtime.report.text import safe

CROWDED = 90
"""Graphs with more nodes are drawn with like nodes of a layer (same operator, interval, kind) as one box."""

BOX, POINT, ROW_GAP, LAYER_GAP, MARGIN = 42, 10, 22, 52, 16
CHAR = 6.7  # width of a letter at the label's size, pixels
KINDS = {
    "bars": "source",
    "ticks": "source",
    "function": "author",
    "query": "many",
    "panel": "many",
    "cross": "many",
    "select": "many",
}


def drawing(nodes: Sequence[DagNode]) -> str:
    """SVG and legend; "" without nodes."""
    if not nodes:
        return ""
    shown = merged(nodes) if len(nodes) > CROWDED else list(nodes)
    by_id = {node.id: node for node in shown}
    layout = arrange({node.id: node.inputs for node in shown})
    widths = [
        max((_width(by_id[n]) for n in layer if isinstance(n, str)), default=40.0) for layer in layout.layers
    ]
    left = [MARGIN + sum(widths[:i]) + LAYER_GAP * i for i in range(len(widths))]
    tall = [_tall(layer, by_id) for layer in layout.layers]
    height = max(tall) + 2 * MARGIN
    place: dict[str | int, tuple[float, float, float]] = {}  # left, middle, width
    for layer, x, width, total in zip(layout.layers, left, widths, tall, strict=True):
        y = (height - total) / 2
        for name in layer:
            size = _size(name, by_id)
            box = BOX if isinstance(name, str) else size
            place[name] = (x, y + box / 2, width)
            y += size + ROW_GAP
    edges = [_edge([place[name] for name in route]) for route in layout.routes.values()]
    boxes = [_box(by_id[name], *place[name]) for name in place if isinstance(name, str)]
    wide = left[-1] + widths[-1] + MARGIN
    frame = (
        f'viewBox="0 0 {wide:.0f} {height:.0f}" style="max-width:{wide:.0f}px;min-width:{wide * 0.78:.0f}px"'
    )
    drawn = f'<svg class="dag" {frame} role="img" aria-label="Graph of nodes">{"".join(edges)}{"".join(boxes)}</svg>'
    return f'<div class="wide">{drawn}</div>{_legend(shown)}'


def merged(nodes: Sequence[DagNode]) -> list[DagNode]:
    """Like nodes of one layer as one node whose label says how many it stands for."""
    known = {node.id for node in nodes}
    depth = depths({node.id: [i for i in node.inputs if i in known] for node in nodes})
    groups: dict[object, list[DagNode]] = defaultdict(list)
    for node in nodes:
        groups[depth[node.id], node.operator, node.interval, node.kind, node.roles].append(node)
    stands = {node.id: group[0].id for group in groups.values() for node in group}
    result = []
    for group in groups.values():
        inputs = dict.fromkeys(stands[i] for node in group for i in node.inputs if i in stands)
        label = (
            group[0].label if len(group) == 1 else f"{group[0].operator} \N{MULTIPLICATION SIGN} {len(group)}"
        )
        result.append(
            replace(
                group[0],
                label=label,
                inputs=tuple(inputs),
                shared_by=max(n.shared_by for n in group),
                corrections=sum(n.corrections for n in group),
            )
        )
    return result


def _clipped(text: str, most: int = 24) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _width(node: DagNode) -> float:
    second = len(node.interval) + 10
    roles = max((len(_clipped(role)) + 2 for role in node.roles), default=0)
    return max(len(_clipped(node.label)) * CHAR + 22, second * 5.8 + 22, roles * 5.8, 78)


def _size(name: str | int, nodes: dict[str, DagNode]) -> float:
    return BOX + 14 * len(nodes[name].roles) if isinstance(name, str) else POINT


def _tall(layer: Sequence[str | int], nodes: dict[str, DagNode]) -> float:
    return sum(_size(name, nodes) for name in layer) + ROW_GAP * (len(layer) - 1)


def _edge(route: Sequence[tuple[float, float, float]]) -> str:
    """A curve from the right of the first box to the left of the last, level through its way-points."""
    x, y, width = route[0]
    path = f"M{x + width:.0f} {y:.0f}"
    x += width
    for to_x, to_y, to_width in route[1:]:
        bend = (to_x - x) / 2
        path += f"C{x + bend:.0f} {y:.0f} {to_x - bend:.0f} {to_y:.0f} {to_x:.0f} {to_y:.0f}"
        x, y = to_x, to_y
        if (to_x, to_y, to_width) != route[-1]:
            path += f"H{to_x + to_width:.0f}"
            x = to_x + to_width
    return f'<path class="edge" d="{path}"/>'


def _box(node: DagNode, x: float, middle: float, width: float) -> str:
    top = middle - BOX / 2
    css = ["node", KINDS.get(node.kind, "computed")]
    badges, under, right = [], "", x + width - 8
    if node.corrections:
        css.append("corrected")
        badge, right = _badge(
            "fix", f"{node.corrections:,}" if node.corrections < 1000 else "999+", right, top
        )
        badges.append(badge)
    if node.shared_by > 1:
        css.append("shared")
        under = f'<rect class="under" x="{x + 3:.0f}" y="{top + 3:.0f}" width="{width:.0f}" height="{BOX}" rx="7"/>'
        badges.append(_badge("share", f"\N{MULTIPLICATION SIGN}{node.shared_by}", right, top)[0])
    roles = (
        f'<text class="role" x="{x + 2:.0f}" y="{middle + BOX / 2 + 14 + 14 * i:.0f}">→ {safe(_clipped(role))}</text>'
        for i, role in enumerate(node.roles)
    )
    told = f"{node.label}\n{node.operator}, {node.interval}\n{node.id}"
    told += f"\nin {node.shared_by} strategies" if node.shared_by > 1 else ""
    told += f"\n{node.corrections:,} corrections" if node.corrections else ""
    return (
        f'<g class="{" ".join(css)}"><title>{safe(told)}</title>{under}'
        f'<rect class="body" x="{x:.0f}" y="{top:.0f}" width="{width:.0f}" height="{BOX}" rx="7"/>'
        f'<text x="{x + 11:.0f}" y="{middle - 1:.0f}">{safe(_clipped(node.label))}</text>'
        f'<text class="small" x="{x + 11:.0f}" y="{middle + 14:.0f}">{safe(node.interval)} · {safe(node.id[:7])}</text>'
        f"{''.join(badges)}{''.join(roles)}</g>"
    )


def _badge(css: str, text: str, right: float, top: float) -> tuple[str, float]:
    """A pill on the upper edge of a box, and where the next one to its left ends."""
    size = 8 + 6.4 * len(text)
    left, middle = right - size, right - size / 2
    pill = f'<rect x="{left:.1f}" y="{top - 10:.0f}" width="{size:.1f}" height="15" rx="7.5"/>'
    return (
        f'<g class="badge {css}">{pill}<text x="{middle:.1f}" y="{top + 1:.0f}">{text}</text></g>',
        left - 4,
    )


def _legend(nodes: Sequence[DagNode]) -> str:
    kinds = {KINDS.get(node.kind, "computed") for node in nodes}
    names = [
        ("source", "source stream"),
        ("computed", "built-in operator"),
        ("author", "author’s function"),
        ("many", "panel"),
    ]
    keys = [
        f'<span class="key"><i class="box {css}"></i>{name}</span>' for css, name in names if css in kinds
    ]
    if any(node.shared_by > 1 for node in nodes):
        keys.append(
            '<span class="key"><i class="pill share">\N{MULTIPLICATION SIGN}2</i>in 2 strategies, computed once</span>'
        )
    if any(node.corrections for node in nodes):
        keys.append(
            '<span class="key"><i class="pill fix">7</i>emissions corrected after late or revised data</span>'
        )
    return f'<div class="legend below">{"".join(keys)}</div>'
