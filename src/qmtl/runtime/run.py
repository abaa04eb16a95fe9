"""A run: all its strategies' results, and a manifest that says what was computed from what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from qmtl.core.errors import UserError
from qmtl.core.flow.instant import instant_text
from qmtl.runtime.backtest import STREAMS, Executed
from qmtl.runtime.environment import fingerprint
from qmtl.runtime.result import Result
from qmtl.runtime.slices import SliceCache


class Run:
    """``run[strategy]`` is a strategy's :class:`Result`; a run of one strategy answers for it itself."""

    def __init__(
        self,
        executed: Executed,
        strategies: Sequence[Any],
        results: Sequence[Result],
        options: Mapping[str, Any],
        periods_per_year: float,
        reuse: SliceCache | None = None,
    ) -> None:
        self._executed = executed
        self._strategies = list(strategies)
        self._options = dict(options)
        self.periods_per_year = periods_per_year
        self.reuse = reuse  # what became of the slices of authors' nodes; None where nobody kept any
        self.results = list(results)
        for result in self.results:
            result.run = self

    def __getitem__(self, strategy: Any) -> Result:
        """By the strategy given, its number in the run, or its name."""
        if isinstance(strategy, int):
            return self.results[strategy]
        for number, one in enumerate(self._strategies):
            if one is strategy or (isinstance(strategy, str) and strategy == self.results[number].graph.name):
                return self.results[number]
        names = ", ".join(result.graph.name for result in self.results[:8])
        raise UserError("not a strategy of this run", place="run[…]", value=strategy, cure=f"it has {names}")

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(Result, name):
            raise AttributeError(f"a run has no {name!r}")
        if len(self.results) != 1:
            raise UserError(
                f"the run has {len(self.results)} strategies",
                place=f"run.{name}",
                cure=f"say which: run[strategy].{name}",
            )
        return getattr(self.results[0], name)

    @cached_property
    def sharing(self) -> dict[str, int]:
        """Nodes declared by all strategies, unique among them, and computed (each once)."""
        unique = {n.node_id for r in self.results for n in r.nodes.values() if n.kind not in STREAMS}
        declared = sum(result.sharing["declared"] for result in self.results)
        computed = len(
            {key for r in self.results for key in r.nodes if key in unique and key in self._executed.nodes}
        )
        return {"declared": declared, "unique": len(unique), "computed": computed}

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about the data and the results that were reused."""
        cached = () if self.reuse is None else tuple(self.reuse.notes)
        return (*self._executed.arrivals.notes, *cached)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Node ids, data digests, options and runtime of the run; plain values, fit for JSON."""
        return {
            "strategies": [
                {
                    "name": result.graph.name,
                    "parameters": {name: _plain(value) for name, value in result.graph.params},
                    "outputs": {name: column.node.node_id for name, column in result.graph.outputs.items()},
                    "targets": {
                        name: column.node.node_id for name, (_, column) in result.graph.targets.items()
                    },
                }
                for result in self.results
            ],
            "nodes": sorted(self._executed.nodes),
            "data": {str(key): digest for key, digest in self._executed.arrivals.digests.items()},
            "start": instant_text(self._executed.start),
            "end": instant_text(self._executed.end),
            "options": {
                name: _plain(value) for name, value in self._options.items() if name != "environment"
            },
            "runtime": dict(fingerprint().fields)
            | {"fingerprint": fingerprint().digest, "environment": self._options.get("environment", {})},
        }

    def save(self, path: str | Path) -> Path:
        """Write the run to a folder, complete in itself, for `qmtl diff`; returns it. See :mod:`qmtl.runtime.saved`.

        Raises :class:`UserError` where something is there already.
        """
        from qmtl.runtime.saved import save

        return save(self, Path(path))

    def report(self, path: str | Path) -> Path:
        """The report of its only strategy; of several, say which: ``run[strategy].report(path)``."""
        return self.__getattr__("report")(path)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        names = ", ".join(result.graph.name for result in self.results[:4])
        more = f" and {len(self.results) - 4} more" if len(self.results) > 4 else ""
        return f"<Run of {names}{more}: {self._executed.arrivals.events:,} events, {self.sharing['computed']} nodes>"


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str | type(None)) else str(value)
