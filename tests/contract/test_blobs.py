"""Every blob store keeps the promises of its port; those in files when processes die, too."""

from __future__ import annotations

from pathlib import Path
from traceback import format_exception
from typing import Any

import obstore
import pytest
from obstore.exceptions import AlreadyExistsError
from obstore.store import S3Store

from qmtl.adapters.files.blobs import FileBlobs
from qmtl.adapters.memory.blobs import MemoryBlobs
from qmtl.adapters.objects.blobs import ObjectBlobs
from qmtl.core.errors import Missing, Unavailable
from qmtl.core.flow.digest import named
from qmtl.testing.contracts.blobs import BlobsContract, Change, flipped
from qmtl.wiring import blobs


class TestMemory(BlobsContract):
    @pytest.fixture
    def store(self) -> MemoryBlobs:
        return MemoryBlobs()

    def spoil(self, store: Any, digest: str, change: Change = flipped) -> None:
        store.blobs[digest] = change(store.blobs[digest])

    def spoil_seal(self, store: Any, digest: str) -> None:
        store.seals[digest] = store.seals[digest][::-1]

    def spoil_record(self, store: Any, name: str, change: Change = flipped) -> None:
        store.records[name] = change(store.records[name])


class TestFiles(BlobsContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> FileBlobs:
        return FileBlobs(tmp_path)

    def spoil(self, store: Any, digest: str, change: Change = flipped) -> None:
        self._spoil(store._place(digest), change)

    def spoil_seal(self, store: Any, digest: str) -> None:
        self._spoil(store._place(digest).with_name(f"{digest}.sha256"), flipped)

    def spoil_record(self, store: Any, name: str, change: Change = flipped) -> None:
        self._spoil(store._record(name), change)

    def _spoil(self, place: Path, change: Change) -> None:
        place.write_bytes(change(place.read_bytes()))

    def test_another_process_sees_what_was_put(self, store: FileBlobs, tmp_path: Path) -> None:
        digest = store.put([b"content"])
        assert bytes(FileBlobs(tmp_path).get(digest)) == b"content"

    def test_wiring_takes_a_file_url_for_a_folder(self, tmp_path: Path) -> None:
        assert isinstance(blobs(f"file://{tmp_path}"), FileBlobs)

    def test_a_place_that_is_no_folder_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(Unavailable, match="choose another"):
            FileBlobs(tmp_path / "file")


@pytest.mark.server("s3")
class TestObjects(BlobsContract):
    @pytest.fixture
    def store(self, s3: Any, request: pytest.FixtureRequest) -> ObjectBlobs:
        return ObjectBlobs(s3.store(prefix=f"blobs-{named([request.node.nodeid.encode()])[:12]}"))

    def spoil(self, store: Any, digest: str, change: Change = flipped) -> None:
        self._spoil(store, f"blobs/{digest}", change)

    def spoil_seal(self, store: Any, digest: str) -> None:
        self._spoil(store, f"seals/{digest}", flipped)

    def spoil_record(self, store: Any, name: str, change: Change = flipped) -> None:
        self._spoil(store, f"records/{name}=", change)

    def _spoil(self, store: Any, place: str, change: Change) -> None:
        content = bytes(obstore.get(store._store, place).bytes())
        obstore.put(store._store, place, change(content), use_multipart=False)

    def test_content_is_only_ever_created(self, store: ObjectBlobs) -> None:
        """Another's put of the same content between this one's look and its write is refused by the store."""
        digest = store.put([b"first"])
        with pytest.raises(AlreadyExistsError):
            obstore.put(store._store, f"blobs/{digest}", b"other", mode="create", use_multipart=False)
        assert bytes(store.get(digest)) == b"first"

    def test_wiring_opens_it_by_its_url(self, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        url = "s3://blobs-by-url/some/prefix"
        digest = blobs(url).put([b"content"])
        assert bytes(blobs(url).get(digest)) == b"content"
        assert not blobs("s3://blobs-by-url/other").has(digest)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-right-one")
        with pytest.raises(Unavailable, match="403") as told:
            blobs(url).get(digest)
        assert "not-the-right-one" not in "".join(format_exception(told.value))

    def test_a_bucket_that_is_not_there_is_told_when_it_is_listed(self, s3: Any) -> None:
        store = ObjectBlobs(s3.store(bucket="blobs-none"))
        with pytest.raises(Missing):
            store.get(named([b"content"]))
        with pytest.raises(Unavailable):
            store.list_records("")

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
        store = ObjectBlobs(away)
        with pytest.raises(Unavailable, match="error sending request") as told:
            store.put([b"content"])
        assert "not-to-be-told" not in "".join(format_exception(told.value)) + repr(store) + repr(away)
