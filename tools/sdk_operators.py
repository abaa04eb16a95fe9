"""Write `src/qmtl/sdk/operators.py` from the registry: a typed method for every operator.

python tools/sdk_operators.py            write the file
python tools/sdk_operators.py --check    fail if it is not what would be written
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

from qmtl.ops.registry import REQUIRED, Operator, Param, operators

TARGET = Path(__file__).resolve().parent.parent / "src" / "qmtl" / "sdk" / "operators.py"
BY_HAND = frozenset(
    {
        "where",
        "where_a",
        "where_b",
        "where_ab",
        "where_only",
        "minimum",
        "maximum",
        "and",
        "or",
        "neg",
        "abs",
        "invert",
        "eq",
        "ne",
        "align",
        "resample",
        "bars",
    }
)
SYMBOLS = frozenset({"x", "e", "ema", "wma", "atr", "cov", "ln"})  # written small also at the beginning
WIDTH = 110

HEAD = '''"""Operators as methods, written by `tools/sdk_operators.py` from the registry. Do not edit."""

from __future__ import annotations

from typing import Literal, TypeVar, cast

from qmtl.sdk.apply import apply
from qmtl.sdk.arithmetic import Arithmetic
from qmtl.sdk.choosing import maximum, minimum, where
from qmtl.sdk.operand import Operand
from qmtl.sdk.shaping import Shaping

__all__ = ["SeriesOperators", "StreamOperators", "maximum", "minimum", "where"]

One = TypeVar("One")
Many = TypeVar("Many")
'''

SERIES = '''

class SeriesOperators(Arithmetic[One, Many]):
    """Operators of one column; `One` is what a single output is, `Many` what several are."""

    __slots__ = ()
'''

STREAM = '''

class StreamOperators(Shaping[One, Many]):
    """Operators that read columns of one stream by name."""

    __slots__ = ()
'''


def source() -> str:
    """The whole module."""
    known = sorted(operators().values(), key=lambda one: one.name)
    offered = [one for one in known if not one.cross and not _by_hand(one)]
    series = "".join(_method(one) for one in offered if not one.stream)
    streams = "".join(_method(one) for one in offered if one.stream)
    return HEAD + SERIES + series + STREAM + streams


def _by_hand(operator: Operator) -> bool:
    stem = operator.name.removesuffix("_scalar").removesuffix("_rscalar")
    return (
        operator.name in BY_HAND
        or stem != operator.name
        or stem in BY_HAND
        or f"{stem}_scalar" in operators()
    )


def _method(operator: Operator) -> str:
    others = () if operator.stream else operator.inputs[1:]
    declared = [
        "self",
        *(f"{name}: Operand[One, Many]" for name in others),
        *map(_parameter, operator.params),
    ]
    result = "One" if len(operator.outputs) == 1 else "Many"
    head = f"    def {operator.name}({', '.join(declared)}) -> {result}:"
    if len(head) > WIDTH:
        each = "".join(f"        {one},\n" for one in declared)
        head = f"    def {operator.name}(\n{each}    ) -> {result}:"
    given = ", ".join(f'"{one.name}": {one.name}' for one in operator.params)
    operands = ", ".join(("self", *others)) + ("," if not others else "")
    body = f'        return cast({result}, apply("{operator.name}", ({operands}), {{{given}}}))'
    if len(body) > WIDTH:
        call = f'apply("{operator.name}", ({operands}), params)'
        body = f"        params = {{{given}}}\n        return cast({result}, {call})"
    return f"\n{head}\n{_doc(operator)}\n{body}\n"


def _parameter(param: Param) -> str:
    kind = f"Literal[{', '.join(map(repr, param.choices))}]" if param.choices else param.kind.__name__
    kind = kind.replace("'", '"')
    if param.default is REQUIRED:
        return f"{param.name}: {kind}"
    default = f'"{param.default}"' if isinstance(param.default, str) else repr(param.default)
    return f"{param.name}: {kind} = {default}"


def _doc(operator: Operator) -> str:
    text = operator.doc.strip()
    if re.split(r"\W", text)[0] not in SYMBOLS:
        text = text[0].upper() + text[1:]
    text += "" if text.endswith(".") else "."
    if len(operator.outputs) > 1:
        text += f" Columns: {', '.join(operator.outputs)}."
    if operator.stream:
        text += f" Reads {', '.join(operator.inputs)}."
    if operator.source != "own":
        text += f" ({operator.source})"
    lines = textwrap.wrap(text.replace("\\", "\\\\"), WIDTH - 14)
    if len(lines) == 1:
        return f'        """{lines[0]}"""'
    return "\n".join([f'        """{lines[0]}', *(f"        {line}" for line in lines[1:]), '        """'])


def main() -> int:
    """Write or check; the exit code says whether the file was up to date."""
    wanted = source()
    if "--check" in sys.argv:
        return 0 if TARGET.read_text(encoding="utf-8") == wanted else 1
    TARGET.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
