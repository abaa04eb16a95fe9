"""`Runner`: runs strategies over data on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from qmtl.core.errors import UserError
from qmtl.core.flow.fingerprint import RuntimeCompat
from qmtl.core.flow.instant import parse_instant
from qmtl.core.graph import ir
from qmtl.sdk.choice import choice
from qmtl.sdk.strategy import Strategy, build

if TYPE_CHECKING:
    from qmtl.core.control.costs import Costs
    from qmtl.runtime.lookahead import LookAhead
    from qmtl.runtime.run import Run
    from qmtl.runtime.verify import Verified


class Runner:
    """Runs strategies; it has no state."""

    @staticmethod
    def backtest(
        strategies: Strategy | Iterable[Strategy],
        data: Any,
        *,
        start: Any = None,
        end: Any = None,
        origin: Any = None,
        finished: bool = True,
        costs: Costs | None = None,
        progress: bool | Callable[[int, int], None] | None = None,
        record_inputs: Iterable[Any] = (),
        periods_per_year: float = 365,
        membership: Mapping[str, tuple[Any, Any]] | None = None,
        cache: Any = None,
        runtime_compat: Literal["loose", "strict"] = "loose",
    ) -> Run:
        """Run one or many strategies over `data`; what they share is computed once.

        data           a dict stream id → path, frame or events; a `Catalog`; an iterable of `Event`s and `ClockTick`s
        start, end     ``[start, end)`` of what is emitted; earlier data is history, later data is not read. A date
                       without a zone is UTC. Default: all there is
        origin         earlier events are dropped (E10); default: each stream's earliest data
        finished       whether a source ends with its data, so that every bucket up to `end` closes
        costs          of trading: `Costs(fee_bps=…, slippage_bps=…)`
        progress       a function of (arrivals done, in all), True for a bar, False for none; default: a bar when it
                       takes long and a person looks
        periods_per_year  of the metrics: 365 (every calendar day), or 252 for sessions of equities
        record_inputs  series whose inputs are kept with every emission
        membership     stream id → (since, until), None for open: when it belongs to cross-sections over the tag
                       queries that find it (E16); its earlier history only fills windows. Default: always
        cache          where results of authors' functions are kept and found: a folder, the URL of a store, or False
                       for nowhere. Default: QMTL_CACHE, else the user's cache folder
        runtime_compat "strict": nothing that another runtime computed is used; "loose": as the nodes say

        Raises :class:`UserError` for a mistake in a strategy or in the data, naming place, value and cure.
        """
        from qmtl.core.control.costs import Costs as NoCosts
        from qmtl.runtime.environment import normalise
        from qmtl.runtime.progress import shown

        options: dict[str, Any] = {"environment": normalise()}
        strict = choice(RuntimeCompat, runtime_compat, "runtime_compat") is RuntimeCompat.STRICT
        chosen = _strategies(strategies)
        times = _times(start, end, origin)
        graphs = _concrete([build(strategy) for strategy in chosen], data, _spans(membership or {}))
        options |= {"finished": finished, "origin": str(origin) if origin is not None else None}
        options["periods_per_year"] = periods_per_year
        options["runtime_compat"] = runtime_compat
        with shown(progress) as report:
            return _run(
                chosen,
                graphs,
                data,
                times,
                finished,
                costs or NoCosts(),
                report,
                record_inputs,
                options,
                cache,
                strict,
            )

    @staticmethod
    def check(
        strategy: Strategy,
        data: Any,
        *,
        cuts: int = 10,
        seed: int = 0,
        start: Any = None,
        end: Any = None,
        origin: Any = None,
        finished: bool = True,
        costs: Costs | None = None,
        membership: Mapping[str, tuple[Any, Any]] | None = None,
    ) -> LookAhead:
        """Replace the future by noise at `cuts` random moments and report the first node whose past changes.

        Where the strategy has targets, what its account did before is compared too. The answer is true when nothing
        looked ahead. The other options are those of `backtest`.
        """
        from qmtl.runtime.lookahead import look_ahead

        times = _times(start, end, origin)
        graphs = _concrete([build(strategy)], data, _spans(membership or {}))

        def run(arrivals: Any) -> Any:
            return _executed(graphs, arrivals, times, None, ())

        loaded = _load(graphs, data, finished)
        return look_ahead(run, loaded, cuts=cuts, seed=seed, graphs=graphs, costs=costs)

    @staticmethod
    def verify(
        strategy: Strategy,
        data: Any = None,
        *,
        buckets: int = 200,
        seed: int = 0,
        start: Any = None,
        end: Any = None,
        origin: Any = None,
        membership: Mapping[str, tuple[Any, Any]] | None = None,
    ) -> Verified:
        """Ask whether the author's own functions depend on nothing but what they are shown.

        Each is shown `buckets` windows of a run again, drawn by `seed`: twice, in other orders, in processes of their
        own, watched for clocks, chance and files; and the run is cut otherwise. Without data it is made up: random
        walks. The answer is true when nothing was found. The other options are those of `backtest`.
        """
        from qmtl.runtime.environment import normalise
        from qmtl.runtime.verify import verify
        from qmtl.sdk.runner_fresh import in_fresh_processes

        normalise()
        times = _times(start, end, origin)
        graphs = [build(strategy)]
        graphs = _made_up(graphs) if data is None else _concrete(graphs, data, _spans(membership or {}))

        def run(arrivals: Any, cuts: Any) -> Any:
            return _executed(graphs, arrivals, times, None, (), cuts=cuts)

        def fresh(jobs: Any, seeds: Any) -> Any:
            return in_fresh_processes(strategy, jobs, seeds)

        return verify(run, _growing(graphs, data, seed), fresh, buckets=buckets, seed=seed)


GROWING = (2_000, 16_000, 128_000)  # bars made up, or arrivals of the data, until every function is called


def _made_up(graphs: list[ir.Graph]) -> list[ir.Graph]:
    from qmtl.core.graph.expand import expand
    from qmtl.runtime.random_walk import members

    nodes = [node for graph in graphs for node in graph.declared]
    chosen = {node.stream for node in nodes if node.kind is ir.NodeKind.SELECT and node.stream}
    return expand(graphs, lambda query: members(query, chosen), {})


def _growing(graphs: list[ir.Graph], data: Any, seed: int) -> Iterator[Any]:
    """Ever more of the data, or of made-up data."""
    from qmtl.runtime.backtest import unique_nodes, wanted_sources
    from qmtl.runtime.random_walk import tables
    from qmtl.runtime.verify import first_of

    if data is None:
        wanted = wanted_sources(unique_nodes(graphs).values(), graphs)
        for bars in GROWING:
            yield _load(graphs, tables(wanted, bars, seed), True)
        return
    loaded = _load(graphs, data, True)
    for count in GROWING:
        yield first_of(loaded, 10 * count)
        if len(loaded) <= 10 * count:
            return
    yield loaded


def _times(start: Any, end: Any, origin: Any) -> dict[str, int | None]:
    """The options of a run that are instants, in ns."""
    times = {
        name: None if value is None else parse_instant(value, name)
        for name, value in (("start", start), ("end", end), ("origin", origin))
    }
    if times["start"] is not None and times["end"] is not None and times["end"] <= times["start"]:
        raise UserError(
            "the range is empty",
            place="start, end",
            value=f"{start} … {end}",
            cure="end lies after start",
        )
    return times


def _strategies(given: Strategy | Iterable[Strategy]) -> list[Strategy]:
    chosen = [given] if isinstance(given, Strategy | type) else list(given)
    if not chosen:
        raise UserError(
            "no strategy to run", place="strategies", cure="give one, a list, or grid(Trend, fast=[8, 12])"
        )
    return chosen


def _spans(membership: Mapping[str, tuple[Any, Any]]) -> dict[str, tuple[int | None, int | None]]:
    spans = {}
    for stream, (since, until) in membership.items():
        first, last = (
            None if one is None else parse_instant(one, f"membership[{stream!r}]") for one in (since, until)
        )
        if first is not None and last is not None and last <= first:
            raise UserError(
                "the member leaves before it joins",
                place=f"membership[{stream!r}]",
                value=f"{since} … {until}",
                cure="until lies after since",
            )
        spans[stream] = (first, last)
    return spans


def _concrete(graphs: list[ir.Graph], data: Any, between: Mapping[str, Any] | None = None) -> list[ir.Graph]:
    """The graphs with their tag queries resolved over the data's catalog."""
    from qmtl.core.graph.expand import expand
    from qmtl.runtime.sources import list_streams

    def members(query: ir.Node) -> list[tuple[str, frozenset[str]]]:
        return [
            (one.id, one.tags)
            for one in list_streams(data)
            if not one.known or one.interval_ns == query.interval_ns
        ]

    return expand(graphs, members, between)


def concrete(strategy: Strategy, data: Any) -> tuple[list[ir.Graph], Any]:
    """The graph of a strategy with its tag queries resolved over `data`, and the data: for :func:`loaded`."""
    return _concrete([build(strategy)], data), data


def loaded(graphs: list[ir.Graph], data: Any) -> tuple[list[ir.Graph], Any]:
    """Concrete graphs, and all that `data` has for them, as arrivals."""
    return graphs, _load(graphs, data, True)


def _load(graphs: list[ir.Graph], data: Any, finished: bool) -> Any:
    from qmtl.runtime.backtest import needs_clock, unique_nodes, wanted_sources
    from qmtl.runtime.sources import load

    nodes = unique_nodes(graphs)
    return load(
        data,
        wanted_sources(nodes.values(), graphs),
        finished=finished,
        with_clock=needs_clock(nodes.values()),
    )


def _executed(
    graphs: list[ir.Graph],
    arrivals: Any,
    times: dict[str, int | None],
    report: Any,
    record: Iterable[str],
    reuse: Any = None,
    cuts: Any = None,
) -> Any:
    from qmtl.runtime.backtest import execute, unique_nodes

    return execute(
        unique_nodes(graphs),
        arrivals,
        start=times["start"],
        end=times["end"],
        origin=times["origin"],
        progress=report,
        record=list(record),
        reuse=reuse,
        cuts=cuts,
    )


def _run(
    chosen: list[Strategy],
    graphs: list[ir.Graph],
    data: Any,
    times: dict[str, int | None],
    finished: bool,
    costs: Costs,
    report: Any,
    record: Iterable[Any],
    options: dict[str, Any],
    cache: Any,
    strict: bool,
) -> Run:
    from qmtl.runtime.result import Result
    from qmtl.runtime.run import Run

    asked = [one if isinstance(one, str) else one.node_id for one in record]
    reuse = _cache(cache, graphs, strict)
    executed = _executed(graphs, _load(graphs, data, finished), times, report, asked, reuse)
    if reuse is not None:
        reuse.flush()
    results = [Result(executed, graph, costs) for graph in graphs]
    return Run(executed, chosen, results, options | {"costs": str(costs)}, options["periods_per_year"], reuse)


def _cache(given: Any, graphs: list[ir.Graph], strict: bool) -> Any:
    """Who keeps slices of these graphs' nodes; None where no node is an author's function, or nobody does."""
    from qmtl.runtime.backtest import unique_nodes
    from qmtl.wiring import slice_cache

    if given is False or not any(n.kind is ir.NodeKind.FUNCTION for n in unique_nodes(graphs).values()):
        return None
    return slice_cache(given, strict)
