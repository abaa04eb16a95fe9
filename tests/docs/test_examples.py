"""The examples, and the snippets of the README, run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("[0-9]*.py"))
MADE = {"01_trend": "trend.html", "02_momentum": "momentum.html", "03_ticks": "pressure.html"}


def bars(minutes: int, count: int, seed: int) -> pd.DataFrame:
    chance = np.random.default_rng(seed)
    close = 100 * np.exp(chance.normal(0, 1e-3, count).cumsum())
    opened = np.append(100.0, close[:-1])
    return pd.DataFrame(
        {
            "time": pd.date_range("2022-01-03", periods=count, freq=f"{minutes}min", tz="UTC"),
            "open": opened,
            "high": np.maximum(opened, close),
            "low": np.minimum(opened, close),
            "close": close,
            "volume": 1.0,
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data under the names that examples and README use."""
    made = tmp_path_factory.mktemp("examples")
    bars(1, 3000, 1).to_parquet(made / "btc.parquet")
    (made / "data").mkdir()
    for number, symbol in enumerate(("BTC", "ETH", "XRP")):
        bars(1, 600, number).to_csv(made / "data" / f"{symbol}-1m.csv", index=False)
        bars(5, 120, number).to_csv(made / "data" / f"{symbol}-5m.csv", index=False)
    times = pd.date_range("2022-01-03", periods=900, freq="7s", tz="UTC")
    price = 100 + np.random.default_rng(3).normal(0, 0.1, 900).cumsum()
    pd.DataFrame({"time": times, "price": price, "amount": 1.0}).to_csv(made / "trades.csv", index=False)
    return made


def run(program: Path, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(program)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(example: Path, folder: Path) -> None:
    run(example, folder)
    assert "<svg" in (folder / MADE[example.stem]).read_text()


def test_the_snippets_of_the_readme_run(folder: Path) -> None:
    snippets = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert snippets
    for number, snippet in enumerate(snippets):
        program = folder / f"snippet{number}.py"
        program.write_text(snippet)
        run(program, folder)
    assert (folder / "trend.html").exists()


def test_commands_of_the_readme_are_targets() -> None:
    made = (ROOT / "Makefile").read_text()
    commands = re.findall(r"^make (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert commands[:2] == ["demo", "test"]
    assert all(re.search(rf"^{name}:", made, re.MULTILINE) for name in commands)
