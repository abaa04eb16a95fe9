"""Coarser bars of finer ones, and bars of ticks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TypeVar, cast

from qmtl.core.graph import ir
from qmtl.core.graph.duration import Duration
from qmtl.sdk.apply import bound_operator
from qmtl.sdk.columns import described
from qmtl.sdk.declaring import declare
from qmtl.sdk.intervals import spelled
from qmtl.sdk.operand import Lane, node_of
from qmtl.sdk.place import did_you_mean, mistake
from qmtl.sdk.spread import result_of
from qmtl.sdk.window import Windows, positive_ns

One = TypeVar("One")
Many = TypeVar("Many")

METHODS = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}


class Shaping(Windows[One, Many]):
    """What changes a stream's interval."""

    __slots__ = ()

    def resample(self, interval: str | int | timedelta | Duration) -> Many:
        """Bars of a coarser interval: first open, highest high, lowest low, last close, summed volume.

        Of columns with other names the last value is kept.
        """
        length = positive_ns(interval, "interval")

        def build(lanes: list[Lane]) -> ir.Node:
            node = node_of(lanes[0])
            _coarser(node, length)
            return _bars(
                node, length, node.outputs, node.outputs, [METHODS.get(name, "last") for name in node.outputs]
            )

        return cast(Many, result_of([self], build))

    def bars(
        self, interval: str | int | timedelta | Duration, *, price: str = "price", amount: str = "amount"
    ) -> Many:
        """Bars of ticks: open, high, low and close of the column `price`, as volume the sum of `amount`."""
        length = positive_ns(interval, "interval")

        def build(lanes: list[Lane]) -> ir.Node:
            node = node_of(lanes[0])
            if node.interval_ns is not None:
                raise mistake(
                    f"{described(node)} has bars of {spelled(node.interval_ns)} already",
                    cure=f".resample({str(interval)!r})",
                )
            columns = [_tick_column(node, "price", price)] * 4 + [_tick_column(node, "amount", amount)]
            return _bars(node, length, columns, tuple(METHODS), list(METHODS.values()))

        return cast(Many, result_of([self], build))


def _coarser(node: ir.Node, length: int) -> None:
    if node.interval_ns is None:
        raise mistake(f"{described(node)} has ticks, not bars", cure=f'.bars("{spelled(length)}")')
    if length <= node.interval_ns or length % node.interval_ns:
        raise mistake(
            f"bars of {spelled(node.interval_ns)} cannot become bars of {spelled(length)}",
            cure=f"choose a multiple, for example {spelled(5 * node.interval_ns)}",
        )


def _tick_column(node: ir.Node, role: str, name: str) -> str:
    if name in node.outputs:
        return name
    cure = f"name the column: .bars(…, {role}={node.outputs[0]!r}); {did_you_mean(name, node.outputs)}"
    raise mistake(f"{described(node)} has no column {name!r}", cure=cure)


def _bars(
    node: ir.Node, length: int, columns: Sequence[str], outputs: tuple[str, ...], methods: Sequence[str]
) -> ir.Node:
    """A bar per bucket: it reads what lies in the bucket, in time."""
    operator, params, kernel = bound_operator("resample", {"methods": ",".join(methods)})
    window = ir.Window(rows=None, span_ns=length)
    return declare(
        ir.Node(
            kind=ir.NodeKind.OPERATOR,
            operator=operator.name,
            interval_ns=length,
            outputs=outputs,
            edges=(ir.Edge("bars", node, tuple(columns), window),),
            params=params,
            kernel=kernel,
        )
    )
