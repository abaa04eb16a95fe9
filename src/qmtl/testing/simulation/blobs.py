"""The store of snapshots in memory, with faults: away for a call, or with bytes that are not what they were."""

from __future__ import annotations

from qmtl.adapters.memory.blobs import MemoryBlobs
from qmtl.core.errors import Unavailable
from qmtl.core.flow.digest import Buffers
from qmtl.testing.simulation.faults import Faults


class SimulatedBlobs(MemoryBlobs):
    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self._faults = faults

    def put(self, content: Buffers) -> str:
        self._reach("put")
        return super().put(content)

    def get(self, digest: str, audit: bool = False) -> memoryview:
        self._reach("get")
        if digest in self.blobs and self._faults.befalls("corrupt"):
            self._faults.note("corrupt", f"blob {digest[:8]}")
            self.blobs[digest] += b"\x00"
        return super().get(digest, audit)

    def _reach(self, what: str) -> None:
        if self._faults.away():
            raise Unavailable(f"{what}: no answer")
        if self._faults.befalls("lost_request"):
            self._faults.note("lost_request", f"{what} of a blob")
            raise Unavailable(f"{what}: no answer")
