"""The command line: `qmtl run | graph | check | why | diff | verify | ops | cache | worker | servers | env | demo`."""

from __future__ import annotations


def main() -> None:
    """Entry point of `qmtl` and `python -m qmtl`."""
    from qmtl.cli.app import run_app

    run_app()
