"""Settings of a process: read from the environment once, where it starts, and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

OFF = ("off", "0", "false", "no")


@dataclass(frozen=True, slots=True)
class Settings:
    """`cache`: a folder or the URL of an object store; "" for none. `log`: the URL of the transactional log."""

    cache: str
    log: str


def parse(environ: Mapping[str, str]) -> Settings:
    """QMTL_CACHE, a folder or URL, or "off"; else ``qmtl`` in XDG_CACHE_HOME or ``~/.cache``.

    QMTL_LOG, the URL of a database or of Kafka; else SQLite in ``qmtl`` in XDG_DATA_HOME or ``~/.local/share``.
    """
    cache = environ.get("QMTL_CACHE", "") or f"{environ.get('XDG_CACHE_HOME') or '~/.cache'}/qmtl/results"
    log = environ.get("QMTL_LOG", "")
    log = log or f"sqlite:///{environ.get('XDG_DATA_HOME') or '~/.local/share'}/qmtl/log.sqlite"
    return Settings("" if cache.lower() in OFF else cache, log)
