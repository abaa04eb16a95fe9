"""Files of at most 400 lines (core 300), function bodies of at most 50."""

from __future__ import annotations

import ast

from tidy.source import Source

FILE_LINES = 400
CORE_FILE_LINES = 300
BODY_LINES = 50

WRITTEN_BY_A_TOOL = (
    "src/qmtl/sdk/operators.py",
)  # tools/sdk_operators.py: a typed method for every operator


def long_files(source: Source) -> list[str]:
    limit = CORE_FILE_LINES if source.within("src/qmtl/core/") else FILE_LINES
    if source.lines <= limit or source.within(*WRITTEN_BY_A_TOOL):
        return []
    return [f"{source.path}: {source.lines} lines, at most {limit}; divide it where it holds two concepts"]


def long_functions(source: Source) -> list[str]:
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = body_lines(node)
            if lines > BODY_LINES:
                found.append(
                    f"{source.path}:{node.lineno}: the body of {node.name} has {lines} lines, "
                    f"at most {BODY_LINES}; give its steps names of their own"
                )
    return found


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """From the first statement after the docstring to the last line."""
    body = node.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    if not body or node.end_lineno is None:
        return 0
    return node.end_lineno - body[0].lineno + 1
