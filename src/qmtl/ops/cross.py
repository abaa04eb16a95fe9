"""Across the lanes of a panel, per bucket; lanes that are absent or NaN take no part."""

from __future__ import annotations

from functools import partial

from qmtl.core.flow.kernel import Kernel, KernelKind
from qmtl.ops.loading import loader
from qmtl.ops.registry import Param, rows_param
from qmtl.ops.tables import Given, operator

_ = partial(operator, "cross", source="own", cross=True)
COUNT = Param("min_count", int, 1, 1, 100_000, doc="lanes that must be present")
K = rows_param("k")


def _across(code: int):  # type: ignore[no-untyped-def]
    def made(given: Given) -> Kernel:
        args = (float(code), float(given.get("k", 0)))
        return Kernel(
            KernelKind.CROSS,
            loader("cross_kernels:across"),
            args,
            min_count=given["min_count"],
            single_lane=code == 0,
        )

    return made


OPERATORS = (
    _("cross_mean", "mean of the lanes present", _across(0), COUNT),
    _("cross_rank", "(average rank − 1)/(k − 1) among the k lanes present; 0.5 for k = 1", _across(1), COUNT),
    _(
        "cross_zscore",
        "(x − mean)/standard deviation among the lanes present; 0 where all are equal",
        _across(2),
        COUNT,
    ),
    _("cross_demean", "x − mean of the lanes present", _across(3), COUNT),
    _("cross_top_k", "1 for the k greatest lanes, of equals the earlier, else 0", _across(4), COUNT, K),
    _("cross_bottom_k", "1 for the k least lanes, of equals the earlier, else 0", _across(5), COUNT, K),
)
