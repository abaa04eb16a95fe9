"""Windows, warm-up and missing inputs of one bucket, from what is recorded now (E5, E6)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from qmtl.testing.oracle.case import COARSER, FINER, OWN, TICK, Computed, Edge
from qmtl.testing.oracle.state import World
from qmtl.testing.oracle.value import SCAN_STEPS, WINDOW_FUNCTIONS, FunctionError, View, scan

WARM_UP, MISSING, EMPTY, FAILED, NO_VALUE, VALUE = (
    "warm_up",
    "missing",
    "empty",
    "failed",
    "no_value",
    "value",
)


class Outcome:
    """What a bucket comes to: its kind, its value if any, the inputs it was made of and those it lacks."""

    def __init__(self, kind: str, value: float | None, inputs: dict[str, Any], missing: list[str]) -> None:
        self.kind, self.value, self.inputs, self.missing = kind, value, inputs, missing


class Bucket:
    """One bucket of one node."""

    def __init__(self, node: Computed, start: int, world: World) -> None:
        self.node, self.start, self.end, self.world = node, start, start + node.interval, world
        self.hits = world.hits
        self.values = {
            edge.name: world.ticks(edge.of, node.name)
            if edge.relation == TICK
            else sorted(world.nodes[edge.of].values.items())
            for edge in node.edges
        }
        self.rows = self._rows()

    def _rows(self) -> list[int]:
        """Every row: where all required inputs of the own interval have their value (none required: any)."""
        own = [edge for edge in self.node.edges if edge.relation == OWN]
        required = [edge for edge in own if edge.required]
        sets = [{ts for ts, _ in self.values[edge.name]} for edge in required or own]
        if not sets:
            return []
        return sorted(set.intersection(*sets) if required else set.union(*sets))

    def outcome(self) -> Outcome:
        """E5, then E6, then the node's function."""
        if self._warming_up():
            return Outcome(WARM_UP, None, {}, [])
        shown = {edge.name: self._shown(edge) for edge in self.node.edges}
        missing = self._missing()
        view = {name: rows for name, (rows, _) in shown.items()}
        inputs = {name: [[ts, value] for ts, value in told] for name, (_, told) in shown.items()}
        if missing:
            required = any(edge.required for edge in self.node.edges)
            return Outcome(MISSING if required else EMPTY, None, inputs, missing)
        try:
            value = self._computed(view)
        except FunctionError:
            return Outcome(FAILED, None, inputs, [])
        return Outcome(NO_VALUE if value is None else VALUE, value, inputs, [])

    def _computed(self, view: View) -> float | None:
        if self.node.function not in SCAN_STEPS:
            return WINDOW_FUNCTIONS[self.node.function](view)
        (edge,) = self.node.edges
        assert edge.relation == OWN and edge.required and edge.rows is not None
        return scan(
            self.node.function, edge.rows, [v for ts, v in self.values[edge.name] if ts <= self.start]
        )

    # -- E5: what a window shows

    def _shown(self, edge: Edge) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
        """The rows the function sees, and those of them the input really has."""
        values = self.values[edge.name]
        if edge.rows is not None and edge.relation == OWN:
            rows = [row for row in self.rows if row <= self.start][-edge.rows :]
            known = dict(values)
            self._count_rows(edge, rows, known)
            told = [(row, known[row]) for row in rows if row in known]
            return [(row, known.get(row, float("nan"))) for row in rows], told
        if edge.rows is not None:
            shown = self._ended(edge)[-edge.rows :]
            self.hits[f"E5.rows_of_{edge.relation}"] += 1
        elif edge.relation == COARSER:
            shown = self._ended(edge)[-1:]
            self.hits["E5.time_of_coarser"] += 1
        else:
            assert edge.time is not None
            shown = [(ts, value) for ts, value in values if self.end - edge.time <= ts < self.end]
            self.hits[f"E5.time_of_{edge.relation}"] += 1
        return shown, shown

    def _count_rows(self, edge: Edge, rows: list[int], known: dict[int, float]) -> None:
        hole = any(later - earlier > self.node.interval for earlier, later in pairwise(rows))
        self.hits["E5.rows_over_a_hole" if hole else "E5.rows_of_own"] += 1
        if any(row not in known for row in rows):
            self.hits["E5.rows_nan_where_optional_has_none"] += 1
        if self.start not in self.rows:
            self.hits["E5.bucket_that_is_no_row"] += 1

    def _ended(self, edge: Edge) -> list[tuple[int, float]]:
        """The bars of another interval that have ended by the end of the bucket."""
        return [(ts, value) for ts, value in self.values[edge.name] if ts + edge.interval <= self.end]

    # -- E5: warm-up

    def _warming_up(self) -> bool:
        why = self._why_warm_up()
        if why:
            self.hits[f"E5.warm_up_{why}"] += 1
        return bool(why)

    def _why_warm_up(self) -> str | None:
        edges = self.node.edges
        windows = [edge.rows for edge in edges if edge.relation == OWN and edge.rows is not None]
        if windows and sum(row < self.start for row in self.rows) < max(windows) - 1:
            return "rows"
        for edge in edges:
            if edge.relation != OWN and edge.required and 0 < len(self._ended(edge)) < (edge.rows or 0):
                return "bars_of_other_interval"
            if edge.time is not None and self.end - edge.time < self.node.origin:
                return "time"
            if edge.required and edge.computed and self._input_warming_up(edge):
                return "input"
        return None

    def _input_warming_up(self, edge: Edge) -> bool:
        """Readings 4 and 14: it has no record at its latest bucket that ends by the end of this one."""
        up = self.world.nodes[edge.of]
        return up.never_recorded(self.end // up.interval * up.interval - up.interval)

    # -- E6: missing

    def _missing(self) -> list[str]:
        """The required inputs that are not present; all inputs where none is required and none is present."""
        present = {edge.name: self._present(edge) for edge in self.node.edges}
        missing = [edge.name for edge in self.node.edges if edge.required and not present[edge.name]]
        if not any(present.values()):
            return missing or list(present)
        if not missing and not all(present.values()):
            self.hits["E6.optional_absent"] += 1
        return missing

    def _present(self, edge: Edge) -> bool:
        values = self.values[edge.name]
        if edge.relation == OWN:
            present = any(ts == self.start for ts, _ in values)
        elif edge.relation == COARSER:
            present = bool(self._ended(edge))
        else:
            present = any(self.start <= ts < self.end for ts, _ in values)
        if not present:
            self.hits[f"E6.absent_{edge.relation}"] += 1
        if present and edge.complete and not self._complete(edge):
            window = "rows" if edge.rows is not None else "time"
            self.hits[f"E6.incomplete_{edge.relation}_by_{window}"] += 1
            return False
        return present

    def _complete(self, edge: Edge) -> bool:
        """By rows every sub-bar of the bucket; by time every sub-bar (a tick) of the window's buckets."""
        if edge.relation == COARSER:
            return True
        begin = self.start if edge.time is None else self.end - edge.time
        times = [ts for ts, _ in self.values[edge.name]]
        if edge.relation in (OWN, FINER):
            first = -(-begin // edge.interval) * edge.interval
            return all(sub in times for sub in range(first, self.end, edge.interval))
        first = begin // self.node.interval * self.node.interval
        return all(
            any(max(one, begin) <= ts < one + self.node.interval for ts in times)
            for one in range(first, self.end, self.node.interval)
        )
