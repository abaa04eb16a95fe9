"""Which adapter serves which port: the only module that names them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING, Any

from qmtl.core.errors import Unavailable, UserError
from qmtl.settings import OFF, Settings, parse

if TYPE_CHECKING:
    from qmtl.core.flow.reuse import Reuse
    from qmtl.ports.blobs import Blobs
    from qmtl.ports.lease import Leases
    from qmtl.ports.log import Log
    from qmtl.ports.records import Records
    from qmtl.runtime.worker.starting import Beside


wall_clock = time_ns  # ns since 1970, of this machine: what comes is stamped with it
ON = ("1", "true", "yes")
DATABASES = ("sqlite", "postgresql")
LOOK_SECONDS = 0.05  # how often slices that others compute are looked for, at most


def settings() -> Settings:
    """Those of this process."""
    return parse(os.environ)


def slice_cache(given: Any = None, strict: bool = False) -> Reuse | None:
    """Who keeps slices: `given` itself, or a cache in the folder or store that it names; None: as settings say.

    `strict`: of a run that uses nothing another runtime computed.

    Raises UserError where the store that was named cannot be used; without that of the settings a run does.
    """
    from qmtl.runtime.here import Here
    from qmtl.runtime.progress import stopwatch
    from qmtl.runtime.slices import SliceCache

    if given is not None and not isinstance(given, str | Path):
        return given  # type: ignore[no-any-return]
    where = settings().cache if given is None else str(given)
    if not where:
        return None
    try:
        return SliceCache(blobs(where), Here(strict), watch=stopwatch)
    except Unavailable as error:
        if given is None:
            return None
        raise UserError("the cache cannot be used", place="cache", value=where, cure=str(error)) from None


def blobs(where: str) -> Blobs:
    """The blob store in a folder, or at the URL of an object store."""
    where = where.removeprefix("file://")  # synced and verified here, which obstore does not do
    if "://" in where:
        try:
            from obstore.exceptions import BaseError

            from qmtl.adapters.objects.blobs import opened
        except ModuleNotFoundError:
            raise UserError(
                "object stores need another package",
                place="cache",
                value=where,
                cure="pip install 'qmtl[s3]'",
            ) from None
        try:
            return opened(where, allow_http=os.environ.get("AWS_ALLOW_HTTP", "").lower() in ON)
        except (BaseError, ValueError) as error:
            raise UserError("no such store", place="cache", value=where, cure=str(error)) from None
    from qmtl.adapters.files.blobs import FileBlobs

    return FileBlobs(Path(where).expanduser())


def snapshot_store(given: str | None = None) -> Blobs | None:
    """Where snapshots go: the folder or URL `given`, else where the settings keep results; None for "off"."""
    where = settings().cache if given is None else "" if given.lower() in OFF else given
    return blobs(where) if where else None


def beside(url: str | None = None) -> Beside | None:
    """What history is computed with beside the slots: leases in the database at `url` (None: as settings say of the
    log); None where that is no database.
    """
    from qmtl.adapters.sql.leases import SqlLeases
    from qmtl.runtime.here import Here
    from qmtl.runtime.progress import stopwatch
    from qmtl.runtime.slices import SliceCache
    from qmtl.runtime.worker.starting import Beside

    where = settings().log if url is None else url
    if where.partition("://")[0].partition("+")[0] not in DATABASES:
        return None

    async def leases(names: Iterable[str]) -> Leases:
        return await SqlLeases.open(database(where), names)

    def slices(store: Blobs) -> SliceCache:
        return SliceCache(store, Here(), watch=stopwatch, look_seconds=LOOK_SECONDS)

    return Beside(leases, slices)


def database(where: str) -> str:
    """The URL of a database, with the folder made where it is a file. Raises UserError."""
    scheme, _, rest = where.partition("://")
    if scheme != "sqlite" or not rest.startswith("/"):
        return where
    file = Path(rest[1:]).expanduser()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"no folder for the log: {error.strerror}", place="log", value=str(file)) from None
    return f"sqlite:///{file}"


async def log(url: str | None = None) -> Log:
    """The transactional log at a URL, made where it is not there: `sqlite:///file`, `postgresql://…`, `kafka://host:port`.

    None: as settings say. Raises UserError for another URL, Unavailable where the server is away.
    """
    where = settings().log if url is None else url
    scheme, _, rest = where.partition("://")
    if scheme == "kafka":
        from qmtl.adapters.kafka.cluster import Cluster
        from qmtl.adapters.kafka.log import KafkaLog
        from qmtl.core.flow.home import CLUSTER

        host, _, name = rest.partition("/")
        return await KafkaLog.create(Cluster(host, name or "qmtl"), CLUSTER)
    if scheme.partition("+")[0] not in DATABASES:
        cure = "sqlite:///file, postgresql://user@host/database or kafka://host:port/name"
        raise UserError("not the URL of a log", place="log", value=scheme, cure=cure)
    from qmtl.adapters.sql.log import SqlLog

    return await SqlLog.open(database(where))


def topic_records(url: str) -> Records:
    """The records of somebody's topic: `kafka://host:port/topic`. Raises UserError, Unavailable."""
    host, _, topic = url.removeprefix("kafka://").partition("/")
    if not host or not topic:
        raise UserError("not the URL of a topic", place="data", value=url, cure="kafka://host:port/topic")
    try:
        from qmtl.adapters.kafka.cluster import Cluster
        from qmtl.adapters.kafka.records import TopicRecords
    except ModuleNotFoundError:
        cure = "pip install 'qmtl[kafka]'"
        raise UserError("Kafka needs another package", place="data", value=url, cure=cure) from None
    return TopicRecords(Cluster(host), topic)


async def leased(log: Log, url: str, cluster: str = "qmtl") -> Log:
    """The log, whose members also hold leases of their slots in a database. Raises UserError, Unavailable."""
    from qmtl.adapters.sql.leases import SqlLeases
    from qmtl.core.flow.commit import Slot
    from qmtl.ports.lease import lease_name
    from qmtl.runtime.progress import stopwatch
    from qmtl.runtime.worker.leased import LeasedLog

    names = [lease_name(cluster, Slot(slot)) for slot in range(log.slots)]
    return LeasedLog(log, await SqlLeases.open(url, names), cluster, stopwatch)
