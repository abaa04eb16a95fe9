"""What a node was shown can be found again afterwards: on random graphs, late and revised events included."""

from __future__ import annotations

import numpy as np

from qmtl.core.flow.timeline import GAP, NONE, NULL, VALUE
from qmtl.core.flow.windows import decide, shown_at
from qmtl.core.graph.ir import NodeKind
from qmtl.testing.differential import play
from qmtl.testing.oracle import random_case

CASES = 250


def test_windows_found_again_are_those_last_shown() -> None:
    """Of each bucket the latest call, where no later change of its inputs went without a correction (halts)."""
    compared = judged = 0
    for seed in range(CASES):
        engine = play(random_case(seed), compiled=seed % 2 == 0)
        for group in engine.plan.groups:
            for lane in range(group.lanes if group.kind in (NodeKind.FUNCTION, NodeKind.OPERATOR) else 0):
                if (group.index, lane) in engine.flow.halts.at:
                    continue
                last = {b: shown for b, _, shown, _ in engine.flow.log.inputs.get((group.index, lane), [])}
                for bucket, shown in last.items():
                    again = shown_at(group, lane, bucket, engine.flow.ticks)
                    for one, other in zip(shown, again, strict=False):
                        assert np.array_equal(one.times, other.times), (seed, bucket)
                        assert np.array_equal(one.values, other.values, equal_nan=True), (seed, bucket)
                        compared += len(one.times)
                assert group.timeline is not None
                for row in range(group.timeline.rows):
                    bucket = int(group.timeline.bucket[row])
                    if bucket >= engine.clocks.next[group.clocks[lane]]:
                        continue
                    status = int(group.S[row, lane])
                    again = shown_at(group, lane, bucket, engine.flow.ticks)
                    if status in (VALUE, GAP, NULL) and group.kind is NodeKind.OPERATOR:
                        assert (decide(group, lane, bucket, again)[0] == VALUE) == (status == VALUE), (
                            seed,
                            bucket,
                        )
                        judged += status != NONE
    assert compared > 1000 and judged > 500
