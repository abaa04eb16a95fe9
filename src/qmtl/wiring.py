"""Which adapter serves which port: the only module that names them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qmtl.settings import Settings, parse

if TYPE_CHECKING:
    from qmtl.core.flow.reuse import Reuse
    from qmtl.ports.blobs import Blobs


def settings() -> Settings:
    """Those of this process."""
    return parse(os.environ)


def slice_cache(given: Any = None) -> Reuse | None:
    """Who keeps slices: `given` itself, or a cache in the folder or store that it names; None: as settings say."""
    from qmtl.runtime.progress import stopwatch
    from qmtl.runtime.slices import SliceCache

    if given is not None and not isinstance(given, str | Path):
        return given  # type: ignore[no-any-return]
    where = settings().cache if given is None else str(given)
    return SliceCache(blobs(where), Here(), watch=stopwatch) if where else None


def blobs(where: str) -> Blobs:
    """The blob store in a folder, or at the URL of an object store."""
    if "://" in where:
        from qmtl.adapters.objects.blobs import ObjectBlobs

        return ObjectBlobs(where)
    from qmtl.adapters.files.blobs import FileBlobs

    return FileBlobs(Path(where).expanduser())
