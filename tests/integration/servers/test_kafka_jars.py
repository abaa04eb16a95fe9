"""A jar is used only where it is, byte for byte, the one that is pinned."""

from __future__ import annotations

from pathlib import Path

import pytest

from qmtl.runtime.servers import ServerFailed, kafka_jars

pytestmark = [pytest.mark.server("kafka"), pytest.mark.slow]

SMALL = "org.jspecify:jspecify:1.0.0"


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the one jar wanted lies in a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    pin(monkeypatch, tmp_path, kafka_jars.pins()[SMALL])
    return tmp_path / "qmtl/maven/org/jspecify/jspecify/1.0.0/jspecify-1.0.0.jar"


def pin(monkeypatch: pytest.MonkeyPatch, folder: Path, digest: str) -> None:
    (folder / "pins").write_text(f"{digest}  {SMALL}\n")
    monkeypatch.setattr(kafka_jars, "PINS", folder / "pins")


def test_a_jar_whose_download_broke_off_is_fetched_again(cached: Path) -> None:
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"PK half a jar")
    assert kafka_jars.jars() == [cached]
    assert len(cached.read_bytes()) > 1000


def test_another_jar_than_the_pinned_one_is_refused_and_removed(
    cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin(monkeypatch, tmp_path, "0" * 64)
    with pytest.raises(ServerFailed, match="is not what pins pins"):
        kafka_jars.jars()
    assert not cached.exists()


def test_every_pin_is_a_sha_256_of_coordinates() -> None:
    assert len(kafka_jars.pins()) == 46
    for coordinates, digest in kafka_jars.pins().items():
        assert len(bytes.fromhex(digest)) == 32
        assert coordinates.count(":") == 2
