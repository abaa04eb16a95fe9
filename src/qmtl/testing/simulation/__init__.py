"""Simulation: real workers over the log in memory, on an event loop whose every choice follows from a seed.

A seed draws a workload, a cluster and the faults that befall it. First a phase with faults, in which everything must
stay right; then a healed one, in which it must become complete. What is checked, and when: :mod:`.witness`,
:mod:`.convergence`; that the checks can fail: :mod:`.canaries`. `make sim SEED=…` tells the story of one seed.
"""
