"""Descriptions that make no sense are refused."""

from __future__ import annotations

import pytest
from told import bars, event, finished, judged, node, reads, ticks


def test_intervals_of_which_neither_divides_the_other() -> None:
    with pytest.raises(ValueError, match="neither interval divides"):
        judged([bars(interval=40)], [node("n", reads("a"))], [])


def test_a_misaligned_bar() -> None:
    with pytest.raises(ValueError, match="does not start at a multiple of 60"):
        judged([bars()], [node("n", reads("a"))], [event("a", 30, 1)])


def test_an_event_after_the_end_of_its_source() -> None:
    with pytest.raises(ValueError, match="after its end"):
        judged([ticks()], [node("n", reads("t"))], [finished("t"), event("t", 1, 1)], end=60)


def test_a_source_that_finishes_in_a_case_without_an_end() -> None:
    with pytest.raises(ValueError, match="needs an end"):
        judged([ticks()], [node("n", reads("t"))], [finished("t")])


def test_a_node_without_a_first_bucket() -> None:
    with pytest.raises(ValueError, match="no first bucket"):
        judged([bars(origin=None)], [node("n", reads("a"))], [])


def test_a_name_used_twice() -> None:
    with pytest.raises(ValueError, match="two nodes are called 'a'"):
        judged([bars()], [node("a", reads("a"))], [])
