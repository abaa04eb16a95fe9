"""`Series`: Python's operators, methods, and what a series refuses to be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qmtl.core.errors import UserError
from qmtl.core.graph import ir
from qmtl.core.graph.duration import Duration
from qmtl.sdk.operators import maximum, minimum, where
from qmtl.sdk.series import Series
from qmtl.sdk.stream import Stream, StreamInput

M1 = StreamInput("BTC", interval="1m")
M5 = StreamInput("BTC", interval="5m")
X, Y = M1.close, M1.open


def made(value: Any) -> ir.Node:
    lanes = value.lanes
    return lanes if isinstance(lanes, ir.Node) else lanes.node  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("built", "operator"),
    [
        (X + Y, "add"),
        (X - Y, "sub"),
        (X * Y, "mul"),
        (X / Y, "div"),
        (X**Y, "pow"),
        (X % Y, "mod"),
        (X < Y, "lt"),
        (X <= Y, "le"),
        (X > Y, "gt"),
        (X >= Y, "ge"),
        (X & Y, "and"),
        (X | Y, "or"),
        (X.eq(Y), "eq"),
        (X.ne(Y), "ne"),
        (-X, "neg"),
        (abs(X), "abs"),
        (~X, "invert"),
        (minimum(X, Y), "minimum"),
        (maximum(X, Y), "maximum"),
        (X + 1, "add_scalar"),
        (1 + X, "add_scalar"),
        (X - 1, "sub_scalar"),
        (1 - X, "sub_rscalar"),
        (2 / X, "div_rscalar"),
        (2**X, "pow_rscalar"),
        (2 % X, "mod_rscalar"),
        (2 * X, "mul_scalar"),
        (X > 1, "gt_scalar"),
        (1 & X, "and_scalar"),
        (0 | X, "or_scalar"),
        (minimum(1, X), "minimum_scalar"),
        (X.eq(3), "eq_scalar"),
    ],
)
def test_an_expression_is_an_operator(built: Series, operator: str) -> None:
    assert isinstance(built, Series)
    assert made(built).operator == operator


def test_a_constant_keeps_its_value_and_sign() -> None:
    assert made(1 - X).params == (("value", 1.0),)
    assert str(made(X + -0.0).params[0][1]) == "-0.0"


@pytest.mark.parametrize(
    "use",
    [
        bool,
        len,
        list,
        lambda x: X.close if x else None,
        lambda x: x and X,
        lambda x: not x,
        lambda x: 0 < x < 1,
        lambda x: x == 3,
    ],
)
def test_a_series_is_no_value(use: Callable[[Series], Any]) -> None:
    with pytest.raises((UserError, AttributeError), match=r"test_series.py:\d+: "):
        use(X)


def test_truth_is_refused_with_the_cure() -> None:
    with pytest.raises(UserError, match=r"where\(condition, a, b\).*& \| ~"):
        bool(X > 1)


def test_a_series_is_itself_and_hashable() -> None:
    assert X == X
    assert len({X, X, Y}) == 2
    assert X in [Y, X][1:]


@pytest.mark.parametrize("wrong", ["1", None, [1.0], M1])
def test_what_is_no_series_and_no_number_is_refused(wrong: Any) -> None:
    with pytest.raises(UserError, match="series"):
        X + wrong


def test_operators_are_typed_methods() -> None:
    ema = X.ema(12)
    assert isinstance(ema, Series)
    assert made(ema).params[0] == ("n", 12)
    macd = X.macd(12, 26, 9)
    assert isinstance(macd, Stream)
    assert isinstance(macd.signal, Series)
    assert "macd" in dir(macd)


def test_a_window_operator_shows_its_rows() -> None:
    assert [edge.window for edge in made(X.sma(20)).edges] == [ir.Window(rows=20)]


def test_stream_operators_read_columns_by_name_as_one_edge() -> None:
    (edge,) = made(M1.atr(14)).edges
    assert edge.node is M1.lanes
    assert edge.columns == ("high", "low", "close")
    with pytest.raises(UserError, match="has no column 'high'"):
        StreamInput("BTC", interval="1m", fields=("close",)).atr(14)


def test_a_wrong_parameter_is_refused_at_the_authors_line() -> None:
    with pytest.raises(UserError, match=r"test_series.py:\d+: .*ema"):
        X.ema(0)
    with pytest.raises(UserError, match=r"test_series.py:\d+: .*ema"):
        X.ema("12")  # type: ignore[arg-type]


def test_the_finer_interval_wins_and_the_coarser_is_an_edge_of_its_own() -> None:
    mixed = X - M5.close
    assert mixed.interval == Duration("1m")
    assert [(edge.node, edge.window) for edge in made(mixed).edges] == [
        (M1.lanes, ir.Window(rows=1)),
        (M5.lanes, ir.Window(rows=1)),
    ]


def test_windows_over_mixed_intervals_are_aligned_first() -> None:
    node = made(M5.close.corr(X, 20))
    aligned, own = node.edges
    assert (aligned.node.operator, aligned.node.interval_ns, aligned.window.rows) == ("align", 60 * ir.NS, 20)
    assert [edge.node for edge in aligned.node.edges] == [M5.lanes, M1.lanes]
    assert own.node is M1.lanes
    assert made(M5.close.corr(X, 20)).node_id == node.node_id


def test_intervals_that_do_not_divide_are_refused_naming_both() -> None:
    with pytest.raises(UserError, match=r"test_series.py:\d+: sub mixes the intervals 2m and 3m"):
        StreamInput("A", interval="2m").close - StreamInput("B", interval="3m").close


def test_ticks_are_refused_with_the_cure() -> None:
    with pytest.raises(UserError, match=r'ticks of .BTC.*ticks.bars\("1m"\)'):
        StreamInput("BTC").price.ema(3)


def test_where_takes_series_and_numbers_on_either_side() -> None:
    for built in (
        where(X > 1, X, Y),
        where(X > 1, 1.0, Y),
        where(X > 1, X, 0),
        where(X > 1, 1, 0),
        where(X > 1, X),
        where(X > 1, 1),
    ):
        assert isinstance(built, Series)
    with pytest.raises(UserError, match="condition"):
        where(True, X, Y)  # type: ignore[call-overload]


def test_resample_gives_a_stream_of_coarser_bars() -> None:
    m5 = M1.resample("5m")
    assert isinstance(m5, Stream)
    assert (m5.interval, m5.columns) == (Duration("5m"), M1.columns)
    assert made(m5).edges[0].node is M1.lanes


@pytest.mark.parametrize("interval", ["1m", "90s", "30s"])
def test_resampling_to_what_is_no_coarser_multiple_is_refused(interval: str) -> None:
    with pytest.raises(UserError, match="1m"):
        M1.resample(interval)


def test_ticks_become_bars() -> None:
    bars = StreamInput("BTC").bars("1m")
    assert isinstance(bars, Stream)
    assert bars.columns == ("open", "high", "low", "close", "volume")
    assert made(bars).edges[0].columns == ("price", "price", "price", "price", "amount")
    custom = StreamInput("BTC", fields=("p", "q")).bars("1m", price="p", amount="q")
    assert made(custom).edges[0].columns == ("p", "p", "p", "p", "q")
    with pytest.raises(UserError, match="no column 'price'.*price="):
        StreamInput("BTC", fields=("p", "q")).bars("1m")
