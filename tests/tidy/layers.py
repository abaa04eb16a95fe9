"""Which part of the package may import which, and what core may import from outside."""

from __future__ import annotations

import sys

from tidy.source import Import, Kind, Source

FACADE = "qmtl"  # `qmtl/__init__.py`, the names an author writes

# ARCHITECTURE.md, Imports. A part always imports itself; adapters only their own family.
MAY_IMPORT: dict[str, frozenset[str]] = {
    "core": frozenset(),
    "ops": frozenset({"core"}),
    "ports": frozenset({"core"}),
    "adapters": frozenset({"core", "ports"}),
    "runtime": frozenset({"core", "ops", "ports"}),
    "sdk": frozenset({"core", "ops"}),
    "services": frozenset({FACADE, "sdk", "runtime", "wiring"}),
    "cli": frozenset({FACADE, "sdk", "runtime", "wiring"}),
    "wiring": frozenset({"adapters", "core", "ports", "runtime", "settings"}),
    "settings": frozenset({"core"}),
    FACADE: frozenset({"core", "ops", "sdk"}),
    "__main__": frozenset({"cli"}),
}
RUNNER = "runner"  # the sdk's module (or modules runner_*) that starts the runtime
RUNNER_ALSO = frozenset({"runtime", "wiring"})

CORE_PACKAGES = frozenset({"blake3", "msgspec", "numba", "numpy"})
OUTSIDE_CORE = {  # the standard library's doors to the world
    **dict.fromkeys(("asyncio", "concurrent", "multiprocessing", "threading", "queue"), "scheduling"),
    **dict.fromkeys(
        ("io", "os.path", "pathlib", "shutil", "socket", "sqlite3", "subprocess", "tempfile"), "IO"
    ),
    **dict.fromkeys(("http", "urllib", "ssl", "glob", "mmap"), "IO"),
    **dict.fromkeys(("random", "secrets", "uuid"), "chance"),
    **dict.fromkeys(("sched", "time"), "the clock"),
    "logging": "logging",
}


def wrong_direction(source: Source, known: frozenset[str]) -> list[str]:
    """Imports within the package, lazy ones and those for type checkers too."""
    if not source.module or part_of(source.module) == "testing":
        return []
    found = []
    for each in source.imports:
        target = each.target(known)
        if each.top == "qmtl" and not _allowed(source.module, target):
            found.append(_wrong(source, each, target))
    return list(dict.fromkeys(found))


def kit_imported(source: Source, known: frozenset[str]) -> list[str]:
    """Examples, tools and benchmarks are users: only tests import the test kit."""
    if source.module or source.within("tests/"):
        return []
    return [
        f"{source.path}:{each.line}: only tests import qmtl.testing; move what is needed out of the test kit"
        for each in source.imports
        if part_of(each.target(known)) == "testing"
    ]


def foreign_in_core(source: Source) -> list[str]:
    """Core imports numpy, blake3, msgspec, numba and those modules of the standard library that do no IO."""
    if not source.within("src/qmtl/core/"):
        return []
    found = []
    for each in source.imports:
        reason = _foreign(source, each)
        if reason:
            found.append(f"{source.path}:{each.line}: core does not import {each.names[-1]}: {reason}")
    return list(dict.fromkeys(found))


def part_of(module: str) -> str:
    """The part of the package a module lies in: `core`, `sdk`, … or the facade itself."""
    _, _, rest = module.partition(".")
    return rest.partition(".")[0] if module.startswith("qmtl.") else module


def _allowed(module: str, target: str) -> bool:
    own, other = part_of(module), part_of(target)
    if own == other:
        return own != "adapters" or module.split(".")[2:3] == target.split(".")[2:3]
    if own == "sdk" and other in RUNNER_ALSO:
        name = module.split(".")[2]
        return name == RUNNER or name.startswith(f"{RUNNER}_")
    return other in MAY_IMPORT.get(own, frozenset())


def _wrong(source: Source, each: Import, target: str) -> str:
    own, other = part_of(source.module), part_of(target)
    if own not in MAY_IMPORT:
        return f"{source.path}:{each.line}: {own} has no place in the layout; see ARCHITECTURE.md, Imports"
    if own == other == "adapters":
        cure = "adapters never import each other; what both need belongs to core or to the port"
    elif other == "testing":
        cure = "nothing but tests imports the test kit"
    elif other == FACADE:
        cure = "import the name from the module that defines it (the version: importlib.metadata)"
    else:
        cure = f"{own} may import {', '.join(sorted(MAY_IMPORT[own])) or 'only itself'}"
    return f"{source.path}:{each.line}: {own} imports {target}; {cure}"


def _foreign(source: Source, each: Import) -> str:
    for name in (*each.names, each.top):
        if name in OUTSIDE_CORE:
            return f"it has no {OUTSIDE_CORE[name]}; let the caller pass the value in, or do it in runtime"
    if each.top == "qmtl" or each.top in sys.stdlib_module_names:
        return ""
    if each.top not in CORE_PACKAGES:
        return f"only {', '.join(sorted(CORE_PACKAGES))}; convert where the value is handed out, above core"
    if each.top == "numba" and each.kind is Kind.MODULE and not source.path.endswith("_kernels.py"):
        return "numba is loaded lazily; put what is compiled into a module named *_kernels"
    return ""
