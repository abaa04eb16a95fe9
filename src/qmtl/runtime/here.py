"""This runtime, as what results are reused within (R3)."""

from __future__ import annotations

import platform
from functools import cached_property
from importlib.metadata import version

from blake3 import blake3

from qmtl.core.graph.ir import Node

TOLERANCE = 1e-9


class Here:
    """The interpreter, the packages that compute, and the machine that this process runs on."""

    @cached_property
    def text(self) -> str:
        """The fingerprint as a person reads it."""
        found = {"python": platform.python_version()}
        found |= {name: version(name) for name in ("numpy", "numba", "qmtl")}
        found |= {"cpu": platform.machine(), "os": platform.system(), "libc": "-".join(platform.libc_ver())}
        return "; ".join(f"{name}={value}" for name, value in found.items())

    @cached_property
    def name(self) -> str:
        return blake3(self.text.encode()).hexdigest()[:16]

    def scope(self, node: Node) -> str:
        return self.name

    def strict(self, node: Node) -> bool:
        return False

    def tolerance(self, node: Node) -> float:
        return TOLERANCE
