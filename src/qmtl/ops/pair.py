"""Two series together."""

from __future__ import annotations

from functools import partial

from qmtl.ops.dispersion import DDOF
from qmtl.ops.loading import elementwise
from qmtl.ops.registry import rows_param
from qmtl.ops.tables import operator, sums

_ = partial(operator, "pair", inputs=("x", "y"))
TWO = rows_param(low=2)

OPERATORS = (
    _("corr", "Pearson's correlation over n rows; NaN where either is constant", sums(11), TWO),
    _("cov", "covariance over n rows", sums(10, "n", "ddof"), TWO, DDOF, source="numpy.cov"),
    _(
        "beta",
        "cov(x, y)/var(y) over n rows; NaN where y is constant",
        sums(12),
        TWO,
        source="least squares of x on y",
    ),
    _("spread", "x − y", lambda given: elementwise("map_kernels:arithmetic", 1, 0, 0), source="own"),
    _("ratio", "x / y", lambda given: elementwise("map_kernels:arithmetic", 3, 0, 0), source="own"),
)
