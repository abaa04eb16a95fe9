"""Lowering a built-in operator to the IR: which interval its result has and what each edge shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qmtl.core.errors import UserError
from qmtl.core.flow.kernel import Kernel, KernelKind
from qmtl.core.graph import ir
from qmtl.core.graph.bundle import bundled
from qmtl.ops.registry import Operator, bind
from qmtl.sdk.columns import described, known_column
from qmtl.sdk.declaring import declare
from qmtl.sdk.intervals import finest
from qmtl.sdk.operand import Lane, Operand
from qmtl.sdk.place import mistake
from qmtl.sdk.plain import unwrapped
from qmtl.sdk.spread import result_of

ALIGN = "align"


def apply(name: str, operands: tuple[object, ...], params: Mapping[str, object]) -> Any:
    """The author's object for an operator over series, one per input, or over the columns of one stream."""
    operator, bound, kernel = bound_operator(name, params)
    checked = [_operand(operator, at, one) for at, one in enumerate(operands)]

    def build(lanes: list[Lane]) -> ir.Node:
        return _node(operator, bound, kernel, _inputs(operator, lanes))

    return result_of(checked, build)


def bound_operator(
    name: str, params: Mapping[str, object]
) -> tuple[Operator, tuple[tuple[str, Any], ...], Kernel]:
    """An operator with its parameters checked; a wrong one is refused at the author's line."""
    try:
        return bind(name, {key: unwrapped(value) for key, value in params.items()})
    except UserError as error:
        what = f"{error.place or name}: {error.message}"
        raise mistake(what, value=error.value, cure=error.cure) from None


def _operand(operator: Operator, at: int, value: object) -> Operand[Any, Any]:
    if isinstance(value, Operand):
        return value
    name = operator.inputs[at] if at < len(operator.inputs) else "its input"
    raise mistake(
        f"{operator.name}: {name} is not a series",
        value=value,
        cure="give a column such as btc.close; numbers are parameters",
    )


def _inputs(operator: Operator, lanes: list[Lane]) -> list[ir.Column]:
    """A column for each of the operator's inputs: the operands themselves, or a stream's columns by name."""
    if len(lanes) == 1 and isinstance(lanes[0], ir.Node) and not _reads_one(operator):
        return [ir.Column(lanes[0], known_column(lanes[0], column)) for column in operator.inputs]
    return [_single(operator, lane) for lane in lanes]


def _reads_one(operator: Operator) -> bool:
    return len(operator.inputs) == 1


def _single(operator: Operator, lane: Lane) -> ir.Column:
    if isinstance(lane, ir.Column):
        return lane
    raise mistake(
        f"{operator.name} reads one series, and {described(lane)} has {len(lane.outputs)} columns",
        value=lane.outputs,
        cure=f"choose one: .{lane.outputs[0]}",
    )


def _node(
    operator: Operator, params: tuple[tuple[str, Any], ...], kernel: Kernel, inputs: list[ir.Column]
) -> ir.Node:
    interval = finest([one.node for one in inputs], operator.name)
    if kernel.kind is not KernelKind.MAP:
        inputs = _aligned(inputs, interval)
    edges = bundled(
        ir.Edge(name, one.node, (one.column,), _window(one.node, interval, kernel.rows))
        for name, one in zip(operator.inputs, inputs, strict=True)
    )
    return declare(
        ir.Node(
            kind=ir.NodeKind.OPERATOR,
            operator=operator.name,
            interval_ns=interval,
            outputs=operator.outputs,
            edges=edges,
            params=params,
            kernel=kernel,
        )
    )


def _window(node: ir.Node, interval: int, rows: int) -> ir.Window:
    """Its own inputs show what the kernel needs; a coarser one its latest bar."""
    return ir.Window(rows=rows if node.interval_ns == interval else 1)


def _aligned(inputs: list[ir.Column], interval: int) -> list[ir.Column]:
    """Coarser inputs as of each row of the finest one, so that windows count rows of one interval."""
    clock = next(one for one in inputs if one.node.interval_ns == interval)
    return [one if one.node.interval_ns == interval else _align(one, clock) for one in inputs]


def _align(coarse: ir.Column, clock: ir.Column) -> ir.Column:
    operator, params, kernel = bind(ALIGN, {})
    node = _node(operator, params, kernel, [coarse, clock])
    return ir.Column(node, node.outputs[0])
