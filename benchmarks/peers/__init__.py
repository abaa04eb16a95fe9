"""One module for each peer. A form is a function of the workload that returns (seconds, outputs).

Timed is what the peer does from its input to its outputs, both in the shape that suits it best; bringing the workload
into that shape, and its outputs into arrays (T, S) for the check, is not.
"""
