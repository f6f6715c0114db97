"""Read models: incremental, resumable, the same as a rebuild, and never ahead of their progress."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import select

from ledger.errors import ChainBrokenError, NotFoundError, SnapshotUnusableError
from replay.fold import fold
from replay.margin import evaluate
from replay.store import catch_up as catch_up_module
from replay.store.catch_up import catch_up, rebuild
from replay.store.check import check
from replay.store.progress import progress_of, reading, writing
from replay.store.schema import LIVE, SETS, SHADOW
from tests.support.ledgers import open_ledger, seeded_venue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

    from ledger.store.ledger import Ledger


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with open_ledger(database_url) as ledger:
        ledger.append(seeded_venue())
        yield ledger


def stored(ledger: Ledger, schema: str = LIVE) -> dict[str, list[tuple[Any, ...]]]:
    """All rows but the time of writing, in order."""
    with reading(ledger) as connection:
        return {
            name: sorted(
                (
                    tuple(value for column, value in row.items() if column != "updated_at")
                    for row in connection.execute(select(table)).mappings()
                ),
                key=repr,
            )
            for name, table in SETS[schema].items()
        }


def test_catching_up_in_any_batches_gives_what_a_rebuild_gives(ledger: Ledger) -> None:
    for events_a_batch in (1, 7, 1000):
        with psycopg.connect(_dsn(ledger), autocommit=True) as connection:
            for table in SETS[LIVE].values():
                connection.execute(f"TRUNCATE {table}")
        caught_up = catch_up(ledger, events_a_batch=events_a_batch)
        incremental = stored(ledger)
        rebuilt = rebuild(ledger)
        assert stored(ledger) == incremental
        assert caught_up.events == rebuilt.events == ledger.head().sequence + 1
        assert caught_up.progress.processed_sequence == rebuilt.progress.processed_sequence


def test_stored_figures_are_those_of_the_fold(ledger: Ledger) -> None:
    catch_up(ledger)
    state = fold(ledger.events(), resolve=ledger.find_event).state
    with reading(ledger) as connection:
        margins = {row.account: row for row in connection.execute(select(SETS[LIVE]["account_margins"]))}
        positions = connection.execute(select(SETS[LIVE]["position_margins"])).all()
    assert margins.keys() == state.accounts.keys()
    for account, row in margins.items():
        expected = evaluate(state, account)
        assert (row.equity, row.margin_ratio, row.state) == (
            expected.equity,
            expected.margin_ratio,
            expected.state,
        )
    expected_positions = [each for name in state.accounts for each in evaluate(state, name).positions]
    assert len(positions) == len(expected_positions) > 0


def test_catching_up_goes_on_where_it_was(ledger: Ledger) -> None:
    first = catch_up(ledger)
    assert catch_up(ledger).events == 0
    ledger.append(seeded_venue(2, rounds=90)[len(seeded_venue()) :])
    second = catch_up(ledger)
    assert first.events + second.events == ledger.head().sequence + 1
    incremental = stored(ledger)
    rebuild(ledger)
    assert stored(ledger) == incremental


class Killed(BaseException):
    """Stands for the end of the process: nothing that catches errors catches it."""


@pytest.mark.parametrize("step", ["replace_books", "replace_parts", "replace_margins", "replace_progress"])
def test_a_kill_at_any_step_of_any_batch_leaves_progress_and_rows_together(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    original = getattr(catch_up_module, step)
    # Margins are written once, when a catch-up is through; the other steps are killed in every second batch.
    fatal_call = 1 if step == "replace_margins" else 2
    last = ledger.head().sequence
    for kills in range(last):
        calls = 0

        def kill(*arguments: Any) -> None:
            nonlocal calls
            original(*arguments)
            calls += 1
            if calls == fatal_call:
                raise Killed

        with monkeypatch.context() as patch:
            if step != "replace_margins" or kills == 0:
                patch.setattr(catch_up_module, step, kill)
            try:
                catch_up(ledger, events_a_batch=11)
                break
            except Killed:
                report = check(ledger)
                assert report.ok, report.differences
    assert kills > 0
    assert progress_of(ledger).processed_sequence == last
    incremental = stored(ledger)
    rebuild(ledger)
    assert stored(ledger) == incremental


def test_catch_ups_at_once_share_the_work_and_double_nothing(ledger: Ledger) -> None:
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda: results.append(catch_up(ledger, events_a_batch=3).events))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(results) == ledger.head().sequence + 1
    incremental = stored(ledger)
    rebuild(ledger)
    assert stored(ledger) == incremental


def test_a_rebuild_that_is_killed_leaves_the_old_read_models(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    catch_up(ledger)
    before = stored(ledger)
    ledger.append(seeded_venue(2, rounds=90)[len(seeded_venue()) :])
    for step in ("copy_books", "replace_margins", "replace_progress", "_swap"):
        original = getattr(catch_up_module, step)

        def kill(*arguments: Any, original: Any = original) -> None:
            original(*arguments)
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(catch_up_module, step, kill)
            with pytest.raises(Killed):
                rebuild(ledger)
        assert stored(ledger) == before
    rebuild(ledger)
    assert progress_of(ledger).processed_sequence == ledger.head().sequence


def test_a_reader_keeps_one_moment_while_a_rebuild_waits_to_swap(ledger: Ledger) -> None:
    rebuild(ledger)
    old = progress_of(ledger).processed_sequence
    ledger.append(seeded_venue(2, rounds=90)[len(seeded_venue()) :])
    with reading(ledger) as connection:
        rebuilding = threading.Thread(target=rebuild, args=[ledger])
        rebuilding.start()
        _wait_until_locked_out(ledger, rebuilding)
        accounts = connection.execute(select(SETS[LIVE]["accounts"])).all()
        progress = connection.execute(select(SETS[LIVE]["progress"])).one()
        assert accounts
        assert progress.processed_sequence == old
    rebuilding.join()
    assert progress_of(ledger).processed_sequence == ledger.head().sequence


def test_a_catch_up_that_waited_for_a_swap_writes_to_what_was_swapped_in(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    swap = catch_up_module._swap

    def swap_while_another_waits(connection: Any) -> None:
        ledger.append(seeded_venue(2, rounds=90)[len(seeded_venue()) :])
        waiting.start()
        _wait_until_locked_out(ledger, waiting)
        swap(connection)

    waiting = threading.Thread(target=catch_up, args=[ledger])
    monkeypatch.setattr(catch_up_module, "_swap", swap_while_another_waits)
    rebuild(ledger)
    waiting.join()
    assert progress_of(ledger).processed_sequence == ledger.head().sequence
    assert check(ledger).ok


def test_a_rebuild_takes_in_what_a_catch_up_took_in_meanwhile(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:

    def overtaken(ledger: Ledger) -> AbstractContextManager[Connection]:
        monkeypatch.setattr(catch_up_module, "writing", writing)
        ledger.append(seeded_venue(2, rounds=90)[len(seeded_venue()) :])
        catch_up(ledger)
        return writing(ledger)

    monkeypatch.setattr(catch_up_module, "writing", overtaken)
    rebuild(ledger)
    assert progress_of(ledger).processed_sequence == ledger.head().sequence
    assert check(ledger).ok


def test_what_another_version_of_the_projection_made_is_not_caught_up(ledger: Ledger) -> None:
    catch_up(ledger)
    with psycopg.connect(_dsn(ledger)) as connection:
        connection.execute(f"UPDATE {LIVE}.progress SET projection_version = 999")
    with pytest.raises(SnapshotUnusableError) as refused:
        catch_up(ledger)
    assert "replay rebuild" in str(refused.value.next_step)
    with pytest.raises(SnapshotUnusableError):
        check(ledger)
    rebuild(ledger)
    assert catch_up(ledger).events == 0


def test_damaged_read_models_are_refused_and_a_rebuild_mends_them(ledger: Ledger) -> None:
    catch_up(ledger)
    with psycopg.connect(_dsn(ledger)) as connection:
        connection.execute(f"UPDATE {LIVE}.accounts SET canonical = '{{' WHERE account = 'A3'")
    with pytest.raises(SnapshotUnusableError):
        catch_up(ledger)
    rebuild(ledger)
    assert check(ledger).ok


def test_read_models_of_other_events_are_refused(ledger: Ledger) -> None:
    catch_up(ledger)
    with psycopg.connect(_dsn(ledger)) as connection:
        connection.execute(f"UPDATE {LIVE}.progress SET processed_hash = decode(repeat('ab', 32), 'hex')")
    with pytest.raises(ChainBrokenError) as broken:
        catch_up(ledger)
    assert broken.value.sequence == ledger.head().sequence


@pytest.mark.parametrize(
    ("change", "table", "account"),
    [
        (
            "UPDATE {}.balances SET wallet_balance = wallet_balance + 0.01 WHERE account = 'A3'",
            "balances",
            "A3",
        ),
        ("DELETE FROM {}.position_margins WHERE account = 'A5'", "position_margins", "A5"),
        (
            "UPDATE {}.account_margins SET state = 'healthy', equity = 1 WHERE account = 'A2'",
            "account_margins",
            "A2",
        ),
        ("UPDATE {}.flows SET account = 'A9' WHERE account = 'A1' AND flow = 'deposit'", "flows", "A9"),
    ],
)
def test_the_check_names_the_account_whose_row_was_altered(
    ledger: Ledger, change: str, table: str, account: str
) -> None:
    rebuild(ledger)
    assert check(ledger).ok
    with psycopg.connect(_dsn(ledger)) as connection:
        connection.execute(change.format(LIVE))
    report = check(ledger)
    assert not report.ok
    assert {(each.table, each.account) for each in report.differences} >= {(table, account)}


def test_there_is_nothing_to_check_before_the_first_build(ledger: Ledger) -> None:
    with pytest.raises(NotFoundError):
        check(ledger)


def test_the_shadow_holds_the_set_before_and_is_emptied_by_the_next_rebuild(ledger: Ledger) -> None:
    catch_up(ledger)
    before = stored(ledger)
    rebuild(ledger)
    assert stored(ledger, SHADOW) == before
    rebuild(ledger)
    assert stored(ledger) == before


def _dsn(ledger: Ledger) -> str:
    return ledger.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def _wait_until_locked_out(ledger: Ledger, thread: threading.Thread) -> None:
    """Return once some backend of this database, which can only be the thread's, waits for a lock."""
    with psycopg.connect(_dsn(ledger), autocommit=True) as connection:
        while thread.is_alive():
            (waiting,) = connection.execute(  # type: ignore[misc]
                "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) "
                "WHERE NOT granted AND datname = current_database()"
            ).fetchone()
            if waiting:
                return
    pytest.fail("the thread ended without waiting")
