"""Settings of a process: read from the environment once, where it starts, and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

OFF = ("off", "0", "false", "no")


@dataclass(frozen=True, slots=True)
class Settings:
    """`cache`: a folder or the URL of an object store; "" for none."""

    cache: str


def parse(environ: Mapping[str, str]) -> Settings:
    """QMTL_CACHE, a folder or URL, or "off"; else ``qmtl`` in XDG_CACHE_HOME or ``~/.cache``."""
    cache = environ.get("QMTL_CACHE", "")
    if cache.lower() in OFF:
        return Settings("")
    return Settings(cache or f"{environ.get('XDG_CACHE_HOME') or '~/.cache'}/qmtl/results")
