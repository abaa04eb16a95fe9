"""`python -m qmtl.testing.simulation SEED`: the story of a seed; ends with 1 where something was violated."""

from __future__ import annotations

import sys

from qmtl.testing.simulation.simulation import simulate


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not arguments[0].isdigit():
        print(__doc__, file=sys.stderr)
        return 2
    found = simulate(int(arguments[0]))
    print("\n".join(found.story.lines()))
    faults = ", ".join(f"{count} {kind}" for kind, count in sorted(found.faults.items()))
    print(
        f"seed {found.seed}, digest {found.digest}, {found.steps} steps; {found.faults.total()} faults: {faults}"
    )
    if found.wrong:
        print(f"line {found.line}: {found.wrong}")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
