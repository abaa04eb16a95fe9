"""A handler names the faults it knows what to do about."""

from __future__ import annotations

import ast

from tidy.source import Source

BROAD = frozenset({"Exception", "BaseException", "builtins.Exception", "builtins.BaseException"})
CURE = "name the faults that are expected here; a bug is caught by nobody, recovery is the normal start"

# Where an author's own code runs, anything may come out of it: it is contained there, and nowhere else.
AUTHORS_CODE = {
    "src/qmtl/core/flow/answer.py": "an author's function halts its own node, everything else goes on",
    "src/qmtl/cli/loading.py": "an author's file may raise anything while it is read",
}


def broad_handlers(source: Source) -> list[str]:
    if source.path in AUTHORS_CODE:
        return []
    return [
        f"{source.path}:{node.lineno}: {_shown(node)}; {CURE}"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ExceptHandler) and _broad(node) and not _raises_again(node)
    ]


def _broad(node: ast.ExceptHandler) -> bool:
    if node.type is None:
        return True
    caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(ast.unparse(each) in BROAD for each in caught)


def _raises_again(node: ast.ExceptHandler) -> bool:
    """A handler that cleans up and ends in a bare `raise` hides nothing."""
    last = node.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def _shown(node: ast.ExceptHandler) -> str:
    return "bare except" if node.type is None else f"except {ast.unparse(node.type)}"
