"""Event-time scenarios: one node, its upstreams, arrivals in order, and everything the node must emit.

``python -m qmtl.testing.scenario FILE`` runs every case of a scenario file through the public SDK and prints
``{"cases": [{"id", "emissions", "final_watermark"}]}``; it exits 1 where an ``expected`` differs. Times in a file are
integers; one unit is taken as a second.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from qmtl.core.errors import QmtlError
from qmtl.core.flow.emission import Change, Refusal
from qmtl.core.flow.entry import Fate
from qmtl.core.flow.event import ClockTick, Event
from qmtl.core.flow.timeline import FOREVER, NEVER, VALUE
from qmtl.core.graph.duration import Duration
from qmtl.core.graph.ir import NS, Graph
from qmtl.runtime.backtest import Executed, execute, unique_nodes, wanted_sources
from qmtl.runtime.sources import load
from qmtl.sdk.node import Node
from qmtl.sdk.strategy import Strategy, build
from qmtl.sdk.stream import StreamInput

REASONS = {Fate.LATE: "late"}  # others are called in a scenario as they are counted


def total(view: Any, *, upstreams: tuple[str, ...]) -> float:
    """The sum of all values in the window; empty rows of an optional input count nothing."""
    return float(sum(np.nansum(view[name]["value"]) for name in upstreams))


class Scenario(Strategy):
    """The strategy of one case: the sum over the windows of its upstreams."""

    case: str

    def define(self) -> None:
        case = json.loads(self.case)
        inputs = {one["name"]: _window(case, one) for one in case["upstreams"]}
        self.output(
            "total",
            Node(
                total,
                inputs=inputs,
                params={"upstreams": tuple(inputs)},
                outputs=("total",),
                interval=Duration.from_ns(case["interval"] * NS),
                on_missing=case["on_missing"],
                all_idle=case["all_idle"],
                coarse_frontier=case["coarse_frontier"],
            ),
        )


def _window(case: Mapping[str, Any], upstream: Mapping[str, Any]) -> Any:
    interval = upstream.get("interval")
    stream = StreamInput(
        upstream["name"],
        interval=interval and Duration.from_ns(interval * NS),
        fields=("value",),
        lateness=case["lateness"],
        on_late=case["on_late"],
        allowed_lateness=_seconds(case["correction_horizon"]),
        idle_timeout=_seconds(case["idle_timeout"]),
        identity=None if interval else "event_ts",
    )
    rows = case["window"] == "rows" and interval
    size = case["period"] if rows else Duration.from_ns(case["period"] * case["interval"] * NS)
    return stream.window(size, required=upstream.get("required", True), complete=case["complete"])


def _seconds(value: int | None) -> str | None:
    return None if value is None else f"{value}s"


def run_case(case: Mapping[str, Any]) -> dict[str, Any]:
    """Everything one case emits: ``{"id", "emissions", "final_watermark"}``."""
    graph = build(Scenario(case=json.dumps({k: v for k, v in case.items() if k != "expected"})))
    nodes = unique_nodes([graph])
    arrivals = load(list(_events(case)), wanted_sources(nodes.values(), [graph]), finished=False)
    node = graph.outputs["total"].node
    done = execute(
        nodes, arrivals, start=NEVER, end=FOREVER, origin=_origins(case, graph), record=[node.node_id]
    )
    group, lane = done.engine.plan.home[node.node_id]
    watermark = done.engine.clocks.watermark(group, lane)
    emitted = _emissions(case, done, node.node_id)
    return {
        "id": case["id"],
        "emissions": emitted,
        "final_watermark": None if watermark == NEVER else watermark // NS,
    }


def _events(case: Mapping[str, Any]) -> Iterator[Event | ClockTick]:
    for one in case["arrivals"]:
        if "tick" in one:
            yield ClockTick(one["tick"] * NS)
        else:
            yield Event(one["upstream"], one["event_ts"] * NS, float(one["value"]), at=one.get("at", 0) * NS)


def _origins(case: Mapping[str, Any], graph: Graph) -> dict[str, int]:
    """Coarser upstreams have no origin; the node and the others have that of the case."""
    origin, interval = case["origin"] * NS, case["interval"] * NS
    result = {}
    for node in unique_nodes([graph]).values():
        coarser = not node.edges and (node.interval_ns or 0) > interval
        result[node.node_id] = NEVER if coarser else origin
    return result


def _emissions(case: Mapping[str, Any], done: Executed, node_id: str) -> list[dict[str, Any]]:
    log = done.engine.flow.log
    group, lane = done.engine.plan.home[node_id]
    told: list[tuple[int, int, int, dict[str, Any]]] = [
        (refusal.step, 0, 0, _refusal(case, done, refusal)) for refusal in log.refusals
    ]
    changes = {
        (c.bucket, c.step): c for c in done.engine.flow.changes() if c.group == group.index and c.lane == lane
    }
    seen: set[int] = set()
    for bucket, step, shown, missing in log.inputs[group.index, lane]:
        change = changes.get((bucket, step))
        if change is None and bucket in seen:
            continue
        seen.add(bucket)
        inputs = {
            e.name: [
                [int(t) // NS, _plain(v)]
                for t, v in zip(s.times, s.values[:, 0].tolist(), strict=True)
                if v == v
            ]
            for e, s in zip(group.edges, shown, strict=True)
        }
        emitted = _emission(case, bucket, step, inputs, missing, change, done, group.timeline)
        told.append((step, 2 if change is None else 1, bucket, emitted))
    halted = min((f.step for f in log.failures), default=None)
    result = [one for *_, one in sorted(told, key=lambda t: t[:3])]
    if halted is None:
        return result
    end = next(n for n, one in enumerate(result) if one["kind"] == "gap_fail")
    return result[: end + 1]


def _emission(
    case: Mapping[str, Any],
    bucket: int,
    step: int,
    inputs: dict[str, Any],
    missing: list[str],
    change: Change | None,
    done: Executed,
    timeline: Any,
) -> dict[str, Any]:
    base = {"step": step, "bucket": bucket // NS}
    if missing and (change is None or change.version == 0):
        fails = case["on_missing"] == "fail" and any(one.get("required", True) for one in case["upstreams"])
        return base | {"kind": "gap_fail" if fails else "gap_skip", "missing": missing}
    output = _plain(float(sum(v for rows in inputs.values() for _, v in rows)))
    if change is None or change.version == 0:
        return base | {"kind": "initial", "inputs": inputs, "output": output, "version": 0}
    return base | {
        "kind": "correction",
        "retract": None if change.retract is None else _plain(change.retract[0]),
        "inputs": inputs,
        "output": None if change.kind != VALUE else output,
        "version": change.version,
    }


def _refusal(case: Mapping[str, Any], done: Executed, refusal: Refusal) -> dict[str, Any]:
    ts = refusal.ts // NS
    told = {
        "step": refusal.step,
        "kind": "dropped",
        "reason": REASONS.get(refusal.fate, refusal.fate.value),
        "upstream": done.nodes[refusal.source].stream,
        "event_ts": ts,
        "value": _plain(refusal.values[0]),
        "bucket": ts // case["interval"] * case["interval"],
    }
    if refusal.fate is Fate.SIDE_OUTPUT:
        told["kind"] = "side_output"
        del told["reason"]
    return told


def _plain(value: float) -> float | int:
    return int(value) if value == value and abs(value) < 2**53 and value == int(value) else value


def main(arguments: list[str]) -> int:
    """Run the files named; 0 all as expected, 1 something differs, 2 a file that cannot be read."""
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        print(__doc__, file=sys.stderr)
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    try:
        cases = json.loads(Path(arguments[0]).read_text())["cases"]
        results = [run_case(case) for case in cases]
    except (OSError, ValueError, KeyError, QmtlError) as error:
        print(f"error: {arguments[0]}: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    json.dump({"cases": results}, sys.stdout, indent=1)
    print()
    wrong = [
        case["id"] for case, result in zip(cases, results, strict=True) if not _as_expected(case, result)
    ]
    if wrong:
        print(f"differs from expected: {', '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


def _as_expected(case: Mapping[str, Any], result: Mapping[str, Any]) -> bool:
    expected = case.get("expected")
    if expected is None:
        return True
    return all(result[key] == expected[key] for key in ("emissions", "final_watermark"))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
