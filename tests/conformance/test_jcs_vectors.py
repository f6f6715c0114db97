"""RFC 8785 vectors of cyberphone/json-canonicalization."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger.canonical import decode, decode_canonical, encode
from ledger.errors import CanonicalFormError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["arrays", "unicode"])
def test_what_the_profile_allows_matches_byte_for_byte(shared_vectors: Path, name: str) -> None:
    folder = shared_vectors / "jcs"
    given = (folder / "input" / f"{name}.json").read_bytes()
    expected = bytes.fromhex((folder / "outhex" / f"{name}.txt").read_text())
    assert encode(decode(given)) == expected
    assert expected == (folder / "output" / f"{name}.json").read_bytes()
    assert encode(decode_canonical(expected)) == expected


@pytest.mark.parametrize(
    ("name", "problem", "place"),
    [
        ("values", "the number 333333333.33333329 is a float", ("numbers.0",)),
        ("structures", "the number 56.0 is a float", ("1.\\n",)),
        ("french", "is not ASCII", ()),
        ("weird", "is not ASCII", ()),
    ],
)
def test_what_the_profile_leaves_out_is_refused_clearly(
    shared_vectors: Path, name: str, problem: str, place: tuple[str, ...]
) -> None:
    with pytest.raises(CanonicalFormError) as caught:
        decode((shared_vectors / "jcs" / "input" / f"{name}.json").read_bytes())
    assert problem in caught.value.problem
    if place:
        assert caught.value.place == place
