import json
import random
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID, uuid5

import pytest

from ledger.clock import parse_time
from ledger.errors import InvalidInputError
from ledger.events.envelope import Draft, PreparedEvent
from ledger.importers.kinds import IMPORT_KINDS, OptionValue, open_source
from ledger.importers.pipeline import MOST_WARNINGS, SpooledImport, import_sources
from ledger.importers.reading import ImportedDraft, Warn
from tests.support.importing import BatchTaken, Memory, import_into, imported


def deposit(time: str, account: str = "A", amount: str = "1") -> str:
    data = {"account": account, "asset": "USDT", "amount": amount}
    return json.dumps({"type": "DepositRecorded", "occurred_at": time, "data": data}) + "\n"


def written(path: Path, *lines: str) -> Path:
    path.write_text("".join(lines))
    return path


def accounts(memory: Memory) -> list[str]:
    return [value["data"]["account"] for value in memory.values]


def test_events_come_in_time_order_then_by_source_then_by_row(tmp_path: Path) -> None:
    early, late = "2026-01-01T00:00:00.000001Z", "2026-01-01T00:00:00.000002Z"
    first = written(
        tmp_path / "1", deposit(late, "first-1"), deposit(early, "first-2"), deposit(late, "first-3")
    )
    second = written(tmp_path / "2", deposit(early, "second-1"), deposit("1969-12-31T00:00:00Z", "second-2"))
    memory = Memory()
    import_into(memory, *(open_source("ndjson", [str(path)], {}) for path in (first, second)))
    assert accounts(memory) == ["second-2", "first-2", "second-1", "first-1", "first-3"]
    memory, _ = imported("ndjson", second, first)
    assert accounts(memory) == ["second-2", "second-1", "first-2", "first-1", "first-3"]


@pytest.mark.parametrize("batch_events", [1, 2, 3, 7, 100])
def test_batches_made_ahead_come_in_order_and_whole(tmp_path: Path, batch_events: int) -> None:
    lines = [deposit(f"2026-01-01T00:00:{n:02d}Z", f"A{n}") for n in range(7)]
    memory = Memory()
    source = open_source("ndjson", [str(written(tmp_path / "a", *lines))], {})
    import_into(memory, source, batch_events=batch_events)
    assert accounts(memory) == [f"A{n}" for n in range(7)]
    assert set(memory.batches[:-1]) <= {batch_events}


def test_a_refused_batch_ends_the_making_of_the_next(tmp_path: Path) -> None:
    lines = [deposit(f"2026-01-01T00:00:{n:02d}Z") for n in range(30)]
    source = open_source("ndjson", [str(written(tmp_path / "a", *lines))], {})
    threads = threading.active_count()
    seen: list[int] = []

    def refuse(batch: Sequence[PreparedEvent]) -> BatchTaken:
        seen.append(len(batch))
        if len(seen) == 3:
            raise InvalidInputError("refused")
        return BatchTaken(len(batch), 0, 0, len(batch) - 1)

    with pytest.raises(InvalidInputError, match="refused") as caught:
        import_sources([source], refuse, batch_events=4)
    assert seen == [4, 4, 4]
    assert threading.active_count() == threads, caught  # which keeps every frame alive


def test_what_goes_wrong_while_a_batch_is_made_ahead_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: SpooledImport) -> Iterator[PreparedEvent]:
        yield PreparedEvent(UUID(int=1), "DepositRecorded", parse_time("2026-01-01T00:00:00Z"), b"{}")
        raise InvalidInputError("the temporary file ended too early")

    monkeypatch.setattr(SpooledImport, "events_in_order", broken)
    with SpooledImport() as spooled, spooled.batches(1) as batches:
        assert len(next(batches)) == 1
        with pytest.raises(InvalidInputError, match="ended too early"):
            next(batches)


def test_identical_rows_are_numbered_however_far_apart_they_stand(tmp_path: Path) -> None:
    time = "2026-01-01T00:00:00Z"
    lines = [deposit(time, "twin")] + [deposit(f"2026-01-02T00:00:{n:02d}Z", f"other-{n}") for n in range(60)]
    memory, result = imported(
        "ndjson", written(tmp_path / "a", *lines, deposit(time, "between"), lines[0], lines[0])
    )
    twins = [value for value in memory.values if value["data"]["account"] == "twin"]
    assert [value["source"]["row"] for value in twins] == ["1", "63", "64"]
    assert len({value["id"] for value in twins}) == 3
    assert result.appended == 64


def test_importing_files_together_is_importing_them_one_after_the_other(tmp_path: Path) -> None:
    time = "2026-01-01T00:00:00Z"
    one = written(tmp_path / "a", deposit(time), deposit(time), deposit(time, "B"))
    two = written(tmp_path / "b", deposit(time), deposit(time), deposit(time), deposit(time, "C"))
    together, result = imported("ndjson", one, two)
    apart = Memory()
    for path in (one, two):
        import_into(apart, open_source("ndjson", [str(path)], {}))
    assert {event.id for event in together.events} == {event.id for event in apart.events}
    assert (result.events, result.appended, result.already_recorded) == (7, 5, 2)


def test_importing_twice_appends_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "a", *(deposit(f"2026-01-01T00:00:{n % 7:02d}Z") for n in range(50)))
    memory, first = imported("ndjson", path)
    second = import_into(memory, open_source("ndjson", [str(path)], {}))
    assert (first.appended, first.already_recorded) == (50, 0)
    assert (first.first_sequence, first.last_sequence) == (0, 49)
    assert (second.appended, second.already_recorded) == (0, 50)
    assert (second.first_sequence, second.last_sequence) == (None, None)


def test_an_import_that_was_stopped_goes_on_when_run_again(tmp_path: Path) -> None:
    path = written(tmp_path / "a", *(deposit(f"2026-01-01T00:00:{n % 9:02d}Z") for n in range(100)))
    whole, _ = imported("ndjson", path)
    for stop_after in range(0, 100, 10):
        memory = Memory()

        def record(
            batch: Sequence[PreparedEvent], memory: Memory = memory, stop: int = stop_after
        ) -> BatchTaken:
            if len(memory.events) >= stop:
                raise KeyboardInterrupt
            return memory.record(batch)

        with pytest.raises(KeyboardInterrupt):
            import_into(Stopped(record), open_source("ndjson", [str(path)], {}), batch_events=10)
        import_into(memory, open_source("ndjson", [str(path)], {}), batch_events=7)
        assert memory.events == whole.events


class Stopped(Memory):
    """A memory whose place another function takes."""

    def __init__(self, record: object) -> None:
        super().__init__()
        self.record = record  # type: ignore[method-assign,assignment]


def test_a_bad_line_anywhere_leaves_nothing_recorded(tmp_path: Path) -> None:
    good = written(tmp_path / "a", *(deposit("2026-01-01T00:00:00Z") for _ in range(20)))
    bad = written(tmp_path / "b", *(deposit("2025-01-01T00:00:00Z") for _ in range(20)), "{}\n")
    memory = Memory()
    with pytest.raises(InvalidInputError) as caught:
        import_into(memory, open_source("ndjson", [str(good), str(bad)], {}), batch_events=1)
    assert caught.value.place[:2] == (str(bad), "line 21")
    assert memory.events == []


def test_a_dry_run_checks_and_counts_and_records_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "a", deposit("2026-01-01T00:00:00Z"), deposit("2026-01-01T00:00:00Z"))
    memory = Memory()
    result = import_into(memory, open_source("ndjson", [str(path)], {}), dry_run=True)
    assert (result.events, dict(result.counts), result.appended) == (2, {"DepositRecorded": 2}, 0)
    assert result.dry_run
    assert memory.events == []
    written(tmp_path / "a", "nothing good\n")
    with pytest.raises(InvalidInputError):
        import_into(memory, open_source("ndjson", [str(path)], {}), dry_run=True)


def test_batches_are_bounded_by_number_and_by_size(tmp_path: Path) -> None:
    path = written(tmp_path / "a", *(deposit("2026-01-01T00:00:00Z") for _ in range(25)))
    memory = Memory()
    import_into(memory, open_source("ndjson", [str(path)], {}), batch_events=10)
    assert memory.batches == [10, 10, 5]
    long = json.dumps(
        {
            "type": "InterestAccrued",
            "occurred_at": "2026-01-01T00:00:00Z",
            "data": {"account": "A", "asset": "USDT", "amount": "1", "reason": "x" * 4000},
        }
    )
    memory, _ = imported("ndjson", written(tmp_path / "b", *([long + "\n"] * 2000)))
    assert memory.batches == [994, 994, 12]


class Watched:
    def __init__(self) -> None:
        self.seen: list[object] = []

    def start(self, total: int | None, label: str) -> None:
        self.seen.append((total, label))

    def advance(self, steps: int) -> None:
        self.seen.append(steps)

    def finish(self) -> None:
        self.seen.append("finished")


def test_progress_tells_of_both_passes(tmp_path: Path) -> None:
    path = written(tmp_path / "a", *(deposit("2026-01-01T00:00:00Z") for _ in range(7)))
    watched = Watched()
    import_into(Memory(), open_source("ndjson", [str(path)], {}), progress=watched, batch_events=5)
    assert watched.seen == [(None, f"checking {path}"), 7, "finished", (7, "recording"), 5, 2, "finished"]


class MadeUp:
    """A source of drafts in any order."""

    def __init__(self, drafts: Sequence[ImportedDraft], warnings: Sequence[str] = ()) -> None:
        self.label = "made up"
        self._drafts = drafts
        self._warnings = warnings

    def read(self, warn: Warn) -> Iterator[ImportedDraft]:
        for warning in self._warnings:
            warn(warning)
        yield from self._drafts


def test_warnings_are_told_once_and_not_without_end() -> None:
    texts = [f"row {n % 150} is odd" for n in range(300)]
    result = import_into(Memory(), MadeUp((), texts))
    assert len(result.warnings) == MOST_WARNINGS + 1
    assert len(set(result.warnings)) == MOST_WARNINGS + 1
    assert result.warnings[-1].startswith("and ")


def test_rank_decides_before_row_at_one_time_and_files_keep_their_order() -> None:
    at = parse_time("2026-01-01T00:00:00Z")

    def made(name: str, rank: int, file: int, row: int) -> ImportedDraft:
        draft = Draft.from_json(json.loads(deposit("2026-01-01T00:00:00Z", name)))
        event_id = uuid5(UUID(int=0), name)
        return ImportedDraft(draft.model_copy(update={"id": event_id}), rank, file, row, None, "made up")

    drafts = [
        made(f"{rank}-{file}-{row}", rank, file, row) for rank in (0, 1) for file in (0, 1) for row in (2, 10)
    ]
    expected = [draft.draft.data.account for draft in drafts]  # type: ignore[attr-defined]
    random.Random(7).shuffle(drafts)
    memory = Memory()
    import_into(memory, MadeUp(drafts))
    assert accounts(memory) == expected
    assert {event.occurred_at for event in memory.events} == {at}


def test_the_spool_is_let_go_when_reading_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spools: list[SpooledImport] = []
    original = SpooledImport.__init__

    def remember(self: SpooledImport) -> None:
        original(self)
        spools.append(self)

    monkeypatch.setattr(SpooledImport, "__init__", remember)
    with pytest.raises(InvalidInputError):
        imported("ndjson", written(tmp_path / "a", "bad\n"))
    assert [spool._spool._file.closed and spool._given_ids._file.closed for spool in spools] == [True]


@pytest.mark.parametrize("kind", IMPORT_KINDS)
def test_every_kind_refuses_what_is_not_there(kind: str) -> None:
    given: dict[str, dict[str, OptionValue]] = {
        "binance-tiers": {"effective_at": "2022-02-12T00:00:00Z"},
        "binance-klines": {"instrument": "BTCUSDT", "as": "mark"},
        "binance-funding": {"instrument": "BTCUSDT"},
    }
    with pytest.raises(InvalidInputError, match="no such"):
        imported(kind, "/nowhere/at/all", **given.get(kind, {}))
    with pytest.raises(InvalidInputError, match="no such option"):
        imported(kind, "/nowhere", **given.get(kind, {}), colour="red")
    with pytest.raises(InvalidInputError):
        open_source(kind, [], given.get(kind, {}))


def test_kinds_describe_themselves() -> None:
    assert list(IMPORT_KINDS) == [
        "hyperliquid",
        "binance-tiers",
        "binance-klines",
        "binance-funding",
        "ndjson",
    ]
    for kind in IMPORT_KINDS.values():
        assert kind.summary.endswith(".")
        assert all(option.help.endswith(".") for option in kind.options)
    with pytest.raises(InvalidInputError, match="there is no source 'bitmex'; known are hyperliquid"):
        open_source("bitmex", ["x"], {})
