import gzip
import zipfile
from pathlib import Path

import pytest

from ledger.errors import InvalidInputError
from ledger.importers.kinds import OptionValue
from tests.support.importing import Memory, imported

ARCHIVE_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore\n"
)
ARCHIVE = (
    "1760054400000,121582.79100450,121697.3,121500,121650.06,0,1760054699999,0,300,0,0,0\n"
    "1760054700000,121630.9,121646.2,121527.7,121637.4,0,1760054999999,0,300,0,0,0\n"
)
IN_MICROSECONDS = (
    ARCHIVE.replace("00000,1216", "00000000,1216")
    .replace("00000,1215", "00000000,1215")
    .replace("99999,", "99999999,")
)
PLAIN = (
    "date,open,high,low,close\n"
    "2020-03-13T01:00:00Z,5000,5100.50,3801.83,4000\n"
    "2020-03-13T02:00:00Z,4000,4.1e3,3900,3950\n"
)
DEPEG = (
    "minute_utc,open,high,low,close,volume\n"
    "2025-10-10 21:54:00,0.80,0.9,0.65,0.7001,21667.0\n"
    "2025-10-10 21:55:00,0.7,0.9,0.7,0.9,1.0\n"
)
FUNDING = "funding_time_utc,funding_rate\n2019-09-10T08:00:00Z,0.0001\n2019-09-10T16:00:00Z,-6.876e-05\n"


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def bars(path: Path, **changes: OptionValue) -> Memory:
    return imported("binance-klines", path, **{"instrument": "BTCUSDT", "as": "mark", **changes})[0]


@pytest.mark.parametrize(
    "text", [ARCHIVE_HEADER + ARCHIVE, ARCHIVE, IN_MICROSECONDS, ARCHIVE_HEADER + IN_MICROSECONDS]
)
def test_the_archive_layout_is_read_with_and_without_header_in_either_unit(tmp_path: Path, text: str) -> None:
    first, second = bars(written(tmp_path / "a.csv", text)).of("PriceBarRecorded")
    assert first["data"] == {
        "instrument": "BTCUSDT",
        "kind": "mark",
        "interval_seconds": "300",
        "open": "121582.7910045",
        "high": "121697.3",
        "low": "121500",
        "close": "121650.06",
    }
    assert first["occurred_at"] == "2025-10-10T00:05:00.000000Z"
    assert second["occurred_at"] == "2025-10-10T00:10:00.000000Z"
    assert first["source"]["row"] == ("2" if text.startswith("open") else "1")


def test_a_plain_table_is_read_and_its_interval_told_from_the_rows(tmp_path: Path) -> None:
    first, second = bars(written(tmp_path / "a.csv", PLAIN), **{"as": "last"}).of("PriceBarRecorded")
    assert (first["occurred_at"], first["data"]["interval_seconds"]) == (
        "2020-03-13T02:00:00.000000Z",
        "3600",
    )
    assert first["data"]["kind"] == "last"
    assert (first["data"]["low"], second["data"]["high"]) == ("3801.83", "4100")


def test_gaps_and_disorder_do_not_mislead_about_the_interval(tmp_path: Path) -> None:
    rows = [f"2020-03-13T{hour:02d}:00:00Z,1,1,1,1\n" for hour in (9, 3, 7, 8, 3)]
    memory = bars(written(tmp_path / "a.csv", "date,open,high,low,close\n" + "".join(rows)))
    assert {value["data"]["interval_seconds"] for value in memory.of("PriceBarRecorded")} == {"3600"}
    ends = [value["occurred_at"][11:13] for value in memory.of("PriceBarRecorded")]
    assert ends == ["04", "04", "08", "09", "10"]


def test_a_single_bar_needs_its_interval(tmp_path: Path) -> None:
    one = written(tmp_path / "a.csv", "".join(PLAIN.splitlines(keepends=True)[:2]))
    with pytest.raises(InvalidInputError, match="fewer than two") as caught:
        bars(one)
    assert "--interval" in str(caught.value.next_step)
    (bar,) = bars(one, interval="4h").of("PriceBarRecorded")
    assert (bar["data"]["interval_seconds"], bar["occurred_at"]) == ("14400", "2020-03-13T05:00:00.000000Z")


def test_an_interval_told_and_an_interval_given_make_the_same_ids(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", PLAIN)
    assert [event.id for event in bars(path).events] == [
        event.id for event in bars(path, interval="60m").events
    ]


def test_equal_rows_of_other_series_have_other_ids(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", PLAIN)
    variants: list[dict[str, OptionValue]] = [
        {},
        {"as": "last"},
        {"instrument": "ETHUSDT"},
        {"interval": "1m"},
        {"as": "asset-price", "instrument": None, "asset": "BTC", "valuation_currency": "USDT"},
    ]
    ids = [bars(path, **variant).events[-1].id for variant in variants]
    assert len(set(ids)) == len(variants)
    funding = written(tmp_path / "f.csv", FUNDING)
    btc, eth = (imported("binance-funding", funding, instrument=name)[0] for name in ("BTCUSDT", "ETHUSDT"))
    assert {event.id for event in btc.events} & {event.id for event in eth.events} == {btc.events[0].id}
    assert btc.events[0].type == "SourceDeclared"


def test_times_without_zone_are_utc_where_the_column_says_so_and_refused_elsewhere(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", DEPEG)
    memory = bars(
        path, **{"as": "asset-price", "instrument": None, "asset": "USDe", "valuation_currency": "USDT"}
    )
    first = memory.of("AssetPriceUpdated")[0]
    assert first["data"] == {"asset": "USDe", "valuation_currency": "USDT", "price": "0.7001"}
    assert first["occurred_at"] == "2025-10-10T21:55:00.000000Z"
    naive = written(tmp_path / "b.csv", PLAIN.replace("Z,", ","))
    with pytest.raises(InvalidInputError, match="has no zone") as caught:
        bars(naive)
    assert caught.value.place == (str(naive), "line 2", "date")


def test_funding_rates_are_read_exactly(tmp_path: Path) -> None:
    expected = [("2019-09-10T08", "0.0001"), ("2019-09-10T16", "-0.00006876")]
    archive = (
        "calc_time,funding_interval_hours,last_funding_rate\n"
        "1568102400000,8,0.00010000\n"
        "1568131200000,8,-0.00006876\n"
    )
    for text in (FUNDING, FUNDING.replace("Z,", ","), archive):
        memory, result = imported("binance-funding", written(tmp_path / "f.csv", text), instrument="BTCUSDT")
        settled = memory.of("FundingSettled")
        assert [(v["occurred_at"][:13], v["data"]["rate"]) for v in settled] == expected
        assert settled[0]["data"] == {"instrument": "BTCUSDT", "rate": "0.0001"}
        assert result.warnings == ()


def test_archives_of_several_days_are_read_from_zip_files(tmp_path: Path) -> None:
    for day, row in enumerate(ARCHIVE.splitlines(keepends=True)):
        with zipfile.ZipFile(tmp_path / f"{day}.zip", "w") as archive:
            archive.writestr(f"{day}.csv", ARCHIVE_HEADER + row)
    memory, _ = imported(
        "binance-klines", tmp_path / "1.zip", tmp_path / "0.zip", instrument="BTCUSDT", **{"as": "mark"}
    )
    assert [value["source"]["file"] for value in memory.of("PriceBarRecorded")] == ["0.zip", "1.zip"]
    (tmp_path / "a.gz").write_bytes(gzip.compress((ARCHIVE_HEADER + ARCHIVE).encode()))
    packed = bars(tmp_path / "a.gz")
    assert {event.id for event in packed.events} == {event.id for event in memory.events}


@pytest.mark.parametrize(
    ("text", "line", "field", "problem"),
    [
        (ARCHIVE_HEADER + ARCHIVE.replace("121500", "?"), "line 2", "low", "not a number"),
        (
            ARCHIVE_HEADER + ARCHIVE.replace("1760054700000", "1760054700"),
            "line 3",
            "open_time",
            "not a time in milli",
        ),
        (ARCHIVE.replace("1760054700000", "today"), "line 2", "open_time", "not a time in milli"),
        (ARCHIVE.replace("1760054999999", "1760054699999"), "line 2", "close_time", "not the end of a bar"),
        (
            ARCHIVE_HEADER.replace("close_time", "until") + ARCHIVE,
            "line 1",
            "close_time",
            "column close_time is missing",
        ),
        (PLAIN.replace("3801.83", ""), "line 2", "low", "not a number"),
        (PLAIN.replace("date", "when"), "line 1", "date", "column date is missing"),
        (PLAIN.replace("2020-03-13T02", "9999-12-31T23"), "line 3", "date", "after the year 9999"),
    ],
)
def test_a_bad_bar_is_named_with_file_line_and_column(
    tmp_path: Path, text: str, line: str, field: str, problem: str
) -> None:
    path = written(tmp_path / "a.csv", text)
    with pytest.raises(InvalidInputError, match=problem) as caught:
        bars(path)
    assert caught.value.place == (str(path), line, field)


def test_lines_of_another_width_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="13 fields where line 1 has 12"):
        bars(written(tmp_path / "a.csv", ARCHIVE + ARCHIVE.splitlines()[1] + ",7\n"))
    with pytest.raises(InvalidInputError, match="fewer columns than the archive layout"):
        bars(written(tmp_path / "b.csv", "1760054400000,1,2,3\n"))
    with pytest.raises(InvalidInputError, match="blank lines only"):
        bars(written(tmp_path / "c.csv", "\n\n"))


def test_a_bar_of_another_length_than_given_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", ARCHIVE)
    assert len(bars(path, interval="5m").of("PriceBarRecorded")) == 2
    with pytest.raises(InvalidInputError, match="lasts 0:05:00, --interval says 0:01:00"):
        bars(path, interval="1m")


@pytest.mark.parametrize(
    ("text", "field", "problem"),
    [
        (FUNDING.replace("-6.876e-05", "low"), "funding_rate", "not a number"),
        (FUNDING.replace("-6.876e-05", "1e-19"), "funding_rate", "digits after the point"),
        (FUNDING.replace("10T16", "10T26"), "funding_time_utc", "not a time"),
    ],
)
def test_a_bad_funding_rate_is_named_with_file_line_and_column(
    tmp_path: Path, text: str, field: str, problem: str
) -> None:
    path = written(tmp_path / "f.csv", text)
    with pytest.raises(InvalidInputError, match=problem) as caught:
        imported("binance-funding", path, instrument="BTCUSDT")
    assert caught.value.place == (str(path), "line 3", field)


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"as": None}, "--as"),
        ({"as": "close"}, "--as"),
        ({"instrument": None}, "--instrument"),
        ({"as": "asset-price", "instrument": None}, "--asset"),
        ({"as": "asset-price", "instrument": None, "asset": "USDe"}, "--valuation-currency"),
        ({"interval": "0m"}, "--interval"),
        ({"interval": "1 hour"}, "--interval"),
        ({"effective_at": "2020-01-01T00:00:00Z"}, "--effective-at"),
        ({"interval": ["1m", "5m"]}, "--interval"),
    ],
)
def test_the_options_are_checked(tmp_path: Path, options: dict[str, OptionValue], option: str) -> None:
    path = written(tmp_path / "a.csv", PLAIN)
    with pytest.raises(InvalidInputError) as caught:
        bars(path, **options)
    assert caught.value.place == (option,)


def test_a_name_that_is_no_identifier_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="not an identifier"):
        bars(written(tmp_path / "a.csv", PLAIN), instrument="BTC USDT")
