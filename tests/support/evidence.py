"""Everything that a log gives to outsiders, made from its entries: what the tests then change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.canonical import leaf_hash
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.merkle import consistency_proof, inclusion_proof, root_hash
from ledger.note import Note
from ledger.outside.tiles import TileFolder
from ledger.proof import ConsistencyProof, InclusionProof
from ledger.tiles import Tile, encode_entries, root_of, tiles_of
from ledger.timestamp import make_request
from ledger.trust import TrustPolicy, stamped_bytes
from tests.support.keys import AT, ORIGIN, log_key, quantum_key, witness_key
from tests.support.timestamp_authority import Authority, Pair, make_pair, make_root

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cryptography.x509 import Certificate

    from ledger.checkpoint import SigningKey

LOG_KEYS = (log_key(), quantum_key())
WITNESS = witness_key()
POLICY = TrustPolicy.of(
    tuple(key.verifier for key in LOG_KEYS), witness_keys=(WITNESS.verifier,), required_witnesses=1
)


@dataclass(frozen=True)
class Stamping:
    """A timestamp authority of the test's own, and its root."""

    authority: Authority
    root: Pair

    @classmethod
    def make(cls, folder: Path) -> Stamping:
        """Make both in a folder."""
        root = make_root(folder)
        return cls(Authority(folder, make_pair(folder, "signer", issuer=root)), root)

    @property
    def roots(self) -> list[Certificate]:
        """What a verifier trusts."""
        return [self.root.certificate]

    def token(self, note: bytes) -> bytes:
        """Stamp a signed checkpoint."""
        parsed = Note.parse(note)
        message = stamped_bytes(parsed, Checkpoint.parse(parsed.text))
        return self.authority.reply(make_request(message))


@dataclass(frozen=True)
class Evidence:
    """A log's entries and what is given away of them.

    Attributes:
        lines: the canonical entries.
        old_note: a signed checkpoint of a smaller tree.
        note: the signed and witnessed checkpoint of all.
        index: the entry that the inclusion proof is of.
        inclusion: a ``.tlog-proof`` file.
        consistency: a file that leads from the old tree to the whole one.
    """

    lines: tuple[bytes, ...]
    old_note: bytes
    note: bytes
    index: int
    inclusion: bytes
    consistency: bytes

    @property
    def entry(self) -> bytes:
        """The entry that the inclusion proof is of."""
        return self.lines[self.index]


def give_away(
    lines: Sequence[bytes],
    *,
    old_size: int,
    index: int,
    extra: bytes | None = None,
    more: tuple[SigningKey, ...] = (),
    origin: str = ORIGIN,
) -> Evidence:
    """Make all of it; ``more`` keys sign that nobody trusts."""
    leaves = [leaf_hash(line) for line in lines]
    keys = LOG_KEYS if origin == ORIGIN else (log_key(origin), quantum_key(origin))

    def subtree(level: int, place: int) -> bytes:
        return root_of(leaves[place << level : (place + 1) << level])

    def note_of(size: int) -> bytes:
        checkpoint = Checkpoint(origin, size, root_hash(leaves[:size]))
        return sign_checkpoint(checkpoint, (*keys, WITNESS, *more), AT).encode()

    note, size = note_of(len(lines)), len(lines)
    proof = InclusionProof(index, tuple(inclusion_proof(index, size, subtree)), note, extra)
    growth = ConsistencyProof(old_size, tuple(consistency_proof(old_size, size, subtree)), note)
    return Evidence(tuple(lines), note_of(old_size), note, index, proof.encode(), growth.encode())


def write_tiles(folder: Path, evidence: Evidence, *, entries: bool) -> Path:
    """Write the folder that ``ledger checkpoint --tiles`` would write, without a database."""
    target, size = TileFolder(folder), len(evidence.lines)
    levels = [[leaf_hash(line) for line in evidence.lines]]
    while len(levels[-1]) >= 256:
        below = levels[-1]
        levels.append([root_of(below[at : at + 256]) for at in range(0, len(below) // 256 * 256, 256)])
    for tile in tiles_of(size):
        target.write(tile, b"".join(levels[tile.level][tile.first : tile.first + tile.width]))
        if entries and tile.level == 0:
            bundle = evidence.lines[tile.first : tile.first + tile.width]
            target.write(Tile(0, tile.index, tile.width, entries=True), encode_entries(bundle))
    target.publish(evidence.note)
    return folder
