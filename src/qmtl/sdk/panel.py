"""Panels: the same column (or stream) over many lanes, of named members or of whatever a tag query finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn, cast

from qmtl.core.graph import ir
from qmtl.core.graph.walk import sources
from qmtl.sdk.columns import known_column
from qmtl.sdk.declaring import declare
from qmtl.sdk.operand import Lane, Operand, node_of, wrap
from qmtl.sdk.operators import SeriesOperators, StreamOperators
from qmtl.sdk.place import did_you_mean, mistake
from qmtl.sdk.series import Series, Stream


class Panel(SeriesOperators["Panel", "PanelStream"], panel=True, stream=False):
    """The same column over many lanes: element-wise like a series; `panel["BTC"]` is a series.

    `Panel({"BTC": btc.close, "ETH": eth.close})`, or a list of series, each named by its only source stream.
    """

    __slots__ = ()

    def __init__(self, members: Mapping[str, Series] | Sequence[Series]) -> None:
        named = members if isinstance(members, Mapping) else {_source_name(one): one for one in members}
        if not named:
            raise mistake("a panel needs at least one member", cure='Panel({"BTC": btc.close})')
        if len(named) < len(members):
            raise mistake(
                "several members of the panel stem from one stream", cure="name them: Panel({…: …})"
            )
        self._lanes = {str(name): _column(name, named[name]) for name in sorted(named, key=str)}

    @property
    def members(self) -> tuple[str, ...]:
        """The names of its lanes; only a tag query resolved over data knows its own."""
        return _members(self)

    def __getitem__(self, member: str) -> Series:
        """One lane, as a series."""
        return cast(Series, _chosen(self, member))

    def __bool__(self) -> NoReturn:
        raise mistake(
            "a panel has no truth value", cure="where(condition, a, b); conditions are combined with & | ~"
        )

    def __iter__(self) -> NoReturn:
        raise mistake(
            "a panel is not gone through",
            cure='choose lanes by name, panel["BTC"], or compute on all at once',
        )

    def __repr__(self) -> str:
        return _spelled(self)


class PanelStream(StreamOperators["Panel", "PanelStream"], panel=True, stream=True):
    """The same stream over many lanes: `peers.close` is a panel, `peers["BTC"]` a stream."""

    __slots__ = ()

    @property
    def members(self) -> tuple[str, ...]:
        """The names of its lanes; only a tag query resolved over data knows its own."""
        return _members(self)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns."""
        return self._sample().outputs

    def __getattr__(self, column: str) -> Panel:
        if column.startswith("_"):
            raise AttributeError(column)
        return self.column(column)

    def column(self, name: str) -> Panel:
        """One column over all lanes; for names that are also methods."""
        column = known_column(self._sample(), name)
        lanes = self.lanes
        if isinstance(lanes, Mapping):
            return cast(
                Panel, wrap({key: ir.Column(node_of(one), column) for key, one in lanes.items()}, panel=True)
            )
        return cast(Panel, wrap(ir.Column(node_of(lanes), column), panel=True))

    def __getitem__(self, member: str) -> Stream:
        """One lane, as a stream."""
        return cast(Stream, _chosen(self, member))

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.columns]

    def __repr__(self) -> str:
        return _spelled(self)

    def _sample(self) -> ir.Node:
        lanes = self.lanes
        return node_of(next(iter(lanes.values())) if isinstance(lanes, Mapping) else lanes)


AnyPanel = Panel | PanelStream


def _members(panel: AnyPanel) -> tuple[str, ...]:
    if isinstance(panel.lanes, Mapping):
        return tuple(panel.lanes)
    raise mistake(
        "the members of a tag query are not known while the strategy is defined",
        cure='name one, panel["BTC"], or write a panel of named members: Panel({"BTC": …})',
    )


def _chosen(panel: AnyPanel, member: str) -> Operand[Series, Stream]:
    """One lane: a member's own, or of a lifted panel a SELECT that is resolved with the query."""
    if not isinstance(member, str):
        raise mistake("a lane is chosen by its name", value=member, cure='panel["BTC"]')
    lanes = panel.lanes
    if isinstance(lanes, Mapping):
        if member not in lanes:
            raise mistake(f"the panel has no member {member!r}", cure=did_you_mean(member, lanes))
        return cast(Operand[Series, Stream], wrap(lanes[member], panel=False))
    return cast(Operand[Series, Stream], wrap(select(lanes, member), panel=False))


def select(lane: Lane, member: str) -> Lane:
    """The IR of one member of a lifted panel (or of a cross-section): a column of it, or the whole stream."""
    node = node_of(lane)
    columns = (lane.column,) if isinstance(lane, ir.Column) else node.outputs
    chosen = declare(
        ir.Node(
            kind=ir.NodeKind.SELECT,
            operator="select",
            interval_ns=node.interval_ns,
            outputs=columns,
            edges=(ir.Edge("panel", node, columns),),
            stream=member,
        )
    )
    return ir.Column(chosen, columns[0]) if isinstance(lane, ir.Column) else chosen


def _column(name: object, series: object) -> ir.Column:
    lanes = series.lanes if isinstance(series, Series) else None
    if isinstance(lanes, ir.Column):
        return lanes
    raise mistake(
        f"the member {name!r} of the panel is not a series", value=series, cure="give a column: btc.close"
    )


def _source_name(series: object) -> str:
    names = {one.stream or "" for one in sources(_column("?", series).node)}
    if len(names) != 1:
        raise mistake(
            f"a series of {len(names)} source streams has no name of its own in a panel",
            cure='Panel({"BTC": series})',
        )
    return names.pop()


def _spelled(panel: AnyPanel) -> str:
    lanes = panel.lanes
    what = ", ".join(lanes) if isinstance(lanes, Mapping) else f"lifted over {node_of(lanes).operator}"
    return f"<{type(panel).__name__} {what}>"
