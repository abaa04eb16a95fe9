"""Each rule of `tests/tidy/` bites where it should, and only there."""

from __future__ import annotations

import pytest

from tidy.ambient import ambient_calls
from tidy.catching import AUTHORS_CODE, broad_handlers
from tidy.names import empty_names
from tidy.sizes import WRITTEN_BY_A_TOOL, long_files, long_functions
from tidy.source import Source
from tidy.typing_relief import relaxed_without_numba

RUNTIME = "src/qmtl/runtime/commit.py"


@pytest.mark.parametrize(
    ("path", "lines", "bites"),
    [
        ("src/qmtl/core/flow/engine.py", 300, False),
        ("src/qmtl/core/flow/engine.py", 301, True),
        ("src/qmtl/runtime/run.py", 400, False),
        ("src/qmtl/runtime/run.py", 401, True),
        ("tests/unit/test_run.py", 401, True),
        (WRITTEN_BY_A_TOOL[0], 4000, False),
    ],
)
def test_files_have_a_limit(path: str, lines: int, bites: bool) -> None:
    assert bool(long_files(Source(path, "x = 1\n" * lines))) == bites


@pytest.mark.parametrize(("statements", "bites"), [(50, False), (51, True)])
@pytest.mark.parametrize("head", ["def f():", "async def f():", "class C:\n  def f(self):"])
def test_function_bodies_have_a_limit(head: str, statements: int, bites: bool) -> None:
    body = '    """A docstring\n    does not count."""\n' + "    x = 1\n" * statements
    found = long_functions(Source(RUNTIME, f"{head}\n{body}"))
    assert bool(found) == bites
    assert all("the body of f has 51 lines" in each for each in found)


@pytest.mark.parametrize(
    ("path", "bites"),
    [
        ("src/qmtl/core/utils.py", True),
        ("src/qmtl/core/string_helpers.py", True),
        ("src/qmtl/common/ids.py", True),
        ("src/qmtl/runtime/queue_manager.py", True),
        ("tests/unit/base.py", True),
        ("src/qmtl/services/dag_manager/app.py", False),
        ("src/qmtl/runtime/tag_query_manager.py", False),
        ("src/qmtl/core/database.py", False),
    ],
)
def test_a_module_is_named_by_its_concept(path: str, bites: bool) -> None:
    assert bool(empty_names(Source(path, ""))) == bites


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("import time\ntime.time()", "take the time as an argument"),
        ("import time as t\nt.time_ns()", "take the time as an argument"),
        ("from time import time\nx = time()", "take the time as an argument"),
        ("from datetime import datetime, UTC\ndatetime.now(UTC)", "take the time as an argument"),
        ("import datetime as dt\ndt.datetime.utcnow()", "take the time as an argument"),
        ("from datetime import date\ndate.today()", "take the time as an argument"),
        (
            "from datetime import datetime\nfield(default_factory=datetime.now)",
            "take the time as an argument",
        ),
        ("import time\ntime.perf_counter()", "durations are measured only in"),
        ("from time import monotonic", "durations are measured only in"),
        ("import time\ntime.sleep(1)", "wait for the event itself"),
        ("import random", "made from a seed"),
        ("from random import choice", "made from a seed"),
        ("import numpy as np\nnp.random.seed(1)", "made from a seed"),
        ("import numpy as np\nnp.random.default_rng()", "made from a seed"),
        ("import numpy as np\nnp.random.default_rng(None)", "made from a seed"),
        ("from numpy.random import normal", "made from a seed"),
        ("import os\nos.urandom(8)", "made from a seed"),
        ("import secrets", "made from a seed"),
        ("from uuid import uuid4\nuuid4()", "derive the identity from content"),
        ("import uuid\nkey = uuid.uuid1", "derive the identity from content"),
        ("import asyncio\nasyncio.create_task(f())", "asyncio.TaskGroup"),
        ("import asyncio\nasyncio.get_running_loop().create_task(f())", "asyncio.TaskGroup"),
        ("from asyncio import ensure_future\nensure_future(f())", "asyncio.TaskGroup"),
        ("def f(loop):\n    loop.create_task(g())", "asyncio.TaskGroup"),
    ],
)
def test_ambient_calls_are_named_with_what_to_do_instead(text: str, cure: str) -> None:
    found = ambient_calls(Source(RUNTIME, text))
    assert found
    assert all(cure in each and each.startswith(f"{RUNTIME}:") for each in found)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (RUNTIME, "def f(clock):\n    return clock.time()"),
        (RUNTIME, "from datetime import datetime\ndatetime.fromtimestamp(0)"),
        (RUNTIME, "import numpy as np\nnp.random.default_rng(7)"),
        (RUNTIME, "import numpy as np\ndef f(seed): return np.random.default_rng(seed=seed)"),
        (RUNTIME, "import numpy as np\ndef f(chance: np.random.Generator): ..."),
        (RUNTIME, "random = 1\nprint(random)"),
        (
            RUNTIME,
            "import asyncio\nasync def f():\n  async with asyncio.TaskGroup() as g:\n    g.create_task(h())",
        ),
        (RUNTIME, "import asyncio\ndef f(group: asyncio.TaskGroup):\n    group.create_task(h())"),
        ("src/qmtl/runtime/progress.py", "from time import monotonic\nmonotonic()"),
        ("src/qmtl/cli/app.py", "import time\ntime.perf_counter()"),
        ("benchmarks/bench_ema.py", "import time\ntime.perf_counter_ns()"),
        ("src/qmtl/testing/oracle/case.py", "from random import Random\nRandom(7)"),
        ("tests/unit/test_case.py", "import random\nrandom.Random(7)"),
    ],
)
def test_what_is_passed_in_or_seeded_is_not_ambient(path: str, text: str) -> None:
    assert ambient_calls(Source(path, text)) == []


@pytest.mark.parametrize("text", ["import random\nrandom.Random()", "import random\nrandom.choice([1])"])
def test_tests_too_draw_only_from_a_seed(text: str) -> None:
    assert ambient_calls(Source("tests/unit/test_case.py", text))


@pytest.mark.parametrize(
    ("handler", "bites"),
    [
        ("except:\n    pass", True),
        ("except Exception:\n    pass", True),
        ("except BaseException as error:\n    print(error)", True),
        ("except (ValueError, Exception):\n    pass", True),
        ("except Exception:  # noqa: BLE001\n    pass", True),
        ("except Exception as error:\n    raise KeyError from error", True),
        ("except BaseException:\n    undo()\n    raise", False),
        ("except (ValueError, KeyError):\n    pass", False),
        ("except Fault:\n    pass", False),
    ],
)
def test_handlers_name_what_they_expect(handler: str, bites: bool) -> None:
    text = f"try:\n    f()\n{handler}\n"
    assert bool(broad_handlers(Source(RUNTIME, text))) == bites
    assert broad_handlers(Source(next(iter(AUTHORS_CODE)), text)) == []


def test_types_are_relaxed_only_where_numba_compiles() -> None:
    sources = [
        Source("src/qmtl/ops/sum_kernels.py", "import numba\n"),
        Source("src/qmtl/ops/registry.py", "import numpy\n"),
    ]
    relief = [{"module": ["qmtl.ops.sum_kernels", "numba.*"], "disallow_untyped_defs": False}]
    assert relaxed_without_numba(relief, sources) == []
    for module in ("qmtl.ops.registry", "qmtl.ops.*", "qmtl.*"):
        relief[0]["module"] = [module]
        assert relaxed_without_numba(relief, sources)
