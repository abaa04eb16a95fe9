"""Any calls in any order answer as a dict would, in every store, opened anew whenever it likes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from qmtl.adapters.files.blobs import FileBlobs
from qmtl.adapters.memory.blobs import MemoryBlobs
from qmtl.adapters.objects.blobs import ObjectBlobs
from qmtl.core.errors import Missing
from qmtl.core.flow.digest import audited, named

contents = st.sampled_from([b"", b"a", b"b" * 100, b"c" * 140_000])
cuts = st.integers(0, 3)
names = st.sampled_from(["a", "a/a", "a/b", "a.b", "b", "a/b/c"])
prefixes = st.sampled_from(["", "a", "a/", "a/b", "a/b/", "b/", "c"])


class Model(RuleBasedStateMachine):
    """`opened` opens the store, the same one each time."""

    opened: Any

    def __init__(self) -> None:
        super().__init__()
        self.store: Any = self.opened()
        for each in list(self.store.stored()):
            self.store.delete(each.digest)
        for name in self.store.list_records(""):
            self.store.delete_record(name)
        self.blobs: dict[str, bytes] = {}
        self.records: dict[str, bytes] = {}

    @rule(content=contents, cut=cuts)
    def put(self, content: bytes, cut: int) -> None:
        digest = self.store.put([content[:cut], content[cut:]])
        assert digest == named([content])
        self.blobs[digest] = content

    @rule(content=contents, audit=st.booleans())
    def get(self, content: bytes, audit: bool) -> None:
        digest = named([content])
        if digest in self.blobs:
            assert bytes(self.store.get(digest, audit=audit)) == content
            assert self.store.stat(digest).size == len(content)
        else:
            with pytest.raises(Missing):
                self.store.get(digest, audit=audit)
        assert self.store.has(digest) == (digest in self.blobs)

    @rule(content=contents)
    def seal(self, content: bytes) -> None:
        if named([content]) in self.blobs:
            assert self.store.seal(named([content])) == audited([content])

    @rule(content=contents)
    def delete(self, content: bytes) -> None:
        self.store.delete(named([content]))
        self.blobs.pop(named([content]), None)

    @rule(name=names, content=contents)
    def set_record(self, name: str, content: bytes) -> None:
        self.store.set_record(name, content)
        self.records[name] = content

    @rule(name=names)
    def get_record(self, name: str) -> None:
        if name in self.records:
            assert self.store.get_record(name) == self.records[name]
        else:
            with pytest.raises(Missing):
                self.store.get_record(name)

    @rule(name=names)
    def delete_record(self, name: str) -> None:
        self.store.delete_record(name)
        self.records.pop(name, None)

    @rule(prefix=prefixes)
    def list_records(self, prefix: str) -> None:
        assert self.store.list_records(prefix) == sorted(
            name for name in self.records if name.startswith(prefix)
        )

    @rule()
    def open_again(self) -> None:
        self.store = self.opened()

    @invariant()
    def all_is_there(self) -> None:
        found = {each.digest: each.size for each in self.store.stored()}
        assert found == {digest: len(content) for digest, content in self.blobs.items()}
        assert self.store.corrupt == 0


def run(opened: Any, examples: int) -> None:
    model = type("Model", (Model,), {"opened": staticmethod(opened)})
    run_state_machine_as_test(
        model, settings=settings(max_examples=examples, stateful_step_count=25, deadline=None)
    )


def test_memory() -> None:
    kept = MemoryBlobs()
    run(lambda: kept, 100)


@pytest.mark.slow
def test_files() -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(lambda: FileBlobs(Path(folder)), 25)


@pytest.mark.slow
@pytest.mark.server("s3")
def test_objects(s3: Any) -> None:
    run(lambda: ObjectBlobs(s3.store(prefix="blobs-model")), 15)
