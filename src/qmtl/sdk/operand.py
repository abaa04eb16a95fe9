"""What operators act on: a column or a whole node, of one lane or of the lanes of a panel.

Four classes say which: ``Series`` (one column), ``Stream`` (a node's columns), ``Panel`` and ``PanelStream``
(the same over many lanes). A panel is either *lifted* (one IR node that stands for all members of a tag
query) or *explicit* (members by name); operators treat both alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar, cast

from qmtl.core.graph import ir

Lane: TypeAlias = ir.Column | ir.Node
Lanes: TypeAlias = Lane | Mapping[str, Lane]

One = TypeVar("One")
Many = TypeVar("Many")

_SHAPES: dict[tuple[bool, bool], type[Operand[Any, Any]]] = {}


class Operand(Generic[One, Many]):
    """Base of everything an author computes with; `lanes` is what it denotes in the IR."""

    __slots__ = ("_lanes",)
    _lanes: Lanes
    is_panel: ClassVar[bool] = False
    is_stream: ClassVar[bool] = False

    def __init_subclass__(cls, *, panel: bool | None = None, stream: bool | None = None) -> None:
        super().__init_subclass__()
        if panel is not None and stream is not None:
            cls.is_panel, cls.is_stream = panel, stream
            _SHAPES[panel, stream] = cls

    @property
    def lanes(self) -> Lanes:
        """What it denotes: a column or a node of the IR, or one per member of an explicit panel."""
        return self._lanes


def wrap(lanes: Lanes, *, panel: bool) -> Any:
    """The author's object for what a lowering made."""
    sample = next(iter(lanes.values())) if isinstance(lanes, Mapping) else lanes
    shape = _SHAPES[panel, isinstance(sample, ir.Node)]
    made = object.__new__(shape)
    made._lanes = lanes
    return made


def wrap_node(node: ir.Node | Mapping[str, ir.Node], *, panel: bool) -> Any:
    """The author's object for a computed node: one output acts as a series, several as a stream."""
    if isinstance(node, ir.Node):
        return wrap(_result(node), panel=panel)
    return wrap({name: _result(one) for name, one in node.items()}, panel=True)


def _result(node: ir.Node) -> Lane:
    return ir.Column(node, node.outputs[0]) if len(node.outputs) == 1 else node


def lane_of(operand: Operand[Any, Any]) -> Lane:
    """The lane of an operand that is no explicit panel."""
    return cast(Lane, operand.lanes)


def node_of(lane: Lane) -> ir.Node:
    """The IR node a lane belongs to."""
    return lane if isinstance(lane, ir.Node) else lane.node
