"""Errors a user can cause, faults of the world, and bugs."""

from __future__ import annotations


class QmtlError(Exception):
    """Everything qmtl raises on purpose."""


class UserError(QmtlError, ValueError):
    """A user's mistake: what is wrong, where, with which value, and the likely cure."""

    def __init__(self, message: str, *, place: str = "", value: object = None, cure: str = "") -> None:
        self.message, self.place, self.value, self.cure = message, place, value, cure
        text = f"{place}: {message}" if place else message
        if value is not None:
            text += f" (got {_shown(value)})"
        super().__init__(text + (f"; {cure}" if cure else ""))


def _shown(value: object) -> str:
    try:
        return repr(value)
    except ValueError:  # an int with more digits than Python writes
        return f"a very large {type(value).__name__}"


class Fault(QmtlError):  # noqa: N818  (the names of faults are those of SEMANTICS)
    """The world misbehaved. Adapters translate their driver's errors into the kinds below."""


class Unavailable(Fault):
    """Nothing was done; the same call may succeed later."""


class Conflict(Fault):
    """What was read has changed meanwhile, nothing was done: read again, decide again."""


class Fenced(Fault):
    """Somebody else owns this by now, or may; nothing was done and nothing ever will be by this owner."""


class Unknown(Fault):
    """It was done or not, as a whole: only reading tells (SEMANTICS C4). Never repeat it unread."""


class Corrupt(Fault):
    """The bytes that came back are not those that were stored."""


class Missing(Fault):
    """It is not there: never was, or has been let go."""


class InvariantBroken(QmtlError):  # noqa: N818  (the name of STYLE)
    """A bug: something that cannot be is. Nobody catches it; recovery is the normal start."""
