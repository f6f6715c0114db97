"""Every payload of the registry, by its full example."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest

from ledger.canonical import JsonObject, decode, decode_canonical
from ledger.chain import Sealer, decode_event
from ledger.clock import parse_time
from ledger.errors import InvalidEventError
from ledger.events.base import Payload, Strict
from ledger.events.envelope import Draft, subjects_of
from ledger.events.registry import FAMILIES, PAYLOADS
from ledger.events.upcast import UPCASTS, upcast
from tests.support.examples import EVENT_ID, EXAMPLES, TIME, draft_json, prepared

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERY_TYPE = sorted(PAYLOADS)


def paths_of_model(model: type[Strict], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        yield path
        for inner in models_in(field.annotation):
            yield from paths_of_model(inner, f"{path}.")


def models_in(annotation: Any) -> Iterator[type[Strict]]:
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def paths_of_value(value: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"{prefix}{key}"
            yield from paths_of_value(item, f"{prefix}{key}.")
    elif isinstance(value, list):
        for item in value:
            yield from paths_of_value(item, prefix)


def number_paths(value: Any, prefix: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if isinstance(item, str) and item.lstrip("-").replace(".", "", 1).isdigit():
            yield (*prefix, key)
        yield from number_paths(item, (*prefix, key))


def replaced(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


def test_the_examples_cover_every_type_and_every_field() -> None:
    assert EXAMPLES.keys() == PAYLOADS.keys()
    for event_type, payload in PAYLOADS.items():
        missing = set(paths_of_model(payload)) - set(paths_of_value(EXAMPLES[event_type]))
        assert not missing, (event_type, missing)


@pytest.mark.parametrize("event_type", EVERY_TYPE)
def test_an_event_comes_back_from_its_bytes_as_it_went_in(event_type: str) -> None:
    draft = Draft.from_json(
        draft_json(
            event_type,
            id=EVENT_ID,
            actor="engine-3",
            causation=EVENT_ID,
            correlation="batch 9",
            received_at=TIME,
            processed_at=TIME,
            source={"system": "engine", "file": "fills.csv", "row": "12", "inferred": True},
        )
    )
    event = prepared(draft)
    assert isinstance(decode_canonical(event.event_bytes), dict)
    canonical, event_hash = Sealer("venue.example", "role", parse_time(TIME), 7, bytes(32)).seal(
        event.event_bytes, bytes(16)
    )
    recorded = decode_event(canonical, event_hash)
    assert recorded.data == draft.data
    assert recorded.data.json_value() == EXAMPLES[event_type]
    assert (recorded.type, recorded.sequence, recorded.id) == (event_type, 7, event.id)
    assert recorded.source == draft.source
    assert Draft.from_json(decode(event.event_bytes)) == draft


@pytest.mark.parametrize("event_type", EVERY_TYPE)
def test_fields_that_are_null_are_dropped_before_hashing(event_type: str) -> None:
    payload = PAYLOADS[event_type]
    optional = [
        field.alias or name for name, field in payload.model_fields.items() if not field.is_required()
    ]
    with_null = {**EXAMPLES[event_type], **dict.fromkeys(optional)}
    if event_type == "CorrectionRecorded":
        with_null["action"] = "void"
    without = {key: value for key, value in with_null.items() if value is not None}
    assert Draft.from_json(draft_json(event_type, data=with_null)).data.json_value() == without
    assert b"null" not in prepared(Draft.from_json(draft_json(event_type, data=with_null))).event_bytes


@pytest.mark.parametrize("event_type", EVERY_TYPE)
def test_no_field_may_be_unknown(event_type: str) -> None:
    data: JsonObject = {**EXAMPLES[event_type], "surprise": "x"}
    with pytest.raises(InvalidEventError) as caught:
        Draft.from_json(draft_json(event_type, data=data))
    assert caught.value.place == ("data.surprise",)
    assert "there is no such field" in caught.value.problem


@pytest.mark.parametrize("event_type", EVERY_TYPE)
def test_required_fields_are_required(event_type: str) -> None:
    required = [
        field.alias or name
        for name, field in PAYLOADS[event_type].model_fields.items()
        if field.is_required()
    ]
    for name in required:
        data = {key: value for key, value in EXAMPLES[event_type].items() if key != name}
        with pytest.raises(InvalidEventError) as caught:
            Draft.from_json(draft_json(event_type, data=data))
        assert caught.value.place[0] in {f"data.{name}", "data"}


@pytest.mark.parametrize("event_type", EVERY_TYPE)
@pytest.mark.parametrize("wrong", [5, 0.5, True])
def test_a_number_is_never_taken_where_a_decimal_string_stands(event_type: str, wrong: object) -> None:
    for path in number_paths(EXAMPLES[event_type]):
        with pytest.raises(InvalidEventError) as caught:
            Draft.from_json(draft_json(event_type, data=replaced(EXAMPLES[event_type], path, wrong)))
        assert caught.value.place == (".".join(map(str, ("data", *path))),)
        assert "decimal strings" in caught.value.problem


@pytest.mark.parametrize("event_type", EVERY_TYPE)
def test_numbers_are_stored_in_normal_form(event_type: str) -> None:
    for path in number_paths(EXAMPLES[event_type]):
        value: Any = EXAMPLES[event_type]
        for step in path:
            value = value[step]
        padded = f"{value}.000" if "." not in value else f"{value}000"
        draft = Draft.from_json(draft_json(event_type, data=replaced(EXAMPLES[event_type], path, padded)))
        assert draft.data.json_value() == EXAMPLES[event_type]


@pytest.mark.parametrize("event_type", EVERY_TYPE)
def test_every_type_says_in_a_sentence_what_it_is(event_type: str) -> None:
    payload = PAYLOADS[event_type]
    assert payload.__doc__ is not None
    assert payload.__doc__ != Payload.__doc__
    assert payload.__doc__.strip().endswith(".")


def test_every_payload_that_is_defined_is_in_the_registry() -> None:
    def subclasses(model: type[Payload]) -> Iterator[type[Payload]]:
        for subclass in model.__subclasses__():
            yield subclass
            yield from subclasses(subclass)

    families = {family.__name__ for family in FAMILIES}
    public = {model for model in subclasses(Payload) if not model.__name__.startswith("_")}
    assert {model for model in public if model.__module__ in families} == set(PAYLOADS.values())


def test_every_older_schema_number_has_the_step_to_the_next() -> None:
    wanted = {
        (event_type, schema)
        for event_type, payload in PAYLOADS.items()
        for schema in range(1, payload.schema_number)
    }
    assert UPCASTS.keys() == wanted


def test_older_payloads_are_brought_up_step_by_step() -> None:
    steps = {
        ("Made", 1): lambda data: {**data, "second": "added by 1"},
        ("Made", 2): lambda data: {"renamed" if key == "second" else key: item for key, item in data.items()},
        ("Other", 1): lambda data: {**data, "wrong": "step"},
    }
    oldest: JsonObject = {"first": "x"}
    assert upcast("Made", 1, oldest, 3, steps) == {"first": "x", "renamed": "added by 1"}
    assert upcast("Made", 2, {"second": "y"}, 3, steps) == {"renamed": "y"}
    assert upcast("Made", 3, {"third": "z"}, 3, steps) == {"third": "z"}
    assert oldest == {"first": "x"}
    with pytest.raises(KeyError):
        upcast("Made", 1, oldest, 4, steps)


SUBJECTS = {
    "FillRecorded": {"account/A17", "instrument/BTC-PERP", "asset/USDT"},
    "TradeExecuted": {"account/A17", "account/A18", "instrument/BTC-PERP", "asset/USDT"},
    "TransferRecorded": {"account/A17", "account/A18", "asset/USDT"},
    "AccountOpened": {"account/A17", "account/A1"},
    "InsuranceFundDrawn": {"account/fund", "account/A17", "asset/USDT"},
    "IndexPriceUpdated": {"index/BTC"},
    "LiquidationExecuted": {"account/A17", "account/backstop", "instrument/BTC-PERP"},
    "PositionAutoDeleveraged": {"account/A17", "account/A19", "instrument/BTC-PERP"},
    "LossSocialised": {"asset/USDT", "account/A18", "account/A19"},
    "AccountStateReported": {"account/A17", "instrument/ETH-PERP"},
    "CorrectionRecorded": {"account/A20", "instrument/ETH-PERP"},
    "LegalHoldPlaced": {"account/A17", "instrument/BTC-PERP"},
    "InstrumentListed": {"instrument/BTC-OPT", "index/BTC"},
    "LedgerOpened": set(),
}


@pytest.mark.parametrize("event_type", sorted(SUBJECTS))
def test_an_event_touches_what_its_fields_name_at_any_depth(event_type: str) -> None:
    assert subjects_of(EXAMPLES[event_type]) == SUBJECTS[event_type]


@pytest.mark.parametrize("event_type", ["SigningKeyRegistered", "SigningKeyRetired"])
def test_a_key_as_long_as_an_ml_dsa_44_vkey_is_taken(event_type: str) -> None:
    base64_of_type_and_key = "A" * 1752  # 1 + 1312 bytes
    vkey = f"witness.example/log+0123abcd+{base64_of_type_and_key}"
    draft = draft_json(event_type, data={**EXAMPLES[event_type], "public_key": vkey})
    assert Draft.from_json(draft).data.json_value()["public_key"] == vkey
