"""`Strategy`: what an author writes, and `build`, which turns it into a graph without running anything."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from qmtl.core.flow.fingerprint import RuntimeCompat
from qmtl.core.graph import ir
from qmtl.core.graph.lint import lint
from qmtl.sdk.choice import choice
from qmtl.sdk.declaring import definition
from qmtl.sdk.operand import Lanes, Operand
from qmtl.sdk.panel import Panel, PanelStream
from qmtl.sdk.parameters import parameters_of, parse_values, values_of
from qmtl.sdk.place import author_place, mistake
from qmtl.sdk.series import Series, Stream


@dataclass(slots=True)
class _Declared:
    """What one call of `define` has named so far."""

    outputs: dict[str, ir.Column] = field(default_factory=dict)
    targets: dict[str, tuple[ir.Node, ir.Column]] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)


class Strategy:
    """A strategy: annotated class attributes are its parameters, `define` says what is computed.

    Parameters are given by keyword (`Trend(fast=8)`) and checked against their annotations. With
    ``runtime_compat = "strict"`` (no annotation) its nodes use nothing that another runtime computed.
    """

    runtime_compat = "loose"

    _declared: _Declared | None = None
    _given: Mapping[str, Any] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in inspect.get_annotations(cls):
            if hasattr(Strategy, name) and not name.startswith("_"):
                raise mistake(
                    f"{cls.__name__} has a parameter {name!r}, which is a method", cure="rename the parameter"
                )

    def __init__(self, **parameters: Any) -> None:
        for name, value in values_of(type(self), parameters).items():
            setattr(self, name, value)
        self._given = dict(parameters)

    def define(self) -> None:
        """Declare streams, nodes, targets and outputs. Called once per build; it runs nothing."""
        raise mistake(f"{type(self).__name__} defines nothing", cure="write its method define(self)")

    def target(self, stream: Stream | PanelStream, series: Series | Panel) -> None:
        """Trade `stream` to the weight `series`: a share of equity, decided as each of its buckets closes."""
        declared = self._open("target")
        traded = self._traded(stream)
        if isinstance(traded, Mapping) or isinstance(stream, PanelStream) != isinstance(series, Panel):
            raise mistake(
                "a target has one weight per stream",
                cure='give a panel of weights for the streams of a tag query, or choose one: panel["BTC"]',
            )
        name = traded.stream or ""
        self._once(f"target of {name}", "a stream has one target: combine the weights into one series")
        declared.targets[name] = (traded, self._column(series, f"the target of {name!r}"))

    def output(self, name: str, series: Series | Panel) -> None:
        """Name a series as a result; of a panel every member is one, `name[BTC]`."""
        declared = self._open("output")
        if not isinstance(name, str) or not name.strip():
            raise mistake("an output's name is a text", value=name, cure='self.output("score", series)')
        if isinstance(series, Panel) and isinstance(series.lanes, Mapping):
            for member in series.members:
                self.output(f"{name}[{member}]", series[member])
            return
        self._once(f"output {name}", "give each output a name of its own")
        declared.outputs[name] = self._column(series, f"the output {name!r}")

    @classmethod
    def parse_parameters(cls, texts: Mapping[str, str]) -> dict[str, Any]:
        """Parameters given as text, read by their annotated types: `{"fast": "8"}` → `{"fast": 8}`."""
        return parse_values(cls, texts)

    @classmethod
    def parameter_names(cls) -> tuple[str, ...]:
        """The names of its parameters, in the order they are annotated."""
        return tuple(parameters_of(cls))

    @property
    def parameters(self) -> dict[str, Any]:
        """Its parameters and their values."""
        return {name: getattr(self, name) for name in parameters_of(type(self))}

    def with_parameters(self, **changed: Any) -> Self:
        """The same strategy with some parameters changed."""
        return type(self)(**{**self._given, **changed})

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._given)
        return f"{type(self).__name__}({given})" if given else type(self).__name__

    def _open(self, what: str) -> _Declared:
        if self._declared is None:
            raise mistake(
                f"self.{what}() was called outside define()", cure="declare it in the strategy's define()"
            )
        return self._declared

    def _once(self, key: str, cure: str) -> None:
        places = self._open("output").places
        if key in places:
            raise mistake(f"the {key} was declared before, at {places[key]}", cure=cure)
        places[key] = author_place()

    @staticmethod
    def _traded(stream: object) -> ir.Node:
        lanes = stream.lanes if isinstance(stream, Stream | PanelStream) else None
        if isinstance(lanes, ir.Node):
            source = lanes.edges[0].node if lanes.kind is ir.NodeKind.SELECT else lanes
            if source.kind in (ir.NodeKind.BARS, ir.NodeKind.QUERY):
                return lanes
        raise mistake(
            "only a source stream of bars can be traded",
            value=stream,
            cure='self.target(StreamInput("BTC", interval="1m"), weight): fills happen at its bars\' opens',
        )

    @staticmethod
    def _column(series: object, what: str) -> ir.Column:
        lanes: Lanes | None = series.lanes if isinstance(series, Operand) else None
        if isinstance(lanes, ir.Column):
            return lanes
        if isinstance(lanes, ir.Node):
            raise mistake(
                f"{what} is one series, not a stream of {len(lanes.outputs)} columns",
                value=series,
                cure=f"choose one: .{lanes.outputs[0]}",
            )
        raise mistake(
            f"{what} is not a series",
            value=series,
            cure="a constant is written where(btc.close > 0, 1.0, 1.0)",
        )


AnyStrategy = TypeVar("AnyStrategy", bound=Strategy)


def build(strategy: Strategy) -> ir.Graph:
    """The graph a strategy defines, checked. Nothing runs; the same strategy gives the same ids."""
    if isinstance(strategy, type):
        raise mistake("a strategy's class was given", value=strategy, cure=f"make one: {strategy.__name__}()")
    if not isinstance(strategy, Strategy):
        raise mistake(
            "not a strategy", value=strategy, cure="derive a class from Strategy and give an instance"
        )
    declared = _Declared()
    strategy._declared = declared
    try:
        with definition() as nodes:
            strategy.define()
    finally:
        strategy._declared = None
    graph = ir.Graph(
        name=repr(strategy),
        outputs=declared.outputs,
        targets=declared.targets,
        declared=tuple(nodes),
        params=tuple(sorted(strategy.parameters.items())),
    )
    if choice(RuntimeCompat, strategy.runtime_compat, "runtime_compat") is RuntimeCompat.STRICT:
        for node in nodes:
            if "tolerance" in node.meta:
                node.meta["runtime_compat"] = RuntimeCompat.STRICT
    lint(graph)
    return graph
