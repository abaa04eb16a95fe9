"""The runtime fingerprint (R3): what beside code and inputs may change a number, as one line of text and a digest.

It is kept beside the NodeID, never in it. Results belong to a fingerprint: a strict node uses those of its own alone, a
loose one (the default) also another's, after a sample has agreed within the node's tolerance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

TOLERANCE = 1e-9  # relative, and absolute near zero


class RuntimeCompat(StrEnum):
    """Whether results of other runtimes may be used."""

    LOOSE = "loose"
    STRICT = "strict"


@dataclass(frozen=True)
class Fingerprint:
    """Names and values in a fixed order: interpreter, libraries that compute, processor, system."""

    fields: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """``python=3.11.7; numpy=2.4.6; …``"""
        return "; ".join(f"{name}={value}" for name, value in self.fields)

    @property
    def digest(self) -> str:
        """SHA-256 of the text, 16 hex digits: the name of a runtime."""
        return sha256(self.text.encode()).hexdigest()[:16]

    def with_packages(self, versions: Mapping[str, str]) -> Fingerprint:
        """That of a node whose code uses more packages."""
        known = dict(self.fields)
        more = sorted((name, one) for name, one in versions.items() if name not in known)
        return Fingerprint((*self.fields, *more))

    def differences(self, other: Fingerprint) -> dict[str, tuple[str, str]]:
        """Fields by name whose values differ, with both; "" where one has none."""
        mine, theirs = dict(self.fields), dict(other.fields)
        names = [*mine, *(name for name in theirs if name not in mine)]
        return {
            name: (mine.get(name, ""), theirs.get(name, ""))
            for name in names
            if mine.get(name) != theirs.get(name)
        }


def parsed(text: str) -> Fingerprint:
    """The fingerprint of a text that `text` gave. Raises ValueError for another."""
    pairs = [part.partition("=") for part in text.split("; ")]
    if not all(name and equals for name, equals, _ in pairs):
        raise ValueError(f"not a runtime fingerprint: {text!r}")
    return Fingerprint(tuple((name, value) for name, _, value in pairs))
