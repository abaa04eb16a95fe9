"""The contract of :class:`qmtl.ports.blobs.Blobs`: derive from `BlobsContract` and say how a store is opened.

`spoil(store, digest)` changes stored content behind the store's back, `spoil_seal` its seal, `spoil_record` a record.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from qmtl.core.errors import Corrupt, Missing
from qmtl.core.flow.digest import PART, audited, named

NOWHERE = "0" * 64

Change = Callable[[bytes], bytes]


def flipped(content: bytes) -> bytes:
    """One bit of the last byte is another."""
    return content[:-1] + bytes([content[-1] ^ 1])


CHANGES: dict[str, Change] = {
    "a flipped bit": flipped,
    "another first byte": lambda content: bytes([content[0] ^ 0x80]) + content[1:],
    "truncated": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "longer": lambda content: content + b"\0",
    "zeros": lambda content: bytes(len(content)),
}
changes = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


class BlobsContract:
    """P1, P4, P5, P7; what a crash leaves (P2, P3) and other processes (P6) are tested with real ones."""

    def spoil(self, store: Any, digest: str, change: Change = flipped) -> None:
        raise NotImplementedError

    def spoil_seal(self, store: Any, digest: str) -> None:
        raise NotImplementedError

    def spoil_record(self, store: Any, name: str, change: Change = flipped) -> None:
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

    def test_what_is_handed_out_cannot_be_changed(self, store: Any) -> None:
        for size in (10, 1 << 20):
            assert store.get(store.put([b"c" * size])).readonly

    def test_any_contiguous_buffer_is_taken(self, store: Any) -> None:
        rows: Any = np.arange(12.0).reshape(3, 4)
        digest = store.put([rows, np.zeros((0, 4)), memoryview(rows)[1:]])
        assert bytes(store.get(digest)) == rows.tobytes() + rows[1:].tobytes()

    @changes
    @pytest.mark.parametrize("size", (1_000, 300_000))
    def test_changed_content_is_never_returned_and_repaired_by_putting_it(
        self, store: Any, change: Change, size: int
    ) -> None:
        content = b"c" * size
        digest = store.put([content])
        self.spoil(store, digest, change)
        with pytest.raises(Corrupt, match=digest):
            store.get(digest)
        assert not store.has(digest)
        with pytest.raises(Missing):
            store.get(digest)
        assert store.put([content]) == digest
        assert bytes(store.get(digest)) == content
        assert store.corrupt == 1

    @pytest.mark.parametrize("change", (flipped, CHANGES["truncated"]))
    def test_changed_content_that_nobody_has_read_is_repaired_too(self, store: Any, change: Change) -> None:
        digest = store.put([b"c" * 1000])
        self.spoil(store, digest, change)
        assert store.put([b"c" * 1000]) == digest
        assert bytes(store.get(digest)) == b"c" * 1000

    def test_a_seal_is_sha256_and_is_verified_when_asked(self, store: Any) -> None:
        digest = store.put([b"sealed"])
        assert store.seal(digest) == store.seal(digest) == audited([b"sealed"])
        assert bytes(store.get(digest, audit=True)) == b"sealed"
        self.spoil(store, digest)
        with pytest.raises(Corrupt):
            store.seal(digest)
        with pytest.raises(Missing):
            store.seal(digest)

    def test_a_seal_that_does_not_match_goes_with_its_content(self, store: Any) -> None:
        digest = store.put([b"sealed"])
        store.seal(digest)
        self.spoil_seal(store, digest)
        assert bytes(store.get(digest)) == b"sealed"  # the content is what it was, only the audit differs
        with pytest.raises(Corrupt):
            store.get(digest, audit=True)
        store.put([b"sealed"])
        assert bytes(store.get(digest, audit=True)) == b"sealed"
        assert store.seal(digest) == audited([b"sealed"])

    def test_stat_tells_size_and_age(self, store: Any) -> None:
        digest = store.put([b"12345"])
        assert store.stat(digest) == next(store.stored())
        assert store.stat(digest).size == 5
        with pytest.raises(Missing):
            store.stat(NOWHERE)

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

    def test_a_name_may_go_on_where_another_ends(self, store: Any) -> None:
        for name in ("a", "a/b", "a/b/c", "a.b/c", "a.b"):
            store.set_record(name, name.encode())
        assert store.list_records("a") == ["a", "a.b", "a.b/c", "a/b", "a/b/c"]
        assert store.list_records("a/") == ["a/b", "a/b/c"]
        assert all(store.get_record(name) == name.encode() for name in store.list_records(""))

    @changes
    def test_a_record_that_was_changed_is_never_believed(self, store: Any, change: Change) -> None:
        store.set_record("slices/a", b"content")
        self.spoil_record(store, "slices/a", change)
        with pytest.raises(Corrupt, match="slices/a"):
            store.get_record("slices/a")
        assert store.list_records("") == []
        assert store.corrupt == 1
        store.set_record("slices/a", b"again")
        assert store.get_record("slices/a") == b"again"

    def test_the_longest_name_is_taken(self, store: Any) -> None:
        name = "/".join(["n" * PART] * 3)
        store.set_record(name, b"long")
        assert store.list_records("n") == [name]

    def test_threads_share_a_store(self, store: Any) -> None:
        contents = [bytes([each]) * 5_000 for each in range(6)] * 4

        def one(content: bytes) -> bytes:
            digest = store.put([content])
            store.set_record(f"threads/{digest}", content)
            store.set_record("threads/last", content)
            assert store.get_record("threads/last") in contents
            return bytes(store.get(digest))

        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(one, contents)) == contents
        assert len(list(store.stored())) == 6
        assert store.corrupt == 0

    @pytest.mark.parametrize(
        "name",
        (
            "",
            "/a",
            "a/",
            "../a",
            "a//b",
            "a b",
            "a=",
            "ä",
            ".hidden",
            "a/../b",
            "n" * (PART + 1),
            "n/" * 500 + "n",
        ),
    )
    def test_other_names_are_refused(self, store: Any, name: str) -> None:
        for call, args in ((store.set_record, (b"",)), (store.get_record, ()), (store.delete_record, ())):
            with pytest.raises(ValueError, match="name"):
                call(name, *args)

    @pytest.mark.parametrize("prefix", ("/", "../", "a//", "a/../b", "a="))
    def test_beginnings_that_no_name_has_are_refused(self, store: Any, prefix: str) -> None:
        with pytest.raises(ValueError, match="name"):
            store.list_records(prefix)

    @pytest.mark.parametrize("digest", ("", "abc", "../" + "0" * 61, "A" * 64))
    def test_what_is_no_digest_is_refused(self, store: Any, digest: str) -> None:
        for call in (store.get, store.has, store.stat, store.seal, store.delete):
            with pytest.raises(ValueError, match="digest"):
                call(digest)
