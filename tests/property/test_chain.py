"""Whatever is done to one place of a chain, verification names that place first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from ledger.canonical import decode, leaf_hash
from ledger.chain import Sealer
from tests.support.chains import ORIGIN, START, chain_of, changed, head_of, verdict, verdict_on_rows
from tests.support.examples import deposit, prepared

if TYPE_CHECKING:
    from ledger.chain import Failure

CHAIN = chain_of(7)
PLACES = st.integers(0, len(CHAIN) - 1)
LINK_CHANGES: dict[str, Any] = {
    "appended_at": "2026-01-31T09:30:03.500000Z",
    "ledger": "venue.example/other",
    "nonce": "0" * 32,
    "prev": "a" * 64,
    "sequence": 1000,
    "writer": "someone",
}


def first_of(failures: list[Failure]) -> int | None:
    return min((failure.sequence for failure in failures if failure.sequence is not None), default=None)


def link_of(canonical: bytes) -> dict[str, Any]:
    entry: Any = decode(canonical)
    link: dict[str, Any] = entry["link"]
    return link


@given(PLACES, st.sampled_from(sorted(LINK_CHANGES)))
def test_a_changed_link_is_found_where_it_is(place: int, field: str) -> None:
    chain = CHAIN.copy()
    chain[place] = changed(chain[place], "link", field, LINK_CHANGES[field])
    assert first_of(verdict(chain, head=head_of(CHAIN))) == place


@given(PLACES)
def test_a_changed_payload_is_found_where_it_is(place: int) -> None:
    chain = CHAIN.copy()
    other: Any = decode(prepared(deposit(amount="1000000")).event_bytes)
    field, value = ("actor", "x") if place == 0 else ("data", other["data"])
    chain[place] = changed(chain[place], "event", field, value)
    assert first_of(verdict(chain, head=head_of(CHAIN))) == place


@given(PLACES, st.data())
def test_a_changed_byte_is_found_where_it_is(place: int, data: st.DataObject) -> None:
    chain = CHAIN.copy()
    at = data.draw(st.integers(0, len(chain[place]) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != chain[place][at]))
    chain[place] = chain[place][:at] + bytes([byte]) + chain[place][at + 1 :]
    assert first_of(verdict(chain, head=head_of(CHAIN))) == place


@given(PLACES)
def test_a_missing_event_is_found_where_it_stood(place: int) -> None:
    rows = [(sequence, canonical) for sequence, canonical in enumerate(CHAIN) if sequence != place]
    failures = verdict_on_rows(rows)
    assert first_of(failures) == (None if place == len(CHAIN) - 1 else place)


@given(PLACES)
def test_a_missing_event_is_found_although_the_rest_was_moved_up(place: int) -> None:
    moved_up = CHAIN[:place] + CHAIN[place + 1 :]
    assert first_of(verdict(moved_up)) == (None if place == len(CHAIN) - 1 else place)


@given(PLACES, PLACES)
def test_swapped_events_are_found_at_the_first_of_them(one: int, other: int) -> None:
    chain = CHAIN.copy()
    chain[one], chain[other] = chain[other], chain[one]
    expected = None if one == other else min(one, other)
    assert first_of(verdict(chain, head=head_of(CHAIN))) == expected


@given(st.integers(1, len(CHAIN) - 1))
def test_an_inserted_event_is_found_where_it_stands(place: int) -> None:
    prev = leaf_hash(CHAIN[place - 1])
    sealer = Sealer(ORIGIN, "writer", START, place, prev)
    forged, _ = sealer.seal(prepared(deposit("thief")).event_bytes, bytes(16))
    chain = [*CHAIN[:place], forged, *CHAIN[place:]]
    failures = verdict(chain, head=head_of(CHAIN))
    assert first_of(failures) == place


@given(st.integers(1, len(CHAIN) - 1))
def test_an_event_beside_another_is_found_where_both_stand(place: int) -> None:
    forged, _ = Sealer(ORIGIN, "writer", START, place, leaf_hash(CHAIN[place - 1])).seal(
        prepared(deposit("thief")).event_bytes, bytes(16)
    )
    rows = [*enumerate(CHAIN[: place + 1]), (place, forged), *list(enumerate(CHAIN))[place + 1 :]]
    assert first_of(verdict_on_rows(rows, head=head_of(CHAIN))) == place


@given(st.integers(1, len(CHAIN) - 2))
def test_a_rewritten_link_of_the_successor_does_not_hide_the_edit(place: int) -> None:
    chain = CHAIN.copy()
    chain[place] = changed(chain[place], "event", "actor", "x")
    chain[place + 1] = changed(chain[place + 1], "link", "prev", leaf_hash(chain[place]).hex())
    assert first_of(verdict(chain, head=head_of(CHAIN))) == place + 1
    assert link_of(chain[place + 1])["prev"] != link_of(CHAIN[place + 1])["prev"]
