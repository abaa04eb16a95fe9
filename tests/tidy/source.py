"""A Python file of the repository as the rules see it, and the imports in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path, PurePosixPath

FOLDERS = ("src", "tests", "examples", "tools", "benchmarks")


class Kind(Enum):
    """When an import happens."""

    MODULE = "when the module is loaded"
    TYPING = "for type checkers only"
    LAZY = "inside a function"


@dataclass(frozen=True)
class Import:
    """One imported name: `names` are the modules it may mean, the most specific first."""

    names: tuple[str, ...]
    line: int
    kind: Kind

    @property
    def top(self) -> str:
        return self.names[-1].partition(".")[0]

    def target(self, known: frozenset[str]) -> str:
        """The module meant: the most specific that exists, else the one that is named for certain."""
        return next((name for name in self.names if name in known), self.names[-1])


@dataclass(frozen=True)
class Source:
    """A file, by its path from the root of the repository."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @cached_property
    def module(self) -> str:
        """Its dotted name below `src`; empty for a file that is not part of the package."""
        path = PurePosixPath(self.path)
        if path.parts[0] != "src":
            return ""
        parts = path.with_suffix("").parts[1:]
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        return tuple(_imports(self, self.tree, Kind.MODULE))

    def within(self, *places: str) -> bool:
        """Is it one of these files, or below one of these folders (which end in a slash)?"""
        return any(
            self.path.startswith(place) if place.endswith("/") else self.path == place for place in places
        )


def repository(root: Path) -> list[Source]:
    """All Python files of the repository."""
    paths = sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.py"))
    return [Source(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")) for path in paths]


def _imports(source: Source, node: ast.AST, kind: Kind) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import((alias.name,), child.lineno, kind)
        elif isinstance(child, ast.ImportFrom):
            origin = _origin(source, child)
            for alias in child.names:
                yield Import((f"{origin}.{alias.name}", origin), child.lineno, kind)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _imports(source, child, Kind.LAZY)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for statement in child.body:
                yield from _imports(source, ast.Module([statement], []), Kind.TYPING)
            for statement in child.orelse:
                yield from _imports(source, ast.Module([statement], []), kind)
        else:
            named = _import_by_name(child)
            if named:
                yield Import((named,), getattr(child, "lineno", 0), kind)
            yield from _imports(source, child, kind)


def _origin(source: Source, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return node.module or ""
    package = source.module.split(".")
    if not source.path.endswith("/__init__.py"):
        package = package[:-1]
    above = package[: len(package) - node.level + 1]
    return ".".join([*above, *([node.module] if node.module else [])])


def _import_by_name(node: ast.AST) -> str:
    """`import_module("a.b")` and `__import__("a.b")` with a literal name are imports too."""
    if not (isinstance(node, ast.Call) and node.args):
        return ""
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    first = node.args[0]
    if called in {"import_module", "__import__"} and isinstance(first, ast.Constant):
        return str(first.value)
    return ""
