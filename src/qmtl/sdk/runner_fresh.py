"""A strategy's functions asked in processes of their own, which know nothing of what this one has called before.

Each process reads the strategy's file again, with another seed of hashes and another time zone, and asks in another
order. What it is told and what it tells are our own words, over pipes.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from qmtl.core.graph.ir import NodeKind
from qmtl.runtime.environment import normalise
from qmtl.runtime.purity import Job, Observed, key_of, observe
from qmtl.sdk.strategy import Strategy, build

ZONES = ("Pacific/Apia", "America/Caracas", "Asia/Kathmandu")


def in_fresh_processes(
    strategy: Strategy, jobs: Sequence[Job], seeds: Sequence[int | None]
) -> list[list[Observed]] | str:
    """What new processes observe, one for each of `seeds`; a text says why there were none."""
    kind = type(strategy)
    try:
        file = inspect.getfile(kind)
    except (OSError, TypeError):
        return "the strategy is in no file"
    if not Path(file).is_file() or "<locals>" in kind.__qualname__:
        return f"{kind.__qualname__} cannot be found again in a file"
    found: list[list[Observed]] = []
    with ExitStack() as stack:
        started = []
        for number, seed in enumerate(seeds):
            told = stack.enter_context(TemporaryFile())
            pickle.dump(
                (file, kind.__module__, kind.__qualname__, strategy.parameters, list(jobs), seed), told
            )
            told.seek(0)
            started.append(stack.enter_context(_started(told, number)))
        for process in started:
            answer, errors = process.communicate()
            if process.returncode != 0:
                lines = errors.decode(errors="replace").strip().splitlines() or ["no word"]
                for one in started:
                    one.kill()
                return f"a new process failed: {lines[-1]}"
            found.append(pickle.loads(answer))  # noqa: S301 - said by `main` below
    return found


def _started(told: IO[bytes], number: int) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONHASHSEED": str(1000 + number), "TZ": ZONES[number % len(ZONES)]}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, "-c", "from qmtl.sdk.runner_fresh import main; main()"]
    return subprocess.Popen(  # noqa: S603 - this interpreter, this package
        command, stdin=told, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )


def main() -> None:
    """The new process: asked on stdin, answers on stdout; what the author prints goes to stderr."""
    answer, sys.stdout = sys.stdout.buffer, sys.stderr
    normalise()
    file, module, name, parameters, jobs, seed = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - our parent's
    kind: Any = _module(file, module)
    for part in name.split("."):
        kind = getattr(kind, part)
    graph = build(kind(**parameters))
    functions = {
        key_of(node): node.function
        for node in graph.declared
        if node.kind is NodeKind.FUNCTION and node.function is not None
    }
    answer.write(pickle.dumps(observe(functions, jobs, seed)))


def _module(file: str, name: str) -> Any:
    """The author's module, read again; as `__main__` it would run, so that gets another name."""
    name = "strategy_main" if name == "__main__" else name
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(Path(file).resolve().parent))
    spec.loader.exec_module(module)
    return module
