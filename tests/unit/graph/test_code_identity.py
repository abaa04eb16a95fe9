"""What the code part of an id covers: the meaning of a function's source, and all that it uses."""

from __future__ import annotations

import importlib.util
import linecache
import subprocess
import sys
import textwrap
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from qmtl import UserError
from qmtl.sdk.code_identity import code_hash

_number = count()


def cell(source: str, name: str = "f") -> Any:
    """A function as a notebook makes it: compiled from a cell whose text linecache knows."""
    text = textwrap.dedent(source)
    file = f"<cell {next(_number)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, file, "exec"), namespace)
    return namespace[name]


def loaded(folder: Path, name: str, source: str) -> ModuleType:
    """A module from a file."""
    file = folder / f"{name}.py"
    file.write_text(textwrap.dedent(source))
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


BASE = """
def f(view, k=2):
    total = 0.0
    for value in view.x:
        total += k * value
    return total
"""
SAME = {
    "comments": BASE.replace("total = 0.0", "total = 0.0  # the sum"),
    "a docstring": BASE.replace("    total = 0.0", '    """Adds up."""\n    total = 0.0'),
    "annotations": BASE.replace("(view, k=2)", "(view: object, k: float = 2) -> float"),
    "an annotated local": BASE.replace("total = 0.0", "total: float = 0.0"),
    "layout": BASE.replace("total += k * value", "total += (\n            k\n            * value\n        )"),
    "renamed locals": BASE.replace("total", "acc").replace("value", "each"),
    "another name of the function": BASE.replace("def f(", "def g(") + "\nf = g\n",
    "a decorator that gives it back": "same = lambda one: one\n@same" + BASE,
    "quotes": BASE.replace("view.x", "view.x") + "\n'text'\n",
    "a number written otherwise": BASE.replace("0.0", "0.00"),
}
OTHER = {
    "an operation": BASE.replace("k * value", "k + value"),
    "a constant": BASE.replace("0.0", "1.0"),
    "a constant's type": BASE.replace("0.0", "0"),
    "its sign": BASE.replace("0.0", "-0.0"),
    "a parameter's name": BASE.replace("(view, k=2)", "(view, n=2)").replace("k *", "n *"),
    "a default": BASE.replace("k=2", "k=3"),
    "a default's type": BASE.replace("k=2", "k=2.0"),
    "an attribute": BASE.replace("view.x", "view.y"),
    "an order": BASE.replace("k * value", "value * k"),
    "a statement": BASE.replace("return total", "return total if total else None"),
    "one local for another": BASE.replace("return total", "return value"),
    "async": BASE.replace("def f", "async def f"),
}


@pytest.mark.parametrize("change", SAME)
def test_what_does_not_matter(change: str) -> None:
    assert code_hash(cell(SAME[change])) == code_hash(cell(BASE))


@pytest.mark.parametrize("change", OTHER)
def test_what_matters(change: str) -> None:
    assert code_hash(cell(OTHER[change])) != code_hash(cell(BASE))


USES: dict[str, tuple[str, str]] = {  # a source, and the same with another value of what is used
    "a helper's body": ("def h(x): return x + 1\ndef f(view): return h(1)", "def h(x): return x + 2\ndef f(view): return h(1)"),
    "a helper of a helper": (
        "def g(x): return x + 1\ndef h(x): return g(x)\ndef f(view): return h(1)",
        "def g(x): return x - 1\ndef h(x): return g(x)\ndef f(view): return h(1)",
    ),
    "a module constant": ("K = 1\ndef f(view): return K", "K = 2\ndef f(view): return K"),
    "a constant's type ": ("K = 1\ndef f(view): return K", "K = True\ndef f(view): return K"),
    "a tuple of constants": ("K = (1, 2)\ndef f(view): return K[0]", "K = (1, 3)\ndef f(view): return K[0]"),
    "a captured value": (
        "def make(k):\n    def f(view): return k\n    return f\nf = make(1)",
        "def make(k):\n    def f(view): return k\n    return f\nf = make(2)",
    ),
    "a default of a helper": ("def h(x=1): return x\ndef f(view): return h()", "def h(x=2): return x\ndef f(view): return h()"),
    "a keyword default of a helper": ("def h(*, x=1): return x\ndef f(view): return h()", "def h(*, x=2): return x\ndef f(view): return h()"),
    "a method": (
        "class C:\n    def m(self): return 1\ndef f(view): return C().m()",
        "class C:\n    def m(self): return 2\ndef f(view): return C().m()",
    ),
    "an attribute of a class": ("class C:\n    k = 1\ndef f(view): return C.k", "class C:\n    k = 2\ndef f(view): return C.k"),
    "a base class": (
        "class B:\n    def m(self): return 1\nclass C(B): pass\ndef f(view): return C().m()",
        "class B:\n    def m(self): return 2\nclass C(B): pass\ndef f(view): return C().m()",
    ),
    "a property": (
        "class C:\n    @property\n    def m(self): return 1\ndef f(view): return C().m",
        "class C:\n    @property\n    def m(self): return 2\ndef f(view): return C().m",
    ),
    "a dataclass's field": (
        "from dataclasses import dataclass\n@dataclass\nclass C:\n    a: int = 1\ndef f(view): return C().a",
        "from dataclasses import dataclass\n@dataclass\nclass C:\n    a: int = 2\ndef f(view): return C().a",
    ),
    "an enum": (
        "from enum import Enum\nclass C(Enum):\n    A = 1\ndef f(view): return C.A.value",
        "from enum import Enum\nclass C(Enum):\n    A = 2\ndef f(view): return C.A.value",
    ),
    "a decorated helper": (
        "import functools\n@functools.cache\ndef h(x): return x\ndef f(view): return h(1)",
        "import functools\n@functools.cache\ndef h(x): return -x\ndef f(view): return h(1)",
    ),
    "what a decorator wraps": (
        "def twice(g):\n    def inner(x): return 2 * g(x)\n    return inner\n@twice\ndef h(x): return x\ndef f(view): return h(1)",
        "def twice(g):\n    def inner(x): return 3 * g(x)\n    return inner\n@twice\ndef h(x): return x\ndef f(view): return h(1)",
    ),
    "a partial": (
        "from functools import partial\ndef h(a, b): return a\ng = partial(h, 1)\ndef f(view): return g(2)",
        "from functools import partial\ndef h(a, b): return a\ng = partial(h, 2)\ndef f(view): return g(2)",
    ),
    "a comprehension": ("def f(view): return [x + 1 for x in view.x]", "def f(view): return [x - 1 for x in view.x]"),
    "an inner function": (
        "def f(view):\n    def g(x): return x + 1\n    return g(1)",
        "def f(view):\n    def g(x): return x + 2\n    return g(1)",
    ),
    "an f-string": ("def f(view): return len(f'{view.x:.2f}')", "def f(view): return len(f'{view.x:.3f}')"),
    "a match": (
        "def f(view):\n    match view.x:\n        case 1: return 1\n        case _: return 0",
        "def f(view):\n    match view.x:\n        case 2: return 1\n        case _: return 0",
    ),
    "a walrus": ("def f(view): return (y := view.x) + y", "def f(view): return (y := view.z) + y"),
    "which library function": ("import math\ndef f(view): return math.sin(1)", "import math\ndef f(view): return math.cos(1)"),
    "which numpy function": ("import numpy as np\ndef f(view): return np.linalg.norm(view.x)", "import numpy as np\ndef f(view): return np.linalg.det(view.x)"),
    "an import within": (
        "def f(view):\n    from math import sin as s\n    return s(1)",
        "def f(view):\n    from math import cos as s\n    return s(1)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("use", USES)
def test_what_a_function_uses_matters(use: str) -> None:
    one, other = USES[use]
    assert code_hash(cell(one)) == code_hash(cell("\n\n" + one))
    assert code_hash(cell(one)) != code_hash(cell(other))


def test_renamed_helpers_constants_and_modules_do_not_matter() -> None:
    one = cell("import numpy as np\nK = 2\ndef h(x): return K * np.log(x)\ndef f(view): return h(view.x)")
    other = cell("import numpy\nTWO = 2\ndef g(x): return TWO * numpy.log(x)\ndef f(view): return g(view.x)")
    assert code_hash(one) == code_hash(other)


def test_recursion() -> None:
    one = "def f(view, n=3): return n if n < 2 else f(view, n - 1)"
    assert code_hash(cell(one)) == code_hash(cell(one))
    assert code_hash(cell(one)) != code_hash(cell(one.replace("n - 1", "n - 2")))


def test_a_file_and_a_notebook_cell_give_the_same(tmp_path: Path) -> None:
    assert code_hash(loaded(tmp_path, "from_a_file", BASE).f) == code_hash(cell(BASE))


def test_helpers_of_local_modules_enter_by_source(tmp_path: Path) -> None:
    """`module.helper`, `package.module.helper`, and an import within the function."""
    sys.path.insert(0, str(tmp_path))
    try:
        found = []
        for name, sign in (("plus", "+"), ("minus", "-"), ("again", "+")):
            loaded(tmp_path, f"local_{name}", f"def helper(x): return x {sign} 1\n")
            source = f"import local_{name} as m\ndef f(view): return m.helper(view.x)"
            inner = f"def f(view):\n    from local_{name} import helper\n    return helper(view.x)"
            found.append((code_hash(cell(source)), code_hash(cell(inner))))
    finally:
        sys.path.remove(str(tmp_path))
    assert found[0][0] == found[2][0]
    assert found[0][0] != found[1][0] and found[0][1] != found[1][1]


def test_a_package_installed_for_editing_enters_by_source(tmp_path: Path) -> None:
    """As pip makes it: a .pth file in site-packages names the folder where the source lies."""
    program = "import mine, sys\ndef f(view): return mine.scale(view.x)\nfrom qmtl.sdk.code_identity import code_hash\nprint(code_hash(f))"
    (tmp_path / "run.py").write_text(program)
    site = tmp_path / "site-packages"
    site.mkdir()
    found = []
    for number in (2, 3, 2):
        source = tmp_path / f"source{len(found)}"
        (source / "mine").mkdir(parents=True)
        (source / "mine" / "__init__.py").write_text(f"def scale(x): return {number} * x\n")
        (site / "mine.pth").write_text(str(source))
        start = f"import site; site.addsitedir({str(site)!r}); import runpy; runpy.run_path('run.py')"
        done = subprocess.run(
            [sys.executable, "-c", start], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        found.append(done.stdout)
    assert found[0] == found[2] != found[1]


def test_lambdas_on_one_line_are_told_apart() -> None:
    pair = "f, g = lambda view: view.x + 1, lambda view: view.x + 2\n"
    assert code_hash(cell(pair, "f")) != code_hash(cell(pair, "g"))
    assert code_hash(cell(pair, "f")) == code_hash(cell("f = lambda view: view.x + 1\n"))


REFUSED = {
    "an open file": "import io\nhandle = io.StringIO('x')\ndef f(view): return handle.read()",
    "open()": "def f(view): return open('x').read()",
    "the clock": "import time\ndef f(view): return time.time()",
    "chance": "import random\ndef f(view): return random.random()",
    "a method of chance": "from random import random\ndef f(view): return random()",
    "a list that can change": "K = [1]\ndef f(view): return K[0]",
    "a dict that can change": "K = {'a': 1}\ndef f(view): return K['a']",
    "an array that can change": "import numpy as np\nK = np.zeros(3)\ndef f(view): return K[0]",
    "a global it assigns": "K = 1\ndef f(view):\n    global K\n    K = 2\n    return K",
    "state it keeps on itself": "def f(view):\n    f.seen = 1\n    return 1",
    "a generator": "G = (n for n in range(3))\ndef f(view): return next(G)",
    "an object": "class C: pass\nC0 = C()\ndef f(view): return C0",
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_hashed_soundly_is_refused(what: str) -> None:
    with pytest.raises(UserError) as told:
        code_hash(cell(REFUSED[what]))
    assert told.value.cure


def test_a_function_without_source_is_refused() -> None:
    namespace: dict[str, Any] = {}
    exec("f = lambda view: view.x", namespace)
    with pytest.raises(UserError, match="source"):
        code_hash(namespace["f"])


def test_the_refusal_names_what_it_is_about() -> None:
    with pytest.raises(UserError, match="weights"):
        code_hash(cell("weights = [1, 2]\ndef f(view): return weights[0]"))


def test_a_thousand_nodes_of_one_function_read_it_once() -> None:
    """The tree is kept by code object: what is left is a lookup."""
    function: Callable[..., Any] = cell(BASE)
    first = code_hash(function)
    linecache.clearcache()  # its source is gone
    assert all(code_hash(function) == first for _ in range(1000))
