"""Fulfilments of the ports, by technology; each passes its port's contract suite."""
