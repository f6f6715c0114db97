from __future__ import annotations

import csv
import io
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import ExportTableError, InvalidInputError
from ledger.export import tables
from ledger.export.tables import check_names, csv_cell, csv_text, description_of, load_tables, write_csv
from tests.support.bundles import DepositCounts

if TYPE_CHECKING:
    from collections.abc import Iterator


class Given(DepositCounts):
    """A table with the rows and header it is given."""

    def __init__(
        self, rows: list[object], header: tuple[str, ...] = ("account", "note"), name: str = "given"
    ) -> None:
        super().__init__()
        self.name, self.header, self._rows = name, header, rows

    def rows(self) -> Iterator[tuple[str, str]]:
        yield from self._rows  # type: ignore[misc]  # wrong rows are what these tests are about


def written(table: DepositCounts) -> str:
    pieces: list[bytes] = []
    write_csv(table, pieces.append)
    return b"".join(pieces).decode("utf-8")


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("", ""),
        ("A17", "A17"),
        ("-12.50", "-12.50"),
        ("0.1", "0.1"),
        ("=1+1", "'=1+1"),
        ("+49", "'+49"),
        ("-A1", "'-A1"),
        ("-1+2", "'-1+2"),
        ("-1e3", "'-1e3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("＝1", "'＝1"),
        ("'quoted", "''quoted"),
        ("a=1", "a=1"),
    ],
)
def test_a_cell_is_never_the_start_of_a_formula_and_numbers_stay_numbers(text: str, cell: str) -> None:
    assert csv_cell(text) == cell


@given(
    st.text(alphabet=st.one_of(st.sampled_from("'=+-@1.,\""), st.characters(exclude_categories=("Cc", "Cs"))))
)
def test_every_text_can_be_read_back_from_its_csv_cell(text: str) -> None:
    table = Given([(text, "x")])
    header, row = csv.reader(io.StringIO(written(table), newline=""))
    assert header == ["account", "note"]
    assert csv_text(row[0]) == text


def test_csv_has_unix_line_ends_and_quotes_only_where_needed() -> None:
    assert written(Given([("A1", "one, two"), ("A2", 'say "no"')])) == (
        'account,note\nA1,"one, two"\nA2,"say ""no"""\n'
    )


def test_many_rows_are_written_in_pieces() -> None:
    pieces: list[bytes] = []
    rows = write_csv(Given([("A" * 100, str(number)) for number in range(5_000)]), pieces.append)
    assert rows == 5_000
    assert max(map(len, pieces)) < 70_000
    assert b"".join(pieces).count(b"\n") == 5_001


@pytest.mark.parametrize(
    "row",
    [
        ("A1",),
        ("A1", "x", "y"),
        ("A1", 5),
        ("A1", None),
        "A1",
        ("A1", "\ud800"),
        ("A1", "a\r"),
        ("A1", "a\tb"),
        ("A1", "a\n=1"),
    ],
)
def test_a_row_that_is_not_one_text_a_column_is_refused(row: object) -> None:
    with pytest.raises(ExportTableError, match="gave a row 2 that is not 2 texts"):
        written(Given([("A0", "x"), row]))


@pytest.mark.parametrize("header", [(), ("account", "account"), ("Account",), ("",), ("a b",), ("=a",)])
def test_a_header_that_is_not_distinct_names_is_refused(header: tuple[str, ...]) -> None:
    with pytest.raises(ExportTableError, match="header"):
        written(Given([], header))


@pytest.mark.parametrize("description", ["", "two\nlines", "x" * 1001, None])
def test_a_description_that_is_not_a_plain_sentence_is_refused(description: str | None) -> None:
    table = DepositCounts()
    table.description = description  # type: ignore[assignment]
    with pytest.raises(ExportTableError, match="description"):
        description_of(table)


def test_a_table_that_fails_while_it_gives_rows_is_named() -> None:
    class Failing(DepositCounts):
        def rows(self) -> Iterator[tuple[str, str]]:
            yield "A1", "1"
            raise ZeroDivisionError("no equity")

    with pytest.raises(
        ExportTableError, match=r"'deposits' failed in its rows: ZeroDivisionError: no equity"
    ):
        written(Failing())


def test_a_disk_that_refuses_is_not_blamed_on_the_table() -> None:
    def full(_: bytes) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        write_csv(DepositCounts(), full)


@pytest.mark.parametrize("name", ["", "Deposits", "../deposits", "a/b", "9lives", "a" * 65])
def test_a_name_that_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(ExportTableError, match="name"):
        check_names([Given([], name=name)])


def test_the_same_name_twice_is_refused() -> None:
    with pytest.raises(ExportTableError, match="twice"):
        check_names([Given([], name="a"), Given([], name="b"), Given([], name="a")])


def offer(monkeypatch: pytest.MonkeyPatch, **points: str) -> None:
    found = [EntryPoint(name, value, tables.ENTRY_POINT_GROUP) for name, value in points.items()]
    monkeypatch.setattr(
        tables, "entry_points", lambda group: found if group == tables.ENTRY_POINT_GROUP else []
    )


def test_tables_come_from_entry_points_sorted_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, zebra="tests.support.bundles:DepositCounts", ant="tests.support.bundles:DepositCounts")
    one, other = load_tables()
    assert one is not other
    assert [type(table).__name__ for table in (one, other)] == ["DepositCounts", "DepositCounts"]
    assert len(load_tables(["ant"])) == 1
    assert load_tables([]) == []


def test_a_table_that_nobody_offers_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, ant="tests.support.bundles:DepositCounts")
    with pytest.raises(InvalidInputError, match="no export table 'bee'") as refused:
        load_tables(["bee"])
    assert refused.value.next_step == "installed are: ant"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("tests.support.no_such_module:Table", "ModuleNotFoundError"),
        ("tests.support.bundles:NoSuchTable", "AttributeError"),
        ("tests.support.bundles:flip_byte", "TypeError"),
        ("tests.support.bundles:opening", "has no name"),
    ],
)
def test_an_entry_point_that_does_not_make_a_table_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str, problem: str
) -> None:
    offer(monkeypatch, broken=value)
    with pytest.raises(ExportTableError, match=problem) as failed:
        load_tables()
    assert failed.value.table == "broken"


def test_the_same_entry_point_of_two_packages_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("ant", "tests.support.bundles:DepositCounts", tables.ENTRY_POINT_GROUP)
    monkeypatch.setattr(tables, "entry_points", lambda group: [point, point] if group else [])
    with pytest.raises(ExportTableError, match="two installed packages"):
        load_tables()
