"""The account, as tables computed by hand. Times are minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, nan

import numpy as np
import pytest

from qmtl.core.control.portfolio import Costs, Decisions, Portfolio, TradedStream, buy_and_hold, simulate
from qmtl.core.errors import UserError

MIN = 60 * 10**9
FREE = Costs()
Bars = Mapping[int, tuple[float, float]]  # minute -> (open, close)
Told = Sequence[tuple[float, float, float]]  # (bucket, decided, weight)


def traded(bars: Bars, decisions: Told = (), *, name: str = "BTC", interval: int = 1) -> TradedStream:
    opens, closes = (np.array([b[i] for b in bars.values()], np.float64) for i in range(2))
    bucket, decided, weight = (np.array([d[i] for d in decisions], np.float64) for i in range(3))
    told = Decisions((bucket * MIN).astype(np.int64), (decided * MIN).astype(np.int64), weight)
    return TradedStream(name, interval * MIN, np.array(list(bars), np.int64) * MIN, opens, closes, told)


def run(*streams: TradedStream, costs: Costs = FREE, start: int = 0, end: int = 100) -> Portfolio:
    return simulate(streams, costs, start * MIN, end * MIN, capital=1000.0)


def level(*minutes: int, price: float = 100.0) -> dict[int, tuple[float, float]]:
    return dict.fromkeys(minutes, (price, price))


def fills(account: Portfolio) -> list[tuple[float, float]]:
    """(minute, weight after) of each fill."""
    return [(ts / MIN, after) for ts, after in zip(account.fills.ts, account.fills.after, strict=True)]


def test_a_target_fills_at_the_next_open_and_is_marked_at_closes() -> None:
    bars = {0: (100.0, 110.0), 1: (120.0, 130.0), 2: (125.0, 140.0)}
    account = run(traded(bars, [(0, 1, 0.6)]))
    assert fills(account) == [(1, 0.6)]
    assert account.fills.price[0] == 120 and account.fills.quantity[0] == pytest.approx(5)
    assert account.ts.tolist() == [0, 1 * MIN, 2 * MIN, 3 * MIN]
    assert account.equity.tolist() == pytest.approx([1000, 1000, 400 + 5 * 130, 400 + 5 * 140])
    assert account.cash.tolist() == pytest.approx([1000, 1000, 400, 400])


def test_the_fill_waits_for_the_moment_at_which_the_bucket_closed() -> None:
    assert fills(run(traded(level(*range(6)), [(0, 2.5, 1.0)]))) == [(3, 1.0)]


def test_never_before_the_bucket_ended() -> None:
    assert fills(run(traded(level(*range(6)), [(1, 0, 1.0)]))) == [(2, 1.0)]


def test_a_hole_delays_the_fill_to_the_next_bar() -> None:
    assert fills(run(traded(level(0, 1, 7, 8), [(1, 2, 1.0)]))) == [(7, 1.0)]


def test_of_targets_waiting_for_the_same_open_only_the_latest_bucket_fills() -> None:
    account = run(traded(level(0, 1, 7, 8), [(1, 2, 1.0), (2, 3, 0.25), (1, 4, -1.0)]))
    assert fills(account) == [(7, 0.25)]
    assert account.fills.bucket.tolist() == [2 * MIN]


def test_a_correction_of_an_older_bucket_changes_nothing() -> None:
    told = [(0, 1, 1.0), (1, 2, 0.5), (0, 3, -1.0)]
    assert fills(run(traded(level(*range(6)), told))) == [(1, 1.0), (2, 0.5)]


def test_a_correction_of_the_latest_bucket_changes_the_next_target_never_the_fill() -> None:
    told = [(0, 1, 1.0), (0, 3.5, 0.25)]
    before, after = run(traded(level(*range(6)), told[:1])), run(traded(level(*range(6)), told))
    assert fills(after) == [(1, 1.0), (4, 0.25)]
    assert fills(after)[:1] == fills(before)


@pytest.mark.parametrize("weight", [nan, inf, -inf])
def test_a_weight_that_is_not_finite_keeps_the_position(weight: float) -> None:
    account = run(traded(level(*range(6)), [(0, 1, 0.5), (1, 2, weight)]))
    assert fills(account) == [(1, 0.5)] and account.quantity[-1, 0] == 5


def test_a_weight_that_is_not_finite_cancels_the_target_still_waiting() -> None:
    assert fills(run(traded(level(0, 7), [(0, 1, 0.5), (1, 2, nan)]))) == []


def test_slippage_moves_the_price_against_the_trade_and_the_fee_is_on_what_was_traded() -> None:
    told = [(0, 1, 1.0), (1, 2, 0.0)]
    account = run(traded(level(*range(4)), told), costs=Costs(fee_bps=10, slippage_bps=100))
    buy, sell = 10 * 101.0, 10 * 99.0
    assert account.fills.price.tolist() == pytest.approx([101, 99])
    assert account.fills.fee.tolist() == pytest.approx([buy * 0.001, sell * 0.001])
    assert account.fills.cash.tolist() == pytest.approx(
        [1000 - buy * 1.001, 1000 - buy * 1.001 + sell * 0.999]
    )
    assert account.equity[-1] == pytest.approx(account.fills.cash[-1])
    assert account.equity[2] == pytest.approx(1000 - 10 - buy * 0.001)  # bought above the close: 1 a unit


def test_an_unchanged_weight_is_rebalanced_to() -> None:
    bars = {0: (100.0, 100.0), 1: (100.0, 100.0), 2: (200.0, 200.0), 3: (200.0, 200.0)}
    account = run(traded(bars, [(0, 1, 0.5), (1, 2, 0.5)]))
    assert account.fills.quantity.tolist() == pytest.approx([5, -1.25])  # 1,500 of equity, half of it at 200
    assert account.fills.before[1] == pytest.approx(2 / 3)


def test_fully_invested_there_is_nothing_to_rebalance() -> None:
    bars = {m: (100.0 + 7 * m, 100.0 + 7 * m + 3) for m in range(50)}
    assert len(run(traded(bars, [(m, m + 1, 1.0) for m in range(50)])).fills) == 1


def test_a_position_of_zero_is_closed_to_the_last_unit() -> None:
    bars = {m: (100.0 / 3 + m / 7, 1.0) for m in range(6)}
    account = run(traded(bars, [(0, 1, 1 / 3), (2, 3, 0.0)]))
    assert account.quantity[-1, 0] == 0.0


def test_short_positions_earn_when_the_price_falls() -> None:
    bars = {0: (100.0, 100.0), 1: (100.0, 80.0)}
    account = run(traded(bars, [(0, 1, -0.5)]))
    assert account.equity[-1] == pytest.approx(1100) and account.weight[-1, 0] == pytest.approx(-400 / 1100)


def test_two_streams_share_one_account_and_do_not_depend_on_their_order() -> None:
    one = traded({0: (100.0, 100.0), 1: (100.0, 110.0), 2: (110.0, 110.0)}, [(0, 1, 0.5)], name="A")
    two = traded({0: (50.0, 50.0), 1: (50.0, 40.0), 2: (40.0, 40.0)}, [(0, 1, 0.5), (1, 2, 1.0)], name="B")
    costs = Costs(fee_bps=100)
    account, turned = run(one, two, costs=costs), run(two, one, costs=costs)
    equity = 1000 - 10 + 5 * 10 - 10 * 10
    assert account.equity[2] == pytest.approx(equity)
    assert account.fills.quantity[2] == pytest.approx(equity / 40 - 10)
    assert account.equity.tolist() == pytest.approx(turned.equity.tolist(), rel=1e-12)


def test_a_stream_without_a_bar_is_marked_at_its_last_known_price() -> None:
    coarse = traded({0: (100.0, 100.0), 5: (120.0, 90.0)}, [(0, 5, 1.0)], name="A", interval=5)
    fine = traded(level(*range(12)), name="B")
    account = run(coarse, fine)
    prices = dict(zip((account.ts // MIN).tolist(), account.price[:, 0].tolist(), strict=True))
    assert prices[5] == 100 and prices[6] == 120 and prices[9] == 120 and prices[10] == 90 == prices[12]
    assert account.equity[-1] == pytest.approx(1000 / 120 * 90)


def test_an_open_that_is_no_price_fills_nothing_and_the_target_waits() -> None:
    bars = {0: (100.0, 100.0), 1: (nan, 100.0), 2: (-5.0, 100.0), 3: (0.0, 100.0), 4: (100.0, 100.0)}
    assert fills(run(traded(bars, [(0, 1, 1.0)]))) == [(4, 1.0)]


def test_a_close_that_is_no_number_leaves_the_price_before_it() -> None:
    account = run(traded({0: (100.0, 100.0), 1: (100.0, nan), 2: (104.0, inf)}, [(0, 1, 1.0)]))
    assert account.equity.tolist() == pytest.approx([1000, 1000, 1000, 1040])


def test_without_equity_positions_are_closed_and_none_is_opened() -> None:
    bars = {0: (100.0, 100.0), 1: (100.0, 250.0), 2: (250.0, 250.0), 3: (250.0, 250.0)}
    account = run(traded(bars, [(0, 1, -1.0), (1, 2, -1.0), (2, 3, 1.0)]))
    assert account.quantity[-1, 0] == 0 and account.equity[-1] == pytest.approx(-500)
    assert len(account.fills) == 2 and np.isnan(account.weight[-1, 0])


def test_only_bars_inside_the_range_count() -> None:
    account = run(traded(level(*range(10)), [(m, m + 1, m / 10) for m in range(10)]), start=3, end=6)
    assert account.ts.tolist() == [3 * MIN, 4 * MIN, 5 * MIN, 6 * MIN]
    assert [minute for minute, _ in fills(account)] == [3, 4, 5]
    assert fills(account)[0][1] == pytest.approx(0.2)  # the target current at the first open


def test_no_data_and_no_trades() -> None:
    for account in (run(), run(traded({})), run(traded({}, [(0, 1, 1.0)]))):
        assert account.equity.tolist() == [1000] and len(account.fills) == 0
    idle = run(traded(level(0, 1)))
    assert idle.equity.tolist() == [1000] * 3 and len(idle.fills) == 0


def test_buy_and_hold_spends_an_equal_part_on_each_stream_costs_included() -> None:
    one, two = traded({0: (100.0, 100.0), 1: (100.0, 120.0)}, name="A"), traded({1: (50.0, 100.0)}, name="B")
    free = buy_and_hold([one, two], Costs(), 0, 100 * MIN, capital=1000.0)
    assert free.equity.tolist() == pytest.approx([1000, 1000, 5 * 120 + 10 * 100])
    paid = buy_and_hold([one, two], Costs(fee_bps=100, slippage_bps=100), 0, 100 * MIN, capital=1000.0)
    assert paid.cash[-1] == pytest.approx(0, abs=1e-9)
    assert paid.equity[-1] == pytest.approx(1600 / 1.01 / 1.01)
    assert buy_and_hold([], Costs(), 0, MIN).equity.tolist() == [100_000]


@pytest.mark.parametrize("wrong", [-1, nan, inf, 10_000, True, "5"])
def test_costs_are_refused_with_name_and_value(wrong: object) -> None:
    with pytest.raises(UserError, match=r"Costs: fee_bps .*got"):
        Costs(fee_bps=wrong)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="slippage_bps"):
        Costs(slippage_bps=wrong)  # type: ignore[arg-type]


def test_malformed_streams_are_refused() -> None:
    with pytest.raises(ValueError, match="ascend"):
        traded({1: (1.0, 1.0), 0: (1.0, 1.0)})
    with pytest.raises(ValueError, match="order"):
        traded(level(0), [(0, 2, 1.0), (1, 1, 1.0)])
    with pytest.raises(ValueError, match="twice"):
        run(traded(level(0)), traded(level(0)))
