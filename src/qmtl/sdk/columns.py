"""Columns of a stream by attribute or by name: `btc.close`, `btc["close"]`."""

from __future__ import annotations

from abc import abstractmethod
from typing import Generic, TypeVar, cast

from qmtl.core.errors import UserError
from qmtl.core.graph import ir
from qmtl.sdk.operand import wrap
from qmtl.sdk.place import author_place, did_you_mean

Item = TypeVar("Item")


class UnknownColumnError(UserError, AttributeError):
    """A stream was asked for a column it does not have."""


class Columns(Generic[Item]):
    """Column access of one lane; `Item` is what a column is."""

    __slots__ = ()

    @abstractmethod
    def _node(self) -> ir.Node: ...

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns."""
        return self._node().outputs

    def __getitem__(self, column: str) -> Item:
        """The column of this name."""
        return cast(Item, wrap(ir.Column(self._node(), known_column(self._node(), column)), panel=False))

    def __getattr__(self, column: str) -> Item:
        if column.startswith("_"):
            raise AttributeError(column)
        return self[column]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.columns]


def known_column(node: ir.Node, column: object) -> str:
    """The column's name, if the node has it."""
    if isinstance(column, str) and column in node.outputs:
        return column
    what = f"{described(node)} has no column {column!r}"
    raise UnknownColumnError(
        what, place=author_place(), value=column, cure=did_you_mean(str(column), node.outputs)
    )


def described(node: ir.Node) -> str:
    """A node in an error message."""
    if node.stream is not None:
        return f"the {'panel' if node.kind is ir.NodeKind.QUERY else 'stream'} {node.stream!r}"
    return node.label or f"{node.operator}()"
