"""`@node` and `Node`: an author's function as a node of the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, Literal, Never, ParamSpec, TypeVar, cast, overload

from qmtl.core.flow.fingerprint import TOLERANCE, RuntimeCompat
from qmtl.core.graph import ir
from qmtl.core.graph.duration import Duration
from qmtl.sdk.choice import choice, misplaced
from qmtl.sdk.columns import Columns
from qmtl.sdk.function_node import Settings, function_node
from qmtl.sdk.operand import Operand, wrap, wrap_node
from qmtl.sdk.place import mistake
from qmtl.sdk.series import Series, Stream
from qmtl.sdk.window import Windowed

P = ParamSpec("P")
R = TypeVar("R")

Time = str | int | timedelta | Duration
OnMissing = ir.OnMissing | Literal["skip", "fail"]
AllIdle = ir.AllIdle | Literal["flush", "hold"]
CoarseFrontier = ir.CoarseFrontier | Literal["structural", "strict"]
Cache = ir.Caching | Literal["auto", "always", "never"]
Compat = RuntimeCompat | Literal["loose", "strict"]

_SETTINGS = (
    "outputs",
    "interval",
    "period",
    "on_missing",
    "all_idle",
    "coarse_frontier",
    "vectorized",
    "label",
    "runtime_compat",
    "tolerance",
    "cache",
)


class Node(Columns[Series], Series):
    """An author's function over its inputs. With one output it acts as a series; `node.score` is a column.

    compute_fn       `(view)` or `(view, watermark)`, then parameters by keyword; not called when defined
    inputs           keyword → series, stream or window: what `view.KEYWORD` shows
    params           keyword → plain value
    outputs          names of the columns it returns (a number, or a mapping or tuple of them)
    interval         its own; default: the finest of its inputs
    period           rows of inputs given without a window
    on_missing       `"skip"` records a gap where a required input is missing, `"fail"` halts the node
    all_idle         `"flush"` or `"hold"` its watermark when all inputs are idle
    coarse_frontier  `"structural"`: do not wait for a coarser bar that cannot have ended; `"strict"`: wait
    vectorized       called once for several rows: windows of shape (rows, period), an array of one number per row
                     for each output; inputs are windows of rows of its own interval
    runtime_compat   `"loose"`: what another runtime computed may be used once a sample has agreed; `"strict"`: never
    tolerance        by how much, relatively, two runtimes may differ
    cache            `"auto"` keeps results that took longer than reading them takes, `"always"` all, `"never"` none;
                     like the two before it is no part of the node's id
    """

    __slots__ = ()

    def __new__(
        cls,
        compute_fn: Callable[..., Any],
        inputs: Mapping[str, Operand[Any, Any] | Windowed],
        params: Mapping[str, Any] | None = None,
        *,
        outputs: str | Iterable[str] = ("value",),
        interval: Time | None = None,
        period: int | None = None,
        on_missing: OnMissing = "skip",
        all_idle: AllIdle = "flush",
        coarse_frontier: CoarseFrontier = "structural",
        vectorized: bool = False,
        label: str = "",
        runtime_compat: Compat = "loose",
        tolerance: float = TOLERANCE,
        cache: Cache = "auto",
        **elsewhere: Never,
    ) -> Node:
        if elsewhere:
            raise misplaced(elsewhere, "Node", _SETTINGS)
        function = compute_fn.function if isinstance(compute_fn, NodeFunction) else compute_fn
        closing = ir.Closing(
            choice(ir.OnMissing, on_missing, "on_missing"),
            choice(ir.AllIdle, all_idle, "all_idle"),
            choice(ir.CoarseFrontier, coarse_frontier, "coarse_frontier"),
        )
        compat = choice(RuntimeCompat, runtime_compat, "runtime_compat")
        if not 0.0 <= tolerance < 1.0:
            raise mistake("a tolerance is relative", value=tolerance, cure="for example 1e-9")
        caching = choice(ir.Caching, cache, "cache")
        given = (interval, period, closing, vectorized, label, compat, tolerance, caching)
        settings = Settings(_names(outputs), *given)
        return _built(function, inputs, params or {}, settings)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Built by `__new__`: over a panel the result is a panel."""

    @property
    def stream(self) -> Stream:
        """All its outputs as one stream; where it has one only, the node itself is that series."""
        if len(self.columns) == 1:
            raise mistake("a node of one output is a series, not a stream", cure="use the node itself")
        return cast(Stream, wrap(self._node(), panel=False))

    def _node(self) -> ir.Node:
        lanes = self._lanes
        assert not isinstance(lanes, Mapping)
        return lanes if isinstance(lanes, ir.Node) else lanes.node


@dataclass(frozen=True)
class NodeFunction(Generic[P, R]):
    """What `@node` makes of a function: called with inputs and parameters by keyword, it builds a node."""

    function: Callable[P, R]
    settings: Mapping[str, Any]

    def __call__(self, **inputs_and_parameters: Any) -> Node:
        """Build a node: series, streams and windows are its inputs, the rest its parameters or settings."""
        inputs, params, settings = {}, {}, dict(self.settings)
        for name, value in inputs_and_parameters.items():
            if isinstance(value, Operand | Windowed):
                inputs[name] = value
            elif name in _SETTINGS and name not in self._parameters():
                settings[name] = value
            else:
                params[name] = value
        return Node(self.function, inputs, params, **settings)

    @property
    def __name__(self) -> str:
        return getattr(self.function, "__name__", "node")

    @property
    def __wrapped__(self) -> Callable[P, R]:
        return self.function

    def _parameters(self) -> tuple[str, ...]:
        code = getattr(self.function, "__code__", None)
        return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] if code else ()


@overload
def node(function: Callable[P, R], /) -> NodeFunction[P, R]: ...
@overload
def node(
    *,
    outputs: str | Iterable[str] = ("value",),
    vectorized: bool = False,
    interval: Time | None = None,
    period: int | None = None,
    on_missing: OnMissing = "skip",
    all_idle: AllIdle = "flush",
    coarse_frontier: CoarseFrontier = "structural",
    label: str = "",
    runtime_compat: Compat = "loose",
    tolerance: float = TOLERANCE,
    cache: Cache = "auto",
) -> Callable[[Callable[P, R]], NodeFunction[P, R]]: ...
def node(function: Callable[..., Any] | None = None, /, **settings: Any) -> Any:
    """Make an author's function a node: `@node(outputs=("score",))`; settings are those of :class:`Node`."""
    unknown = [name for name in settings if name not in _SETTINGS]
    if unknown:
        raise misplaced(unknown, "@node", _SETTINGS)
    if function is not None:
        return NodeFunction(function, settings)
    return lambda decorated: NodeFunction(decorated, settings)


def _built(
    function: Callable[..., Any],
    inputs: Mapping[str, object],
    params: Mapping[str, object],
    settings: Settings,
) -> Node:
    made, panel = function_node(function, inputs, params, settings)
    if panel or isinstance(made, dict):
        return cast(Node, wrap_node(made, panel=True))
    result = object.__new__(Node)
    result._lanes = ir.Column(made, made.outputs[0]) if len(made.outputs) == 1 else made
    return result


def _names(outputs: str | Iterable[str]) -> tuple[str, ...]:
    names = (outputs,) if isinstance(outputs, str) else tuple(outputs)
    for name in names:
        if not isinstance(name, str) or not name.isidentifier():
            raise mistake(
                "an output's name is not a plain Python name", value=name, cure='outputs=("score",)'
            )
    if not names or len(set(names)) < len(names):
        raise mistake("outputs must be named, each once", value=names, cure='outputs=("score", "weight")')
    return names
