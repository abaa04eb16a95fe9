"""The meaning of a function's source: its syntax tree as a flat list of tokens of our own.

Comments, layout, docstrings, annotations, the function's own name, decorators and defaults, and the names of local
variables do not matter; names of parameters, operations, constants and their order do. Never bytecode and never
`ast.dump`, so that Python's minor version does not matter either. What a free name stands for is for the caller to
say: here it is only the place of its first use, together with the attributes read from it (``np.linalg.norm``).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from qmtl.core.graph.canonical import digest
from qmtl.core.graph.scopes import (
    Comprehension,
    Function,
    Kind,
    Scope,
    bound_by_import,
    class_scope,
    comprehension_scope,
    function_scope,
    parameters,
)

DROPPED: Final = frozenset(
    {"annotation", "ctx", "kind", "returns", "simple", "type_comment", "type_ignores", "type_params"}
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a function's tree says, and what it needs from outside."""

    digest: str
    free: tuple[tuple[str, ...], ...]  # a name and the attributes read from it, in order of first use
    optional: frozenset[
        str
    ]  # free names that need not exist: read in the body of a class that also binds them
    imports: tuple[
        tuple[str, int], ...
    ]  # what it imports (``numpy.log``), with the dots of a relative import
    changed: tuple[str, ...]  # free names that it assigns, or whose attributes or items it assigns


def meaning(tree: Function) -> Meaning:
    """Read a function's tree; of the function itself neither name nor decorators nor defaults."""
    return _Reader().read(tree)


class _Reader:
    def __init__(self) -> None:
        self.tokens: list[object] = []
        self.stack: list[tuple[object, Scope]] = []
        self.local: dict[tuple[Scope, str], int] = {}
        self.free: dict[tuple[str, ...], int] = {}
        self.optional: set[str] = set()
        self.imports: dict[tuple[str, int], None] = {}
        self.changed: dict[str, None] = {}

    def read(self, tree: Function) -> Meaning:
        self._function(tree, function_scope(tree, None))
        while self.stack:
            value, scope = self.stack.pop()
            self._value(value, scope)
        return Meaning(
            digest(self.tokens, "code"),
            tuple(self.free),
            frozenset(self.optional),
            tuple(self.imports),
            tuple(self.changed),
        )

    def _later(self, scope: Scope, *values: object) -> None:
        """Read these before anything that waits, in this order."""
        self.stack.extend((value, scope) for value in reversed(values))

    def _value(self, value: object, scope: Scope) -> None:
        if isinstance(value, list):
            kept = [one for one in value if not _says_nothing(one, scope)]
            self.tokens.append(len(kept))
            self._later(scope, *kept)
        elif isinstance(value, ast.AST):
            _READ_BY.get(type(value), _Reader._node)(self, value, scope)
        else:
            self.tokens.append(value)

    def _node(self, node: ast.AST, scope: Scope) -> None:
        self.tokens.append(type(node).__name__)
        fields = [name for name in sorted(node._fields) if name not in DROPPED]
        self._later(scope, *(getattr(node, name) for name in fields))

    # Names

    def _bind(self, name: str | None, scope: Scope) -> None:
        home = None if name is None else scope.home(name)
        if name is None:
            self.tokens.append(None)
        elif home is None:
            self.changed[name] = None
        elif home.kind is Kind.CLASS:
            self.tokens += ["member", name]
        else:
            self.tokens += ["local", self.local.setdefault((home, name), len(self.local))]

    def _name(self, node: ast.Name, scope: Scope) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._bind(node.id, scope)
            return
        home = scope.home(node.id)
        if home is not None and home.kind is Kind.CLASS:
            self.tokens += ["member", node.id]
            assert home.outer is not None
            home = home.outer.home(node.id)
            if home is None:
                self.optional.add(node.id)
        if home is None:
            self._free((node.id,))
        else:
            self._bind(node.id, home)

    def _free(self, path: tuple[str, ...]) -> None:
        self.tokens += ["free", self.free.setdefault(path, len(self.free))]

    def _attribute(self, node: ast.Attribute, scope: Scope) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._changing(node, scope)
            return
        names, root = [node.attr], node.value
        while isinstance(root, ast.Attribute):
            names.append(root.attr)
            root = root.value
        if isinstance(root, ast.Name) and scope.home(root.id) is None:
            self._free((root.id, *reversed(names)))
        else:
            self._node(node, scope)

    def _subscript(self, node: ast.Subscript, scope: Scope) -> None:
        if isinstance(node.ctx, ast.Load):
            self._node(node, scope)
        else:
            self._changing(node, scope)

    def _changing(self, node: ast.Attribute | ast.Subscript, scope: Scope) -> None:
        root: ast.expr = node
        while isinstance(root, ast.Attribute | ast.Subscript):
            root = root.value
        if isinstance(root, ast.Name) and scope.home(root.id) is None:
            self.changed[root.id] = None
        self._node(node, scope)

    # Scopes

    def _function(self, tree: Function, inner: Scope) -> None:
        body = [ast.Return(tree.body)] if isinstance(tree, ast.Lambda) else tree.body
        self.tokens.append("async function" if isinstance(tree, ast.AsyncFunctionDef) else "function")
        for one in parameters(tree.args):
            self._bind(one.arg, inner)
        names = {name: getattr(tree.args, name) for name in ("posonlyargs", "args", "kwonlyargs")}
        self.tokens += [[one.arg for one in found] for found in names.values()]
        self.tokens += [one and one.arg for one in (tree.args.vararg, tree.args.kwarg)]
        self._later(inner, body)

    def _definition(self, node: Function, scope: Scope) -> None:
        if not isinstance(node, ast.Lambda):
            self._bind(node.name, scope)
        self._function(node, function_scope(node, scope))
        decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
        self._later(scope, decorators, node.args.defaults, node.args.kw_defaults)

    def _class(self, node: ast.ClassDef, scope: Scope) -> None:
        self.tokens.append("class")
        self._bind(node.name, scope)
        self._later(class_scope(node, scope), node.body)
        self._later(scope, node.decorator_list, node.bases, node.keywords)

    def _comprehension(self, node: Comprehension, scope: Scope) -> None:
        inner = comprehension_scope(node, scope)
        self.tokens += [type(node).__name__, len(node.generators)]
        made = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self._later(inner, *made)
        for at, one in reversed(list(enumerate(node.generators))):
            self._later(inner, one.target, one.ifs, one.is_async)
            self._later(inner if at else scope, one.iter)

    # Statements and patterns that bind a name which is a plain string in the tree

    def _handler(self, node: ast.ExceptHandler, scope: Scope) -> None:
        self.tokens.append("except")
        self._bind(node.name, scope)
        self._later(scope, node.type, node.body)

    def _capture(self, node: ast.MatchAs, scope: Scope) -> None:
        self.tokens.append("as")
        self._bind(node.name, scope)
        self._later(scope, node.pattern)

    def _star(self, node: ast.MatchStar, scope: Scope) -> None:
        self.tokens.append("star")
        self._bind(node.name, scope)

    def _mapping(self, node: ast.MatchMapping, scope: Scope) -> None:
        self.tokens.append("mapping")
        self._bind(node.rest, scope)
        self._later(scope, node.keys, node.patterns)

    def _import(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
        module, dots = ("", 0) if isinstance(node, ast.Import) else (node.module or "", node.level)
        self.tokens += ["import", module, dots, len(node.names)]
        for one in node.names:
            whole = isinstance(node, ast.Import)
            self.tokens += [one.name, whole and one.asname is not None]
            self.imports[(one.name if whole else f"{module}.{one.name}", dots)] = None
            self._bind(bound_by_import(one) if whole else one.asname or one.name, scope)

    # What minor versions spell differently, and what two spellings mean alike

    def _annotated(self, node: ast.AnnAssign, scope: Scope) -> None:
        if scope.kind is Kind.CLASS:  # there an annotation can be a field
            self.tokens.append("field")
            self._later(scope, node.target, node.annotation, node.value)
        else:
            assert node.value is not None  # else it says nothing
            self._later(scope, ast.Assign([node.target], node.value))

    def _constant(self, node: ast.Constant, scope: Scope) -> None:
        self.tokens.append(("constant", node.value))

    def _joined(self, node: ast.JoinedStr, scope: Scope) -> None:
        parts = _merged(node.values)
        self.tokens += ["JoinedStr", len(parts)]
        self._later(scope, *parts)

    def _formatted(self, node: ast.FormattedValue, scope: Scope) -> None:
        spec = node.format_spec
        empty = isinstance(spec, ast.JoinedStr) and not _merged(spec.values)
        self.tokens += ["FormattedValue", node.conversion]
        self._later(scope, None if empty else spec, node.value)


_READ_BY: Final[dict[type[ast.AST], Callable[[_Reader, Any, Scope], None]]] = {
    ast.Name: _Reader._name,
    ast.Attribute: _Reader._attribute,
    ast.Subscript: _Reader._subscript,
    **dict.fromkeys((ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda), _Reader._definition),
    ast.ClassDef: _Reader._class,
    **dict.fromkeys((ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp), _Reader._comprehension),
    ast.ExceptHandler: _Reader._handler,
    ast.MatchAs: _Reader._capture,
    ast.MatchStar: _Reader._star,
    ast.MatchMapping: _Reader._mapping,
    **dict.fromkeys((ast.Import, ast.ImportFrom), _Reader._import),
    ast.AnnAssign: _Reader._annotated,
    ast.Constant: _Reader._constant,
    ast.JoinedStr: _Reader._joined,
    ast.FormattedValue: _Reader._formatted,
}


def _says_nothing(node: Any, scope: Scope) -> bool:
    """A docstring or another constant on its own, `pass`, a declaration, the annotation of a variable."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.AnnAssign):
        return node.value is None and scope.kind is not Kind.CLASS
    return isinstance(node, ast.Pass | ast.Global | ast.Nonlocal)


def _merged(values: Iterable[ast.expr]) -> list[ast.expr]:
    """Parts of an f-string, texts that touch made one."""
    parts: list[ast.expr] = []
    for one in values:
        last = parts[-1] if parts else None
        if not (isinstance(one, ast.Constant) and isinstance(one.value, str)):
            parts.append(one)
        elif isinstance(last, ast.Constant) and isinstance(last.value, str):
            parts[-1] = ast.Constant(last.value + one.value)
        elif one.value:
            parts.append(one)
    return parts
