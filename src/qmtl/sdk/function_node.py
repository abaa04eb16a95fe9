"""Lowering an author's function to the IR: inputs become edges, parameters are hashed with the code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import FunctionType
from typing import Any

from qmtl.core.errors import UserError
from qmtl.core.flow.fingerprint import TOLERANCE, RuntimeCompat
from qmtl.core.graph import ir
from qmtl.core.graph.duration import Duration
from qmtl.sdk.code_identity import code_hash
from qmtl.sdk.declaring import declare
from qmtl.sdk.intervals import refuse_mixture, spelled
from qmtl.sdk.operand import Lane, Operand, node_of
from qmtl.sdk.place import mistake
from qmtl.sdk.plain import plain
from qmtl.sdk.signature import Signature, signature_of
from qmtl.sdk.spread import spread
from qmtl.sdk.window import Windowed, positive_ns, window_of


@dataclass(frozen=True, slots=True)
class Settings:
    """What a node is told beside its function, inputs and parameters."""

    outputs: tuple[str, ...] = ("value",)
    interval: str | int | timedelta | Duration | None = None
    period: int | None = None
    closing: ir.Closing = field(default_factory=ir.Closing)
    vectorized: bool = False
    label: str = ""
    runtime_compat: RuntimeCompat = RuntimeCompat.LOOSE
    tolerance: float = TOLERANCE
    cache: ir.Caching = ir.Caching.AUTO


def function_node(
    function: Callable[..., Any],
    inputs: Mapping[str, object],
    params: Mapping[str, object],
    settings: Settings,
) -> tuple[ir.Node | dict[str, ir.Node], bool]:
    """The node (per member of an explicit panel) and whether it is a panel. The function is not called."""
    signature = signature_of(function)
    seen = {name: _input(name, value, signature, settings) for name, value in inputs.items()}
    effective = signature.effective({name: plain(value, name) for name, value in params.items()})
    if not seen:
        raise mistake(
            f"{signature.name}() has no inputs",
            cure=f"give at least one by keyword: {signature.name}(px=m1.window(30))",
        )
    code = _code(function)

    def build(lanes: list[Lane]) -> ir.Node:
        interval = _interval(signature.name, [node_of(lane) for lane in lanes], settings)
        edges = tuple(
            _edge(name, one, lane, interval, settings.period)
            for (name, one), lane in zip(seen.items(), lanes, strict=True)
        )
        if settings.vectorized:
            _refuse_spans(signature.name, edges, interval)
        return declare(
            ir.Node(
                kind=ir.NodeKind.FUNCTION,
                operator=signature.name,
                interval_ns=interval,
                outputs=settings.outputs,
                edges=edges,
                params=tuple((name, plain(value, name)) for name, value in effective),
                closing=settings.closing,
                code_hash=code,
                function=function,
                wants_watermark=signature.wants_watermark,
                vectorized=settings.vectorized,
                label=settings.label,
                meta={
                    "runtime_compat": settings.runtime_compat,
                    "tolerance": settings.tolerance,
                    "cache": settings.cache,
                },
            )
        )

    return spread([one.operand for one in seen.values()], build)


def _refuse_spans(name: str, edges: tuple[ir.Edge, ...], interval: int) -> None:
    """A vectorized function takes windows of as many rows each, so that they make one array."""
    for edge in edges:
        if edge.window.rows is None or edge.node.interval_ns != interval:
            raise mistake(
                f"{name}() is vectorized, but its input {edge.name!r} is not a window of rows of its own interval",
                value=edge.name,
                cure=f"give {edge.name} as .window(30), or leave out vectorized=True",
            )


def _code(function: Callable[..., Any]) -> str:
    """The hash of its code without its own defaults: they are among the effective parameters."""
    if isinstance(function, FunctionType):
        function = FunctionType(
            function.__code__, function.__globals__, function.__name__, None, function.__closure__
        )
    try:
        return code_hash(function)
    except UserError as error:
        what = f"{error.place}: {error.message}"
        raise mistake(what, value=error.value, cure=error.cure) from None


def _input(name: str, value: object, signature: Signature, settings: Settings) -> Windowed:
    if name in signature.parameters:
        raise mistake(
            f"{name!r} is a parameter of {signature.name}(), not an input",
            value=value,
            cure="inputs come with the view: give the series under another keyword and read it as view.NAME",
        )
    if not isinstance(name, str) or not name or name.startswith("_"):
        raise mistake(
            "an input's name is its keyword in the view", value=name, cure="use a plain name, such as px"
        )
    if isinstance(value, Windowed):
        return value
    if isinstance(value, Operand):
        return Windowed(value, window_of(settings.period or _period(value)))
    raise mistake(
        f"the input {name!r} of {signature.name}() is neither a series, a stream nor a window",
        value=value,
        cure="give m1, m1.close or m1.window(30); plain values are parameters, declared in the signature: "
        f"def {signature.name}(view, *, {name})",
    )


def _period(operand: Operand[Any, Any]) -> int:
    """The period of a tag query read directly; 1 for everything else."""
    if isinstance(operand.lanes, Mapping):
        return 1
    node = node_of(operand.lanes)
    if node.kind is ir.NodeKind.SELECT:
        node = node.edges[0].node
    return int(dict(node.params)["period"]) if node.kind is ir.NodeKind.QUERY else 1


def _interval(name: str, nodes: list[ir.Node], settings: Settings) -> int:
    """Its own interval: the one named, else the finest of its inputs."""
    known = [node.interval_ns for node in nodes if node.interval_ns is not None]
    if settings.interval is not None:
        own = positive_ns(settings.interval, "interval")
        for one in known:
            refuse_mixture((own, one), f"{name}() at {spelled(own)}")
        return own
    if len(known) < len(nodes):
        raise mistake(f"{name}() reads ticks and so needs an interval of its own", cure='interval="1m"')
    refuse_mixture(known, f"{name}()")
    return min(known)


def _edge(name: str, one: Windowed, lane: Lane, interval: int, period: int | None) -> ir.Edge:
    node, window = node_of(lane), one.window
    if node.interval_ns is None and window.rows is not None:
        window = ir.Window(rows=None, span_ns=window.rows * interval)
    single = isinstance(lane, ir.Column)
    columns = (lane.column,) if isinstance(lane, ir.Column) else node.outputs
    return ir.Edge(name, node, columns, window, one.required, one.complete, single)
