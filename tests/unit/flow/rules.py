"""`holds`: a case written by hand, judged by the oracle and by the engine in each way it can be fed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qmtl.testing.differential import told
from qmtl.testing.oracle import run

from unit.oracle.told import Plain, brief

Told = list[tuple[Any, ...]]
WAYS: dict[str, Callable[[Plain], Plain]] = {
    "the oracle": run,
    "the engine, one batch": told,
    "the engine, one by one": lambda case: told(case, range(len(case["arrivals"]))),
    "the engine, compiled": lambda case: told(case, compiled=True),
}


def holds(
    sources: list[Plain],
    nodes: list[Plain],
    arrivals: list[Plain],
    *,
    end: int | None = None,
    table: dict[str, dict[int, Any]] | None = None,
    watermark: dict[str, float | None] | None = None,
    counters: dict[str, dict[str, int]] | None = None,
    shown: dict[str, dict[int, Any]] | None = None,
    **emissions: Told,
) -> None:
    """Asserts what each node tells (`n=[...]`, the tuples of `unit.oracle.told.brief`) and what is left at the end.

    `counters` leaves out the fates that did not occur; `shown` is what each bucket of a node was shown last.
    """
    case = {"id": "case", "sources": sources, "nodes": nodes, "arrivals": arrivals, "end": end}
    for way, judge in WAYS.items():
        result = judge(case)
        compiled = result.get(
            "compiled", ()
        )  # operators do not say what they were shown, nor what they missed
        for name, wanted in emissions.items():
            told_of = unnamed if name in compiled else list
            found = brief(result["emissions"][name])
            same(told_of(found), told_of(wanted), f"{way}: emissions of {name}")
        for name, wanted in (table or {}).items():
            same(result["final_table"][name], wanted, f"{way}: table of {name}")
        for name, wanted in (watermark or {}).items():
            same(result["final_watermark"][name], wanted, f"{way}: watermark of {name}")
        for entry, wanted in (counters or {}).items():
            found = result["counters"][entry]
            same({fate: n for fate, n in found.items() if n}, wanted, f"{way}: counters of {entry}")
            assert found["arrivals"] == sum(found.values()) - found["arrivals"], f"{way}: E14 at {entry}"
        for name, wanted in (shown or {}).items():
            if name not in compiled:
                found = {one["bucket"]: one["inputs"] for one in result["emissions"][name] if "inputs" in one}
                same(found, wanted, f"{way}: shown to {name}")


def unnamed(emissions: Told) -> Told:
    """Without the names of missing inputs."""
    return [(*one[:3], []) if one[1] in ("skip", "fail") else one for one in emissions]


def same(found: Any, wanted: Any, what: str) -> None:
    assert plain(found) == plain(wanted), what


def plain(value: Any) -> Any:
    """With every number as its exact text, so that NaN equals NaN and 0.0 is not -0.0; sequences are lists."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in sorted(value.items())}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return repr(float(value)) if isinstance(value, int | float) else value
