"""docs/guide/once.md quotes the code as it stands, and its diagram is the run as it is.

After a change: `python tests/docs/test_once.py` writes both anew. Read the difference.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from docs.once_run import GUIDE, drawn

ROOT = Path(__file__).parents[2]
QUOTE = re.compile(r"(<!-- (?P<file>\S+\.py): (?P<name>\S+) -->\n```python\n).*?(```\n)", re.DOTALL)


def source_of(file: str, name: str) -> str:
    """The source of a function or class, with its decorators, at no indent."""
    text = (ROOT / file).read_text()
    found: ast.AST = ast.parse(text)
    for part in name.split("."):
        found = next(
            one
            for one in ast.iter_child_nodes(found)
            if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and one.name == part
        )
    assert isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    first = min([found.lineno, *(one.lineno for one in found.decorator_list)])
    lines = text.splitlines()[first - 1 : found.end_lineno]
    indent = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[indent:] for line in lines) + "\n"


def quoted(text: str) -> str:
    return QUOTE.sub(lambda found: found[1] + source_of(found["file"], found["name"]) + found[4], text)


def test_the_code_is_quoted_as_it_stands() -> None:
    text = GUIDE.read_text()
    assert len(QUOTE.findall(text)) == text.count("```python") > 5
    assert text == quoted(text), "run python tests/docs/test_once.py"


def test_the_diagram_is_the_run_as_it_is() -> None:
    text = GUIDE.read_text()
    assert "too_late" in text and " v1 = " in text
    assert text == drawn(text), "run python tests/docs/test_once.py"


if __name__ == "__main__":
    GUIDE.write_text(drawn(quoted(GUIDE.read_text())))
