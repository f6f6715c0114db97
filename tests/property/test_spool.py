import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import EnvironmentFaultError
from ledger.importers.spool import SortedSpool

records = st.lists(
    st.binary(max_size=40) | st.integers(0, 300).map(lambda n: n.to_bytes(2, "big")), max_size=120
)


@given(records, st.integers(1, 600), st.integers(2, 4))
def test_whatever_goes_in_comes_out_sorted_and_complete(
    given_records: list[bytes], buffer_bytes: int, largest_merge: int
) -> None:
    with SortedSpool(buffer_bytes=buffer_bytes, largest_merge=largest_merge) as spool:
        for record in given_records:
            spool.add(record)
        assert len(spool) == len(given_records)
        assert list(spool) == sorted(given_records)
        assert list(spool) == sorted(given_records)


@given(records, records, st.integers(1, 600))
def test_more_may_be_added_after_reading(first: list[bytes], second: list[bytes], buffer_bytes: int) -> None:
    with SortedSpool(buffer_bytes=buffer_bytes, largest_merge=2) as spool:
        for record in first:
            spool.add(record)
        assert list(spool) == sorted(first)
        for record in second:
            spool.add(record)
        assert list(spool) == sorted(first + second)


@pytest.mark.parametrize("size", [0, 1, 127 << 10, 128 << 10, (128 << 10) + 1, 3 << 20])
def test_records_larger_than_a_read_come_back_whole(size: int) -> None:
    large = bytes(size)
    with SortedSpool(buffer_bytes=1) as spool:
        for record in (b"\x02", large, b"\x01"):
            spool.add(record)
        assert list(spool) == sorted([b"\x02", large, b"\x01"])


def test_sorted_input_makes_one_run_however_long_it_is() -> None:
    with SortedSpool(buffer_bytes=100) as spool:
        for number in range(5_000):
            spool.add(number.to_bytes(4, "big"))
        assert list(spool) == [number.to_bytes(4, "big") for number in range(5_000)]
        assert len(spool._runs) == 1


def test_the_file_has_no_name_and_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with SortedSpool(buffer_bytes=10) as spool:
        monkeypatch.setattr("ledger.importers.spool.os.pwrite", full)
        with pytest.raises(EnvironmentFaultError, match="No space left on device") as caught:
            spool.add(b"more than ten bytes")
    assert "TMPDIR" in str(caught.value.next_step)
