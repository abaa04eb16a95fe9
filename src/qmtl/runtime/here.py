"""This runtime, as what results are reused within (R3)."""

from __future__ import annotations

from collections.abc import Iterable

from qmtl.core.flow.fingerprint import TOLERANCE, Fingerprint, RuntimeCompat
from qmtl.core.graph.ir import Node
from qmtl.runtime import environment


class Here:
    """The interpreter, the packages that compute, and the machine that this process runs on."""

    def __init__(self, strict: bool = False) -> None:
        """`strict`: for a run that uses nothing that another runtime computed."""
        self._strict = strict

    def of(self, node: Node) -> Fingerprint:
        """That of a node: with the packages that its code names."""
        found = environment.fingerprint()
        return found if node.function is None else found.with_packages(environment.packages_of(node.function))

    def scope(self, node: Node) -> str:
        return self.of(node).digest

    def strict(self, node: Node) -> bool:
        return self._strict or node.meta.get("runtime_compat") == RuntimeCompat.STRICT

    def tolerance(self, node: Node) -> float:
        return float(node.meta.get("tolerance", TOLERANCE))


def runtime_of(nodes: Iterable[Node]) -> str:
    """The digest of the runtime that some nodes are computed by, with all packages that their code uses (R3)."""
    here = Here()
    found = {name: value for node in nodes for name, value in here.of(node).fields}
    return Fingerprint(tuple(found.items())).digest
