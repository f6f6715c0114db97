import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import InvalidInputError
from ledger.importers.reading import identity_name, import_id
from tests.support.importing import imported

DEPOSIT: dict[str, Any] = {
    "type": "DepositRecorded",
    "occurred_at": "2026-01-31T09:30:00Z",
    "data": {"account": "A17", "asset": "USDT", "amount": "10.50"},
}
AN_ID = "6f1c1d3e-0f4b-4f3e-9d55-0d3a3b0f6a11"


def line(**changes: Any) -> str:
    return json.dumps({**DEPOSIT, **changes}) + "\n"


def written(path: Path, *lines: str) -> Path:
    path.write_text("".join(lines))
    return path


def test_a_line_becomes_an_event_and_its_place_its_source(tmp_path: Path) -> None:
    memory, _ = imported("ndjson", written(tmp_path / "a.ndjson", "\n", line(id=AN_ID), "   \n"))
    (value,) = memory.values
    assert value == {
        "id": AN_ID,
        "schema": 1,
        "type": "DepositRecorded",
        "occurred_at": "2026-01-31T09:30:00.000000Z",
        "data": {"account": "A17", "asset": "USDT", "amount": "10.5"},
        "source": {"file": "a.ndjson", "row": "2"},
    }


def test_a_source_that_the_line_names_stays(tmp_path: Path) -> None:
    own = {"system": "engine", "file": "log.txt", "row": "7"}
    lines = [
        line(source=own),
        line(source={"system": "engine", "inferred": True}, occurred_at="2026-02-01T00:00:00Z"),
    ]
    memory, _ = imported("ndjson", written(tmp_path / "a.ndjson", *lines))
    assert [value["source"] for value in memory.values] == [
        own,
        {"system": "engine", "inferred": True, "file": "a.ndjson", "row": "2"},
    ]


def test_without_id_the_line_itself_makes_one(tmp_path: Path) -> None:
    memory, _ = imported("ndjson", written(tmp_path / "a.ndjson", line(), line()))
    text = line().rstrip("\n")
    name = identity_name("ndjson", (), text)
    assert [event.id for event in memory.events] == [import_id(name, 0), import_id(name, 1)]
    (tmp_path / "other.gz").write_bytes(
        gzip.compress(("\ufeff" + line() + "\n" + line().rstrip("\n") + "\r\n").encode())
    )
    again, _ = imported("ndjson", tmp_path / "other.gz")
    assert [event.id for event in again.events] == [event.id for event in memory.events]


def test_standard_input_is_a_file_without_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line().encode())))
    memory, _ = imported("ndjson", "-")
    assert memory.values[0]["source"] == {"row": "1"}


@pytest.mark.parametrize(
    ("bad", "field", "problem"),
    [
        ("{", None, "not JSON"),
        ("[]", None, "an event is a JSON object"),
        (line(data={**DEPOSIT["data"], "amount": 10.5}), "data.amount", "is a float"),
        (line(data={**DEPOSIT["data"], "amount": 10}), "data.amount", "in quotes"),
        (line(data={**DEPOSIT["data"], "amount": "-1"}), "data.amount", "not above zero"),
        (line(data={**DEPOSIT["data"], "amount": "1e3"}), "data.amount", "plain decimal"),
        (line(data={**DEPOSIT["data"], "colour": "red"}), "data.colour", "no such field"),
        (line(data={"account": "A17", "asset": "USDT"}), "data.amount", "missing"),
        (line(data={**DEPOSIT["data"], "amount": None}), "data.amount", "missing"),
        (line(type="DepositRecoded"), "type", "did you mean DepositRecorded"),
        (line(colour="red"), "colour", "no such field"),
        (line(occurred_at="2026-01-31T09:30:00"), "occurred_at", "has no zone"),
        (line(id="7"), "id", "UUID"),
        (line(schema=2), "schema", "not known"),
        ('{"type":"DepositRecorded","type":"DepositRecorded"}', None, "occurs twice"),
    ],
)
def test_a_bad_line_is_named_with_file_line_and_field(
    tmp_path: Path, bad: str, field: str | None, problem: str
) -> None:
    path = written(tmp_path / "a.ndjson", line(), bad.rstrip("\n") + "\n", line())
    with pytest.raises(InvalidInputError, match=problem) as caught:
        imported("ndjson", path)
    assert caught.value.place == (str(path), "line 2", *(() if field is None else (field,)))


def test_an_event_that_is_too_large_is_named_with_its_line(tmp_path: Path) -> None:
    allocations = [{"account": f"A{n}", "amount": "1"} for n in range(3000)]
    data = {"asset": "USDT", "amount": "3000", "allocations": allocations, "part": "1", "parts": "1"}
    path = written(tmp_path / "a.ndjson", line(), line(type="LossSocialised", data=data))
    with pytest.raises(InvalidInputError, match="65000 are allowed") as caught:
        imported("ndjson", path)
    assert caught.value.place == (str(path), "line 2")


def test_an_id_given_twice_with_the_same_content_is_one_event(tmp_path: Path) -> None:
    one = written(tmp_path / "a.ndjson", line(id=AN_ID), line(id=AN_ID, source={"system": "other"}))
    memory, result = imported("ndjson", one)
    assert (result.events, result.appended, result.already_recorded) == (2, 1, 1)
    assert len(memory.events) == 1


@pytest.mark.parametrize(
    ("changes", "differing"),
    [
        ({"data": {**DEPOSIT["data"], "amount": "11"}}, "data differ"),
        ({"occurred_at": "2026-02-01T00:00:00Z"}, "occurred_at differ"),
        ({"actor": "x", "source": {"system": "y"}}, "actor differ"),
    ],
)
def test_an_id_given_twice_with_other_content_is_refused_before_anything_is_recorded(
    tmp_path: Path, changes: dict[str, Any], differing: str
) -> None:
    filling = [line(occurred_at=f"2026-01-30T09:30:{second:02d}Z") for second in range(50)]
    first = written(tmp_path / "a.ndjson", *filling, line(id=AN_ID))
    second = written(tmp_path / "b.ndjson", *filling, line(id=AN_ID, **changes))
    with pytest.raises(InvalidInputError, match=differing) as caught:
        imported("ndjson", first, second)
    assert caught.value.place == (str(second), "line 51", "id")
    assert f"{first}, line 51" in caught.value.problem
