"""Nobody reads a clock, draws a number or starts a task on the side: they come in, and can be replayed."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from tidy.dotted import dotted, imported_names
from tidy.source import Source

TIME_CURE = "take the time as an argument (event time), or from the clock that wiring passes in"
SLEEP_CURE = "wait for the event itself, or use the clock that wiring passes in; tests never sleep"
CHANCE_CURE = "take a random.Random or numpy Generator made from a seed as an argument"
IDENTITY_CURE = "derive the identity from content (core/graph ids), or take it as an argument"
TASK_CURE = "start tasks in an asyncio.TaskGroup (`async with asyncio.TaskGroup() as group`) that awaits them"

AMBIENT: dict[str, str] = {
    **dict.fromkeys(("time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.ctime"), TIME_CURE),
    **dict.fromkeys(
        ("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today"), TIME_CURE
    ),
    **dict.fromkeys(("datetime.date.today", "pandas.Timestamp.now", "pandas.Timestamp.utcnow"), TIME_CURE),
    "time.sleep": SLEEP_CURE,
    **dict.fromkeys(("uuid.uuid1", "uuid.uuid4"), IDENTITY_CURE),
    "os.urandom": CHANCE_CURE,
    **dict.fromkeys(("asyncio.create_task", "asyncio.ensure_future"), TASK_CURE),
}
STOPWATCH = frozenset(
    {f"time.{name}{unit}" for name in ("perf_counter", "monotonic") for unit in ("", "_ns")}
)
STOPWATCH_CURE = (
    "durations are measured only in cli, runtime/progress.py, runtime/servers and benchmarks; pass them in"
)
STOPWATCH_PLACES = (
    "src/qmtl/cli/",
    "src/qmtl/runtime/progress.py",
    "src/qmtl/runtime/servers/",  # deadlines of programs of others, which know no clock of ours
    "benchmarks/",
)
CLOCK_PLACES = ("src/qmtl/wiring.py",)  # the clock that wiring passes in
# `until`: between two looks at something that sends no event (another program's start), under a deadline.
SLEEP_PLACES = ("src/qmtl/runtime/servers/process.py",)

SEEDED = frozenset({"random.Random", "numpy.random.default_rng", "numpy.random.SeedSequence"})
CHANCE_TYPES = frozenset({"numpy.random.Generator", "numpy.random.BitGenerator"})
RANDOM_PLACES = ("tests/", "src/qmtl/testing/", "benchmarks/", "examples/", "tools/")  # random.Random(seed)

# Strategies that `qmtl verify` must find out.
IMPURE_ON_PURPOSE = ("tests/integration/impure_nodes.py",)


def ambient_calls(source: Source) -> list[str]:
    if source.within(*IMPURE_ON_PURPOSE):
        return []
    found = _Ambient(source, imported_names(source.tree)).all()
    return [f"{source.path}:{line}: {name}; {cure}" for line, name, cure in sorted(found)]


@dataclass
class _Ambient:
    source: Source
    names: dict[str, str]

    def all(self) -> set[tuple[int, str, str]]:
        found = set()
        for node in ast.walk(self.source.tree):
            line = getattr(node, "lineno", 0)
            for name in self._mentioned(node):
                cure = self._cure(name)
                if cure:
                    found.add((line, name, cure))
            if isinstance(node, ast.Call):
                found |= {(line, name, cure) for name, cure in self._called(node)}
        return found

    def _mentioned(self, node: ast.AST) -> list[str]:
        """Also where it is not called: as a default factory it is as ambient as in a call."""
        if isinstance(node, ast.Attribute | ast.Name):
            return [dotted(node, self.names)]
        if isinstance(node, ast.ImportFrom):
            return [f"{node.module}.{alias.name}" for alias in node.names]
        if isinstance(node, ast.Import):
            return [alias.name for alias in node.names]
        return []

    def _cure(self, name: str) -> str:
        if name in STOPWATCH:
            return "" if self.source.within(*STOPWATCH_PLACES) else STOPWATCH_CURE
        if name == "time.sleep" and self.source.within(*SLEEP_PLACES):
            return ""
        if name == "time.time_ns" and self.source.within(*CLOCK_PLACES):
            return ""
        if name in AMBIENT:
            return AMBIENT[name]
        if name == "secrets" or name.startswith("secrets."):
            return CHANCE_CURE
        if name == "random" or name.startswith("random."):
            seedable = name in {"random", "random.Random"}
            return "" if seedable and self.source.within(*RANDOM_PLACES) else CHANCE_CURE
        if name.startswith("numpy.random.") and name not in SEEDED | CHANCE_TYPES:
            bit_generator = name.rpartition(".")[2][0].isupper()
            return "" if bit_generator else CHANCE_CURE
        return ""

    def _called(self, node: ast.Call) -> list[tuple[str, str]]:
        name = dotted(node.func, self.names)
        if name in SEEDED and not _has_seed(node):
            return [(f"{name} without a seed", CHANCE_CURE)]
        method = node.func if isinstance(node.func, ast.Attribute) else None
        loose = method is not None and not name and method.attr in {"create_task", "ensure_future"}
        if method and loose and ast.unparse(method.value) not in self._task_groups():
            return [(ast.unparse(method), TASK_CURE)]
        return []

    def _task_groups(self) -> set[str]:
        """Names bound by `async with asyncio.TaskGroup() as name`, and parameters of that type."""
        bound: list[tuple[ast.AST | None, ast.AST]] = []
        for node in ast.walk(self.source.tree):
            if isinstance(node, ast.withitem) and isinstance(node.context_expr, ast.Call):
                bound.append((node.optional_vars, node.context_expr.func))
            elif isinstance(node, ast.arg) and node.annotation is not None:
                bound.append((ast.Name(node.arg), node.annotation))
        return {
            ast.unparse(name)
            for name, made in bound
            if name is not None and dotted(made, self.names) == "asyncio.TaskGroup"
        }


def _has_seed(node: ast.Call) -> bool:
    given = [*node.args, *(keyword.value for keyword in node.keywords)]
    return bool(given) and not (isinstance(given[0], ast.Constant) and given[0].value is None)
