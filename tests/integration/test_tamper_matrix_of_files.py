"""Every part of what a log gives away, changed once: which check fails, and in which file.

Tiles, entries, checkpoint, proofs and timestamp token of a real ledger of 600 events. Nothing here needs
the database: outsiders have none.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from ledger.errors import EvidenceRefusedError, ExitCode, InvalidInputError, TimestampInvalidError
from ledger.note import Note, Signature
from ledger.outside.checkpoints import CheckpointFolder
from ledger.proof import ConsistencyProof, InclusionProof, check_consistency, check_inclusion
from ledger.prove import prove_consistency, prove_inclusion
from ledger.signing.head import sign_head
from ledger.signing.tiles import publish_tiles
from ledger.store.ledger import Ledger
from ledger.store.tree import event_tree
from ledger.timestamp import verify_token
from ledger.trust import TrustPolicy, stamped_bytes, trust_checkpoint
from ledger.verify.tiles import verify_tiles
from tests.support.changes import flipped
from tests.support.commands import Commands, Run
from tests.support.evidence import LOG_KEYS, POLICY, WITNESS, Evidence, Stamping
from tests.support.examples import deposit
from tests.support.keys import AT, ORIGIN
from tests.support.postgres import fresh_database
from tests.support.rich_events import full_draft
from tests.support.tokens import token_regions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Change = Callable[[bytes], bytes]

OLD, INDEX, EVENTS = 300, 300, 600
ED25519, ML_DSA_44, COSIGNATURE = 0, 1, 2  # the order of the lines under the note
OF_ED25519 = TrustPolicy.of((LOG_KEYS[0].verifier,))
OF_ML_DSA_44 = TrustPolicy.of((LOG_KEYS[1].verifier,))


@dataclass(frozen=True)
class Given:
    """What the ledger gave away, and where it lies."""

    evidence: Evidence
    folder: Path
    tiles: Path
    token: bytes
    stamping: Stamping

    @property
    def stamped(self) -> bytes:
        note = Note.parse(self.evidence.note)
        return stamped_bytes(note, trust_checkpoint(self.evidence.note, POLICY).checkpoint)


@pytest.fixture(scope="module")
def given(database_server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Given:
    folder = tmp_path_factory.mktemp("given")
    checkpoints, tiles = CheckpointFolder(folder / "kept"), folder / "tiles"
    with (
        fresh_database(database_server_url) as url,
        Ledger.initialise(url, origin=ORIGIN) as ledger,
    ):
        ledger.append([deposit(f"A{number}") for number in range(1, OLD)])
        old = sign_head(ledger, LOG_KEYS, checkpoints)
        ledger.append([full_draft(), *(deposit(f"A{number}") for number in range(INDEX + 1, EVENTS))])
        head = sign_head(ledger, LOG_KEYS, checkpoints)
        note = head.note.with_signatures((WITNESS.sign(head.checkpoint, AT),))
        publish_tiles(ledger, note, head.checkpoint, tiles, entries=True)
        with ledger.reading() as connection:
            tree = event_tree(connection, EVENTS)
            inclusion = prove_inclusion(tree, INDEX, note, head.checkpoint)
            growth = prove_consistency(tree, OLD, EVENTS, old=old.checkpoint, new=head.checkpoint)
        lines = tuple(canonical for _, canonical, _ in ledger.entries())
    evidence = Evidence(
        lines,
        old.note.encode(),
        note.encode(),
        INDEX,
        replace(inclusion, extra=b"remark").encode(),
        growth.proof(note).encode(),
    )
    stamping = Stamping.make(folder / "authority")
    return Given(evidence, folder, tiles, stamping.token(evidence.note), stamping)


@pytest.fixture
def tiles(given: Given, tmp_path: Path) -> Path:
    """A copy of the folder of tiles, to be changed."""
    return shutil.copytree(given.tiles, tmp_path / "tiles")


def failures(tiles: Path, policy: TrustPolicy = POLICY) -> set[tuple[str, str | None, int | None]]:
    report = verify_tiles(tiles, policy)
    return {(failure.check, failure.file, failure.sequence) for failure in report.failures}


def change(path: Path, edit: Change) -> None:
    before = path.read_bytes()
    after = edit(before)
    assert after != before
    path.write_bytes(after)


def test_untouched_everything_holds(given: Given) -> None:
    assert failures(given.tiles) == set()
    check_inclusion(given.evidence.inclusion, given.evidence.entry, POLICY)
    check_consistency(
        given.evidence.consistency, trust_checkpoint(given.evidence.old_note, OF_ED25519), POLICY
    )
    assert verify_token(given.token, given.stamped, given.stamping.roots).authority == "CN=signer"
    files = sorted(
        path.relative_to(given.tiles).as_posix() for path in given.tiles.rglob("*") if path.is_file()
    )
    assert files == [
        "checkpoint",
        "tile/0/000",
        "tile/0/001",
        "tile/0/002.p/88",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/001",
        "tile/entries/002.p/88",
    ]


# Tiles and entries

_UPPER = "tile/1/000.p/2"


@pytest.mark.parametrize(
    ("file", "hash_place", "wanted"),
    [
        ("tile/0/000", 0, {("entries", "tile/entries/000", 0), ("node", _UPPER, None)}),
        ("tile/0/000", 255, {("entries", "tile/entries/000", 255), ("node", _UPPER, None)}),
        ("tile/0/001", 44, {("entries", "tile/entries/001", 300), ("node", _UPPER, None)}),
        ("tile/0/002.p/88", 0, {("entries", "tile/entries/002.p/88", 512), ("root", "checkpoint", None)}),
        ("tile/0/002.p/88", 87, {("entries", "tile/entries/002.p/88", 599), ("root", "checkpoint", None)}),
        ("tile/1/000.p/2", 0, {("node", _UPPER, None)}),
        ("tile/1/000.p/2", 1, {("node", _UPPER, None)}),
    ],
)
@pytest.mark.parametrize("byte", [0, 15, 31])
def test_a_changed_hash_in_a_tile_is_found(
    tiles: Path, file: str, hash_place: int, wanted: set[tuple[str, str | None, int | None]], byte: int
) -> None:
    change(tiles / file, lambda data: flipped(data, 32 * hash_place + byte))
    assert wanted <= failures(tiles)


@pytest.mark.parametrize("file", ["tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2"])
@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda data: data[:-1], id="a byte short"),
        pytest.param(lambda data: data + b"\x00", id="a byte long"),
        pytest.param(lambda data: data[32:], id="a hash short"),
        pytest.param(lambda data: data + data[:32], id="a hash long"),
        pytest.param(lambda data: data[:0], id="empty"),
    ],
)
def test_a_tile_of_another_length_is_found(tiles: Path, file: str, edit: Change) -> None:
    change(tiles / file, edit)
    assert ("tile", file) in {(check, place) for check, place, _ in failures(tiles)}


@pytest.mark.parametrize("file", ["tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2"])
def test_a_missing_tile_is_found(tiles: Path, file: str) -> None:
    (tiles / file).unlink()
    assert ("tile", file) in {(check, place) for check, place, _ in failures(tiles)}


@pytest.mark.parametrize("file", ["tile/0/000", "tile/entries/000"])
def test_two_tiles_that_changed_places_are_found(tiles: Path, file: str) -> None:
    one, other = tiles / file, tiles / file.replace("000", "001")
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    assert ("entries", "tile/entries/000", 0) in failures(tiles)


def place_of(data: bytes, entry: int) -> int:
    """Where the length of an entry stands in a bundle."""
    place = 0
    for _ in range(entry):
        place += 2 + int.from_bytes(data[place : place + 2], "big")
    return place


@pytest.mark.parametrize(
    ("file", "first", "entry"),
    [
        ("tile/entries/000", 0, 0),
        ("tile/entries/000", 0, 255),
        ("tile/entries/001", 256, 44),
        ("tile/entries/002.p/88", 512, 87),
    ],
)
@pytest.mark.parametrize("part", ["payload", "payload's end", "length, high byte", "length, low byte"])
def test_a_changed_entry_or_length_is_found(
    tiles: Path, file: str, first: int, entry: int, part: str
) -> None:
    def edit(data: bytes) -> bytes:
        start, end = place_of(data, entry), place_of(data, entry + 1)
        at = {"payload": start + 30, "payload's end": end - 1, "length, high byte": start}.get(
            part, start + 1
        )
        return flipped(data, at)

    change(tiles / file, edit)
    sequence = first + entry if part.startswith("payload") else first
    found = failures(tiles)
    assert ("entries", file, sequence) in found or ("entries", file, first + entry) in found, found


# Checkpoint


def sign_line(number: int, edit: Callable[[Signature], Signature]) -> Change:
    """Change one line of signatures, which stays in its form."""

    def edited(data: bytes) -> bytes:
        note = Note.parse(data)
        lines = list(note.signatures)
        lines[number] = edit(lines[number])
        return Note(note.text, tuple(lines)).encode()

    return edited


def value_byte(number: int, place: int) -> Change:
    return sign_line(number, lambda line: replace(line, value=flipped(line.value, place)))


def renamed(line: Signature) -> Signature:
    return replace(line, name=f"{line.name}x")


def other_id(line: Signature) -> Signature:
    return replace(line, key_id=flipped(line.key_id, 3))


def text_line(number: int, edit: Callable[[str], str]) -> Change:
    def edited(data: bytes) -> bytes:
        lines = data.decode().split("\n")
        lines[number] = edit(lines[number])
        return "\n".join(lines).encode()

    return edited


def another_root(line: str) -> str:
    return ("A" if line[0] != "A" else "B") + line[1:]


SIGNED = [
    ("origin", "origin", text_line(0, lambda line: f"{line}x")),
    ("tree size", "signature", text_line(1, lambda line: str(int(line) - 1))),
    ("root hash", "signature", text_line(2, another_root)),
    ("a line more in the text", "signature", text_line(2, lambda line: f"{line}\nmore")),
    *(
        (f"Ed25519 signature, byte {place}", "signature", value_byte(ED25519, place))
        for place in (0, 31, 32, 63)
    ),
    *((f"ML-DSA-44 time, byte {place}", "signature", value_byte(ML_DSA_44, place)) for place in range(8)),
    *(
        (f"ML-DSA-44 signature, byte {place}", "signature", value_byte(ML_DSA_44, place))
        for place in (8, 1000, -1)
    ),
    *((f"cosignature time, byte {place}", "signature", value_byte(COSIGNATURE, place)) for place in range(8)),
    *(
        (f"cosignature, byte {place}", "signature", value_byte(COSIGNATURE, place))
        for place in (8, 39, 40, 71)
    ),
    ("cosigner's name", "witnesses", sign_line(COSIGNATURE, renamed)),
    ("cosigner's key id", "witnesses", sign_line(COSIGNATURE, other_id)),
]
ONE_KEY = [
    ("Ed25519 key name", OF_ED25519, sign_line(ED25519, renamed)),
    ("Ed25519 key id", OF_ED25519, sign_line(ED25519, other_id)),
    ("ML-DSA-44 key name", OF_ML_DSA_44, sign_line(ML_DSA_44, renamed)),
    ("ML-DSA-44 key id", OF_ML_DSA_44, sign_line(ML_DSA_44, other_id)),
]


@pytest.mark.parametrize(("check", "edit"), [case[1:] for case in SIGNED], ids=[case[0] for case in SIGNED])
def test_a_changed_part_of_a_checkpoint_is_refused(tiles: Path, check: str, edit: Change) -> None:
    change(tiles / "checkpoint", edit)
    assert failures(tiles) == {(check, "checkpoint", None)}


@pytest.mark.parametrize(
    ("policy", "edit"), [case[1:] for case in ONE_KEY], ids=[case[0] for case in ONE_KEY]
)
def test_a_signature_under_another_name_or_id_is_none(tiles: Path, policy: TrustPolicy, edit: Change) -> None:
    change(tiles / "checkpoint", edit)
    assert failures(tiles, policy) == {("signature", "checkpoint", None)}


@pytest.mark.parametrize("edit", [case[2] for case in ONE_KEY], ids=[case[0] for case in ONE_KEY])
def test_by_design_one_trusted_signature_is_enough_so_the_other_lines_name_can_change(
    given: Given, tiles: Path, edit: Change
) -> None:
    """Names and ids of lines are not signed; a verifier who wants both trusts them one after the other.

    A timestamp is over all lines under the log's name, so it does not go with fewer of them.
    """
    change(tiles / "checkpoint", edit)
    assert failures(tiles) == set()
    note = Note.parse((tiles / "checkpoint").read_bytes())
    checkpoint = trust_checkpoint(note.encode(), POLICY).checkpoint
    with pytest.raises(TimestampInvalidError, match="imprint"):
        verify_token(given.token, stamped_bytes(note, checkpoint), given.stamping.roots)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda data: data.replace(b"\n\n", b"\n"), id="no empty line"),
        pytest.param(lambda data: data.replace("— ".encode(), b"- ", 1), id="another dash"),
        pytest.param(lambda data: data[:-1], id="no line end"),
        pytest.param(lambda data: data + b"\n", id="a line end more"),
        pytest.param(lambda data: data.replace(b"\n", b"\r\n"), id="other line ends"),
        pytest.param(lambda data: b"\xef\xbb\xbf" + data, id="a mark of byte order"),
        pytest.param(text_line(1, lambda line: f"0{line}"), id="a size with a zero before it"),
        pytest.param(text_line(2, lambda line: line.rstrip("=")), id="a root without padding"),
        pytest.param(lambda data: data.partition(b"\n\n")[0] + b"\n\n", id="no signatures"),
    ],
)
def test_a_checkpoint_out_of_its_one_form_is_refused(tiles: Path, edit: Change) -> None:
    change(tiles / "checkpoint", edit)
    found = failures(tiles)
    assert {place for _, place, _ in found} == {"checkpoint"}
    assert {check for check, _, _ in found} <= {"checkpoint", "origin"}


# Inclusion proof


def refusal(given: Given, proof: bytes, entry: bytes | None = None) -> str:
    with pytest.raises(EvidenceRefusedError) as refused:
        check_inclusion(proof, entry or given.evidence.entry, POLICY)
    return refused.value.check


@pytest.mark.parametrize("index", [0, 1, 299, 301, 512, 599, 600, 2**62])
def test_an_inclusion_proof_with_another_index_is_refused(given: Given, index: int) -> None:
    proof = InclusionProof.parse(given.evidence.inclusion)
    assert refusal(given, replace(proof, index=index).encode()) == "event"


@pytest.mark.parametrize("byte", [0, 31])
def test_an_inclusion_proof_with_a_changed_hash_is_refused(given: Given, byte: int) -> None:
    proof = InclusionProof.parse(given.evidence.inclusion)
    assert len(proof.hashes) == 10
    for place, each in enumerate(proof.hashes):
        hashes = (*proof.hashes[:place], flipped(each, byte), *proof.hashes[place + 1 :])
        assert refusal(given, replace(proof, hashes=hashes).encode()) == "inclusion"


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda data: data.replace(b"@v1", b"@v2"), id="version"),
        pytest.param(lambda data: data.replace(b"c2sp", b"C2SP"), id="header"),
        pytest.param(lambda data: data.replace(b"index ", b"Index "), id="name of the index"),
        pytest.param(lambda data: data.replace(b"index ", b"index 0"), id="form of the index"),
        pytest.param(lambda data: data.replace(b"\n\n", b"\n \n", 1), id="empty line"),
    ],
)
def test_an_inclusion_proof_out_of_its_one_form_is_refused(given: Given, edit: Change) -> None:
    assert refusal(given, edit(given.evidence.inclusion)) == "proof"


@pytest.mark.parametrize(("check", "edit"), [case[1:] for case in SIGNED], ids=[case[0] for case in SIGNED])
def test_a_changed_part_of_the_checkpoint_in_an_inclusion_proof_is_refused(
    given: Given, check: str, edit: Change
) -> None:
    proof = InclusionProof.parse(given.evidence.inclusion)
    assert refusal(given, replace(proof, checkpoint=edit(proof.checkpoint)).encode()) == check


def test_by_design_extra_data_can_change_since_nobody_signs_it(given: Given) -> None:
    proof = InclusionProof.parse(given.evidence.inclusion)
    for extra in (None, b"another remark"):
        verdict = check_inclusion(replace(proof, extra=extra).encode(), given.evidence.entry, POLICY)
        assert verdict.sequence == INDEX


# Consistency proof


def growth_refusal(given: Given, proof: bytes) -> str:
    old = trust_checkpoint(given.evidence.old_note, OF_ED25519)
    with pytest.raises(EvidenceRefusedError) as refused:
        check_consistency(proof, old, POLICY)
    return refused.value.check


@pytest.mark.parametrize("old_size", [0, 1, 299, 301, 600, 2**62])
def test_a_consistency_proof_from_another_size_is_refused(given: Given, old_size: int) -> None:
    proof = ConsistencyProof.parse(given.evidence.consistency)
    assert growth_refusal(given, replace(proof, old_size=old_size).encode()) == "old_size"


@pytest.mark.parametrize("byte", [0, 31])
def test_a_consistency_proof_with_a_changed_hash_is_refused(given: Given, byte: int) -> None:
    proof = ConsistencyProof.parse(given.evidence.consistency)
    assert len(proof.hashes) == 9
    for place, each in enumerate(proof.hashes):
        hashes = (*proof.hashes[:place], flipped(each, byte), *proof.hashes[place + 1 :])
        assert growth_refusal(given, replace(proof, hashes=hashes).encode()) == "consistency"


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda data: data.replace(b"old ", b"Old "), id="name of the size"),
        pytest.param(lambda data: data.replace(b"old ", b"old 0"), id="form of the size"),
        pytest.param(lambda data: data.replace(b"\n\n", b"\n \n", 1), id="empty line"),
        pytest.param(lambda data: b"more\n" + data, id="a line before"),
    ],
)
def test_a_consistency_proof_out_of_its_one_form_is_refused(given: Given, edit: Change) -> None:
    assert growth_refusal(given, edit(given.evidence.consistency)) == "proof"


@pytest.mark.parametrize(("check", "edit"), [case[1:] for case in SIGNED], ids=[case[0] for case in SIGNED])
def test_a_changed_part_of_the_checkpoint_in_a_consistency_proof_is_refused(
    given: Given, check: str, edit: Change
) -> None:
    proof = ConsistencyProof.parse(given.evidence.consistency)
    assert growth_refusal(given, replace(proof, checkpoint=edit(proof.checkpoint)).encode()) == check


# Timestamp token. What is not read as a reply at all is "unreadable".

TOKEN = {
    "status": "status",
    "content type of the message": "unreadable",
    "version of the content": "unreadable",
    "hash algorithm of the content": "unreadable",
    "content type of the timestamp": "unreadable",
    "signer's certificate": "signer",
    "version of the signer": "unreadable",
    "issuer of the signer": "signer",
    "serial number of the signer": "signer",
    "hash algorithm of the signer": "unreadable",
    "signature algorithm": "algorithm",
    "signature": "signature",
    "signed attribute: content type": "signature",
    "signed attribute: signing time": "signature",
    "signed attribute: message digest": "signature",
    "signed attribute: signing certificate v2": "signer",
    "timestamp: version": "unreadable",
    "timestamp: policy": "signature",
    "timestamp: imprint": "imprint",
    "timestamp: serial number": "signature",
    "timestamp: time": "unreadable",
    "timestamp: accuracy": "signature",
    "timestamp: ordering": "unreadable",
    "timestamp: nonce": "signature",
    "timestamp: name": "signature",
    "frame": "unreadable",
}


def outcome(given: Given, token: bytes) -> str:
    try:
        verify_token(token, given.stamped, given.stamping.roots)
    except TimestampInvalidError as error:
        return error.reason
    except InvalidInputError:
        return "unreadable"
    return "accepted"


def test_the_matrix_has_every_part_of_a_token(given: Given) -> None:
    assert set(TOKEN) == set(token_regions(given.token))


@pytest.mark.parametrize("region", TOKEN)
def test_a_changed_part_of_a_token_is_refused(given: Given, region: str) -> None:
    where = token_regions(given.token)[region]
    place = where.start if region == "frame" else where.stop - 1
    assert outcome(given, flipped(given.token, place)) == TOKEN[region]
    for each in where[:: max(1, len(where) // 20)]:
        assert outcome(given, flipped(given.token, each, 0x40)) != "accepted", (region, each)


def test_a_time_that_is_earlier_by_a_second_breaks_the_signature(given: Given) -> None:
    where = token_regions(given.token)["timestamp: time"]
    place = where.start + 13
    digit = given.token[place]
    changed = flipped(given.token, place, digit ^ (digit - 1 if digit > ord("0") else digit + 1))
    assert outcome(given, changed) == "signature"


def test_a_token_is_of_this_checkpoint_only(given: Given) -> None:
    with pytest.raises(TimestampInvalidError, match="imprint"):
        verify_token(given.token, given.evidence.old_note, given.stamping.roots)


# The same through the command line: exit code 3, and what is wrong by name.

KEYS = [word for key in LOG_KEYS for word in ("--trusted-key", key.verifier.encode())]
TRUST = [*KEYS, "--witness-key", WITNESS.verifier.encode(), "--require-witnesses", "1"]


@pytest.fixture
def offline(given: Given, tmp_path: Path) -> Commands:
    """A folder with the evidence as files, and no database."""
    evidence = given.evidence
    for name, data in (
        ("entry", evidence.entry),
        ("old", evidence.old_note),
        ("new", evidence.note),
        ("event.tlog-proof", evidence.inclusion),
        ("growth", evidence.consistency),
        ("token.tsr", given.token),
        ("root.pem", given.stamping.root.certificate_path.read_bytes()),
    ):
        (tmp_path / name).write_bytes(data)
    shutil.copytree(given.tiles, tmp_path / "tiles")
    return Commands("postgresql://nobody@localhost:1/none", tmp_path)


INCLUSION = ["prove", "check", "event.tlog-proof", "--event", "entry", *TRUST]
CONSISTENCY = ["prove", "check", "growth", "--old-checkpoint", "old", *TRUST]
TILES = ["verify", "--tiles", "tiles", *TRUST]
STAMP = ["timestamp", "check", "token.tsr", "--checkpoint", "new", "--tsa-root", "root.pem"]


def first_byte_of_a_hash(data: bytes) -> bytes:
    lines = data.split(b"\n")
    lines[3] = another_root(lines[3].decode()).encode()
    return b"\n".join(lines)


@pytest.mark.parametrize(
    ("words", "file", "edit", "check"),
    [
        (TILES, "tiles/tile/0/001", lambda data: flipped(data, 0), "entries"),
        (TILES, "tiles/tile/1/000.p/2", lambda data: flipped(data, 0), "node"),
        (TILES, "tiles/tile/entries/002.p/88", lambda data: flipped(data, 40), "entries"),
        (TILES, "tiles/checkpoint", text_line(1, lambda line: line.replace("600", "599")), "signature"),
        (
            [*TILES, "--trusted-checkpoint", "old"],
            "old",
            text_line(1, lambda line: line.replace("300", "299")),
            "signature",
        ),
        (INCLUSION, "event.tlog-proof", first_byte_of_a_hash, "inclusion"),
        (INCLUSION, "event.tlog-proof", lambda data: data.replace(b"@v1", b"@v2"), "proof"),
        (INCLUSION, "event.tlog-proof", lambda data: data.replace(b"index 300", b"index 301"), "event"),
        (INCLUSION, "event.tlog-proof", value_byte(ED25519, 0), "signature"),
        (INCLUSION, "entry", lambda data: data.replace(b"Cross", b"cross"), "inclusion"),
        (CONSISTENCY, "growth", lambda data: data.replace(b"old 300", b"old 301"), "old_size"),
        (CONSISTENCY, "growth", first_byte_of_a_hash, "consistency"),
        (CONSISTENCY, "growth", lambda data: data.replace(b"old ", b"Old "), "proof"),
        (CONSISTENCY, "old", value_byte(ED25519, 0), "signature"),
        (STAMP, "token.tsr", lambda data: flipped(data, -1), "signature"),
        (STAMP, "token.tsr", lambda data: data[:-1], "timestamp"),
        (STAMP, "new", value_byte(ED25519, 0), "imprint"),
    ],
)
def test_the_command_exits_3_and_names_the_check(
    offline: Commands, words: list[str], file: str, edit: Change, check: str
) -> None:
    path = offline.folder / file
    if file == "event.tlog-proof" and check == "signature":
        proof = InclusionProof.parse(path.read_bytes())
        path.write_bytes(replace(proof, checkpoint=edit(proof.checkpoint)).encode())
    else:
        change(path, edit)
    run = offline.ledger(*words, "--json")
    assert run.exit_code == ExitCode.INTEGRITY_BROKEN, run
    assert check in named_checks(run), run


def named_checks(run: Run) -> set[str]:
    document = run.document
    if "failures" in document:
        return {failure["check"] for failure in document["failures"]}
    message = document["message"]
    return {word.strip("():,") for word in message.split()}


def test_untouched_the_commands_exit_0(offline: Commands) -> None:
    for words in (TILES, INCLUSION, CONSISTENCY, STAMP):
        run = offline.ledger(*words, "--json")
        assert (run.exit_code, run.document["ok"]) == (ExitCode.OK, True), run
