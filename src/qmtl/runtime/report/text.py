"""How numbers, times and names are written in a report."""

from __future__ import annotations

from html import escape
from math import isfinite, log10

import numpy as np

MISSING = "–"
MINUS = "\N{MINUS SIGN}"
THIN = "\N{NARROW NO-BREAK SPACE}"


def safe(text: object) -> str:
    """Text for HTML, quotes included."""
    return escape(str(text), quote=True)


def signed(text: str) -> str:
    """With a typographic minus."""
    return text.replace("-", MINUS, 1)


def percent(value: float | None, digits: int = 1, *, plus: bool = False) -> str:
    """0.123 → 12.3 %; – where undefined."""
    if value is None or not isfinite(value):
        return MISSING
    if abs(value) >= 100:
        digits = 0
    text = f"{value * 100:+,.{digits}f}" if plus else f"{value * 100:,.{digits}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("+-")
    return signed(text) + THIN + "%"


def number(value: float | None, digits: int = 2) -> str:
    """1234.5 → 1,234.50; – where undefined."""
    if value is None or not isfinite(value):
        return MISSING
    text = f"{value:,.{digits}f}"
    return signed(text.lstrip("-") if float(text.replace(",", "")) == 0 else text)


def compact(value: float | None, figures: int = 5) -> str:
    """A value of any size in few figures: 46,319, 0.00012346, 1.5e-09."""
    if value is None or not isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    size = int(np.floor(log10(abs(value))))
    if size < -6 or size > 12:
        return signed(f"{value:.{figures - 1}g}")
    text = f"{value:,.{max(0, figures - 1 - size)}f}"
    return signed(text.rstrip("0").rstrip(".") if "." in text else text)


def moment(ns: int | None, unit: str = "m") -> str:
    """2022-01-03 10:41 (`unit` m), 2022-01-03 (`unit` D), without a zone: a report is in UTC."""
    if ns is None:
        return MISSING
    return str(np.datetime64(int(ns), "ns").astype(f"datetime64[{unit}]")).replace("T", " ")


def day(ns: int | None) -> str:
    """3 Jan 2022."""
    if ns is None:
        return MISSING
    date = np.datetime64(int(ns), "ns").astype("datetime64[D]").item()
    return f"{date.day} {date:%b} {date.year}"


def duration(ns: int) -> str:
    """A length of time in its two largest units: 31 d, 4 h 30 min."""
    parts = []
    for name, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, ns = divmod(ns, size * 10**9)
        if count:
            parts.append(f"{count:,}{THIN}{name}")
    return " ".join(parts[:2]) or f"0{THIN}s"
