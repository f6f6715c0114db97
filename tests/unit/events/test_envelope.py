from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from ledger.canonical import JsonObject, JsonValue, decode
from ledger.errors import InvalidEventError, InvalidInputError
from ledger.events.cash import DepositRecorded
from ledger.events.envelope import LARGEST_EVENT_BYTES, Draft, differing_fields, prepare
from ledger.events.governance import CorrectionRecorded
from tests.support.examples import EVENT_ID, EXAMPLES, TIME, deposit, draft_json, event_of_size, prepared


def refusal(value: JsonValue) -> InvalidInputError:
    with pytest.raises(InvalidInputError) as caught:
        Draft.from_json(value)
    return caught.value


@pytest.mark.parametrize("value", [None, "DepositRecorded", ["x"], True, 5])
def test_an_event_is_an_object(value: JsonValue) -> None:
    assert refusal(value).problem == "an event is a JSON object"


@pytest.mark.parametrize(
    ("changes", "place", "problem"),
    [
        ({"type": "DepositRecorder"}, "type", "did you mean DepositRecorded?"),
        ({"type": "Nothing at all"}, "type", "there is no event type"),
        ({"type": 5}, "type", "type is missing"),
        ({"type": None}, "type", "type is missing"),
        ({"schema": 2}, "schema", "the newest is 1"),
        ({"schema": 0}, "schema", "is not known"),
        ({"schema": "1"}, "schema", "is not known"),
        ({"schema": True}, "schema", "is not known"),
        ({"data": None}, "data", "data object is missing"),
        ({"data": []}, "data", "data object is missing"),
        ({"occurred_at": None}, "occurred_at", "the field is missing"),
        ({"occurred_at": "2026-01-31T09:30:00"}, "occurred_at", "has no zone"),
        ({"received_at": "yesterday"}, "received_at", "is not a time"),
        ({"processed_at": 1769851800}, "processed_at", "a time such as"),
        ({"occured_at": TIME}, "occured_at", "did you mean occurred_at?"),
        ({"link": {}}, "link", "there is no such field"),
        ({"actor": ""}, "actor", "at least 1 character"),
        ({"actor": "x" * 257}, "actor", "at most 256 characters"),
        ({"actor": "two\nlines"}, "actor", "control character"),
        ({"correlation": "\x7f"}, "correlation", "control character"),
        ({"correlation": "\x85"}, "correlation", "control character"),
        ({"source": {"file": "/data/fills.csv"}}, "source.file", "without its path"),
        ({"source": {"file": "data\\fills.csv"}}, "source.file", "without its path"),
        ({"source": {"row": 12}}, "source.row", "valid string"),
        ({"source": {"row": "012"}}, "source.row", "match pattern"),
        ({"source": {"row": "1\n"}}, "source.row", "match pattern"),
        ({"source": {"inferred": "true"}}, "source.inferred", "valid boolean"),
        ({"source": {"fille": "x"}}, "source.fille", "did you mean file?"),
        ({"source": "hyperliquid"}, "source", ""),
    ],
)
def test_an_envelope_out_of_form_is_refused_with_its_place(
    changes: dict[str, Any], place: str, problem: str
) -> None:
    error = refusal({**draft_json(), **changes})
    assert error.place == (place,)
    assert problem in error.problem
    assert error.next_step is not None


@pytest.mark.parametrize(
    "event_id",
    [
        "6f1c1d3e0f4b4f3e9d550d3a3b0f6a11",
        "{6f1c1d3e-0f4b-4f3e-9d55-0d3a3b0f6a}",
        "6f1c1d3e0f4b4f3e9d550d3a3b0f6a11----",
        "6f1c1d3e-0f4b-4f3e-9d55-0d3a3b_f6a11",
        "urn:uuid:6f1c1d3e-0f4b-4f3e-9d55-0d3a",
        "6f1c1d3e-0f4b-4f3e-9d55-0d3a3b0f6a1٣",
        5,
        "",
    ],
)
def test_an_id_is_a_uuid_in_its_hyphenated_form(event_id: JsonValue) -> None:
    error = refusal(draft_json(id=event_id))
    assert error.place == ("id",)
    assert "a UUID such as" in error.problem


def test_an_id_is_stored_in_lowercase() -> None:
    assert str(deposit(id=EVENT_ID.upper()).id) == EVENT_ID


@pytest.mark.parametrize("account", ["", "a b", "é", "a\n", "a+b", "x" * 129, "a\u200bb", "١"])
def test_identifiers_are_plain(account: str) -> None:
    error = refusal(draft_json(data={**EXAMPLES["DepositRecorded"], "account": account}))
    assert error.place == ("data.account",)


@pytest.mark.parametrize(
    "account", ["A", "0x5b5d51203a0f9079f8aeb098a6523a13f298c060", "a.b_c:d/e-f", "x" * 128]
)
def test_identifiers_hold_what_venues_use(account: str) -> None:
    assert deposit(account).data.json_value()["account"] == account


@pytest.mark.parametrize(
    ("event_type", "changes", "place"),
    [
        ("AccountStateReported", {"wallet_balance": {"US DT": "1"}}, "data.wallet_balance.US DT.[key]"),
        ("StateCommitted", {"totals": {"Liabilities": {"USDT": "1"}}}, "data.totals.Liabilities.[key]"),
        ("StateCommitted", {"state_root": "AB" * 32}, "data.state_root"),
        ("MarginScheduleSet", {"parameters": {"base rate": "1"}}, "data.parameters.base rate.[key]"),
        ("LossSocialised", {"part": "3"}, "data"),
        ("LossSocialised", {"part": "1.5"}, "data.part"),
        ("CorrectionRecorded", {"action": "void"}, "data"),
        ("CorrectionRecorded", {"replacement": {"a": 5}}, "data.replacement"),
        ("CorrectionRecorded", {"replacement": {"a": "\x00"}}, "data.replacement"),
        ("CorrectionRecorded", {"replacement": {"a b": "x"}}, "data.replacement"),
        ("CorrectionRecorded", {"replacement": {"a": [None]}}, "data.replacement"),
        ("CorrectionRecorded", {"corrects": "5"}, "data.corrects"),
        ("DepositRecorded", {"amount": "0"}, "data.amount"),
        ("DepositRecorded", {"amount": "1e3"}, "data.amount"),
        ("DepositRecorded", {"amount": "9" * 39}, "data.amount"),
        ("FillRecorded", {"side": "Buy"}, "data.side"),
        ("LedgerOpened", {"ledger": "a+b"}, "data.ledger"),
        ("LedgerOpened", {"ledger": "a b"}, "data.ledger"),
        ("LedgerOpened", {"ledger": "x" * 129}, "data.ledger"),
        ("LedgerOpened", {"description": "x" * 4001}, "data.description"),
        ("IndexPriceUpdated", {"constituents": {}}, "data.constituents"),
        ("SourceTotalsReported", {"from_time": TIME}, "data.from_time"),
        ("MarginScheduleSet", {"tiers": ["x"]}, "data.tiers.0"),
    ],
)
def test_data_out_of_form_is_refused_with_its_place(
    event_type: str, changes: dict[str, Any], place: str
) -> None:
    assert refusal(draft_json(event_type, data={**EXAMPLES[event_type], **changes})).place == (place,)


def test_a_misspelt_field_of_a_nested_part_is_told_with_the_one_that_was_meant() -> None:
    tier: JsonObject = {
        "notional_flor": "0",
        "maintenance_margin_rate": "0.01",
        "maintenance_amount": "0",
        "max_leverage": "5",
    }
    error = refusal(draft_json("MarginScheduleSet", data={**EXAMPLES["MarginScheduleSet"], "tiers": [tier]}))
    assert error.place == ("data.tiers.0.notional_flor",)
    assert error.problem == "there is no such field; did you mean notional_floor? (and 1 more)"


def test_a_json_name_that_differs_from_pythons_is_the_only_one_taken() -> None:
    data: JsonObject = dict(EXAMPLES["SourceTotalsReported"])
    data["from_time"] = data.pop("from")
    error = refusal(draft_json("SourceTotalsReported", data=data))
    assert error.place == ("data.from_time",)
    assert "did you mean from?" in error.problem


def test_null_at_any_depth_is_left_out() -> None:
    data: JsonObject = {
        **EXAMPLES["IndexPriceUpdated"],
        "constituents": [
            {
                "source": "a",
                "price": "1",
                "weight": "1",
                "excluded": False,
                "reason": None,
                "observed_at": None,
            }
        ],
    }
    draft = Draft.from_json(draft_json("IndexPriceUpdated", data=data, actor=None, source={"file": None}))
    event = decode(prepared(draft).event_bytes)
    assert isinstance(event, dict)
    assert "actor" not in event
    assert "source" not in event
    assert isinstance(event["data"], dict)
    assert event["data"]["constituents"] == [{"source": "a", "price": "1", "weight": "1", "excluded": False}]


def test_free_data_is_bounded_so_that_its_entry_can_be_read_again() -> None:
    def correction(depth: int) -> CorrectionRecorded:
        replacement: JsonValue = "x"
        for _ in range(depth):
            replacement = {"a": replacement}
        return CorrectionRecorded.model_validate(
            {**EXAMPLES["CorrectionRecorded"], "replacement": replacement}
        )

    assert correction(32).replacement is not None
    with pytest.raises(ValueError, match="deeper than 32 levels"):
        correction(33)


def test_an_event_of_65000_bytes_is_the_largest() -> None:
    largest = prepared(event_of_size(LARGEST_EVENT_BYTES), EVENT_ID)
    assert len(largest.event_bytes) == LARGEST_EVENT_BYTES == 65_000
    with pytest.raises(InvalidEventError, match="the event has 65001 bytes; 65000 are allowed"):
        prepared(event_of_size(LARGEST_EVENT_BYTES + 1), EVENT_ID)


def test_payloads_made_in_python_are_held_to_the_same_rules() -> None:
    payload = DepositRecorded(account="A17", asset="USDT", amount=Decimal("1.50"))
    assert payload.json_value()["amount"] == "1.5"
    assert str(payload.amount) == "1.5"
    with pytest.raises(ValueError, match="has no zone"):
        Draft(data=payload, occurred_at=datetime(2026, 1, 31))  # noqa: DTZ001 (refused)
    with pytest.raises(ValueError, match="decimal strings"):
        DepositRecorded(account="A17", asset="USDT", amount=1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="more than 38"):
        DepositRecorded(account="A17", asset="USDT", amount=Decimal("1E+999999999"))
    with pytest.raises(ValueError, match="frozen"):
        setattr(payload, "account", "B")  # noqa: B010 (mypy refuses the plain assignment as well)


def test_two_events_are_the_same_whatever_their_source() -> None:
    one = prepared(deposit(source={"file": "a.csv"}), EVENT_ID).event_bytes
    other = prepared(deposit(source={"file": "b.csv", "row": "3"}), EVENT_ID).event_bytes
    assert differing_fields(one, one) == ()
    assert differing_fields(one, other) == ()
    assert differing_fields(one, prepared(deposit(amount="2", actor="x"), EVENT_ID).event_bytes) == (
        "actor",
        "data",
    )
    assert differing_fields(one, prepare(deposit(), uuid.UUID(int=1)).event_bytes) == ("id",)
