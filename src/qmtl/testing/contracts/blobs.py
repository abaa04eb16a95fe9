"""The contract of :class:`qmtl.ports.blobs.Blobs`: derive from `BlobsContract` and say how a store is opened.

`spoil(store, digest)` changes a bit of stored content behind the store's back, `spoil_record(store, name)` of a record.
"""

from __future__ import annotations

from typing import Any

import pytest

from qmtl.core.errors import Corrupt, Missing
from qmtl.core.flow.digest import audited, named

NOWHERE = "0" * 64


class BlobsContract:
    """P1, P4, P5, P7; what a crash leaves (P2, P3) and other processes (P6) are tested with real ones."""

    def spoil(self, store: Any, digest: str) -> None:
        raise NotImplementedError

    def spoil_record(self, store: Any, name: str) -> None:
        raise NotImplementedError

    @pytest.mark.parametrize(
        "content", ([b""], [b"a"], [b"one", memoryview(b"two"), bytearray(b"3")], [b"x" * (3 << 20)])
    )
    def test_content_comes_back_by_its_digest(self, store: Any, content: list[Any]) -> None:
        digest = store.put(content)
        assert digest == named(content) == named([b"".join(content)])
        assert bytes(store.get(digest)) == b"".join(content)
        assert store.has(digest)

    def test_putting_again_is_nothing_new(self, store: Any) -> None:
        first = store.put([b"again"])
        assert store.put([b"ag", b"ain"]) == first
        assert [each.digest for each in store.stored()] == [first]

    def test_what_is_not_there_is_missing(self, store: Any) -> None:
        assert not store.has(NOWHERE)
        with pytest.raises(Missing):
            store.get(NOWHERE)
        with pytest.raises(Missing):
            store.get_record("none")
        with pytest.raises(Missing):
            store.seal(NOWHERE)
        store.delete(NOWHERE)
        store.delete_record("none")
        assert store.list_records("no/") == []

    def test_what_was_let_go_is_missing(self, store: Any) -> None:
        digest = store.put([b"content"])
        store.seal(digest)
        store.delete(digest)
        assert not store.has(digest)
        assert list(store.stored()) == []
        with pytest.raises(Missing):
            store.get(digest)

    def test_a_flipped_bit_is_found_and_can_be_repaired(self, store: Any) -> None:
        digest = store.put([b"c" * 1000])
        self.spoil(store, digest)
        with pytest.raises(Corrupt, match=digest):
            store.get(digest)
        assert not store.has(digest)
        assert store.put([b"c" * 1000]) == digest
        assert bytes(store.get(digest, audit=True)) == b"c" * 1000

    def test_a_seal_is_sha256_and_is_verified_when_asked(self, store: Any) -> None:
        digest = store.put([b"sealed"])
        assert store.seal(digest) == store.seal(digest) == audited([b"sealed"])
        assert bytes(store.get(digest, audit=True)) == b"sealed"
        self.spoil(store, digest)
        with pytest.raises(Corrupt):
            store.get(digest, audit=True)

    def test_stored_tells_sizes(self, store: Any) -> None:
        wanted = {store.put([b"x" * size]): size for size in (1, 100, 70_000)}
        assert {each.digest: each.size for each in store.stored()} == wanted

    def test_records_are_replaced_as_a_whole(self, store: Any) -> None:
        store.set_record("slices/a.b-c_1", b"first, and longer")
        store.set_record("slices/a.b-c_1", b"second")
        store.set_record("empty", b"")
        assert store.get_record("slices/a.b-c_1") == b"second"
        assert store.get_record("empty") == b""
        store.delete_record("slices/a.b-c_1")
        with pytest.raises(Missing):
            store.get_record("slices/a.b-c_1")

    def test_records_are_listed_by_the_beginning_of_their_names(self, store: Any) -> None:
        for name in ("slices/b", "slices/a", "slice", "other/slices/a", "slices/deep/er"):
            store.set_record(name, name.encode())
        assert store.list_records("slices/") == ["slices/a", "slices/b", "slices/deep/er"]
        assert store.list_records("slice") == ["slice", "slices/a", "slices/b", "slices/deep/er"]
        assert store.list_records("") == ["other/slices/a", "slice", "slices/a", "slices/b", "slices/deep/er"]

    def test_a_record_that_was_changed_is_never_believed(self, store: Any) -> None:
        store.set_record("slices/a", b"content")
        self.spoil_record(store, "slices/a")
        with pytest.raises(Corrupt, match="slices/a"):
            store.get_record("slices/a")
        assert store.list_records("") == []

    @pytest.mark.parametrize("name", ("", "/a", "a/", "../a", "a//b", "a b", "ä", ".hidden", "a/../b"))
    def test_other_names_are_refused(self, store: Any, name: str) -> None:
        with pytest.raises(ValueError, match="name"):
            store.set_record(name, b"content")

    @pytest.mark.parametrize("digest", ("", "abc", "../" + "0" * 61, "A" * 64))
    def test_what_is_no_digest_is_refused(self, store: Any, digest: str) -> None:
        with pytest.raises(ValueError, match="digest"):
            store.get(digest)
