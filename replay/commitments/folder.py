"""The folder of a proof: what is published, and beside it the auditor's part, which is not.

Written beside its place and put there whole. The auditor's part streams, in and out; a customer's leaf is
looked up in it and read with its path, and nothing else of it is kept in memory.
"""

from __future__ import annotations

import mmap
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from ledger.errors import EvidenceRefusedError, InvalidInputError, NotFoundError
from ledger.note import Note
from ledger.outside.writing import check_free, new_folder, open_regular, read_small_file, sync_folder
from ledger.progress import SILENT
from ledger.proof import InclusionProof
from ledger.trust import read_checkpoint
from replay.commitments.page import PAGE_FILE, page
from replay.commitments.words import README_FILE, readme
from replay.solvency import (
    Inclusion,
    Leaf,
    Node,
    PlacedLeaf,
    ProofFormError,
    SolvencyProof,
    customer_claims,
)
from replay.solvency.proofs.form import is_identifier, whole
from replay.solvency.proofs.records import account_line, leaf_line, read_account_line, read_leaf_line
from replay.solvency.proofs.sum_tree import HASH_BYTES, SUM_BYTES, root_from_path, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ledger.progress import Progress
    from replay.commitments.recording import RecordedCommitment
    from replay.solvency import MadeTree
    from replay.solvency.proofs.liabilities import CustomerClaim
    from replay.state.venue_state import VenueState

PROOF_FILE = "proof.json"
COMMITMENT_FILE = "commitment.json"
INCLUSION_FILE = "commitment.tlog-proof"
PRIVATE_FOLDER = "private"
ACCOUNTS_FILE = "accounts.ndjson"
LEAVES_FILE = "leaves.ndjson"
NODES_FILE = "nodes.bin"
_OWN = {PROOF_FILE, COMMITMENT_FILE, INCLUSION_FILE, PAGE_FILE, README_FILE, PRIVATE_FOLDER}
_BUFFER_BYTES = 1 << 20
_LONGEST_LINE_BYTES = 1 << 20
_LONGEST_KEPT_BYTES = 128  # of a signature: Ed25519 has 64 and, with a time, 72; ML-DSA-44 has 2,420


def check_place(folder: Path, *, force: bool = False) -> None:
    """Refuse a place for a proof that is taken, with ``force`` by anything but an older proof.

    Raises:
        InvalidInputError: it is taken, or the folder above it is missing.
    """
    check_free(folder, replaces=PROOF_FILE if force else None)
    if folder.exists():
        others = sorted({each.name for each in folder.iterdir()} - _OWN)
        if others:
            raise InvalidInputError(
                f"{folder} holds more than a proof ({others[0]!r}), and is not replaced; nothing was written",
                next_step="move that elsewhere, or give another name",
            )


@contextmanager
def new_proof(folder: Path, *, force: bool = False) -> Iterator[Path]:
    """Give a folder to write a proof to, which is put in its place when the block ends, or vanishes.

    Raises:
        InvalidInputError: the place is taken, or with ``force`` by anything but an older proof.
        EnvironmentFaultError: the system refuses; the block has not begun where it cannot be written to.
    """
    check_place(folder, force=force)
    with new_folder(folder, replaces=PROOF_FILE if force else None) as beside:
        yield beside


def write_proof(
    beside: Path,
    state: VenueState,
    made: MadeTree,
    recorded: RecordedCommitment,
    *,
    progress: Progress = SILENT,
) -> None:
    """Write the files of a proof.

    Args:
        beside: the folder of :func:`new_proof`.
        state: that the tree was made of.
        made: the tree and all that it is bound to.
        recorded: its commitment in the log.
        progress: told one step a leaf.

    Raises:
        OSError: the system refuses; :func:`new_proof` says it in words.
    """
    proof = SolvencyProof(made.header, made.tree.root, recorded.attestations)
    for name, content in (
        (PROOF_FILE, proof.encode()),
        (COMMITMENT_FILE, recorded.entry + b"\n"),
        (INCLUSION_FILE, recorded.proof.encode()),
        (PAGE_FILE, page()),
        (README_FILE, readme(made.header, recorded).encode()),
    ):
        with _new_file(beside / name) as file:
            file.write(content)
    write_records(beside / PRIVATE_FOLDER, customer_claims(state), made, progress=progress)


def write_records(
    folder: Path, claims: Iterable[CustomerClaim], made: MadeTree, *, progress: Progress = SILENT
) -> None:
    """Write the auditor's part of a proof, for its owner alone to read."""
    folder.mkdir(mode=0o700)
    with _new_file(folder / ACCOUNTS_FILE, private=True) as file:
        for claim in claims:
            file.write(account_line(claim) + b"\n")
    progress.start(len(made.leaves), "writing leaves")
    with _new_file(folder / LEAVES_FILE, private=True) as file:
        for index, leaf in enumerate(made.leaves):
            file.write(leaf_line(index, leaf) + b"\n")
            progress.advance(1)
    progress.finish()
    with _new_file(folder / NODES_FILE, private=True) as file:
        for level in made.tree.levels():
            file.write(level)
    sync_folder(folder)


@dataclass(frozen=True, slots=True)
class ProofFolder:
    """The folder of a proof, read without believing it; the private part is its :class:`Records`."""

    folder: Path

    def proof(self) -> bytes:
        """Return ``proof.json``.

        Raises:
            InvalidInputError: it cannot be read.
        """
        return self._published(PROOF_FILE)

    def commitment(self) -> bytes:
        """Return the commitment's entry, as ``commitment.json`` holds it before its line end.

        Raises:
            InvalidInputError: it cannot be read.
            ProofFormError: it has no line end.
        """
        content = self._published(COMMITMENT_FILE)
        if not content.endswith(b"\n"):
            raise ProofFormError(f"{COMMITMENT_FILE} does not end with a line end")
        return content[:-1]

    def inclusion(self) -> bytes:
        """Return ``commitment.tlog-proof``.

        Raises:
            InvalidInputError: it cannot be read.
        """
        return self._published(INCLUSION_FILE)

    @property
    def has_records(self) -> bool:
        """Whether the auditor's part is there."""
        return (self.folder / PRIVATE_FOLDER).is_dir()

    def accounts(self) -> Iterator[bytes]:
        """Yield the lines of ``accounts.ndjson``."""
        return self._lines(ACCOUNTS_FILE)

    def leaves(self) -> Iterator[bytes]:
        """Yield the lines of ``leaves.ndjson``."""
        return self._lines(LEAVES_FILE)

    def nodes(self, start: int, width: int) -> Iterator[bytes]:
        """Yield nodes of ``nodes.bin``, from one on, each of so many bytes; the last may be shorter."""
        with self._opened(NODES_FILE) as file:
            if start * width >= os.fstat(file.fileno()).st_size:
                return  # no file system seeks as far as a header can say that nodes go
            file.seek(start * width)
            while block := file.read(width * max(1, _BUFFER_BYTES // width)):
                for place in range(0, len(block), width):
                    yield block[place : place + width]

    def inclusion_of(self, customer: str, *, all_signatures: bool = False) -> Inclusion:
        """Return what a customer is given.

        Args:
            customer: the name, or the name of an account that nobody else was opened for.
            all_signatures: keep every line of the checkpoint. Without it those of ML-DSA-44 are left out,
                which take 3 kB each; they stand in the published proof.

        Raises:
            NotFoundError: there is no such customer in this proof.
            InvalidInputError: a file is missing.
            EvidenceRefusedError: a file is not in its form.
        """
        proof = SolvencyProof.parse(self.proof())
        name = self._customer(customer)
        leaves = tuple(self._placed(proof, line) for line in self._lines_of(name, proof.header.parts))
        in_log = InclusionProof.parse(self.inclusion())
        if not all_signatures:
            in_log = InclusionProof(in_log.index, in_log.hashes, _short(in_log.checkpoint))
        return Inclusion(name, proof.header, leaves, self.commitment(), in_log.encode())

    def _published(self, name: str) -> bytes:
        try:
            return read_small_file(self.folder / name, regular=True)
        except InvalidInputError as error:
            error.next_step = error.next_step or "give the folder that replay solvency prove wrote"
            raise

    def _customer(self, name: str) -> str:
        """Return the customer of that name, else the customer of the account of that name."""
        if not is_identifier(name):
            raise NotFoundError(f"{name[:80]!r} cannot be the name of an account")
        if self._find(LEAVES_FILE, f'{{"customer":"{name}",') is not None:
            return name
        line = self._find(ACCOUNTS_FILE, f'{{"account":"{name}",')
        if line is None:
            raise NotFoundError(
                f"there is no account or customer {name} in the proof in {self.folder}",
                next_step="replay account NAME shows whether the ledger knows it; a proof is of one moment",
            )
        return read_account_line(line).customer

    def _lines_of(self, customer: str, parts: int) -> list[bytes]:
        lines: list[bytes] = []
        start = 0
        wanted = f'{{"customer":"{customer}",'.encode()
        with self._mapped(LEAVES_FILE) as content:
            while len(lines) < parts and (start := _find_line(content, wanted, start)) >= 0:
                lines.append(_line_at(content, start))
                start += len(lines[-1])
        if len(lines) != parts:
            raise EvidenceRefusedError(
                "leaves", f"{parts} leaves of {customer}", f"{len(lines)}", place=str(self.folder)
            )
        return sorted(lines, key=lambda line: read_leaf_line(line)[2])  # by part

    def _placed(self, proof: SolvencyProof, line: bytes) -> PlacedLeaf:
        header = proof.header
        index, customer, part, nonce = read_leaf_line(line)
        whole(index, "index", most=(1 << header.depth) - 1)
        width = HASH_BYTES + SUM_BYTES * len(header.assets)
        siblings, start, place, size = [], 0, index, 1 << header.depth
        with self._opened(NODES_FILE) as file:
            own = _read_node(file, index, width)
            while size > 1:
                siblings.append(_read_node(file, start + (place ^ 1), width))
                start, size, place = start + size, size // 2, place // 2
        packed = b"".join(amount.to_bytes(SUM_BYTES, "big") for amount in own.sums)
        leaf = Leaf(customer, part, nonce, packed)
        if leaf.hash != own.hash:
            raise EvidenceRefusedError(
                "leaves", f"the leaf of {customer} at place {index}", "another", place=str(self.folder)
            )
        if root_from_path(leaf.node, index, siblings) != proof.root:
            raise EvidenceRefusedError(
                "nodes", f"nodes that lead from leaf {index} to the root", "others", place=str(self.folder)
            )
        return PlacedLeaf(index, leaf, tuple(siblings))

    def _find(self, name: str, beginning: str) -> bytes | None:
        with self._mapped(name) as content:
            start = _find_line(content, beginning.encode(), 0)
            return None if start < 0 else _line_at(content, start)

    def _lines(self, name: str) -> Iterator[bytes]:
        with self._opened(name) as file:
            while line := file.readline(_LONGEST_LINE_BYTES):
                if not line.endswith(b"\n"):
                    raise EvidenceRefusedError("form", "lines with ends", "one without", place=name)
                yield line[:-1]

    @contextmanager
    def _mapped(self, name: str) -> Iterator[bytes | mmap.mmap]:
        """Give the content of a file that is searched and not read; of an empty one there is no map."""
        with self._opened(name) as file:
            if not os.fstat(file.fileno()).st_size:
                yield b""
                return
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                yield content

    @contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        path = self.folder / PRIVATE_FOLDER / name
        try:
            file = open_regular(path)
        except OSError as error:
            raise InvalidInputError(
                f"the file cannot be read: {error.strerror}",
                place=(str(path),),
                next_step="give the folder that replay solvency prove wrote, with its private part",
            ) from None
        with file:
            yield file


def _line_at(content: mmap.mmap | bytes, start: int) -> bytes:
    end = content.find(b"\n", start)
    if end < 0:
        raise EvidenceRefusedError("form", "lines with ends", "one without")
    return content[start:end]


def _find_line(content: mmap.mmap | bytes, beginning: bytes, start: int) -> int:
    if start == 0 and content[: len(beginning)] == beginning:
        return 0
    found = content.find(b"\n" + beginning, start)
    return found + 1 if found >= 0 else -1


def _read_node(file: IO[bytes], place: int, width: int) -> Node:
    file.seek(place * width)
    content = file.read(width)
    if len(content) != width:
        raise EvidenceRefusedError("nodes", f"node {place}", "the end of nodes.bin")
    return Node(content[:HASH_BYTES], unpack(content[HASH_BYTES:]))


def _short(checkpoint: bytes) -> bytes:
    """Return a signed checkpoint without its ML-DSA-44 lines, where another line is the log's own."""
    note, head = read_checkpoint(checkpoint)
    kept = tuple(line for line in note.signatures if len(line.value) <= _LONGEST_KEPT_BYTES)
    return Note(note.text, kept).encode() if any(line.name == head.origin for line in kept) else checkpoint


@contextmanager
def _new_file(path: Path, *, private: bool = False) -> Iterator[IO[bytes]]:
    """Give a new file that is on the disk when the block ends."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644)
    with os.fdopen(descriptor, "wb", buffering=_BUFFER_BYTES) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
