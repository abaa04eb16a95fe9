"""The language of tag queries and its normal form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.errors import UserError
from qmtl.core.graph.tags import MatchMode, normal_tag, parse

SPOT = ("spot", "crypto", "asset=BTC", "interval=1m")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("spot AND crypto", True),
        ("spot and crypto", True),
        ("spot AND equity", False),
        ("spot OR equity", True),
        ("NOT equity", True),
        ("NOT (spot OR equity)", False),
        ("asset=BTC", True),
        ("asset == BTC", True),
        ("asset != BTC", False),
        ("asset in {BTC,ETH}", True),
        ("asset not in {BTC, ETH}", False),
        ("asset in {ETH}", False),
        ("interval=60s", True),
        ("interval=5m", False),
        ("asset in {BTC,ETH} AND crypto AND interval=60s", True),
        ("equity OR spot AND crypto", True),
        ("(equity OR spot) AND NOT crypto", False),
    ],
)
def test_a_query_finds_what_its_expression_says(query: str, found: bool) -> None:
    assert parse(query).matches(SPOT) is found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a AND b", "b AND a"),
        ("a AND (b AND c)", "(c AND a) AND b"),
        ("a OR a", "a"),
        ("NOT NOT a", "a"),
        ("NOT (a OR b)", "NOT b AND NOT a"),
        ("x in {A,B}", "x=B OR x=A"),
        ("x != A", "NOT x=A"),
        ("x not in {A,B}", "NOT x in {B,A}"),
        ("interval=60s", "interval = 1m"),
        ("a  and\tb", "a AND b"),
    ],
)
def test_queries_that_mean_the_same_have_one_normal_form(one: str, other: str) -> None:
    assert parse(one) == parse(other)
    assert str(parse(one)) == str(parse(other))


def test_order_of_and_and_or_is_kept_apart() -> None:
    assert parse("a AND b OR c") == parse("(a AND b) OR c") != parse("a AND (b OR c)")


def test_a_list_of_tags_is_an_expression_written_shorter() -> None:
    assert parse(["spot", "crypto"]) == parse("crypto AND spot")
    assert parse(["spot", "crypto"], MatchMode.ANY) == parse("crypto OR spot")


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("", "nothing was asked"),
        ("a b", "AND or OR"),
        ("a AND", "the end"),
        ("(a", "')'"),
        ("a)", "')'"),
        ("x in A", "'{'"),
        ("x in {A", "'}'"),
        ("AND a", "'AND'"),
        ("x=", "the end"),
        ("a ! b", "'!'"),
        ("(" * 100 + "a" + ")" * 100, "levels"),
        ("interval=soon", "soon"),
    ],
)
def test_a_malformed_query_is_refused_with_what_is_wrong(query: str, what: str) -> None:
    with pytest.raises(UserError, match=".") as refusal:
        parse(query)
    assert what in str(refusal.value)


@pytest.mark.parametrize("tags", [[], [""], ["a b"], ["a AND b"], [3], ["a=b=c"]])
def test_a_malformed_list_of_tags_is_refused(tags: list[str]) -> None:
    with pytest.raises(UserError):
        parse(tags)


def test_a_tag_is_normalised_like_a_query() -> None:
    assert normal_tag("interval = 60s") == "interval=1m"
    assert normal_tag(" spot ") == "spot"


words = st.sampled_from(["a", "b", "c", "x=1", "x=2"])
expressions = st.recursive(
    words,
    lambda inner: st.one_of(
        inner.map(lambda one: f"NOT ({one})"),
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(
            lambda two: f"({two[0]}) {two[1]} ({two[2]})"
        ),
    ),
    max_leaves=8,
)


def _truth(text: str, tags: frozenset[str]) -> bool:
    words = text.replace("(", " ( ").replace(")", " ) ").split()
    python = [w.lower() if w in ("AND", "OR", "NOT") else w if w in "()" else str(w in tags) for w in words]
    return bool(eval(" ".join(python)))


@given(expressions, st.frozensets(words))
def test_the_normal_form_means_the_same_and_is_its_own(text: str, tags: frozenset[str]) -> None:
    query = parse(text)
    assert query.matches(tags) is _truth(text, tags)
    assert parse(str(query)) == query
