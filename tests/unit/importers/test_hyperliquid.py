import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import InvalidInputError
from tests.support.importing import Memory, imported

ANN = "0x" + "a1" * 20
BOB = "0x" + "b2" * 20
CY = "0x" + "c3" * 20
TRADES = "time,user,coin,side,px,sz,crossed\n"
UPDATES = "time,user,delta_usd\n"
LIQUIDATIONS = "time,user,liquidated_ntl_pos,liquidated_account_value,leverage_type\n"

A_FOLDER = {
    "trades.csv": TRADES
    + f"2023-03-01T10:00:00Z,{ANN},ETH,Bid,1600.5,0.25,true\n"
    + f"2023-03-01T10:00:00Z,{ANN},ETH,Bid,1600.5,0.25,true\n"
    + f"2023-03-01T11:00:00Z,{BOB},BTC,Ask,23000,1e-2,false\n"
    + f"2023-03-02T12:00:00Z,{ANN},ETH,Ask,1500,0.5,false\n",
    "updates.csv": UPDATES
    + f"2023-03-01T09:00:00Z,{ANN},10.5\n"
    + f"2023-03-01T10:00:00Z,{CY},7\n"
    + f"2023-03-03T00:00:00Z,{ANN},-1.25\n",
    "liquidations.csv": LIQUIDATIONS + f"2023-03-02T12:00:00Z,{ANN},750,5.5,Cross\n",
}


def folder(path: Path, changes: dict[str, str | bytes | None] | None = None) -> Path:
    path.mkdir(exist_ok=True)
    for name, content in {**A_FOLDER, **(changes or {})}.items():
        if content is not None:
            (path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def facts(memory: Memory) -> list[tuple[str, str, Any]]:
    """What was recorded, without ids and places in files."""
    return [(value["type"], value["occurred_at"], without_ids(value["data"])) for value in memory.values]


def without_ids(data: dict[str, Any]) -> dict[str, Any]:
    return {
        **data,
        **(
            {
                "takeovers": [
                    {**takeover, "trade_ids": len(takeover["trade_ids"])} for takeover in data["takeovers"]
                ]
            }
            if "takeovers" in data
            else {}
        ),
    }


def test_a_folder_becomes_cash_fills_and_liquidations_in_time_order(tmp_path: Path) -> None:
    memory, result = imported("hyperliquid", folder(tmp_path / "data"))
    assert result.counts == {
        "AccountOpened": 4,
        "AssetListed": 1,
        "DepositRecorded": 2,
        "FillRecorded": 4,
        "InstrumentListed": 2,
        "LiquidationExecuted": 1,
        "SourceDeclared": 1,
        "SourceTotalsReported": 3,
        "WithdrawalRecorded": 1,
    }
    assert result.warnings == ()
    assert [
        (value["type"], value["occurred_at"][5:16])
        for value in memory.values
        if not value.get("source", {}).get("inferred") or value["type"] == "LiquidationExecuted"
    ] == [
        ("DepositRecorded", "03-01T09:00"),
        ("DepositRecorded", "03-01T10:00"),
        ("FillRecorded", "03-01T10:00"),
        ("FillRecorded", "03-01T10:00"),
        ("FillRecorded", "03-01T11:00"),
        ("LiquidationExecuted", "03-02T12:00"),
        ("WithdrawalRecorded", "03-03T00:00"),
    ]


def test_a_fill_keeps_side_price_quantity_and_liquidity(tmp_path: Path) -> None:
    memory, _ = imported("hyperliquid", folder(tmp_path / "data"))
    first, _, third, last = memory.of("FillRecorded")
    assert first["data"] == {
        "account": ANN,
        "instrument": "ETH",
        "side": "buy",
        "price": "1600.5",
        "quantity": "0.25",
        "liquidity": "taker",
        "purpose": "trade",
    }
    assert first["source"] == {"system": "hyperliquid", "file": "trades.csv", "row": "2"}
    assert (third["data"]["side"], third["data"]["quantity"], third["data"]["liquidity"]) == (
        "sell",
        "0.01",
        "maker",
    )
    assert (last["data"]["purpose"], last["source"]["inferred"]) == ("liquidation", True)


def test_deposits_and_withdrawals_are_the_signs_of_delta_usd(tmp_path: Path) -> None:
    memory, _ = imported("hyperliquid", folder(tmp_path / "data"))
    assert [value["data"] for value in memory.of("DepositRecorded")] == [
        {"account": ANN, "asset": "USD", "amount": "10.5"},
        {"account": CY, "asset": "USD", "amount": "7"},
    ]
    assert [value["data"]["amount"] for value in memory.of("WithdrawalRecorded")] == ["1.25"]


def test_what_is_concluded_comes_first_and_says_so(tmp_path: Path) -> None:
    memory, _ = imported("hyperliquid", folder(tmp_path / "data"))
    types = [value["type"] for value in memory.values]
    assert types[:8] == [
        "SourceDeclared",
        "AssetListed",
        "AccountOpened",
        "AccountOpened",
        "AccountOpened",
        "AccountOpened",
        "InstrumentListed",
        "InstrumentListed",
    ]
    assert all(value["source"]["inferred"] for value in memory.values[:8])
    assert memory.values[0]["data"]["coverage"] == "one_sided"
    accounts = {value["data"]["account"]: value["data"]["kind"] for value in memory.of("AccountOpened")}
    assert accounts == {"external/hyperliquid": "external", ANN: "customer", BOB: "customer", CY: "customer"}
    assert memory.of("InstrumentListed")[0]["data"] == {
        "instrument": "ETH",
        "kind": "perpetual",
        "contract": "linear",
        "base": "ETH",
        "quote": "USD",
        "settlement_asset": "USD",
        "contract_size": "1",
    }


def test_a_liquidation_precedes_its_fills_and_names_them(tmp_path: Path) -> None:
    memory, _ = imported("hyperliquid", folder(tmp_path / "data"))
    (liquidation,) = memory.of("LiquidationExecuted")
    fill = memory.of("FillRecorded")[-1]
    name = f"hyperliquid/{ANN}/2023-03-02T12:00:00.000000Z"
    assert liquidation["data"] == {
        "liquidation": name,
        "account": ANN,
        "scope": "account",
        "notional": "750",
        "account_value": "5.5",
        "leverage_type": "Cross",
        "takeovers": [{"instrument": "ETH", "quantity": "0.5", "price": "1500", "trade_ids": [fill["id"]]}],
    }
    assert fill["data"]["liquidation"] == name
    assert liquidation["source"]["inferred"] is True
    assert memory.values.index(liquidation) < memory.values.index(fill)


def test_takeovers_are_summed_by_price_and_never_averaged(tmp_path: Path) -> None:
    trades = TRADES + "".join(
        f"2023-03-02T12:00:00Z,{ANN},{coin},{side},{price},{size},false\n"
        for coin, side, price, size in (
            ("ETH", "Ask", "1500", "0.1"),
            ("ETH", "Ask", "1500", "0.1"),
            ("ETH", "Ask", "1499.9", "0.2"),
            ("BTC", "Bid", "23000", "0.01"),
            ("ETH", "Ask", "1500.0", "0.1"),
        )
    )
    memory, _ = imported("hyperliquid", folder(tmp_path / "data", {"trades.csv": trades}))
    (liquidation,) = memory.of("LiquidationExecuted")
    takeovers = liquidation["data"]["takeovers"]
    assert [(t["instrument"], t["price"], t["quantity"], len(t["trade_ids"])) for t in takeovers] == [
        ("ETH", "1500", "0.3", 3),
        ("ETH", "1499.9", "0.2", 1),
        ("BTC", "23000", "0.01", 1),
    ]
    named = {trade_id for takeover in takeovers for trade_id in takeover["trade_ids"]}
    assert named == {value["id"] for value in memory.of("FillRecorded")}
    assert len(named) == 5


def test_a_liquidation_without_fills_is_recorded_as_sent(tmp_path: Path) -> None:
    liquidations = LIQUIDATIONS + f"2023-03-09T12:00:00Z,{BOB},750,5.5,Isolated\n"
    memory, _ = imported("hyperliquid", folder(tmp_path / "data", {"liquidations.csv": liquidations}))
    (liquidation,) = memory.of("LiquidationExecuted")
    assert (liquidation["data"]["takeovers"], liquidation["data"]["scope"]) == ([], "position")
    assert {value["data"]["purpose"] for value in memory.of("FillRecorded")} == {"trade"}


def test_two_liquidations_of_one_user_at_one_time_are_told_apart(tmp_path: Path) -> None:
    liquidations = A_FOLDER["liquidations.csv"] + f"2023-03-02T12:00:00Z,{ANN},10,1,Isolated\n"
    memory, result = imported("hyperliquid", folder(tmp_path / "data", {"liquidations.csv": liquidations}))
    first, second = (value["data"] for value in memory.of("LiquidationExecuted"))
    assert (len(first["takeovers"]), len(second["takeovers"])) == (1, 0)
    assert second["liquidation"] == first["liquidation"] + "/2"
    assert "more than once" in result.warnings[0]


def test_rows_that_are_identical_are_all_recorded(tmp_path: Path) -> None:
    memory, _ = imported("hyperliquid", folder(tmp_path / "data"))
    first, second = memory.of("FillRecorded")[:2]
    assert first["data"] == second["data"]
    assert first["id"] != second["id"]
    assert [first["source"]["row"], second["source"]["row"]] == ["2", "3"]


def test_totals_say_what_each_file_holds(tmp_path: Path) -> None:
    memory, _ = imported("hyperliquid", folder(tmp_path / "data"))
    totals = {value["source"]["file"]: value["data"] for value in memory.of("SourceTotalsReported")}
    assert totals["trades.csv"] == {
        "source": "hyperliquid",
        "from": "2023-03-01T10:00:00.000000Z",
        "to": "2023-03-02T12:00:00.000000Z",
        "counts": {"FillRecorded": "4"},
    }
    assert totals["updates.csv"]["counts"] == {"DepositRecorded": "2", "WithdrawalRecorded": "1"}
    assert totals["liquidations.csv"]["counts"] == {"LiquidationExecuted": "1"}


def reordered(table: str, order: list[int]) -> str:
    return "".join(
        ",".join(line.split(",")[place] for place in order) + "\n" for line in table.splitlines() if line
    )


def with_column(table: str, name: str) -> str:
    return "".join(
        line + ("," + name if n == 0 else ",9") + "\n" for n, line in enumerate(table.splitlines())
    )


def zip_of(content: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("inside.csv", content)
    return buffer.getvalue()


TABLE = A_FOLDER["trades.csv"]


@pytest.mark.parametrize(
    "trades",
    [
        gzip.compress(TABLE.encode()),
        zip_of(TABLE),
        TABLE.replace("\n", "\r\n"),
        "\ufeff" + TABLE,
        TABLE + "\n\n",
        reordered(TABLE, [6, 4, 2, 0, 5, 1, 3]),
        TABLE.replace(":00Z", ":00.000000Z"),
        TABLE.replace(":00Z", ":00+00:00"),
        TABLE.replace(":00Z", ":00.0+00:00"),
        TABLE.replace("true", "TRUE").replace("false", "False"),
        TABLE.replace("Bid", "B").replace("Ask", "A"),
        TABLE.replace("Bid", "BUY").replace("Ask", "sell"),
        TABLE.replace("time,user", "Time, User"),
        TABLE.replace(ANN, "0x" + "A1" * 20),
    ],
    ids=[
        "gzip",
        "zip",
        "CRLF",
        "byte order mark",
        "blank lines",
        "column order",
        "fractional seconds",
        "zone as offset",
        "one digit and offset",
        "booleans in other case",
        "sides as letters",
        "sides as words",
        "header in other case",
        "address in upper case",
    ],
)
def test_other_ways_of_writing_the_same_give_the_same_facts(tmp_path: Path, trades: str | bytes) -> None:
    expected, _ = imported("hyperliquid", folder(tmp_path / "plain"))
    found, _ = imported("hyperliquid", folder(tmp_path / "other", {"trades.csv": trades}))
    assert facts(found) == facts(expected)


def test_file_names_and_compression_do_not_change_ids(tmp_path: Path) -> None:
    expected, _ = imported("hyperliquid", folder(tmp_path / "plain"))
    names = {"trades.csv": "z.csv.gz", "updates.csv": "a", "liquidations.csv": "m.txt"}
    other = tmp_path / "other"
    other.mkdir()
    for name, content in A_FOLDER.items():
        data = content.encode()
        (other / names[name]).write_bytes(gzip.compress(data) if name == "trades.csv" else data)
    found, result = imported("hyperliquid", other)
    assert result.warnings == ()
    assert {value["id"] for value in found.values} == {value["id"] for value in expected.values}


def test_a_column_that_is_not_known_is_told_and_passed_over(tmp_path: Path) -> None:
    path = folder(tmp_path / "data", {"trades.csv": with_column(TABLE, "hash")})
    memory, result = imported("hyperliquid", path)
    assert len(memory.of("FillRecorded")) == 4
    assert result.warnings == (f"{path}/trades.csv: the column 'hash' is not known and was not read",)


def test_files_that_are_no_tables_are_passed_over(tmp_path: Path) -> None:
    path = folder(
        tmp_path / "data", {"README.md": "Some words,\nand more", "logo.png": b"\x89PNG\xff", ".x": b""}
    )
    memory, result = imported("hyperliquid", path)
    assert len(memory.of("FillRecorded")) == 4
    assert [warning.partition(":")[0] for warning in result.warnings] == [
        f"{path}/README.md",
        f"{path}/logo.png, line 1",
    ]


def test_a_table_may_come_in_parts_and_twice(tmp_path: Path) -> None:
    expected, _ = imported("hyperliquid", folder(tmp_path / "plain"))
    lines = TABLE.splitlines(keepends=True)
    parts = {"trades.csv": TRADES + "".join(lines[1:3]), "trades2.csv": TRADES + "".join(lines[3:])}
    found, _ = imported("hyperliquid", folder(tmp_path / "parts", dict(parts)))
    ids = {value["id"] for value in expected.values if value["type"] != "SourceTotalsReported"}
    assert ids == {value["id"] for value in found.values if value["type"] != "SourceTotalsReported"}
    copies: dict[str, str | bytes | None] = {
        "trades.csv.gz": gzip.compress(TABLE.encode()),
        "more.csv": A_FOLDER["liquidations.csv"],
    }
    twice, result = imported("hyperliquid", folder(tmp_path / "twice", copies))
    assert {value["id"] for value in twice.values} == {value["id"] for value in expected.values}
    assert facts(twice) == facts(expected)
    assert result.warnings == ()


def test_a_longer_history_keeps_the_ids_of_the_shorter_one(tmp_path: Path) -> None:
    short, _ = imported("hyperliquid", folder(tmp_path / "short"))
    longer = {
        "trades.csv": TRADES + f"2023-02-01T10:00:00Z,{BOB},ETH,Bid,1,1,true\n" + TABLE.removeprefix(TRADES),
        "updates.csv": A_FOLDER["updates.csv"] + f"2023-04-01T09:00:00Z,{BOB},3\n",
    }
    long, _ = imported("hyperliquid", folder(tmp_path / "long", dict(longer)))
    known = {value["id"]: value for value in long.values}
    for value in short.values:
        if value["type"] != "SourceTotalsReported":
            assert {**known[value["id"]], "source": None} == {**value, "source": None}


@pytest.mark.parametrize(
    ("name", "content", "line", "field", "problem"),
    [
        ("trades.csv", TABLE.replace("1600.5", "16oo.5"), "line 2", "px", "is not a number"),
        ("trades.csv", TABLE.replace("1e-2", "-1"), "line 4", "sz", "not above zero"),
        ("trades.csv", TABLE.replace("1e-2", "1e-20"), "line 4", "sz", "digits after the point"),
        ("trades.csv", TABLE.replace("BTC,Ask", "BTC,Long"), "line 4", "side", "'Long' is none of"),
        ("trades.csv", TABLE.replace("1e-2,false", "1e-2,"), "line 4", "crossed", "'' is none of"),
        ("trades.csv", TABLE.replace(BOB, "Bob Smith"), "line 4", "user", "not an identifier"),
        ("trades.csv", TABLE.replace("BTC", "B C"), "line 4", "coin", "not an identifier"),
        ("trades.csv", TABLE.replace("11:00:00Z", "11:00:00"), "line 4", "time", "no zone"),
        ("trades.csv", TABLE.replace("11:00:00Z", "25:00:00Z"), "line 4", "time", "not a time"),
        (
            "trades.csv",
            TABLE.replace("sz,crossed", "sz,cross"),
            "line 1",
            "crossed",
            "column crossed is missing",
        ),
        ("trades.csv", TABLE.replace("time,user", "tyme,user"), "line 1", "time", "column time is missing"),
        ("trades.csv", TABLE.replace("sz,crossed", "sz,crossed,sz"), "line 1", "sz", "named twice"),
        ("updates.csv", UPDATES + f"2023-03-01T09:00:00Z,{ANN},nan\n", "line 2", "delta_usd", "not a number"),
        (
            "updates.csv",
            UPDATES.replace(",delta_usd", ",delta"),
            "line 1",
            "delta_usd",
            "delta_usd is missing",
        ),
        (
            "liquidations.csv",
            LIQUIDATIONS + f"2023-03-02T12:00:00Z,{ANN},7,5,Both\n",
            "line 2",
            "leverage_type",
            "none of",
        ),
    ],
)
def test_a_bad_value_is_named_with_file_line_and_column(
    tmp_path: Path, name: str, content: str, line: str, field: str, problem: str
) -> None:
    path = folder(tmp_path / "data", {name: content})
    with pytest.raises(InvalidInputError, match=problem) as caught:
        imported("hyperliquid", path)
    assert caught.value.place == (str(path / name), line, field)


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        (
            TABLE + f"2023-03-01T11:00:00Z,{BOB},BTC,Ask,23000,1\n",
            "line 6",
            "6 fields where the header has 7",
        ),
        (TABLE + f'2023-03-01T11:00:00Z,{BOB},"BTC\n', "line 6", "not comma-separated values"),
        (TABLE + f'2023-03-01T11:00:00Z,"{BOB}\n",BTC,Ask,1,1,true\n', "line 7", "does not end on its line"),
        (TABLE.encode() + b"\xff\n", "line 6", "not UTF-8"),
    ],
)
def test_a_line_that_is_no_record_is_named(
    tmp_path: Path, content: str | bytes, line: str, problem: str
) -> None:
    path = folder(tmp_path / "data", {"trades.csv": content})
    with pytest.raises(InvalidInputError, match=problem) as caught:
        imported("hyperliquid", path)
    assert caught.value.place[:2] == (str(path / "trades.csv"), line)


def test_a_damaged_or_absent_table_is_an_error(tmp_path: Path) -> None:
    empty = folder(tmp_path / "empty", {"trades.csv": ""})
    with pytest.raises(InvalidInputError, match="is empty") as caught:
        imported("hyperliquid", empty)
    assert caught.value.place == (str(empty / "trades.csv"),)
    cut = folder(
        tmp_path / "cut",
        {"trades.csv": gzip.compress((TABLE + TABLE.removeprefix(TRADES) * 50).encode())[:-9]},
    )
    with pytest.raises(InvalidInputError, match="truncated"):
        imported("hyperliquid", cut)
    absent = folder(tmp_path / "absent", {"notes": "x"})
    (absent / "liquidations.csv").unlink()
    with pytest.raises(
        InvalidInputError, match=r"no file with the columns .*leverage_type.*\(not read: notes\)"
    ):
        imported("hyperliquid", absent)
    with pytest.raises(InvalidInputError, match="the folder that holds it is wanted"):
        imported("hyperliquid", absent / "trades.csv")
    with pytest.raises(InvalidInputError, match="no such folder"):
        imported("hyperliquid", tmp_path / "nowhere")


def test_a_movement_of_nothing_is_told_and_not_recorded(tmp_path: Path) -> None:
    path = folder(tmp_path / "data", {"updates.csv": UPDATES + f"2023-03-01T09:00:00Z,{CY},0.0\n"})
    memory, result = imported("hyperliquid", path)
    assert memory.of("DepositRecorded") == []
    assert result.warnings == (f"{path}/updates.csv, line 2: delta_usd is 0, nothing is recorded for it",)
