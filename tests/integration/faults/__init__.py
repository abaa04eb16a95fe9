"""Runs of real worker processes on real servers, with faults: what `test_two_owners` and `test_fault_run` share."""
