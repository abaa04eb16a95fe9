"""W′ against W, by row: 2 % of the bars missing, 0.5 % late by 1 to 100 bars, 0.1 % twice; late bars are corrected.

No peer takes a late bar back into its place, so qmtl is compared with itself on bars that come in order.
"""

from __future__ import annotations

from harness import Checked, Competitor, Sample, case_as_json, checked, console, keep, options
from tables import show
from workload import Workload, disordered, workload

TITLE = "Missing, late and repeated bars"
QMTL = Competitor("qmtl", "qmtl_forms:rows")
LEAST = 1 / 3  # of the bars a second of W


def main() -> None:
    given = options(("small", "mid", "large"), __doc__)
    cases = {}
    for size in given.sizes:
        both = {"in order": workload(size), "disordered": disordered(size)}
        ready = Checked()
        for name, of in both.items():
            one = checked(of, (QMTL,), given)
            if QMTL.name in one.runs:
                ready.samples[name], ready.runs[name] = one.samples[QMTL.name], one.runs[QMTL.name]
        samples = ready.run(given.rounds)
        for name, sample in samples.items():
            show(f"{TITLE}: {name}", both[name], {"qmtl": sample})
        cases[size] = case_as_json(samples, **_facts(both, samples))
    if any(case["competitors"] for case in cases.values()):
        keep("disorder", TITLE, cases, given)


def _facts(both: dict[str, Workload], samples: dict[str, Sample]) -> dict[str, object]:
    facts: dict[str, object] = {"bars_of": {name: of.bars for name, of in both.items()}}
    late = both["disordered"].arrivals
    facts |= {"arrivals": len(late), "late": late.late, "twice": late.twice}
    facts |= {"symbols": both["in order"].symbols, "rows": both["in order"].rows}
    if len(samples) == len(both):
        speed = {name: of.bars / samples[name].best for name, of in both.items()}
        ratio = speed["disordered"] / speed["in order"]
        console.print(f"disordered: {ratio:.2f} × the bars a second in order (asked for: {LEAST:.2f} ×)")
        facts["ratios"] = {"bars in order": {"ratio": ratio, "least": LEAST}}
    return facts


if __name__ == "__main__":
    main()
