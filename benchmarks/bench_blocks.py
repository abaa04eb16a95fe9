"""In blocks: the whole history is there, and every output of every bar is wanted."""

from __future__ import annotations

import numpy as np

from harness import Competitor, Options, case_as_json, compete, console, keep, options
from reference import OUTPUTS
from tables import ratios, show
from workload import Workload, workload

TITLE = "In blocks"
QMTL = Competitor("qmtl", "qmtl_forms:blocks")
COMPETITORS = (
    QMTL,
    Competitor("limit", "fused:blocks", "one compiled loop, none of the rules"),
    Competitor("TA-Lib", "peers.talib_columns:blocks", "function API, a call an indicator and symbol"),
    Competitor("bottleneck", "peers.bottleneck_columns:blocks", "its windows; recurrences by scipy"),
    Competitor("pandas", "peers.pandas_frames:blocks"),
    Competitor("Polars", "peers.polars_frames:blocks", "uses all cores"),
    Competitor("vectorbt", "peers.vectorbt_indicators:blocks"),
)
ASKED = {
    "mid": {"TA-Lib": (("TA-Lib",), 1.5), "the limit": (("limit",), 1 / 3)},
    "large": {"TA-Lib": (("TA-Lib",), 1.5), "the limit": (("limit",), 1 / 3)},
}


def equal_to_rows(of: Workload, given: Options) -> bool | None:
    """Are qmtl's outputs in blocks, bit for bit, those by row? None where one of them cannot run."""
    forms = [Competitor("qmtl", f"qmtl_forms:{each}").load() for each in ("blocks", "rows")]
    if None in forms or not given.chosen("qmtl"):
        return None
    one, other = (form(of)[1] for form in forms if form)
    unequal = [name for name in OUTPUTS if not np.array_equal(one[name], other[name], equal_nan=True)]
    console.print(
        f"qmtl in blocks and by row: {'other bits in ' + ', '.join(unequal) if unequal else 'equal bits'}"
    )
    return not unequal


def main() -> None:
    given = options(("small", "mid", "large"), __doc__)
    cases = {}
    for size in given.sizes:
        of = workload(size)
        samples = compete(of, COMPETITORS, given)
        show(TITLE, of, samples)
        found = ratios(samples, ASKED.get(size, {}))
        facts = {"symbols": of.symbols, "rows": of.rows, "bars": of.bars, "ratios": found}
        if size != "large" and "qmtl" in samples:
            facts["equal_to_rows"] = equal_to_rows(of, given)
        cases[size] = case_as_json(samples, **facts)
    keep("blocks", TITLE, cases, given)


if __name__ == "__main__":
    main()
