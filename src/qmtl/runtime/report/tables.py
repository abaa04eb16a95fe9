"""What happened to events and nodes, as tables: sources, sharing, counters, corrections, manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isnan

from qmtl.runtime.report.data import Correction, SharingRow, Source
from qmtl.runtime.report.text import MISSING, compact, moment, safe

FATES = ("used", "duplicate", "late_dropped", "side_output", "too_late", "before_origin", "quarantined")
"""Every arrival ends in exactly one of these."""

SHOWN = 200
"""Corrections listed at most; a report is read by a person."""

VALUES = 400
"""Characters of one manifest value at most, and entries of one list."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1, css: str = "") -> str:
    """A table; the first `words` columns are text, the others numbers. Cells are HTML already."""
    kinds = ["" if i < words else ' class="n"' for i in range(len(head))]
    top = "".join(f"<th{kind}>{name}</th>" for kind, name in zip(kinds, head, strict=True))
    body = (
        "<tr>" + "".join(f"<td{k}>{c}</td>" for k, c in zip(kinds, row, strict=True)) + "</tr>"
        for row in rows
    )
    inner = f"<thead><tr>{top}</tr></thead><tbody>{''.join(body)}</tbody>"
    return f'<div class="wide"><table class="{css}">{inner}</table></div>'


def count(value: int) -> str:
    """Zero is quiet."""
    return f"{value:,}" if value else '<span class="zero">0</span>'


def sources(found: Sequence[Source]) -> str:
    """The streams that were read."""
    head = ["Stream", "Interval", "Digest", "Rows", "First", "Last"]
    rows = [
        [
            f"<b>{safe(s.id)}</b>",
            safe(s.interval),
            _code(s.digest, 12),
            f"{s.rows:,}",
            *map(moment, (s.first_ns, s.last_ns)),
        ]
        for s in found
    ]
    if any(s.origin for s in found):
        head.insert(2, "Read from")
        for row, source in zip(rows, found, strict=True):
            row.insert(2, safe(source.origin))
    return table(head, rows, words=len(head) - 3) if rows else ""


def sharing(rows: Sequence[SharingRow]) -> str:
    """Declared, unique and computed nodes of each strategy of the run."""
    if not rows:
        return ""
    body = [
        (
            safe(r.strategy),
            count(r.declared),
            count(r.unique),
            count(r.shared),
            f"<b>{r.computed:,}</b>",
            _share(r),
        )
        for r in rows
    ]
    if len(rows) > 1:
        total = [sum(getattr(r, name) for r in rows) for name in ("declared", "unique", "shared", "computed")]
        whole = SharingRow("All", *total)
        body.append(("<b>Together</b>", count(total[0]), "", "", f"<b>{total[3]:,}</b>", _share(whole)))
    return table(
        ("Strategy", "Declared", "Unique", "Shared", "Computed", "Computed / declared"), body, css="sharing"
    )


def _share(row: SharingRow) -> str:
    part = row.computed / row.declared if row.declared else 1.0
    return (
        f'<span class="meter"><i style="width:{min(part, 1) * 100:.0f}%"></i></span>{part * 100:.0f}&nbsp;%'
    )


def counters(entries: Mapping[str, Mapping[str, int]]) -> str:
    """What became of every arrival, and that none was lost."""
    if not entries:
        return ""
    others = [n for c in entries.values() for n in c if n not in FATES and n != "arrivals"]
    extra = list(dict.fromkeys(others))
    head = ["Entry", "Arrivals", *(n.replace("_", " ").capitalize() for n in (*FATES, *extra)), "Conserved"]
    body = []
    for name, found in entries.items():
        arrivals = found.get("arrivals", 0)
        missing = arrivals - sum(found.get(fate, 0) for fate in FATES)
        good = '<span class="good">✓</span>' if not missing else f'<span class="bad">✗ {missing:+,}</span>'
        cells = [count(found.get(n, 0)) for n in (*FATES, *extra)]
        body.append((f"<b>{safe(name)}</b>", f"{arrivals:,}", *cells, good))
    return table(head, body)


def corrections(found: Sequence[Correction], total: int) -> str:
    """The first corrections: which bucket, from what to what, and why."""
    if not total and not found:
        return '<p class="none">Nothing was corrected: no event came late or was revised.</p>'
    shown = found[:SHOWN]
    rows = [
        (
            f"<b>{safe(c.node)}</b>",
            moment(c.bucket_ns),
            safe(c.cause),
            str(c.version),
            _value(c.old),
            '<span class="zero">→</span>',
            _value(c.new),
        )
        for c in shown
    ]
    left = max(total, len(found)) - len(shown)
    more = f'<p class="none">The first {len(shown):,} of {len(shown) + left:,}.</p>' if left else ""
    return table(("Node", "Bucket", "Cause", "Version", "Was", "", "Is"), rows, words=3, css="fixes") + more


def _value(value: float | None) -> str:
    if value is None:
        return '<span class="zero">gap</span>'
    return "NaN" if isnan(value) else compact(value, 7)


def _code(text: str, most: int) -> str:
    return f'<code title="{safe(text)}">{safe(text[:most])}</code>' if text else MISSING


def manifest(found: Mapping[str, object]) -> str:
    """Nested plain values as nested lists, long ones folded."""
    parts = []
    for name, value in found.items():
        told = _plain(value)
        if not isinstance(value, Mapping | list | tuple):
            parts.append(f'<p class="one"><b>{safe(name)}</b>{told}</p>')
            continue
        long = len(told) > VALUES
        summary = f"<summary>{safe(name)} <span>{len(value):,}</span></summary>"
        parts.append(f"<details{'' if long else ' open'}>{summary}{told}</details>")
    return f'<div class="manifest">{"".join(parts)}</div>'


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        rows = "".join(
            f"<div><dt>{safe(k)}</dt><dd>{_plain(v)}</dd></div>" for k, v in list(value.items())[:VALUES]
        )
        return f"<dl>{rows}</dl>" if rows else MISSING
    if isinstance(value, list | tuple):
        items = "".join(f"<li>{_plain(v)}</li>" for v in value[:VALUES])
        more = f"<li>… {len(value) - VALUES:,} more</li>" if len(value) > VALUES else ""
        return f"<ul>{items}{more}</ul>" if items else MISSING
    text = MISSING if value is None or value == "" else str(value)
    return f"<code>{safe(text if len(text) <= VALUES else text[:VALUES] + '…')}</code>"
