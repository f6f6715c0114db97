"""The tree in the database: derived by a trigger as events come in, and read in O(log n)."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import select, text

from ledger.errors import IntegrityError
from ledger.merkle import root_hash, verify_consistency, verify_inclusion
from ledger.store import tree
from ledger.store.ledger import Ledger
from ledger.store.migrate import newest_revision, upgrade
from ledger.store.roles import RoleKind, role_names
from ledger.store.schema import tree_nodes
from ledger.tiles import NodeBuilder, Tile
from ledger.verify import verify_ledger
from tests.support.direct import direct_writer, without_triggers
from tests.support.examples import deposit
from tests.support.postgres import fresh_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

ORIGIN = "venue.example/perpetuals"
SIZE = 2_000


@pytest.fixture(scope="module")
def filled(database_server_url: str) -> Iterator[str]:
    """A ledger of 2,000 events that came in batches of every kind of size."""
    chance = random.Random(7)
    with fresh_database(database_server_url) as url:
        with Ledger.initialise(url, origin=ORIGIN) as ledger:
            left = SIZE - 1
            for size in (254, 1, 1, 255, 256, 257, 1, *(chance.randrange(1, 400) for _ in range(20))):
                ledger.append([deposit(f"A{n}") for n in range(min(size, left))])
                left -= min(size, left)
            assert ledger.head().sequence == SIZE - 1
        yield url


def leaves(ledger: Ledger) -> list[bytes]:
    return [stored for _, _, stored in ledger.entries()]


def stored_nodes(connection: Connection) -> dict[tuple[int, int], bytes]:
    rows = connection.execute(select(tree_nodes.c.level, tree_nodes.c.index, tree_nodes.c.hash))
    return {(level, index): node for level, index, node in rows}


def test_its_nodes_are_the_roots_of_full_tiles_whatever_the_batches_were(filled: str) -> None:
    with Ledger.open(filled) as ledger, ledger.reading() as connection:
        builder = NodeBuilder()
        expected = {
            (level, index): node for leaf in leaves(ledger) for level, index, node in builder.append(leaf)
        }
        assert stored_nodes(connection) == expected
        assert len(expected) == SIZE // 256


@pytest.mark.parametrize("parts", [(70_000,), (65_535, 65_536, 65_537, 70_000), (300, 60_000, 70_000)])
def test_it_has_a_second_level_from_65_536_events_on(database_url: str, parts: tuple[int, ...]) -> None:
    """Rows that hold no entry serve for it: the function that the guard calls looks at hashes alone."""
    with Ledger.initialise(database_url, origin=ORIGIN) as ledger:
        with without_triggers(database_url) as connection:
            connection.execute(
                "INSERT INTO events (sequence, id, type, occurred_at, appended_at, writer, canonical)"
                " SELECT n, gen_random_uuid(), 'X', now(), now(), 'w', convert_to(n::text, 'UTF8')"
                " FROM generate_series(1, %s) AS n",
                [parts[-1] - 1],
            )
            for first, size in pairwise((0, *parts)):
                connection.execute("SELECT ledger_grow_tree(%s, %s)", [first, size])
        with ledger.reading() as connection:
            hashes = leaves(ledger)
            builder = NodeBuilder()
            expected = {
                (level, index): node for leaf in hashes for level, index, node in builder.append(leaf)
            }
            assert stored_nodes(connection) == expected
            assert (2, 0) in expected
            events = tree.event_tree(connection, parts[-1])
            root = root_hash(hashes)
            for index in (0, 65_535, 65_536, 69_999):
                assert verify_inclusion(hashes[index], index, 70_000, events.inclusion_proof(index), root)


def test_proofs_of_every_event_hold_and_few_rows_are_read(
    filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Tile] = []

    def counting(connection: Connection, tile: Tile) -> bytes:
        read.append(tile)
        return read_tile(connection, tile)

    read_tile = tree.read_tile
    monkeypatch.setattr(tree, "read_tile", counting)
    with Ledger.open(filled) as ledger, ledger.reading() as connection:
        hashes = leaves(ledger)
        root = root_hash(hashes)
        for index in (0, 1, 255, 256, 1_000, SIZE - 1):
            read.clear()
            events = tree.event_tree(connection, SIZE)
            assert verify_inclusion(hashes[index], index, SIZE, events.inclusion_proof(index), root)
            assert sum(tile.width for tile in read) <= 3 * 256, read
        for old_size in (1, 255, 256, 257, 1_024, SIZE):
            proof = tree.event_tree(connection, SIZE).consistency_proof(old_size)
            assert verify_consistency(old_size, SIZE, proof, root_hash(hashes[:old_size]), root)


def test_a_tile_with_rows_missing_is_an_error(filled: str) -> None:
    with Ledger.open(filled) as ledger, ledger.reading() as connection:
        for tile in (Tile(0, SIZE // 256), Tile(1, 0)):
            with pytest.raises(IntegrityError, match=r"of the 256 hashes of tile/"):
                tree.read_tile(connection, tile)
        with pytest.raises(IntegrityError, match="of the 256 events from sequence 1792 on"):
            tree.read_entries_under(connection, Tile(0, 7))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tree_nodes SET hash = ''",
        "DELETE FROM tree_nodes",
        "TRUNCATE tree_nodes",
        "INSERT INTO tree_nodes VALUES (1, 99, '')",
    ],
)
def test_nobody_changes_the_nodes_directly(filled: str, statement: str) -> None:
    with psycopg.connect(filled) as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute(statement.encode())
    assert caught.value.sqlstate == "LG004"


def test_a_writer_cannot_grow_the_tree_by_hand(database_server_url: str, filled: str) -> None:
    with fresh_database(database_server_url, like=filled) as url, direct_writer(url) as writer:
        assert writer.refusal_of("SELECT ledger_grow_tree(0, 512)") == "42501"
        assert writer.refusal_of("INSERT INTO tree_nodes VALUES (1, 99, '')") == "42501"


@pytest.mark.parametrize(
    ("statement", "place", "expected"),
    [
        ("UPDATE tree_nodes SET hash = sha256('x') WHERE index = 3", 1_023, "level 1, index 3"),
        ("DELETE FROM tree_nodes WHERE index = 3", 1_023, "level 1, index 3"),
        ("INSERT INTO tree_nodes VALUES (1, 99, sha256('x'))", 25_599, "level 1, index 99: no node"),
        ("INSERT INTO tree_nodes VALUES (2, 0, sha256('x'))", 65_535, "level 2, index 0: no node"),
        ("INSERT INTO tree_nodes VALUES (1, 9223372036854775807, '')", None, "no node"),
        ("INSERT INTO tree_nodes VALUES (-3, -7, '')", None, "no node"),
        ("UPDATE tree_nodes SET index = 98 WHERE index = 6", 1_791, "level 1, index 6"),
    ],
)
def test_verification_names_a_node_that_is_not_the_root_of_its_events(
    database_server_url: str, filled: str, statement: str, place: int | None, expected: str
) -> None:
    with fresh_database(database_server_url, like=filled) as url:
        with without_triggers(url) as connection:
            connection.execute(statement.encode())
        with Ledger.open(url) as ledger:
            report = verify_ledger(ledger)
        assert {name for name, held in report.checks.items() if not held} == {"tree"}
        assert expected in report.failures[0].expected
        assert place is None or report.failures[0].sequence == place


def test_an_upgrade_gives_what_was_recorded_before_its_nodes(database_server_url: str, filled: str) -> None:
    with fresh_database(database_server_url, like=filled) as url, Ledger.open(url) as ledger:
        before = list(ledger.entries())
        with ledger.reading() as connection:
            nodes = stored_nodes(connection)
        with ledger.engine.begin() as connection:
            owner = role_names(connection)[RoleKind.OWNER]
            for statement in (
                "ALTER TABLE read_models.account_margins DROP COLUMN open_order_initial_margin",
                "ALTER TABLE read_models_shadow.account_margins DROP COLUMN open_order_initial_margin",
                f"SET LOCAL ROLE {owner}",
                "DROP TRIGGER guard_tree ON events",
                "DROP TABLE tree_nodes",
                "DROP FUNCTION ledger_guard_tree(), ledger_grow_tree(bigint, bigint)",
                "DROP FUNCTION ledger_tile_root(bytea)",
                "UPDATE alembic_version SET version_num = '0003'",
                "RESET ROLE",
            ):
                connection.execute(text(statement))
        upgrade(ledger.engine)
        with ledger.reading() as connection:
            assert stored_nodes(connection) == nodes
            assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == (
                newest_revision()
            )
        assert list(ledger.entries()) == before
        ledger.append([deposit(f"A{n}") for n in range(300)])
        assert verify_ledger(ledger).ok
