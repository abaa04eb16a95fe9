"""Where the author wrote something: errors and nodes carry it, ids never do."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterable

from qmtl.core.errors import UserError

_PACKAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")


def author_place() -> str:
    """`file:line` of the innermost caller outside this package; "" where there is none."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back  # type: ignore[assignment]
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A cure for a misspelt name: the nearest known ones, or all of them."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=2, cutoff=0.6)
    if near:
        return "did you mean " + " or ".join(repr(one) for one in near) + "?"
    return "known are " + ", ".join(map(repr, names)) if names else "there are none"


def mistake(what: str, *, cure: str, value: object = None) -> UserError:
    """A user's mistake, located at the line of the author's call that made it."""
    return UserError(what, place=author_place(), value=value, cure=cure)
