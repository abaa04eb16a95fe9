"""Lock files pin every package with hashes and name no place a package was fetched from."""

from __future__ import annotations

import re
from collections.abc import Iterator

# A path of a machine: it begins with a slash (or ~, or a drive) after a blank, a quote, = or file:
PLACE = re.compile(r"https?:|ftp:|file:\S|git\+|(?:^|[\s\"'=])(?:/\w|~/|[A-Za-z]:\\)")
OPTION = re.compile(
    r"^\s*(?:-i\b|-f\b|-e\b|--(?:index-url|extra-index-url|find-links|trusted-host|editable)\b)"
)


def places_in_lock(path: str, text: str) -> list[str]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if PLACE.search(line) or OPTION.search(line):
            cure = "a lock file names packages, versions and hashes only (make lock)"
            found.append(f"{path}:{number}: {line.strip()[:80]!r} names a place; {cure}")
    return found


def unpinned_in_lock(path: str, text: str) -> list[str]:
    return [
        f"{path}:{number}: {line[:80]!r} is not pinned with == and --hash=sha256; run make lock"
        for number, line in _requirements(text)
        if not (re.search(r"==\S", line) and "--hash=sha256:" in line)
    ]


def _requirements(text: str) -> Iterator[tuple[int, str]]:
    """Logical lines: comments left out, continued lines joined."""
    begun, joined = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if not joined and (not line.strip() or line.lstrip().startswith("#")):
            continue
        begun = begun if joined else number
        joined += line.rstrip().removesuffix("\\")
        if not line.rstrip().endswith("\\"):
            yield begun, joined
            joined = ""
