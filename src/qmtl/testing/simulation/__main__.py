"""`python -m qmtl.testing.simulation SEED [CANARY]`: the story of a seed; ends with 1 where something was violated.

With a canary's name ("no fence"), the workers or the log are broken as it says.
"""

from __future__ import annotations

import sys

from qmtl.testing.simulation.canaries import CANARIES
from qmtl.testing.simulation.canary import SOUND
from qmtl.testing.simulation.simulation import simulate


def main(arguments: list[str]) -> int:
    """Tell the story of a seed; 0 all is right, 1 something was violated, 2 the arguments cannot be understood."""
    known = {canary.name: canary for canary in CANARIES} | {"": SOUND}
    seed, canary = (*arguments, "", "")[:2]
    if len(arguments) > 2 or not seed.isdigit() or canary not in known:
        print(__doc__, file=sys.stderr)
        print("canaries: " + ", ".join(name for name in known if name), file=sys.stderr)
        return 2
    found = simulate(int(seed), known[canary])
    print("\n".join(found.story.lines()))
    faults = ", ".join(f"{count} {kind}" for kind, count in sorted(found.faults.items()))
    print(
        f"seed {found.seed}, digest {found.digest}, {found.steps} steps; {found.faults.total()} faults: {faults}"
    )
    if found.wrong:
        print(f"violated, see line {found.line}: {found.wrong}")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
