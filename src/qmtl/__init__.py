"""qmtl: strategies as a global graph of time-series nodes, each computed once.

Names are loaded when first used, so that `import qmtl` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qmtl.core.control.costs import Costs as Costs
    from qmtl.core.errors import QmtlError as QmtlError
    from qmtl.core.errors import UserError as UserError
    from qmtl.core.flow.event import ClockTick as ClockTick
    from qmtl.core.flow.event import Event as Event
    from qmtl.core.graph.duration import Duration as Duration
    from qmtl.sdk import cross as cross
    from qmtl.sdk.catalog import Catalog as Catalog
    from qmtl.sdk.grid import grid as grid
    from qmtl.sdk.node import Node as Node
    from qmtl.sdk.node import node as node
    from qmtl.sdk.operators import maximum as maximum
    from qmtl.sdk.operators import minimum as minimum
    from qmtl.sdk.operators import where as where
    from qmtl.sdk.panel import Panel as Panel
    from qmtl.sdk.runner import Runner as Runner
    from qmtl.sdk.series import Series as Series
    from qmtl.sdk.strategy import Strategy as Strategy
    from qmtl.sdk.stream import StreamInput as StreamInput
    from qmtl.sdk.tag_query import TagQueryNode as TagQueryNode

_HOMES = {
    "Catalog": "qmtl.sdk.catalog",
    "ClockTick": "qmtl.core.flow.event",
    "Costs": "qmtl.core.control.costs",
    "Duration": "qmtl.core.graph.duration",
    "Event": "qmtl.core.flow.event",
    "Node": "qmtl.sdk.node",
    "Panel": "qmtl.sdk.panel",
    "QmtlError": "qmtl.core.errors",
    "Runner": "qmtl.sdk.runner",
    "Series": "qmtl.sdk.series",
    "Strategy": "qmtl.sdk.strategy",
    "StreamInput": "qmtl.sdk.stream",
    "TagQueryNode": "qmtl.sdk.tag_query",
    "UserError": "qmtl.core.errors",
    "cross": "qmtl.sdk.cross",
    "grid": "qmtl.sdk.grid",
    "maximum": "qmtl.sdk.operators",
    "minimum": "qmtl.sdk.operators",
    "node": "qmtl.sdk.node",
    "where": "qmtl.sdk.operators",
}
_MODULES = frozenset({"cross"})

__all__ = [
    "Catalog",
    "ClockTick",
    "Costs",
    "Duration",
    "Event",
    "Node",
    "Panel",
    "QmtlError",
    "Runner",
    "Series",
    "Strategy",
    "StreamInput",
    "TagQueryNode",
    "UserError",
    "cross",
    "grid",
    "maximum",
    "minimum",
    "node",
    "where",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'qmtl' has no attribute {name!r}")
    module = import_module(home)
    value = module if name in _MODULES else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
