"""Whatever is done to one place of a chain, verification names that place first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.canonical import decode, leaf_hash
from ledger.chain import Sealer, _parse_any, _read_as_written, check_event, parse_entry
from ledger.errors import InvalidInputError
from ledger.events.envelope import Draft
from tests.support.chains import ORIGIN, START, chain_of, changed, head_of, verdict, verdict_on_rows
from tests.support.examples import EXAMPLES, deposit, draft_json, prepared

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.chain import Entry, Failure

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


WRITERS = st.one_of(
    st.sampled_from(["ledger", 'o"dd\\\\ röle 😀', "x" * 63, "x" * 64, ""]), st.text(max_size=5)
)


@st.composite
def entries(draw: st.DrawFn) -> bytes:
    """An entry of any type, or one that is hardly one any more."""
    event_type = draw(st.sampled_from(sorted(EXAMPLES)))
    event = prepared(Draft.from_json(draft_json(event_type)))
    sealer = Sealer(ORIGIN, draw(WRITERS), START, draw(st.sampled_from([0, 7, 10**15, 2**53 - 1])), bytes(32))
    canonical, _ = sealer.seal(event.event_bytes, bytes(16))
    at = draw(st.integers(0, len(canonical)))
    change = draw(st.sampled_from(["nothing", "byte", "insert", "cut", "event", "link"]))
    if change == "byte":
        return canonical[:at] + bytes([draw(st.integers(32, 126))]) + canonical[at + 1 :]
    if change == "insert":
        return (
            canonical[:at]
            + draw(st.sampled_from([b" ", b"\n", b",", b"0", b'"', b"\\\\", b"{", b"\xc3"]))
            + canonical[at:]
        )
    if change == "cut":
        return canonical[:at]
    odd: st.SearchStrategy[Any] = st.sampled_from(
        [
            "2026-02-30T00:00:00.000000Z",
            "2026-01-31T09:30:00Z",
            "20260131T093000.00000000000Z",
            "1.50",
            7,
            True,
            None,
            {},
        ]
    )
    if change == "link":
        return changed(canonical, "link", draw(st.sampled_from(sorted(LINK_CHANGES))), draw(odd))
    if change == "event":
        field = draw(st.sampled_from(["data", "id", "occurred_at", "schema", "source", "type", "actor", "x"]))
        return changed(canonical, "event", field, draw(odd))
    return canonical


def outcome(read: Callable[[bytes], Entry], canonical: bytes) -> Entry | str:
    try:
        return read(canonical)
    except InvalidInputError as error:
        return repr(error)


@settings(max_examples=400)
@given(entries())
def test_an_entry_read_in_one_go_is_the_entry_read_member_by_member(canonical: bytes) -> None:
    assert outcome(parse_entry, canonical) == outcome(_parse_any, canonical)


@settings(max_examples=400)
@given(entries())
def test_an_event_that_is_what_we_would_write_passes_every_single_check(canonical: bytes) -> None:
    entry, event = _read_as_written(canonical)
    if entry is not None:
        assert entry == _parse_any(canonical)
        assert event == check_event(entry)


@pytest.mark.parametrize(
    ("field", "found", "written"),
    [
        ("appended_at", b"2026-01-31T", b"2026-02-30T"),
        ("appended_at", b"T09:30", b"T24:00"),
        ("appended_at", b"T09:30", b"T09:60"),
        ("appended_at", b"2026-", b"0000-"),
        ("sequence", b'"sequence":1,', b'"sequence":01,'),
        ("sequence", b'"sequence":1,', b'"sequence":9007199254740993,'),
        ("writer", b'"writer":"writer"', b'"writer":"wri\\u0074er"'),
        ("nonce", b'"nonce":"', b'"nonce":"A'),
    ],
)
def test_a_link_that_only_looks_usual_is_refused(field: str, found: bytes, written: bytes) -> None:
    start = CHAIN[1].index(b'"link"')
    canonical = CHAIN[1][:start] + CHAIN[1][start:].replace(found, written, 1)
    assert canonical != CHAIN[1], field
    assert outcome(parse_entry, canonical) == outcome(_parse_any, canonical)
    assert isinstance(outcome(parse_entry, canonical), str)
    assert _read_as_written(canonical) == (None, None)


@given(PLACES)
def test_usual_entries_are_read_in_one_go(place: int) -> None:
    assert _read_as_written(CHAIN[place]) != (None, None)
