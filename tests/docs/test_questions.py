"""docs/guide/questions.md: its commands print what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "guide" / "questions.md").read_text()


def test_the_page_tells_what_the_commands_say(tmp_path: Path) -> None:
    """A line `…` on the page stands for any lines; places are shown without their folder."""
    for name, code in re.findall(r"```python\n# (\S+\.py)\n(.*?)```", PAGE, re.DOTALL):
        (tmp_path / name).write_text(f"# {name}\n{code}")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "qmtl").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m qmtl "$@"\n')
    (tools / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)
    environment = os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    commands = 0
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        for command, told in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            done = subprocess.run(
                command,
                shell=True,
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode in (0, 1), done.stderr
            said = done.stdout.replace(f"{tmp_path}{os.sep}", "")
            compare(command, told.splitlines(), [line.rstrip() for line in said.splitlines()])
            commands += 1
    assert commands >= 8


def compare(command: str, told: list[str], said: list[str]) -> None:
    at, free = 0, False
    for line in told:
        if line == "…":
            free = True
            continue
        found = said.index(line, at) if free and line in said[at:] else at
        assert found < len(said) and said[found] == line, f"{command}: {line!r}, not among {said[at:]}"
        at, free = found + 1, False
    assert free or at == len(said), f"{command}: more is said: {said[at:]}"
