"""A window belongs to an edge: `m1.window(30)` is the stream as one input of an author's node shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Never, TypeVar

from qmtl.core.errors import UserError
from qmtl.core.graph.duration import Duration
from qmtl.core.graph.ir import Window
from qmtl.sdk.choice import misplaced
from qmtl.sdk.operand import Operand
from qmtl.sdk.place import mistake

One = TypeVar("One")
Many = TypeVar("Many")

ROWS_LIMIT = 10_000_000  # more rows than any bar stream has; surely nanoseconds given as rows


@dataclass(frozen=True, slots=True)
class Windowed:
    """An input of an author's node: what is read, how much of it, and whether it may be missing."""

    operand: Operand[Any, Any]
    window: Window
    required: bool = True
    complete: bool = False


class Windows(Operand[One, Many]):
    """What can be shown through a window."""

    __slots__ = ()

    def window(
        self,
        size: int | str | timedelta | Duration,
        *,
        required: bool = True,
        complete: bool = False,
        **elsewhere: Never,
    ) -> Windowed:
        """As an input of an author's node: the `size` latest rows (integer) or a span of time (duration).

        required   where it is missing the node has a gap; an optional input may be empty
        complete   it is missing already where any of its sub-bars is (by time: of the whole window)
        """
        if elsewhere:
            raise misplaced(elsewhere, "window", ("required", "complete"))
        for name, value in (("required", required), ("complete", complete)):
            if not isinstance(value, bool):
                raise mistake(f"window: {name} is neither True nor False", value=value, cure=f"{name}=True")
        return Windowed(self, window_of(size), required, complete)


def window_of(size: int | str | timedelta | Duration) -> Window:
    """The IR window of a size: rows of an integer, time of a duration."""
    if isinstance(size, int) and not isinstance(size, bool):
        if not 1 <= size <= ROWS_LIMIT:
            raise mistake(
                f"a window of {size} rows: at least 1 and at most {ROWS_LIMIT:,}",
                cure='an integer counts rows of that input; for time write a duration: window("30m")',
            )
        return Window(rows=size)
    return Window(rows=None, span_ns=positive_ns(size, "a window"))


def positive_ns(value: object, what: str) -> int:
    """The nanoseconds of a duration above zero."""
    return duration_ns(value, what, allow_zero=False)


def duration_ns(value: object, what: str, *, allow_zero: bool = True) -> int:
    """The nanoseconds of a duration."""
    try:
        return Duration.parse(value, what, allow_zero=allow_zero).ns
    except UserError as error:
        raise mistake(f"{what}: {error.message}", value=value, cure=error.cure) from None
