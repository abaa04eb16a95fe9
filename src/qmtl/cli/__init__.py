"""The command line: `qmtl run | graph | check | ops | demo`."""

from __future__ import annotations


def main() -> None:
    """Entry point of `qmtl` and `python -m qmtl`."""
    from qmtl.cli.app import run_app

    run_app()
