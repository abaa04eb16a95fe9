"""Kafka's jars: kept in the user's cache, each compared with the SHA-256 pinned beside this module."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from qmtl.runtime.servers.server import Progress, ServerFailed

if TYPE_CHECKING:
    from jgo.maven import MavenContext

VERSION = "4.3.1"
PINS = Path(__file__).with_name("kafka_jars.sha256")  # `SHA-256  group:artifact:version`, one a line


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qmtl"


def pins() -> dict[str, str]:
    """Coordinates and the SHA-256 of their jar."""
    lines = PINS.read_text(encoding="ascii").splitlines()
    return {coordinates: digest for digest, coordinates in (line.split() for line in lines)}


def jars(progress: Progress | None = None) -> list[Path]:
    """All of them, downloaded where they are missing or damaged; raises `ServerFailed`."""
    from jgo.maven import MavenContext

    folder = cache_folder() / "maven"
    folder.mkdir(parents=True, exist_ok=True)
    logging.getLogger("jgo").setLevel(logging.ERROR)
    context = MavenContext(repo_cache=folder, timeout=60)
    found = []
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # jgo writes in place: nobody else may see half a jar
        wanted = pins()
        for number, (coordinates, digest) in enumerate(wanted.items()):
            if progress is not None:
                progress(f"Kafka {VERSION}", number, len(wanted))
            found.append(_jar(context, coordinates, digest))
    if progress is not None:
        progress(f"Kafka {VERSION}", len(wanted), len(wanted))
    return found


def _jar(context: MavenContext, coordinates: str, digest: str) -> Path:
    artifact = context.create_dependency(coordinates).artifact
    path = artifact.cached_path
    if path is not None and path.exists() and _sha256(path) != digest:
        path.unlink()  # a download that broke off
    try:
        path = artifact.resolve()
    except (OSError, RuntimeError) as error:
        raise ServerFailed(f"{coordinates} cannot be downloaded ({error}); is there a network?") from error
    if _sha256(path) != digest:
        path.unlink()
        raise ServerFailed(f"{coordinates}: what was downloaded is not what {PINS.name} pins; it was removed")
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
