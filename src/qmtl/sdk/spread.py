"""Building over panels: one IR node for a lifted panel, one per member for an explicit one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qmtl.core.graph import ir
from qmtl.sdk.operand import Lane, Operand, wrap_node
from qmtl.sdk.place import mistake

Build = Callable[[list[Lane]], ir.Node]


def spread(operands: Sequence[Operand[Any, Any]], build: Build) -> tuple[ir.Node | dict[str, ir.Node], bool]:
    """What `build` makes of the operands, per member where a panel is explicit; and whether it is a panel."""
    lifted = any(one.is_panel and not isinstance(one.lanes, Mapping) for one in operands)
    explicit = [one.lanes for one in operands if isinstance(one.lanes, Mapping)]
    if not explicit:
        return build([_lane(one, "") for one in operands]), lifted
    if lifted:
        raise mistake(
            "a panel of named members and the panel of a tag query meet in one expression",
            cure="make both the same way: a tag query's members are known only when it is resolved",
        )
    members = sorted(explicit[0])
    for other in explicit[1:]:
        if sorted(other) != members:
            odd = sorted(set(other) ^ set(members))
            raise mistake(
                f"the panels have different members: {', '.join(odd)} stand only in one of them",
                cure="build both panels from the same names",
            )
    return {name: build([_lane(one, name) for one in operands]) for name in members}, True


def result_of(operands: Sequence[Operand[Any, Any]], build: Build) -> Any:
    """The author's object for what `build` makes."""
    made, panel = spread(operands, build)
    return wrap_node(made, panel=panel)


def _lane(operand: Operand[Any, Any], member: str) -> Lane:
    lanes = operand.lanes
    return lanes[member] if isinstance(lanes, Mapping) else lanes
