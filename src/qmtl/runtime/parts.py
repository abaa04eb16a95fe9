"""Parts of a state (:mod:`qmtl.core.flow.state`) as Arrow: a table with a row per array, and its bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

from qmtl.core.errors import Corrupt
from qmtl.core.flow.state import Part

COLUMNS = ("name", "dtype", "rows", "columns")


def encoded(part: Part) -> Any:
    """An Arrow IPC stream of one record batch: name, dtype, rows and columns of each array, and its bytes (C order).

    Arrays that are all zero (most versions are) are left out.
    """
    import pyarrow as pa

    arrays = {name: np.ascontiguousarray(one) for name, one in part.arrays.items() if one.any()}
    kept = [one.reshape(-1).view(np.uint8) for one in arrays.values()]
    ends = np.cumsum([0, *map(len, kept)], dtype=np.int64)
    data = np.concatenate(kept) if kept else np.zeros(0, np.uint8)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(data)]
    told = [
        pa.array(list(arrays)),
        pa.array([one.dtype.str for one in arrays.values()]),
        pa.array([one.shape[0] for one in arrays.values()], pa.int64()),
        pa.array([one.shape[1] for one in arrays.values()], pa.int64()),
        pa.Array.from_buffers(pa.large_binary(), len(kept), buffers),
    ]
    place = {"interval": str(part.interval), "bucket": str(part.bucket), "rows": str(part.rows)}
    batch = pa.RecordBatch.from_arrays(told, names=[*COLUMNS, "data"]).replace_schema_metadata(place)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def decoded(content: memoryview) -> Part:
    """The part; its arrays are views of `content`. Raises Corrupt for anything else."""
    import pyarrow as pa

    try:
        with pa.ipc.open_stream(pa.py_buffer(content)) as reader:
            batch = reader.read_next_batch()
            place = {key.decode(): int(value) for key, value in batch.schema.metadata.items()}
        told = [batch.column(name).to_pylist() for name in COLUMNS]
        _, ends, data = batch.column("data").buffers()
        at = np.frombuffer(ends, np.int64)[: batch.num_rows + 1].tolist()
        arrays, data = {}, memoryview(data) if data is not None else memoryview(b"")
        for name, dtype, rows, columns, low, high in zip(*told, at[:-1], at[1:], strict=True):
            arrays[name] = np.frombuffer(data[low:high], dtype).reshape(rows, columns)
        return Part(place["interval"], place["bucket"], place["rows"], arrays)
    except (pa.ArrowException, ValueError, TypeError, KeyError, AttributeError, StopIteration) as wrong:
        raise Corrupt(f"a part of a state does not decode: {wrong}") from wrong
