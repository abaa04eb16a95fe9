"""Single events: one bar of one symbol at a time, symbols in random order within each minute."""

from __future__ import annotations

from harness import Competitor, case_as_json, compete, keep, options
from tables import ratios, show
from workload import workload

TITLE = "Single events"
SCALARS = 2_000_000
CSP = ("csp scalar, node", "csp scalar, stats")
COMPETITORS = (
    Competitor("qmtl", "qmtl_forms:events", "bar by bar from one table, as csp takes them"),
    Competitor("qmtl, a call a bar", "qmtl_forms:calls", "a Python call for each"),
    Competitor("csp scalar, node", "peers.csp_scalar:events_node", "one csp.node a symbol", SCALARS),
    Competitor("csp scalar, stats", "peers.csp_scalar:events_stats", "csp.stats for each symbol", SCALARS),
    Competitor("bytewax keyed", "peers.bytewax_flow:events", "one Python step a bar", SCALARS),
)
ASKED = {size: {"csp's scalar form": (CSP, 3.0)} for size in ("small", "mid")}


def main() -> None:
    given = options(("small", "mid"), __doc__)
    cases = {}
    for size in given.sizes:
        of = workload(size)
        samples = compete(of, COMPETITORS, given)
        show(TITLE, of, samples)
        found = ratios(samples, ASKED.get(size, {}))
        cases[size] = case_as_json(samples, symbols=of.symbols, rows=of.rows, bars=of.bars, ratios=found)
    keep("events", TITLE, cases, given)


if __name__ == "__main__":
    main()
