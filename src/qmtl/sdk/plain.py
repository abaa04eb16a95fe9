"""Parameters are plain values: what can be hashed, compared and handed to a function that must not change it.

numpy is recognised, not imported: building a strategy needs none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qmtl.core.errors import UserError
from qmtl.core.graph.canonical import canonical_bytes
from qmtl.sdk.place import mistake

_CURE = "use numbers, strings, durations, and tuples, dicts or arrays of them"


def plain(value: Any, name: str) -> Any:
    """The value as a node keeps it: numpy scalars as Python's, lists as tuples, arrays read-only.

    Dicts come in the order of their encoded keys: an id does not tell their order, so no function may see another.
    """
    try:
        canonical_bytes(value, name)
    except UserError as error:
        what = f"the parameter {name!r} cannot be part of an id: {error.message}"
        raise mistake(what, value=value, cure=_CURE) from None
    return _frozen(value)


def unwrapped(value: Any) -> Any:
    """A numpy scalar as Python's; anything else as it is."""
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == () and hasattr(value, "item"):
        return value.item()
    return value


def _frozen(value: Any) -> Any:
    if type(value).__module__ == "numpy" and getattr(value, "shape", ()) != ():
        kept = value.copy()
        kept.setflags(write=False)
        return kept
    if type(value) in (list, tuple):
        return tuple(_frozen(one) for one in value)
    if isinstance(value, Mapping):
        return {key: _frozen(value[key]) for key in sorted(value, key=canonical_bytes)}
    return unwrapped(value)
