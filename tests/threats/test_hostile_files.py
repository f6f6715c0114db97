"""Attacks on the programs that read: files that wait, lead elsewhere, are endless or odd, and options
that would check nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.errors import EvidenceRefusedError, ExitCode, InvalidInputError
from ledger.growth import GivenCheckpoint, GrowthChecker
from ledger.merkle import EMPTY_ROOT, MerkleFrontier
from ledger.note import MOST_SIGNATURES, Note, Signature
from ledger.outside.checkpoints import CheckpointFolder
from ledger.outside.tiles import TileFolder
from ledger.signing.head import sign_head
from ledger.store.ledger import Ledger
from ledger.tiles import NodeBuilder, Tile, tiles_of
from ledger.timestamp import der, make_request, parse_token
from ledger.trust import stamped_bytes, trust_checkpoint
from ledger.verify.tiles import verify_tiles
from tests.support.chains import chain_of
from tests.support.evidence import LOG_KEYS, POLICY, WITNESS, Stamping, give_away, write_tiles
from tests.support.keys import AT, ORIGIN, log_key, policy, signed
from tests.support.processes import run

if TYPE_CHECKING:
    from pathlib import Path

UNREACHABLE = "postgresql://nobody@127.0.0.1:1/none"
EVIDENCE = give_away(chain_of(12), old_size=5, index=7)
KEYS = [word for key in LOG_KEYS for word in ("--trusted-key", key.verifier.encode())]
OWN = policy(*LOG_KEYS)


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    return write_tiles(tmp_path / "tiles", EVIDENCE, entries=True)


def failures(folder: Path) -> set[tuple[str, str | None]]:
    return {(failure.check, failure.file) for failure in verify_tiles(folder, POLICY).failures}


# Files that wait or lead elsewhere


@pytest.mark.parametrize(("file", "check"), [("tile/0/000.p/12", "tile"), ("tile/entries/000.p/12", "tile")])
def test_a_pipe_in_a_folder_of_tiles_is_refused_and_not_waited_for(
    tiles: Path, file: str, check: str
) -> None:
    (tiles / file).unlink()
    os.mkfifo(tiles / file)
    assert (check, file) in failures(tiles)


def test_a_pipe_or_a_device_in_the_place_of_the_checkpoint_is_refused(tiles: Path) -> None:
    place = tiles / "checkpoint"
    place.unlink()
    os.mkfifo(place)
    with pytest.raises(InvalidInputError, match="not a regular file"):
        verify_tiles(tiles, POLICY)
    place.unlink()
    place.symlink_to("/dev/zero")
    with pytest.raises(InvalidInputError, match="not a regular file"):
        verify_tiles(tiles, POLICY)


def test_a_link_in_a_folder_of_tiles_is_read_and_its_contents_are_not_shown(
    tiles: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"root:secret:" * 32)
    assert len(secret.read_bytes()) == 12 * 32  # as long as the tile
    place = tiles / "tile/0/000.p/12"
    place.unlink()
    place.symlink_to(secret)
    outcome = run("verify", "--tiles", "tiles", *KEYS, "--json", url=UNREACHABLE, cwd=tmp_path)
    assert outcome.code == ExitCode.INTEGRITY_BROKEN
    assert "secret" not in outcome.out + outcome.err


def test_superfluous_tiles_are_never_removed_through_a_link(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "12").write_text("a file of somebody else")
    folder = TileFolder(tmp_path / "tiles")
    (tmp_path / "tiles/tile/0").mkdir(parents=True)
    (tmp_path / "tiles/tile/0/000.p").symlink_to(precious)
    folder.drop_partial(Tile(0, 0))
    assert [path.name for path in precious.iterdir()] == ["12"]


def test_a_tile_is_never_written_through_a_link(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("a file of somebody else")
    (tmp_path / "tiles/tile/0").mkdir(parents=True)
    for name in (".000.partial", ".000"):
        (tmp_path / "tiles/tile/0" / name).symlink_to(precious)
    folder = TileFolder(tmp_path / "tiles")
    assert folder.write(Tile(0, 0), bytes(8192))
    folder.settle()
    assert precious.read_text() == "a file of somebody else"
    assert (tmp_path / "tiles/tile/0/000").read_bytes() == bytes(8192)


def test_only_partial_tiles_are_removed_where_something_else_lies_beside_them(tmp_path: Path) -> None:
    place = tmp_path / "tile/0/000.p"
    (place / "folder").mkdir(parents=True)
    for name in ("1", "200", "notes.txt"):
        (place / name).write_text(name)
    TileFolder(tmp_path).drop_partial(Tile(0, 0))
    assert sorted(path.name for path in place.iterdir()) == ["folder", "notes.txt"]


def test_files_that_are_no_tiles_change_nothing(tiles: Path) -> None:
    (tiles / "tile/0/001").write_bytes(bytes(8192))
    (tiles / "tile/9").mkdir()
    (tiles / "tile/9/000").write_bytes(b"x")
    (tiles / "tile/0/000.p/13").write_bytes(b"x")
    (tiles / "README").write_text("trust me")
    assert failures(tiles) == set()


# Endless and odd contents


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 65_536])
def test_a_log_of_any_size_is_verified_and_a_changed_root_is_found(tmp_path: Path, size: int) -> None:
    if size > 300:  # hashes alone, of no particular entries
        folder = hashes_only(tmp_path / "tiles", size)
    elif size == 0:
        folder = tmp_path / "tiles"
        TileFolder(folder).publish(signed(0, EMPTY_ROOT, keys=LOG_KEYS))
    else:
        evidence = give_away(chain_of(size), old_size=0, index=size - 1)
        folder = write_tiles(folder=tmp_path / "tiles", evidence=evidence, entries=True)
    report = verify_tiles(folder, OWN)
    assert (report.ok, report.events) == (True, size), report.failures
    (folder / "checkpoint").write_bytes(signed(size, bytes(32), keys=LOG_KEYS))
    assert [failure.check for failure in verify_tiles(folder, OWN).failures] == ["root"]


def hashes_only(folder: Path, size: int) -> Path:
    frontier, nodes = MerkleFrontier(), NodeBuilder()
    levels: list[list[bytes]] = [[], [], []]
    for number in range(size):
        leaf = number.to_bytes(32, "big")
        levels[0].append(leaf)
        frontier.append(leaf)
        for level, _, node in nodes.append(leaf):
            levels[level].append(node)
    target = TileFolder(folder)
    for tile in tiles_of(size):
        target.write(tile, b"".join(levels[tile.level][tile.first : tile.first + tile.width]))
    target.publish(signed(size, frontier.root(), keys=LOG_KEYS))
    return folder


def test_a_trusted_checkpoint_of_no_events_has_the_root_of_none() -> None:
    for root, held in ((EMPTY_ROOT, True), (bytes(32), False)):
        given = GivenCheckpoint("old", Checkpoint(ORIGIN, 0, root), signature_checked=True)
        growth, tree = GrowthChecker([given]), MerkleFrontier()
        tree.append(bytes(32))
        assert (growth.check(tree, ORIGIN) == []) is held
        assert growth.finish(1) == []


def test_a_log_without_events_grew_from_itself(tmp_path: Path) -> None:
    TileFolder(tmp_path).publish(signed(0, EMPTY_ROOT, keys=LOG_KEYS))
    given = GivenCheckpoint("old", Checkpoint(ORIGIN, 0, EMPTY_ROOT), signature_checked=True)
    assert verify_tiles(tmp_path, OWN, checkpoints=[given]).failures == []


def test_a_checkpoint_of_more_than_a_megabyte_is_refused_as_one(tiles: Path) -> None:
    (tiles / "checkpoint").write_bytes(EVIDENCE.note + b"x" * 1_000_000)
    assert failures(tiles) == {("checkpoint", "checkpoint")}


@pytest.mark.parametrize(("strangers", "held"), [(0, True), (1, False)])
def test_a_hundred_signatures_are_read_and_one_more_is_not(strangers: int, held: bool) -> None:  # noqa: FBT001 (a case)
    note = Note.parse(EVIDENCE.note)
    room = MOST_SIGNATURES - len(note.signatures) + strangers
    lines = tuple(Signature(f"stranger{number}", b"1234", bytes(64)) for number in range(room))
    crowded = Note(note.text, lines + note.signatures).encode()
    if held:
        assert trust_checkpoint(crowded, POLICY).witnesses == (WITNESS.verifier.name,)
    else:
        with pytest.raises(EvidenceRefusedError, match="101 signatures"):
            trust_checkpoint(crowded, POLICY)


@pytest.mark.parametrize(
    "origin", ["%2e%2e", "..", "../..", "/etc/passwd", "a/../b", "%00", "…", "ä/ö", "x" * 255]
)
def test_an_odd_origin_is_a_name_and_no_path(tmp_path: Path, origin: str) -> None:
    evidence = give_away(chain_of(3), old_size=1, index=1, origin=origin)
    folder = write_tiles(tmp_path / "tiles", evidence, entries=False)
    report = verify_tiles(folder, policy(log_key(origin)))
    assert (report.ok, report.origin) == (True, origin)
    assert verify_tiles(folder, POLICY).failures[0].check == "origin"


def test_numbers_of_thousands_of_digits_in_a_token_are_refused(tmp_path: Path) -> None:
    """Python refuses to print such numbers, with an error that is none of ours."""
    tree = der.decode(Stamping.make(tmp_path).token(EVIDENCE.note))
    long = der.encode(der.INTEGER, b"\x01" * 3000)
    endless_arc = der.encode(der.OBJECT_IDENTIFIER, b"\x2a" + b"\x81" * 3000 + b"\x01")
    info = tree.parts[1].parts[1].parts[0].parts[2].parts[1].parts[0].content
    fields = der.decode(info)
    places = [place for place, part in enumerate(fields.parts) if part.tag == der.INTEGER]
    changed = [grafted(tree, (0, 0), long), grafted(tree, (1, 0), endless_arc)]
    for place in places:
        inside = der.encode(der.OCTET_STRING, grafted(fields, (place,), long))
        changed.append(grafted(tree, (1, 1, 0, 2, 1, 0), inside))
    assert len(changed) == 5
    for reply in changed:
        with pytest.raises(InvalidInputError, match=r"bytes; 64 are read|over 128 bits|a version other"):
            parse_token(reply)


def grafted(element: der.Element, path: tuple[int, ...], new: bytes) -> bytes:
    if not path:
        return new
    parts = (
        grafted(part, path[1:], new) if place == path[0] else part.encoded()
        for place, part in enumerate(element.parts)
    )
    return der.encode(element.tag, *parts)


# What a person may ask for


@pytest.mark.parametrize("words", [["inclusion"], ["consistency"]])
def test_a_number_of_thousands_of_digits_is_wrong_usage(tiles: Path, words: list[str]) -> None:
    outcome = run("prove", *words, "9" * 5000, "--tiles", str(tiles), url=UNREACHABLE, cwd=tiles.parent)
    assert outcome.code == ExitCode.USAGE, outcome.err[:300]


@pytest.mark.parametrize(
    "words",
    [
        ["--witness-key", WITNESS.verifier.encode(), "--require-witnesses", "1"],
        ["--timestamp", "token", "--tsa-root", "root"],
        ["--compromised-at", "2026-01-01T00:00:00Z"],
        ["--origin", ORIGIN],
    ],
    ids=lambda words: words[0],
)
def test_what_is_asked_of_a_checkpoint_is_never_passed_over(tmp_path: Path, words: list[str]) -> None:
    """Without a key of the log, or without a checkpoint, nothing of it could be checked: that is said."""
    (tmp_path / "old").write_bytes(EVIDENCE.old_note)
    for name in ("token", "root"):
        (tmp_path / name).write_bytes(b"garbage")
    without_key = run("verify", "--trusted-checkpoint", "old", *words, url=UNREACHABLE, cwd=tmp_path)
    assert (without_key.code, "no key of the log is trusted" in without_key.err) == (ExitCode.USAGE, True)
    without_checkpoint = run("verify", *KEYS, *words, url=UNREACHABLE, cwd=tmp_path)
    assert (without_checkpoint.code, "--trusted-checkpoint" in without_checkpoint.err) == (2, True)


def test_an_entry_that_does_not_go_with_its_proof_is_not_handed_out(tiles: Path, tmp_path: Path) -> None:
    bundle = tiles / "tile/entries/000.p/12"
    bundle.write_bytes(bundle.read_bytes().replace(b'"A7"', b'"A8"'))
    words = ("7", "--tiles", "tiles", "--event-out", "event", "--out", "proof")
    outcome = run("prove", "inclusion", *words, url=UNREACHABLE, cwd=tmp_path)
    assert (outcome.code, "entries" in outcome.err) == (ExitCode.INTEGRITY_BROKEN, True)
    assert not (tmp_path / "event").exists()
    assert not (tmp_path / "proof").exists()


def test_a_key_of_the_wrong_purpose_signs_and_proves_nothing(tmp_path: Path) -> None:
    (tmp_path / "proof").write_bytes(EVIDENCE.inclusion)
    (tmp_path / "entry").write_bytes(EVIDENCE.entry)
    check = ("prove", "check", "proof", "--event", "entry")
    as_log = run(*check, "--trusted-key", WITNESS.verifier.encode(), url=UNREACHABLE, cwd=tmp_path)
    assert (as_log.code, "not one that a log signs with" in as_log.err) == (ExitCode.USAGE, True)
    as_witness = run(
        *check, *KEYS, "--witness-key", LOG_KEYS[0].verifier.encode(), url=UNREACHABLE, cwd=tmp_path
    )
    assert (as_witness.code, "not one that a witness signs with" in as_witness.err) == (ExitCode.USAGE, True)
    cosigned = sign_checkpoint(trust_checkpoint(EVIDENCE.note, OWN).checkpoint, (WITNESS,), AT)
    with pytest.raises(EvidenceRefusedError, match="signature"):
        trust_checkpoint(cosigned.encode(), OWN)


@pytest.mark.parametrize("words", [["inclusion", "7", "--dry-run"], ["consistency", "5"]])
def test_the_name_of_a_strangers_log_does_not_write_to_the_terminal(tmp_path: Path, words: list[str]) -> None:
    evidence = give_away(chain_of(12), old_size=5, index=7, origin="evil\x9b31m\u202etxt")
    write_tiles(tmp_path / "tiles", evidence, entries=False)
    outcome = run("prove", *words, "--tiles", "tiles", url=UNREACHABLE, cwd=tmp_path)
    assert outcome.code == ExitCode.OK, outcome
    assert outcome.out.replace("\n", "").isprintable()


@pytest.mark.parametrize("change", ["a signature more", "a larger tree"])
def test_a_checkpoint_that_is_brought_along_with_a_token_is_not_taken_among_the_kept_ones(
    database_url: str, tmp_path: Path, change: str
) -> None:
    """Otherwise it would spoil the kept one's signatures, or make every later append refuse."""
    with Ledger.initialise(database_url, origin=ORIGIN) as ledger:
        head = sign_head(ledger, LOG_KEYS, CheckpointFolder(tmp_path / "home" / "checkpoints"))
    false = Signature(ORIGIN, LOG_KEYS[0].verifier.id, bytes(64))
    brought = {
        "a signature more": Note(head.note.text, (*head.note.signatures, false)).encode(),
        "a larger tree": signed(99, bytes(32)),
    }[change]
    (tmp_path / "brought").write_bytes(brought)
    note = Note.parse(brought)
    message = stamped_bytes(note, Checkpoint.parse(note.text))
    request = make_request(message)
    (tmp_path / "request").write_bytes(request)
    (tmp_path / "reply").write_bytes(Stamping.make(tmp_path / "authority").authority.reply(request))
    words = ("reply", "--request", "request", "--checkpoint", "brought", "--home", "home")
    outcome = run("timestamp", "store", *words, url=database_url, cwd=tmp_path)
    assert outcome.code in {ExitCode.INTEGRITY_BROKEN, ExitCode.NOT_FOUND}, outcome
    kept = [path for path in (tmp_path / "home").rglob("*") if path.is_file() and path.name != ".lock"]
    assert kept == [head.path]
    assert head.path.read_bytes() == head.note.encode()
