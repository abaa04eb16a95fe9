"""Where an author's function is written."""

from __future__ import annotations

import functools
import inspect
from types import CodeType
from typing import Any


def code_of(function: Any) -> CodeType | None:
    """Its code, also where it is wrapped, bound to arguments, or an object that can be called."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function) if callable(function) else function
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    return code if isinstance(code, CodeType) else None


def place_of(function: Any) -> str:
    """`file:line`, or "" where it is not known."""
    code = code_of(function)
    return "" if code is None else f"{code.co_filename}:{code.co_firstlineno}"
