"""Where a name is bound: Python's rules of scope over a syntax tree, for a function and the scopes within it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import Enum

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class Kind(Enum):
    FUNCTION = "function"
    CLASS = "class"
    COMPREHENSION = "comprehension"


@dataclass(frozen=True, eq=False, slots=True)
class Scope:
    """Names a function, class or comprehension binds itself, and those it declares to be bound elsewhere."""

    kind: Kind
    outer: Scope | None
    bound: frozenset[str]
    as_global: frozenset[str] = frozenset()
    as_nonlocal: frozenset[str] = frozenset()

    def home(self, name: str) -> Scope | None:
        """The scope a name stands for here; None where it comes from outside the tree."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.as_global:
                return None
            seen = scope.kind is not Kind.CLASS or scope is self
            if seen and name in scope.bound and name not in scope.as_nonlocal:
                return scope
            scope = scope.outer
        return None


def function_scope(tree: Function, outer: Scope | None) -> Scope:
    """Parameters and whatever the body binds."""
    body: list[ast.AST] = [tree.body] if isinstance(tree, ast.Lambda) else list(tree.body)
    names, as_global, as_nonlocal = _bindings(body)
    names |= {one.arg for one in parameters(tree.args)}
    return Scope(Kind.FUNCTION, outer, frozenset(names), frozenset(as_global), frozenset(as_nonlocal))


def class_scope(tree: ast.ClassDef, outer: Scope) -> Scope:
    """What the body of a class binds: its members."""
    names, as_global, as_nonlocal = _bindings(list(tree.body))
    return Scope(Kind.CLASS, outer, frozenset(names), frozenset(as_global), frozenset(as_nonlocal))


def comprehension_scope(tree: Comprehension, outer: Scope) -> Scope:
    """The variables of its `for` clauses; a walrus within binds further out."""
    names = {
        node.id
        for one in tree.generators
        for node in ast.walk(one.target)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return Scope(Kind.COMPREHENSION, outer, frozenset(names))


def parameters(arguments: ast.arguments) -> list[ast.arg]:
    """All of them, in the order of the signature."""
    named = [
        *arguments.posonlyargs,
        *arguments.args,
        arguments.vararg,
        *arguments.kwonlyargs,
        arguments.kwarg,
    ]
    return [one for one in named if one is not None]


def defaults(arguments: ast.arguments) -> list[ast.expr]:
    """Expressions that are evaluated where the function is defined."""
    return [*arguments.defaults, *(one for one in arguments.kw_defaults if one is not None)]


def _bindings(body: list[ast.AST]) -> tuple[set[str], set[str], set[str]]:
    """Names bound by statements in their own scope, and those declared global and nonlocal."""
    names: set[str] = set()
    as_global: set[str] = set()
    as_nonlocal: set[str] = set()
    stack: list[tuple[ast.AST, bool]] = [(one, False) for one in body]
    while stack:
        node, in_comprehension = stack.pop()
        if isinstance(node, ast.Global):
            as_global |= set(node.names)
        elif isinstance(node, ast.Nonlocal):
            as_nonlocal |= set(node.names)
        elif isinstance(node, ast.NamedExpr):
            names.add(node.target.id)
            stack.append((node.value, in_comprehension))
            continue
        elif not in_comprehension:
            names |= _bound_by(node)
        inside = in_comprehension or isinstance(node, Comprehension)
        stack.extend((one, inside) for one in _in_same_scope(node))
    return names, as_global, as_nonlocal


def _bound_by(node: ast.AST) -> set[str]:
    name: str | None = None
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        name = node.id
    elif isinstance(
        node,
        ast.FunctionDef
        | ast.AsyncFunctionDef
        | ast.ClassDef
        | ast.ExceptHandler
        | ast.MatchAs
        | ast.MatchStar,
    ):
        name = node.name
    elif isinstance(node, ast.MatchMapping):
        name = node.rest
    elif isinstance(node, ast.alias):
        name = bound_by_import(node)
    return set() if name is None else {name}


def bound_by_import(alias: ast.alias) -> str:
    """``import a.b`` binds a, ``import a.b as c`` binds c."""
    return alias.asname or alias.name.partition(".")[0]


def _in_same_scope(node: ast.AST) -> list[ast.AST]:
    """Its parts, without the bodies of functions and classes."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return [*node.decorator_list, *defaults(node.args)]
    if isinstance(node, ast.Lambda):
        return list(defaults(node.args))
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases, *node.keywords]
    return list(ast.iter_child_nodes(node))
