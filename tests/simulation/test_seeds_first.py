"""The first thousand seeds: under faults each step is committed once, whole and right, and soon after all is there."""

from __future__ import annotations

import pytest
from seeds import CHUNK, run


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(4))
def test_every_seed_stays_right_and_becomes_complete(chunk: int) -> None:
    run(range(chunk * CHUNK, (chunk + 1) * CHUNK))
