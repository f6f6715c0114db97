from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ledger.canonical import decode, encode, leaf_hash
from ledger.chain import (
    FORMAT,
    ZERO_HASH,
    ChainVerifier,
    Failure,
    Sealer,
    check_event,
    decode_event,
    is_known,
    parse_entry,
)
from ledger.errors import InvalidEventError, InvalidInputError, RecordUnreadableError
from tests.support.chains import ORIGIN, chain_of, changed, opening, verdict
from tests.support.examples import deposit, prepared

AT = datetime(2026, 1, 31, 9, 30, 0, 250000, tzinfo=UTC)


@pytest.mark.parametrize("writer", ["ledger_writer", 'o"dd\\ röle 😀', "tab\there"])
def test_sealing_equals_encoding_the_whole_entry(writer: str) -> None:
    event = prepared()
    sealer = Sealer(ORIGIN, writer, AT, 41, bytes(range(32)))
    canonical, event_hash = sealer.seal(event.event_bytes, bytes(range(16)))
    reference = encode(
        {
            "link": {
                "writer": writer,
                "sequence": 41,
                "prev": bytes(range(32)).hex(),
                "nonce": bytes(range(16)).hex(),
                "ledger": ORIGIN,
                "appended_at": "2026-01-31T09:30:00.250000Z",
            },
            "event": decode(event.event_bytes),
        }
    )
    assert canonical == reference
    assert event_hash == leaf_hash(reference)
    assert (sealer.sequence, sealer.prev) == (42, event_hash)


def test_an_entry_comes_apart_as_it_was_put_together() -> None:
    event = prepared()
    canonical, event_hash = Sealer(ORIGIN, "w", AT, 3, ZERO_HASH).seal(event.event_bytes, bytes(16))
    entry = parse_entry(canonical)
    assert entry.event_bytes == event.event_bytes
    assert check_event(entry) == event
    recorded = decode_event(canonical)
    assert (recorded.hash, recorded.prev, recorded.sequence) == (event_hash, ZERO_HASH, 3)
    assert (recorded.ledger, recorded.writer, recorded.appended_at) == (ORIGIN, "w", AT)
    assert recorded.nonce == "0" * 32


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("appended_at", "2026-01-31T09:30:00Z"),
        ("appended_at", "2026-01-31 09:30:00.250000+00:00"),
        ("appended_at", 5),
        ("ledger", "a b"),
        ("nonce", "A" * 32),
        ("nonce", "0" * 31),
        ("prev", "0" * 63),
        ("prev", "F" * 64),
        ("sequence", -1),
        ("sequence", "3"),
        ("sequence", True),
        ("writer", ""),
        ("writer", "x" * 64),
        ("surprise", "x"),
    ],
)
def test_a_link_has_one_form(field: str, value: Any) -> None:
    canonical, _ = Sealer(ORIGIN, "w", AT, 3, ZERO_HASH).seal(prepared().event_bytes, bytes(16))
    with pytest.raises(InvalidEventError) as caught:
        parse_entry(changed(canonical, "link", field, value))
    assert caught.value.place == (f"link.{field}",)


@pytest.mark.parametrize("field", ["appended_at", "ledger", "nonce", "prev", "sequence", "writer"])
def test_a_link_is_whole(field: str) -> None:
    canonical, _ = Sealer(ORIGIN, "w", AT, 3, ZERO_HASH).seal(prepared().event_bytes, bytes(16))
    with pytest.raises(InvalidEventError):
        parse_entry(changed(canonical, "link", field, None))


@pytest.mark.parametrize("other", [b"[]", b'"x"', b"{}", b'{"event":{}}', b'{"event":[],"link":{}}'])
def test_what_is_no_entry_is_refused(other: bytes) -> None:
    with pytest.raises(InvalidEventError):
        parse_entry(other)


def test_a_third_top_level_key_is_refused() -> None:
    canonical, _ = Sealer(ORIGIN, "w", AT, 3, ZERO_HASH).seal(prepared().event_bytes, bytes(16))
    with pytest.raises(InvalidEventError, match="exactly the keys event and link"):
        parse_entry(canonical[:-1] + b',"more":1}')


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("occurred_at", "2026-01-31T09:30:00Z"),
        ("occurred_at", "2026-01-31T10:30:00.000000+01:00"),
        ("id", "6F1C1D3E-0F4B-4F3E-9D55-0D3A3B0F6A11"),
        ("id", None),
        ("data", {"account": "A17", "asset": "USDT", "amount": "1.0"}),
        ("data", {"account": "A17", "asset": "USDT", "amount": "-0"}),
        ("data", {"account": "A17", "asset": "USDT", "amount": "1", "reference": None}),
        ("data", {"account": "A17", "asset": "USDT"}),
        ("actor", "x\ny"),
        ("surprise", "x"),
        ("schema", None),
    ],
)
def test_a_stored_event_is_held_to_the_letter(field: str, value: Any) -> None:
    """What is accepted is what we would write: format(parse(bytes)) == bytes."""
    canonical, _ = Sealer(ORIGIN, "w", AT, 3, ZERO_HASH).seal(prepared().event_bytes, bytes(16))
    if field == "data" and isinstance(value, dict) and None in value.values():
        tampered = canonical.replace(b'"asset":"USDT"', b'"asset":"USDT","reference":null')
    else:
        tampered = changed(canonical, "event", field, value)
    with pytest.raises(InvalidInputError):
        check_event(parse_entry(tampered))
    failures, _, event = ChainVerifier(ORIGIN).take(3, tampered)
    assert event is None
    assert "well_formed" in {failure.check for failure in failures}


def test_only_types_and_schema_numbers_of_the_catalogue_are_known() -> None:
    assert is_known({"type": "DepositRecorded", "schema": 1})
    for event in ({"type": "DepositRecorded"}, {"type": "DepositRecorded", "schema": 2}, {"schema": 1}):
        assert not is_known(event)  # type: ignore[arg-type]
    assert not is_known({"type": "DepositRecorded", "schema": True})
    assert not is_known({"type": ["DepositRecorded"], "schema": 1})


def test_an_unreadable_record_names_its_sequence() -> None:
    canonical, _ = Sealer(ORIGIN, "w", AT, 3, ZERO_HASH).seal(prepared().event_bytes, bytes(16))
    with pytest.raises(RecordUnreadableError) as caught:
        decode_event(canonical.replace(b"DepositRecorded", b"DepositReceived"))
    assert caught.value.sequence == 3
    with pytest.raises(RecordUnreadableError) as caught:
        decode_event(canonical.replace(b'"sequence":3', b'"sequence":' + b"3" * 5000))
    assert caught.value.sequence == -1


def test_a_whole_chain_holds_and_gives_its_head_and_root() -> None:
    chain = chain_of(7)
    verifier = ChainVerifier(ORIGIN)
    for sequence, canonical in enumerate(chain):
        failures, entry, event = verifier.take(sequence, canonical)
        assert not failures
        assert entry is not None
        assert event is not None
    assert verifier.finish(leaf_hash(chain[-1])) == []
    assert (verifier.events, verifier.head, verifier.tree.size) == (7, leaf_hash(chain[-1]), 7)
    assert verifier.unknown_types == {}


def test_types_of_a_newer_program_are_counted_not_condemned() -> None:
    newer = json.loads(prepared().event_bytes) | {"type": "SomethingNew"}
    chain = chain_of(2, [encode(newer)])
    assert verdict(chain) == []
    verifier = ChainVerifier(ORIGIN)
    for sequence, canonical in enumerate(chain):
        verifier.take(sequence, canonical)
    assert verifier.unknown_types == {"SomethingNew": 1}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema", None),
        ("schema", 0),
        ("schema", "1"),
        ("id", None),
        ("occurred_at", "today"),
        ("surprise", "x"),
        ("data", None),
        ("data", []),
        ("data", {"amount": 5}),
        ("data", {"list": [None]}),
        ("data", {"a": "\x01"}),
        ("source", {"surprise": "x"}),
        ("type", 5),
    ],
)
def test_an_event_of_an_unknown_type_still_has_an_events_form(field: str, value: Any) -> None:
    newer = json.loads(prepared().event_bytes) | {"type": "SomethingNew", field: value}
    if value is None:
        del newer[field]
    failures = verdict(chain_of(3, [encode(newer)]))
    assert [(failure.sequence, failure.check) for failure in failures] == [(1, "well_formed")]


@pytest.mark.parametrize(
    ("first", "found"),
    [
        (prepared(deposit()).event_bytes, "DepositRecorded of None, format None"),
        (opening("margin-ledger/2"), f"LedgerOpened of {ORIGIN}, format margin-ledger/2"),
        (opening(ledger="other.example"), f"LedgerOpened of other.example, format {FORMAT}"),
    ],
)
def test_the_first_event_opens_a_ledger_of_this_format(first: bytes, found: str) -> None:
    chain = chain_of(1, first=first)
    assert verdict(chain) == [Failure(0, "opening", f"LedgerOpened of {ORIGIN}, format {FORMAT}", found)]


def test_a_ledger_is_opened_once() -> None:
    failures = verdict(chain_of(4, [prepared().event_bytes, opening()]))
    assert [(failure.sequence, failure.check) for failure in failures] == [(2, "opening")]


def test_another_ledgers_events_are_told_apart() -> None:
    assert {failure.check for failure in verdict(chain_of(3), origin="other.example")} == {"origin"}


def test_time_never_runs_backwards() -> None:
    chain = chain_of(4, seconds=[0, 5, 3, 4])
    assert [(failure.sequence, failure.check) for failure in verdict(chain)] == [(2, "time_order")]


def test_a_wrong_head_lays_it_at_the_last_entry() -> None:
    wrong: Any = bytes(32)
    assert [failure.sequence for failure in verdict(chain_of(3), head=wrong)] == [2]
