"""The rules about lock files: hashes for all, and no place anything was fetched from."""

from __future__ import annotations

import pytest

from tidy.locks import places_in_lock, unpinned_in_lock

PINNED = """# a comment
numpy==2.4.6 \\
    --hash=sha256:00ff \\
    --hash=sha256:11ee
    # via -c requirements/run.txt
"""


def test_pins_with_hashes_are_fine() -> None:
    text = PINNED + "# The following packages are considered to be unsafe in a requirements file:\n"
    assert places_in_lock("dev.txt", text) + unpinned_in_lock("dev.txt", text) == []


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://registry.example/simple",
        "--extra-index-url=registry.example",
        "-i http://registry.example",
        "--find-links wheels",
        "-f wheels",
        "--trusted-host registry.example",
        "-e .",
        "numpy @ file:///tmp/numpy.whl --hash=sha256:00",
        "numpy @ git+ssh://host/numpy",
        "# via -r /home/someone/pyproject.toml",
        "# via -r ~/qmtl/pyproject.toml",
        "# via -r C:\\qmtl\\pyproject.toml",
    ],
)
def test_no_place_is_named(line: str) -> None:
    assert len(places_in_lock("dev.txt", f"{PINNED}{line}\n")) == 1


@pytest.mark.parametrize(
    "text",
    ["numpy\n", "numpy>=2 --hash=sha256:00\n", "numpy==2.4.6\n", "numpy==2.4.6 \\\n    --hash=md5:00\n"],
)
def test_every_package_is_pinned_with_a_hash(text: str) -> None:
    (found,) = unpinned_in_lock("dev.txt", PINNED + text)
    assert found.startswith("dev.txt:6: ")
