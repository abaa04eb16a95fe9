"""What trading costs."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np

from qmtl.core.errors import UserError

BPS = 1e-4


@dataclass(frozen=True, slots=True)
class Costs:
    """What trading costs, in basis points (1/100 of a percent) of the traded notional."""

    fee_bps: float = 0.0
    slippage_bps: float = 0.0

    def __post_init__(self) -> None:
        for name in ("fee_bps", "slippage_bps"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
                raise UserError(f"{name} must be a number", place="Costs", value=value, cure="5 means 0.05 %")
            if not (isfinite(value) and 0 <= value < 10_000):
                raise UserError(
                    f"{name} must be at least 0 and below 10000 (100 %)",
                    place="Costs",
                    value=value,
                    cure="basis points of the traded notional are meant: 5 means 0.05 %",
                )
            object.__setattr__(self, name, float(value))
