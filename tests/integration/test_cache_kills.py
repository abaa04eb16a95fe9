"""A backtest killed anywhere and run again gives the same table and computes hardly more (R6, F3)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("cache_killed.py")


def test_killed_at_every_write_fsync_and_rename_and_at_random_moments(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), str(tmp_path), "30"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    trials = told["trials"]
    killed = [each for each in trials if each["killed"]]
    assert len(killed) >= 200
    assert len(killed) >= told["calls"]  # at each of them once; some random moments come too late
    assert all(each["equal"] for each in trials)
    assert max(each["computed"] for each in trials) <= 1.1
    assert sum(each["reused"] > 0 for each in trials) > len(trials) // 2
