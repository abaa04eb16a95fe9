"""The syntax tree of a loaded function: where its source stands, and which of the functions there it is."""

from __future__ import annotations

import ast
import functools
import linecache
from types import CodeType, FunctionType
from weakref import WeakKeyDictionary

from qmtl.core.errors import UserError
from qmtl.core.graph.code import Meaning, meaning
from qmtl.core.graph.scopes import Function

_known: WeakKeyDictionary[CodeType, Meaning] = WeakKeyDictionary()


def meaning_of(function: FunctionType) -> Meaning:
    """What the source of a function says; read once. :class:`UserError` where it cannot be read or told apart."""
    code = function.__code__
    if code not in _known:
        _known[code] = meaning(_tree(function))
    return _known[code]


def _tree(function: FunctionType) -> Function:
    code, place = function.__code__, f"code of {function.__name__}"
    lines = linecache.getlines(code.co_filename, function.__globals__)
    if not lines:
        raise UserError(
            "its source cannot be read",
            place=place,
            value=code.co_filename,
            cure="write it with def in a file or a notebook cell",
        )
    try:
        found = [one for one in _functions("".join(lines)) if _is(one, code)]
    except SyntaxError as error:
        raise UserError(
            "its source is not the one that was loaded", place=place, value=str(error), cure="load it again"
        ) from None
    spans = _positions(code)
    if len(found) > 1:
        found = [one for one in found if _holds(one, spans)]
        found = [one for one in found if not any(_within(other, one) for other in found)]
    if len({meaning(one) for one in found}) == 1:
        return found[0]
    if code.co_name == "<lambda>":
        raise UserError(
            "a lambda whose source cannot be told apart",
            place=place,
            cure="write it with def, on a line of its own",
        )
    raise UserError(
        "its source is not the one that was loaded",
        place=place,
        value=f"{code.co_filename}:{code.co_firstlineno}",
        cure="write it with def in a file, and load the file again if it was edited",
    )


@functools.lru_cache(maxsize=64)
def _functions(source: str) -> tuple[Function, ...]:
    """Every function in a text."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    return tuple(one for one in ast.walk(ast.parse(source)) if isinstance(one, kinds))


def _is(tree: Function, code: CodeType) -> bool:
    """Whether a tree may be that of the code: first line, name and parameters."""
    decorators = [] if isinstance(tree, ast.Lambda) else tree.decorator_list
    first = min([tree.lineno, *(one.lineno for one in decorators)])
    name = "<lambda>" if isinstance(tree, ast.Lambda) else tree.name
    given = tree.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return (first, name) == (code.co_firstlineno, code.co_name) and tuple(names) == code.co_varnames[
        : len(names)
    ]


def _positions(code: CodeType) -> list[tuple[int, int]]:
    """Line and column of every instruction that has them."""
    return [
        (line, column)
        for line, _, column, _ in code.co_positions()
        if line is not None and column is not None and line > 0 and (line, column) != (code.co_firstlineno, 0)
    ]


def _holds(tree: Function, positions: list[tuple[int, int]]) -> bool:
    begin, end = (tree.lineno, tree.col_offset), (tree.end_lineno or 0, tree.end_col_offset or 0)
    return all(begin <= one <= end for one in positions)


def _within(inner: Function, outer: Function) -> bool:
    if inner is outer:
        return False
    return any(one is inner for one in ast.walk(outer))
