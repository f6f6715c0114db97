"""Hypothesis strategies: numbers, texts and JSON within the ledger's profile."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

ODD_CHARACTERS = "\"'\\/{}[]:,\u2028\u2029\ufeff\u200d\u0301é😀\U0010ffff\x7f\x80$%`"


def amounts() -> SearchStrategy[Decimal]:
    """Decimals in the ledger's range, not all of them in normal form."""
    return st.builds(
        lambda digits, scale: Decimal(digits).scaleb(-scale),
        st.integers(min_value=-(10**28) + 1, max_value=10**28 - 1),
        st.integers(min_value=0, max_value=18),
    )


def characters() -> SearchStrategy[str]:
    """Any character but surrogates, with those that quoting and escaping go wrong on more often."""
    return st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from(ODD_CHARACTERS),
        st.sampled_from("\x00\t\n\x1f"),
    )


def texts(max_size: int = 30) -> SearchStrategy[str]:
    """Text with odd characters."""
    return st.text(characters(), max_size=max_size)


def plain_texts(min_size: int = 0, max_size: int = 60) -> SearchStrategy[str]:
    """Text without control characters, as events may hold it."""
    plain = st.one_of(
        st.characters(exclude_categories=["Cs", "Cc"]),
        st.sampled_from([character for character in ODD_CHARACTERS if character not in "\x7f\x80"]),
    )
    return st.text(plain, min_size=min_size, max_size=max_size)


def json_values() -> SearchStrategy[Any]:
    """JSON within the canonical profile."""
    keys = st.text(st.characters(max_codepoint=127), max_size=8)
    leaves = st.one_of(
        st.none(), st.booleans(), st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1), texts()
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
        max_leaves=12,
    )


def free_data() -> SearchStrategy[dict[str, Any]]:
    """Free objects within the event profile, with the names of subjects in many places."""
    keys = st.one_of(
        st.sampled_from(
            [
                "account",
                "subjects",
                "instrument",
                "asset",
                "fee_asset",
                "index",
                "fund",
                "buyer",
                "link",
                "event",
            ]
        ),
        st.from_regex(r"[A-Za-z0-9._:/-]{1,6}", fullmatch=True),
    )
    leaves = st.one_of(st.booleans(), plain_texts(max_size=8))
    return st.dictionaries(
        keys,
        st.recursive(
            leaves,
            lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
            max_leaves=8,
        ),
        max_size=5,
    )
