"""The meaning of a function's source: its syntax tree in a canonical form of our own.

Comments, layout, docstrings, annotations, decorators, the function's own name and the names of its local variables do
not matter; parameter names, operations, constants and their order do. Never bytecode and never `ast.dump`, so that
Python's minor version does not matter either.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

DROPPED = frozenset(
    {"lineno", "col_offset", "end_lineno", "end_col_offset", "annotation", "returns", "decorator_list", "type_comment",
     "type_params", "type_ignores", "ctx", "kind", "simple"}
)  # fmt: skip
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def locals_of(tree: ast.AST) -> dict[str, int]:
    """Names a function binds itself, parameters left out, numbered by first appearance."""
    names: dict[str, int] = {}
    kept = parameters_of(tree)
    for node in _in_order(tree):
        name = None
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            name = node.id
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
            name = node.name
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node is not tree:
            name = node.name
        elif isinstance(node, ast.alias):
            name = node.asname or node.name.split(".")[0]
        if name is not None and name not in kept:
            names.setdefault(name, len(names))
    return names


def parameters_of(tree: ast.AST) -> set[str]:
    """Parameters of the function and of those within it."""
    return {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


def free_names(tree: ast.AST) -> list[str]:
    """Names read but not bound within, in order of appearance."""
    bound = set(locals_of(tree)) | parameters_of(tree)
    body = _in_order(tree)
    names = [
        n.id for n in body if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and n.id not in bound
    ]
    return list(dict.fromkeys(names))


def _in_order(tree: ast.AST) -> list[ast.AST]:
    """Every node that means something, depth first in the order of the source."""
    found: list[ast.AST] = [tree]
    for name, value in _fields(tree):
        del name
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, ast.AST):
                found += _in_order(one)
    return found


def _fields(node: ast.AST) -> list[tuple[str, Any]]:
    fields = [(name, value) for name, value in ast.iter_fields(node) if name not in DROPPED]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
        fields = [(name, _undocumented(value) if name == "body" else value) for name, value in fields]
    return sorted(fields)


def _undocumented(body: list[ast.stmt]) -> list[ast.stmt]:
    head = body[0] if body else None
    if (
        isinstance(head, ast.Expr)
        and isinstance(head.value, ast.Constant)
        and isinstance(head.value.value, str)
    ):
        return body[1:]
    return body


def canonical_tree(tree: ast.AST, free: Callable[[str], object]) -> object:
    """Nested tuples that stand for the tree; `free` says what a free name stands for."""
    names = locals_of(tree)

    def form(node: object) -> object:
        if isinstance(node, list):
            return tuple(form(one) for one in node)
        if isinstance(node, ast.Name):
            return ("name", names[node.id]) if node.id in names else ("given", free(node.id))
        if isinstance(node, ast.Constant):
            return ("constant", node.value)
        if isinstance(node, ast.AST):
            own = [
                (n, form(v))
                for n, v in _fields(node)
                if not (
                    n == "name" and isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                )
            ]
            return (type(node).__name__, tuple(own))
        if isinstance(node, str) and node in names:
            return ("local", names[node])
        return node

    return form(tree)
