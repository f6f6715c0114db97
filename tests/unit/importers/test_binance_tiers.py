import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import InvalidInputError
from tests.support.importing import Memory, imported

AT = "2022-02-12T00:00:00Z"

FIRST_SHAPE = """{"BTC/USDT": [
  {"tier": 1, "notionalFloor": 0, "notionalCap": 50000, "maintenanceMarginRatio": 0.004, "maxLeverage": 125,
   "info": {"bracket": "1", "initialLeverage": "125", "notionalCap": "50000", "notionalFloor": "0",
            "maintMarginRatio": "0.004", "cum": "0.0"}},
  {"tier": 2, "notionalFloor": 50000, "notionalCap": 250000, "maintenanceMarginRatio": 5e-3,
   "maxLeverage": 100, "info": {"cum": "50.0"}},
  {"tier": 3, "notionalFloor": 2.5E5, "notionalCap": 9.223372036854776e+18, "maintenanceMarginRatio": 0.01,
   "maxLeverage": 50, "info": {"cum": "1300.0"}}]}"""
SECOND_SHAPE = """{"BTCUSDT": [
  {"tier": 1.0, "currency": "USDT", "minNotional": 0.0, "maxNotional": 50000.0,
   "maintenanceMarginRate": 0.004, "maxLeverage": 125.0, "info": {"cum": "0.0"}},
  {"tier": 2.0, "currency": "USDT", "minNotional": 50000.0, "maxNotional": 250000.0,
   "maintenanceMarginRate": 0.005, "maxLeverage": 100.0, "info": {"cum": "50.0"}},
  {"tier": 3.0, "currency": "USDT", "minNotional": 250000.0, "maxNotional": 9223372036854776000,
   "maintenanceMarginRate": 0.01, "maxLeverage": 50.0, "info": {"cum": "1300.0"}}]}"""
THIRD_SHAPE = SECOND_SHAPE.replace('"BTCUSDT"', '"BTC/USDT:USDT"').replace(
    '"currency"', '"symbol": "BTC/USDT:USDT", "currency"'
)
EXCHANGE_SHAPE = """[{"symbol": "BTCUSDT", "notionalCoef": 1.5, "brackets": [
  {"bracket": 1, "initialLeverage": 125, "notionalCap": 50000, "notionalFloor": 0, "maintMarginRatio": 0.004,
   "cum": 0},
  {"bracket": 2, "initialLeverage": 100, "notionalCap": 250000, "notionalFloor": 50000,
   "maintMarginRatio": 0.005, "cum": 50},
  {"bracket": 3, "initialLeverage": 50, "notionalCap": 9223372036854776000, "notionalFloor": 250000,
   "maintMarginRatio": 0.01, "cum": 1300}]}]"""
WITHOUT_AMOUNTS = """{"BTC/USDT": [
  {"minNotional": 50000, "maxNotional": 250000, "maintenanceMarginRate": 0.005, "maxLeverage": 100},
  {"minNotional": 0, "maxNotional": 50000, "maintenanceMarginRate": 0.004, "maxLeverage": 125},
  {"minNotional": 250000, "maxNotional": 9223372036854776000,
   "maintenanceMarginRate": 0.01, "maxLeverage": 50}]}"""

TIERS = [
    {
        "notional_floor": "0",
        "notional_cap": "50000",
        "maintenance_margin_rate": "0.004",
        "maintenance_amount": "0",
        "max_leverage": "125",
    },
    {
        "notional_floor": "50000",
        "notional_cap": "250000",
        "maintenance_margin_rate": "0.005",
        "maintenance_amount": "50",
        "max_leverage": "100",
    },
    {
        "notional_floor": "250000",
        "notional_cap": "9223372036854776000",
        "maintenance_margin_rate": "0.01",
        "maintenance_amount": "1300",
        "max_leverage": "50",
    },
]


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def schedule(memory: Memory) -> dict[str, Any]:
    (value,) = memory.of("MarginScheduleSet")
    return value


@pytest.mark.parametrize(
    "text", [FIRST_SHAPE, SECOND_SHAPE, THIRD_SHAPE, EXCHANGE_SHAPE, EXCHANGE_SHAPE[1:-1]]
)
def test_every_shape_gives_the_same_schedule(tmp_path: Path, text: str) -> None:
    memory, result = imported("binance-tiers", written(tmp_path / "tiers.json", text), effective_at=AT)
    value = schedule(memory)
    assert value["data"] == {
        "instrument": "BTCUSDT",
        "effective_at": "2022-02-12T00:00:00.000000Z",
        "tiers": TIERS,
    }
    assert value["occurred_at"] == "2022-02-12T00:00:00.000000Z"
    assert value["source"] == {"system": "binance", "file": "tiers.json", "row": "1"}
    assert result.warnings == ()
    assert [v["type"] for v in memory.values] == ["SourceDeclared", "InstrumentListed", "MarginScheduleSet"]


def test_amounts_that_are_not_in_the_file_are_computed_and_said_to_be(tmp_path: Path) -> None:
    memory, _ = imported("binance-tiers", written(tmp_path / "tiers.json", WITHOUT_AMOUNTS), effective_at=AT)
    value = schedule(memory)
    assert value["data"]["tiers"] == TIERS
    assert value["source"]["inferred"] is True


def test_a_number_is_the_decimal_that_is_printed_and_no_float(tmp_path: Path) -> None:
    text = FIRST_SHAPE.replace("0.004,", "0.1000000000000000055,").replace('"cum": "0.0"', '"cum": 1E-18')
    memory, _ = imported(
        "binance-tiers", written(tmp_path / "tiers.json", text.replace("055,", "05,")), effective_at=AT
    )
    tier = schedule(memory)["data"]["tiers"][0]
    assert tier["maintenance_margin_rate"] == "0.100000000000000005"
    assert tier["maintenance_amount"] == "0.000000000000000001"


def test_the_listing_of_an_instrument_is_the_same_event_at_every_date(tmp_path: Path) -> None:
    early, _ = imported("binance-tiers", written(tmp_path / "a.json", FIRST_SHAPE), effective_at=AT)
    late, _ = imported(
        "binance-tiers", written(tmp_path / "b.json", THIRD_SHAPE), effective_at="2025-10-09T00:00:00Z"
    )
    for event_type in ("InstrumentListed", "SourceDeclared"):
        ((one,), (other,)) = early.of(event_type), late.of(event_type)
        assert {**one, "source": None} == {**other, "source": None}
        assert one["source"]["inferred"] is True
    assert early.of("InstrumentListed")[0]["data"] == {
        "instrument": "BTCUSDT",
        "kind": "perpetual",
        "contract": "linear",
        "base": "BTC",
        "quote": "USDT",
        "settlement_asset": "USDT",
        "contract_size": "1",
    }
    assert schedule(early)["id"] != schedule(late)["id"]


def test_several_files_apply_each_from_its_own_time(tmp_path: Path) -> None:
    paths = [written(tmp_path / "a.json", FIRST_SHAPE), written(tmp_path / "b.json", SECOND_SHAPE)]
    times = ["2025-10-09T00:00:00Z", "2022-02-12T00:00:00+01:00"]
    memory, result = imported("binance-tiers", *paths, effective_at=times)
    assert [v["data"]["effective_at"][:13] for v in memory.of("MarginScheduleSet")] == [
        "2022-02-11T23",
        "2025-10-09T00",
    ]
    assert result.counts == {"InstrumentListed": 1, "MarginScheduleSet": 2, "SourceDeclared": 1}


def test_compression_and_layout_of_the_json_do_not_change_ids(tmp_path: Path) -> None:
    plain, _ = imported("binance-tiers", written(tmp_path / "a.json", FIRST_SHAPE), effective_at=AT)
    (tmp_path / "b.gz").write_bytes(gzip.compress(FIRST_SHAPE.replace("\n", " ").encode()))
    packed, _ = imported("binance-tiers", tmp_path / "b.gz", effective_at=AT)
    assert schedule(plain)["id"] == schedule(packed)["id"]


def test_symbols_can_be_chosen(tmp_path: Path) -> None:
    both = FIRST_SHAPE[:-1] + "," + FIRST_SHAPE[1:].replace("BTC/", "ETH/")
    path = written(tmp_path / "a.json", both)
    memory, _ = imported("binance-tiers", path, effective_at=AT, symbol=["ETHUSDT"])
    assert schedule(memory)["data"]["instrument"] == "ETHUSDT"
    with pytest.raises(InvalidInputError, match="no symbol DOGEUSDT"):
        imported("binance-tiers", path, effective_at=AT, symbol=["DOGE/USDT"])


def test_a_symbol_that_has_no_place_in_the_ledger_does_not_keep_the_others_out(tmp_path: Path) -> None:
    others = '"BTC/USD:BTC": [{}], "币安人生/USDT:USDT": [{}], "BTCEUR": [{}], '
    path = written(tmp_path / "a.json", "{" + others + FIRST_SHAPE[1:])
    for chosen in ([], ["BTCUSDT"]):
        memory, result = imported("binance-tiers", path, effective_at=AT, symbol=chosen)
        assert schedule(memory)["data"]["instrument"] == "BTCUSDT"
        for warning, symbol, why in zip(
            result.warnings,
            ("BTC/USD:BTC", "币安人生/USDT:USDT", "BTCEUR"),
            ("settled in BTC", "not an identifier", "known quote asset"),
            strict=True,
        ):
            assert symbol in warning
            assert why in warning
            assert warning.endswith("not read")
    with pytest.raises(InvalidInputError, match="settled in BTC"):
        imported("binance-tiers", path, effective_at=AT, symbol=["BTC/USD:BTC"])
    with pytest.raises(InvalidInputError, match="settled in BTC"):
        imported("binance-tiers", path, effective_at=AT, strict=True)


CONTRADICTION = FIRST_SHAPE.replace('"cum": "50.0"', '"cum": "49.0"')


def test_a_schedule_that_contradicts_itself_is_recorded_as_sent_with_a_warning(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", CONTRADICTION)
    memory, result = imported("binance-tiers", path, effective_at=AT)
    assert schedule(memory)["data"]["tiers"][1]["maintenance_amount"] == "49"
    assert "maintenance amount of tier 2 is 49, without a jump it is 50" in result.warnings[0]
    with pytest.raises(InvalidInputError, match="without a jump it is 50") as caught:
        imported("binance-tiers", path, effective_at=AT, strict=True)
    assert caught.value.place == (str(path), "symbol BTC/USDT")
    gap = FIRST_SHAPE.replace('"notionalFloor": 50000', '"notionalFloor": 60000').replace("50.0", "60.0")
    _, result = imported("binance-tiers", written(tmp_path / "b.json", gap), effective_at=AT)
    assert "tier 2 starts at 60000, the one before ends at 50000" in result.warnings[0]


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        (
            FIRST_SHAPE.replace("0.004,", '"x",'),
            ("symbol BTC/USDT", "tier 1", "maintenanceMarginRatio"),
            "not a number",
        ),
        (
            FIRST_SHAPE.replace("0.004,", "true,"),
            ("symbol BTC/USDT", "tier 1", "maintenanceMarginRatio"),
            "not a number",
        ),
        (
            FIRST_SHAPE.replace("0.004,", "-1,"),
            ("symbol BTC/USDT", "tier 1", "maintenance_margin_rate"),
            "below zero",
        ),
        (
            FIRST_SHAPE.replace("maxLeverage", "leverage"),
            ("symbol BTC/USDT", "tier 1", "maxLeverage"),
            "is missing",
        ),
        (FIRST_SHAPE.replace('"50.0"', '"1e99"'), ("symbol BTC/USDT", "tier 2", "cum"), "significant digits"),
        (SECOND_SHAPE.replace('"USDT"', '"BUSD"', 1), ("symbol BTCUSDT", "currency"), "currency is not USDT"),
        ('{"BTC/USDT": []}', ("symbol BTC/USDT",), "a list of tiers is wanted"),
        ('{"BTC/USDT": [7]}', ("symbol BTC/USDT", "tier 1"), "a tier is an object"),
        ('{"BTC/USD:BTC": [{}]}', ("symbol BTC/USD:BTC",), "settled in BTC"),
        ("{}", (), "holds no symbol"),
        ('{"BTCEUR": [{}]}', (), "known quote asset"),
        ('{"A/B": [], "A/B": []}', (), "occurs twice"),
        ('[{"symbol": "BTCUSDT"}]', ("entry 1",), "symbol and brackets"),
        ('"BTCUSDT"', (), "is wanted"),
        ('{"A/B": NaN}', (), "NaN is not a number"),
        ('{\n"A/B": [}', ("line 2",), "not JSON"),
        ("[" * 100_000, (), "nested too deep"),
        ("", (), "empty"),
    ],
)
def test_a_bad_value_is_named_with_file_symbol_tier_and_field(
    tmp_path: Path, text: str, place: tuple[str, ...], problem: str
) -> None:
    path = written(tmp_path / "tiers.json", text)
    with pytest.raises(InvalidInputError, match=problem) as caught:
        imported("binance-tiers", path, effective_at=AT)
    assert caught.value.place == (str(path), *place)


def test_the_options_are_checked(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", FIRST_SHAPE)
    for times, problem in (
        (None, "option is missing"),
        ("2022-02-12T00:00:00", "has no zone"),
        ("tomorrow", "not a time"),
        ([AT, AT], "given 2 times for 1 files"),
    ):
        with pytest.raises(InvalidInputError, match=problem) as caught:
            imported("binance-tiers", path, effective_at=times)
        assert caught.value.place == ("--effective-at",)


def test_the_made_up_files_are_what_the_tests_say_they_are() -> None:
    assert [len(json.loads(text)) for text in (FIRST_SHAPE, SECOND_SHAPE, THIRD_SHAPE, EXCHANGE_SHAPE)] == [
        1
    ] * 4
