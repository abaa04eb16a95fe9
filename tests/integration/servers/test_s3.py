"""S3 as qmtl starts it: the first create-only put wins, and what was acknowledged outlives kill -9."""

from __future__ import annotations

import pytest
from obstore.exceptions import AlreadyExistsError

from qmtl.runtime.servers import S3

pytestmark = [pytest.mark.server("s3"), pytest.mark.slow]


def test_a_create_only_put_is_refused_the_second_time(s3: S3) -> None:
    store = s3.store(prefix="create-only")
    store.put("one", b"first", mode="create")
    with pytest.raises(AlreadyExistsError):
        store.put("one", b"second", mode="create")
    assert bytes(store.get("one").bytes()) == b"first"


def test_an_object_outlives_kill_9() -> None:
    with S3() as s3:
        large = bytes(range(256)) * 2**14  # 4 MiB: not held in the list of files
        s3.store().put("kept", large)
        s3.kill()
        s3.start()
        assert bytes(s3.store().get("kept").bytes()) == large
