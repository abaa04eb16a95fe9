"""Records of the slots' partitions and of the commit log, as bytes (msgpack; numbers as little-endian arrays)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
from blake3 import blake3

from qmtl.core.errors import Corrupt
from qmtl.core.flow.commit import Record
from qmtl.core.flow.remote import Cells, Told
from qmtl.runtime.snapshots import Pointer


class Plan(msgspec.Struct, tag="plan", array_like=True, frozen=True):
    """What the slots of a log compute, from the first record on: the digest of nodes, homes and data.

    `origins`: of all streams (ns, by node id), as they were when the first of them was registered (E10).
    """

    digest: str
    origins: dict[str, int] = {}


class Events(msgspec.Struct, tag="events", array_like=True, frozen=True):
    """Events of one stream in their order of arrival; `values` has a row for each, in the stream's fields."""

    stream: str
    event_ns: bytes
    available_ns: bytes
    values: bytes
    event_id: list[int | str] | None = None
    revision: bytes | None = None


class Finished(msgspec.Struct, tag="finished", array_like=True, frozen=True):
    """A stream has ended."""

    stream: str


class Clock(msgspec.Struct, tag="clock", array_like=True, frozen=True):
    """A stream has brought nothing for long enough to be idle at `now_ns`, though it was asked (E11, C6)."""

    stream: str
    now_ns: int


class Resume(msgspec.Struct, tag="resume", array_like=True, frozen=True):
    """A node that has failed is to be tried again (E6)."""

    node_id: str


class Failed(msgspec.Struct, tag="failed", array_like=True, frozen=True):
    """In the control topic: a node has failed at a bucket and records nothing more, until it is resumed."""

    node_id: str
    label: str
    bucket: int
    cause: str


class Closed(msgspec.Struct, array_like=True, frozen=True):
    """Consecutive buckets: status and values of each."""

    bucket: int
    status: bytes
    values: bytes


class Slices(msgspec.Struct, tag="slices", array_like=True, frozen=True):
    """What became of a lane of a node in another slot."""

    node_id: str
    lane: int
    frontier: int
    closed: Closed
    changed: list[Closed]
    idle: bool


class Result(msgspec.Struct, tag="result", array_like=True, frozen=True):
    """In the commit log: version 0 of consecutive buckets of a node's lane, statuses as in the timeline (C9)."""

    node_id: str
    lane: int
    interval: int
    closed: Closed


class Correction(msgspec.Struct, tag="correction", array_like=True, frozen=True):
    """In the commit log: a later version of one bucket, or a version 0 that came late; its whole value (C9).

    `cause`: the position, in the slot's partition, of the record that made it necessary (C1).
    """

    node_id: str
    lane: int
    version: int
    closed: Closed
    cause: int


class Consumed(msgspec.Struct, array_like=True, frozen=True):
    """The body of a step record: where each stream's feed is, the slot's snapshots, newest first (C2, C7), and what the
    step can be held to (C1): `inputs`, of all records of the partition up to the position, each digest over the one
    before and the record; `outputs`, of the step's results; `runtime`, the fingerprint it was computed by. `told`: the
    last step that had results, this one or another before: from and up to which position, and its `outputs`.
    """

    fed: dict[str, int | str]
    snapshots: list[Pointer] = []
    inputs: bytes = b""
    outputs: bytes = b""
    runtime: str = ""
    told: tuple[int, int, bytes] = (0, 0, b"")


Message = Plan | Events | Finished | Clock | Slices | Resume
_messages: msgspec.msgpack.Decoder[list[Message]] = msgspec.msgpack.Decoder(list[Message])
_consumed: msgspec.msgpack.Decoder[Consumed] = msgspec.msgpack.Decoder(Consumed)
_committed: msgspec.msgpack.Decoder[Result | Correction] = msgspec.msgpack.Decoder(Result | Correction)


def encoded(message: Any) -> bytes:
    return msgspec.msgpack.encode(message)


def decoded(value: bytes) -> list[Message]:
    """The messages of a record of a slot's partition; raises Corrupt for anything else."""
    try:
        return _messages.decode(value)
    except msgspec.MsgspecError as wrong:
        raise Corrupt(f"record {value[:40]!r} of a slot does not decode: {wrong}") from wrong


def consumed(body: bytes) -> Consumed:
    """The body of a step record; raises Corrupt for anything else."""
    try:
        return _consumed.decode(body) if body else Consumed({})
    except msgspec.MsgspecError as wrong:
        raise Corrupt(f"body {body[:40]!r} of a step record does not decode: {wrong}") from wrong


def chained(before: bytes, value: bytes) -> bytes:
    """The digest of a partition's records up to one with this value."""
    digest = blake3(before)
    digest.update(value)
    return digest.digest()


def results_digest(results: Iterable[Record]) -> bytes:
    """The digest of a step's results, in their order; none: no bytes."""
    digest, some = blake3(), False
    for each in results:
        digest.update(len(each.value).to_bytes(8))
        digest.update(each.value)
        some = True
    return digest.digest() if some else b""


def committed(value: bytes) -> Result | Correction:
    """A result in the commit log; raises Corrupt for anything else."""
    try:
        return _committed.decode(value)
    except msgspec.MsgspecError as wrong:
        raise Corrupt(f"result {value[:40]!r} does not decode: {wrong}") from wrong


def cells_of(closed: Closed, outputs: int) -> Cells:
    """The buckets as arrays."""
    status = np.frombuffer(closed.status, np.uint8)
    return Cells(
        closed.bucket, status, np.frombuffer(closed.values, np.float64).reshape(len(status), outputs)
    )


def closed_of(cells: Cells) -> Closed:
    return Closed(cells.bucket, cells.status.tobytes(), cells.values.tobytes())


def slices_of(told: Told) -> Slices:
    changed = [closed_of(cells) for cells in told.changed]
    return Slices(told.node_id, told.lane, told.frontier, closed_of(told.closed), changed, told.idle)


def told_of(message: Slices, outputs: int) -> Told:
    changed = tuple(cells_of(one, outputs) for one in message.changed)
    closed = cells_of(message.closed, outputs)
    return Told(message.node_id, message.lane, message.frontier, closed, changed, message.idle)
