import gzip
import io
import sys
import zipfile
from pathlib import Path

import pytest

from ledger.errors import InvalidInputError
from ledger.importers.files import LONGEST_LINE_BYTES, Member, open_members

LINES = [(1, "time,user"), (2, "one"), (3, "two")]


def only(path: Path) -> Member:
    (member,) = open_members(str(path))
    return member


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        b"time,user\none\ntwo\n",
        b"time,user\none\ntwo",
        b"time,user\r\none\r\ntwo\r\n",
        b"\xef\xbb\xbftime,user\none\ntwo\n",
    ],
    ids=["plain", "no line end at the end", "CRLF", "byte order mark"],
)
def test_lines_are_numbered_from_one_whatever_ends_them(tmp_path: Path, content: bytes) -> None:
    for path in (
        written(tmp_path / "a.csv", content),
        written(tmp_path / "a.csv.gz", gzip.compress(content, mtime=0)),
        zipped(tmp_path / "a.zip", {"inner.txt": content}),
    ):
        assert list(only(path).lines()) == LINES


def test_what_a_file_is_shows_in_its_first_bytes_not_in_its_name(tmp_path: Path) -> None:
    assert (
        list(only(written(tmp_path / "a.csv", gzip.compress(b"time,user\none\ntwo\n", mtime=0))).lines())
        == LINES
    )
    assert list(only(written(tmp_path / "b.gz", b"time,user\none\ntwo\n")).lines()) == LINES
    assert list(only(zipped(tmp_path / "c.csv", {"x": b"time,user\none\ntwo\n"})).lines()) == LINES


def test_a_member_is_named_by_its_base_name_in_events_and_by_its_path_in_messages(tmp_path: Path) -> None:
    path = written(tmp_path / "fills.csv", b"x\n")
    assert (only(path).name, only(path).label) == ("fills.csv", str(path))
    archive = zipped(tmp_path / "day.zip", {"fills.csv": b"x\n"})
    assert (only(archive).name, only(archive).label) == ("day.zip", str(archive))


def test_of_several_members_the_tables_are_read_in_name_order(tmp_path: Path) -> None:
    archive = zipped(
        tmp_path / "days.zip",
        {"b/2.csv": b"2\n", "readme.txt": b"?\n", "a/1.CSV": b"1\n", "__MACOSX/a/._1.csv": b"?\n"},
    )
    members = open_members(str(archive))
    assert [list(member.lines()) for member in members] == [[(1, "1")], [(1, "2")]]
    assert [member.name for member in members] == ["days.zip:a_1.CSV", "days.zip:b_2.csv"]
    assert members[0].label == f"{archive}:a/1.CSV"


def test_without_tables_the_json_members_are_read(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "x.zip", {"2.ndjson": b"{}\n", "1.json": b"[]", "notes.txt": b"?"})
    assert [member.name for member in open_members(str(archive))] == ["x.zip:1.json", "x.zip:2.ndjson"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (gzip.compress(b"", mtime=0), "empty"),
        (gzip.compress(b"time,user\n" * 1000, mtime=0)[:-12], "truncated"),
        (gzip.compress(b"time,user\n" * 1000, mtime=0)[:30], "truncated"),
        (gzip.compress(b"x\n", mtime=0)[:-8] + b"\x00" * 8, "damaged"),
        (b"\xff\xfet\x00i\x00m\x00e\x00", "UTF-16"),
        ("one\ncafé\n".encode("latin-1"), "byte 3 of the line is not UTF-8"),
        (b"x" * (LONGEST_LINE_BYTES + 2), "a line of more than"),
        (b"PK\x03\x04 and nothing more", "damaged"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, problem: str) -> None:
    path = written(tmp_path / "bad.csv", content)
    with pytest.raises(InvalidInputError, match=problem) as caught:
        list(only(path).lines())
    assert caught.value.place[0] == str(path)


def test_a_wrong_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path / "bad.csv", "one\ncafé\n".encode("latin-1"))
    with pytest.raises(InvalidInputError) as caught:
        list(only(path).lines())
    assert caught.value.place == (str(path), "line 2")
    with pytest.raises(InvalidInputError, match="byte 3 of the line") as caught:
        only(path).document()
    assert caught.value.place == (str(path), "line 2")


def test_a_zip_member_cut_short_is_found(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", {"a.csv": b"some,line\n" * 500})
    content = bytearray(archive.read_bytes())
    content[45:60] = bytes(15)
    archive.write_bytes(bytes(content))
    with pytest.raises(InvalidInputError, match="damaged"):
        list(only(archive).lines())


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no such file"):
        open_members(str(tmp_path / "absent.csv"))
    with pytest.raises(InvalidInputError, match="a file is wanted"):
        open_members(str(tmp_path))
    with pytest.raises(InvalidInputError, match="holds 2 files, none of them"):
        open_members(str(zipped(tmp_path / "x.zip", {"a.exe": b"1", "b.exe": b"2"})))
    with pytest.raises(InvalidInputError, match="holds 0 files"):
        open_members(str(zipped(tmp_path / "empty.zip", {})))


def test_standard_input_is_read_like_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(b"time,user\none\ntwo\n", mtime=0)))
    )
    (member,) = open_members("-")
    assert list(member.lines()) == LINES
    assert list(member.lines()) == LINES
    assert (member.name, member.label) == (None, "standard input")
