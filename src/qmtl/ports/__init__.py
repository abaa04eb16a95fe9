"""Promises: one Protocol per file, its promises numbered in the docstring."""
