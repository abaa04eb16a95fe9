"""`TagQueryNode`: the panel of all streams whose tags fulfil a query, found anew wherever it runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Literal, Never

from qmtl.core.errors import UserError
from qmtl.core.graph import ir
from qmtl.core.graph.duration import Duration
from qmtl.core.graph.tags import MatchMode, parse
from qmtl.sdk.choice import choice, misplaced
from qmtl.sdk.declaring import declare
from qmtl.sdk.panel import PanelStream
from qmtl.sdk.place import mistake
from qmtl.sdk.stream import OHLCV, field_names
from qmtl.sdk.window import positive_ns, window_of


class SelectionMode(StrEnum):
    """Whether the members follow the catalog (`dynamic`) or stay what an etag fixed (`pinned`)."""

    DYNAMIC = "dynamic"
    PINNED = "pinned"


_SETTINGS = ("interval", "period", "match_mode", "selection_mode", "pinned_etag", "fields", "label")


class TagQueryNode(PanelStream):
    """All bar streams of an interval whose tags fulfil `query`, as one panel: a lane per stream.

    query           an expression, `"asset in {BTC,ETH} AND price"`, or tags as a list with `match_mode`
    period          rows an author's node sees of it when it is given without a window
    match_mode      how a list is read: `"all"` of the tags or `"any"`
    selection_mode  `"dynamic"` follows the catalog; `"pinned"` is fixed by `pinned_etag`
    fields          the columns its members have
    """

    __slots__ = ()

    def __init__(
        self,
        query: str | Sequence[str],
        *,
        interval: str | int | timedelta | Duration,
        period: int = 1,
        match_mode: MatchMode | Literal["any", "all"] = "all",
        selection_mode: SelectionMode | Literal["dynamic", "pinned"] = "dynamic",
        pinned_etag: str | None = None,
        fields: Iterable[str] | None = None,
        label: str = "",
        **elsewhere: Never,
    ) -> None:
        if elsewhere:
            raise misplaced(elsewhere, "TagQueryNode", _SETTINGS)
        mode = choice(MatchMode, match_mode, "match_mode")
        selection = choice(SelectionMode, selection_mode, "selection_mode")
        if (pinned_etag is not None) and selection is SelectionMode.DYNAMIC:
            raise mistake(
                "a dynamic tag query has no pinned_etag", value=pinned_etag, cure='selection_mode="pinned"'
            )
        self._lanes = declare(
            ir.Node(
                kind=ir.NodeKind.QUERY,
                operator="query",
                interval_ns=positive_ns(interval, "interval"),
                outputs=field_names(fields, OHLCV),
                stream=_normal(query, mode),
                params=(
                    ("match_mode", mode.value),
                    ("period", _period(period)),
                    ("pinned_etag", pinned_etag),
                    ("selection_mode", selection.value),
                ),
                label=label,
            )
        )

    @property
    def query(self) -> str:
        """The query in its normal form."""
        return self._sample().stream or ""


def _normal(query: str | Sequence[str], mode: MatchMode) -> str:
    try:
        return str(parse(query, mode))
    except UserError as error:
        raise mistake(error.message, value=error.value, cure=error.cure) from None


def _period(period: int) -> int:
    rows = window_of(period).rows
    if rows is None:
        raise mistake("period counts rows", value=period, cure='for time give a window: peers.window("30m")')
    return rows
