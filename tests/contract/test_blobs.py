"""Every blob store keeps the promises of its port; those in files when processes die, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.exceptions import AlreadyExistsError
from obstore.store import S3Store

from qmtl.adapters.files.blobs import FileBlobs
from qmtl.adapters.memory.blobs import MemoryBlobs
from qmtl.adapters.objects.blobs import ObjectBlobs
from qmtl.core.errors import Corrupt, Unavailable
from qmtl.core.flow.digest import named
from qmtl.testing.contracts.blobs import BlobsContract


def flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


class TestMemory(BlobsContract):
    @pytest.fixture
    def store(self) -> MemoryBlobs:
        return MemoryBlobs()

    def spoil(self, store: Any, digest: str) -> None:
        store.blobs[digest] = flipped(store.blobs[digest])

    def spoil_record(self, store: Any, name: str) -> None:
        store.records[name] = flipped(store.records[name])


class TestFiles(BlobsContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> FileBlobs:
        return FileBlobs(tmp_path)

    def spoil(self, store: Any, digest: str) -> None:
        place = store._place(digest)
        place.write_bytes(flipped(place.read_bytes()))

    def spoil_record(self, store: Any, name: str) -> None:
        place = store._record(name)
        place.write_bytes(flipped(place.read_bytes()))

    @pytest.mark.parametrize("size", (0, 1, 999))
    def test_a_truncated_file_is_corrupt(self, store: FileBlobs, size: int) -> None:
        digest = store.put([b"c" * 1000])
        store._place(digest).write_bytes(b"c" * size)
        with pytest.raises(Corrupt):
            store.get(digest)
        assert not store.has(digest)

    def test_another_process_sees_what_was_put(self, store: FileBlobs, tmp_path: Path) -> None:
        digest = store.put([b"content"])
        assert bytes(FileBlobs(tmp_path).get(digest)) == b"content"

    def test_a_place_that_is_no_folder_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(Unavailable, match="choose another"):
            FileBlobs(tmp_path / "file")


@pytest.mark.server("s3")
class TestObjects(BlobsContract):
    @pytest.fixture
    def store(self, s3: Any, request: pytest.FixtureRequest) -> ObjectBlobs:
        return ObjectBlobs(s3.store(prefix=f"blobs-{named([request.node.nodeid.encode()])[:12]}"))

    def spoil(self, store: Any, digest: str) -> None:
        self._spoil(store, f"blobs/{digest}")

    def spoil_record(self, store: Any, name: str) -> None:
        self._spoil(store, f"records/{name}=")

    def _spoil(self, store: Any, place: str) -> None:
        content = bytes(obstore.get(store._store, place).bytes())
        obstore.put(store._store, place, flipped(content))

    def test_content_is_only_ever_created(self, store: ObjectBlobs) -> None:
        """Another's put of the same content between this one's look and its write is refused by the store."""
        digest = store.put([b"first"])
        with pytest.raises(AlreadyExistsError):
            obstore.put(store._store, f"blobs/{digest}", b"other", mode="create", use_multipart=False)
        assert bytes(store.get(digest)) == b"first"

    def test_a_store_that_is_away_is_unavailable_and_tells_no_secret(self) -> None:
        away = S3Store(
            "bucket",
            endpoint="http://127.0.0.1:9",
            access_key_id="who",
            secret_access_key="not-to-be-told",
            region="us-east-1",
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )
        with pytest.raises(Unavailable) as told:
            ObjectBlobs(away).put([b"content"])
        assert "not-to-be-told" not in str(told.value)
