"""By row: all symbols of a minute at once, one minute after the other, every output of every bar."""

from __future__ import annotations

from harness import Competitor, case_as_json, compete, keep, options
from tables import ratios, show
from workload import workload

TITLE = "By row"
SCALARS = 2_000_000
CSP = ("csp scalar, node", "csp scalar, stats", "csp vector, node", "csp vector, stats")
COMPETITORS = (
    Competitor("qmtl", "qmtl_forms:rows"),
    Competitor("limit", "fused:rows", "one compiled loop, none of the rules"),
    Competitor("csp scalar, node", "peers.csp_scalar:rows_node", "one csp.node a symbol", SCALARS),
    Competitor("csp scalar, stats", "peers.csp_scalar:rows_stats", "csp.stats for each symbol", SCALARS),
    Competitor("csp vector, node", "peers.csp_vector:rows_node", "one csp.node, numpy inside"),
    Competitor("csp vector, stats", "peers.csp_vector:rows_stats", "csp.stats over numpy rows"),
    Competitor("csp around the limit", "peers.csp_vector:rows_compiled", "the limit's loop in one csp.node"),
    Competitor("bytewax keyed", "peers.bytewax_flow:rows", "one Python step a bar", SCALARS),
    Competitor("bytewax vector", "peers.bytewax_flow:rows_vector", "one numpy step a row"),
)
ASKED = {
    "small": {"csp": (CSP, 10.0)},
    "mid": {"csp": (CSP, 10.0), "the limit": (("limit",), 0.5)},
    "large": {"csp": (CSP, 10.0), "the limit": (("limit",), 0.5)},
}


def main() -> None:
    given = options(("small", "mid", "large"), __doc__)
    cases = {}
    for size in given.sizes:
        of = workload(size)
        samples = compete(of, COMPETITORS, given)
        show(TITLE, of, samples)
        found = ratios(samples, ASKED.get(size, {}))
        cases[size] = case_as_json(samples, symbols=of.symbols, rows=of.rows, bars=of.bars, ratios=found)
    keep("rows", TITLE, cases, given)


if __name__ == "__main__":
    main()
