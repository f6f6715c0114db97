"""The public proof of solvency: tree root, totals and attested reserves under a signed checkpoint.

What is checked here needs no ledger: that the commitment is in the log, that the tree's root is the one
committed, that reserves are what attestations in the same log add up to, and what follows for solvency
(docs/spec/solvency.md §7, §8.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.amounts import format_exact
from ledger.canonical import encode, leaf_hash
from ledger.chain import check_event, parse_entry
from ledger.errors import EvidenceRefusedError, InvalidInputError
from ledger.events.cash import ReserveAttested
from ledger.events.envelope import Draft
from ledger.events.governance import CorrectionRecorded
from ledger.merkle import verify_inclusion
from ledger.proof import check_inclusion
from replay.projection.cash import reserve_of
from replay.solvency.proofs.commitment import RESERVES, check_header, check_liabilities, read_commitment
from replay.solvency.proofs.errors import ProofFormError, SumOverflowError
from replay.solvency.proofs.form import (
    amounts_of,
    canonical_file,
    hexadecimal,
    listed,
    members,
    text,
    texts_of,
)
from replay.solvency.proofs.header import Header
from replay.solvency.proofs.sum_tree import Node
from replay.solvency.reserves import attestation, fresh_reserves
from replay.solvency.totals import is_solvent

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from ledger.canonical import JsonObject, JsonValue
    from ledger.checkpoint import Checkpoint
    from ledger.proof import InclusionVerdict
    from ledger.trust import TrustPolicy
    from replay.solvency.proofs.commitment import Commitment
    from replay.solvency.reserves import Attestation
    from replay.state.records import Reserve

PROOF_FORMAT = "margin-ledger/solvency/1"


@dataclass(frozen=True, slots=True)
class AttestedEntry:
    """An event that attests reserves, as it was recorded, with its path to the checkpoint's root."""

    entry: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SolvencyProof:
    """What ``proof.json`` holds.

    Attributes:
        header: what the tree is about.
        root: the tree's root.
        attestations: the latest of each holding, in the order in which they were recorded.
    """

    header: Header
    root: Node
    attestations: tuple[AttestedEntry, ...]

    def encode(self) -> bytes:
        """Return the file."""
        amounts = self.header.amounts(self.root.sums)
        value: JsonObject = {
            "attestations": [
                {"entry": each.entry.decode(), "path": [node.hex() for node in each.path]}
                for each in self.attestations
            ],
            "format": PROOF_FORMAT,
            "header": self.header.value(),
            "root": {
                "hash": self.root.hash.hex(),
                "sums": {asset: format_exact(amount) for asset, amount in amounts.items()},
            },
        }
        return encode(value) + b"\n"

    @classmethod
    def parse(cls, data: bytes) -> SolvencyProof:
        """Read a file without believing it.

        Raises:
            ProofFormError: it is not one in its one form.
        """
        keys = ("attestations", "format", "header", "root")
        given = members(canonical_file(data, "proof.json"), keys, "proof.json")
        if given["format"] != PROOF_FORMAT:
            raise ProofFormError(f"the format is not {PROOF_FORMAT}")
        header = Header.parse(given["header"])
        root = members(given["root"], ("hash", "sums"), "the root")
        sums = amounts_of(root["sums"], "the root's sums")
        if sums.keys() != {each.asset for each in header.assets}:
            raise ProofFormError("the root's sums are not of the header's assets")
        if any(amount < 0 for amount in sums.values()):
            raise ProofFormError("a sum of the root is negative")
        attestations = tuple(_attested(each) for each in listed(given["attestations"], "the attestations"))
        return cls(
            header, Node(hexadecimal(root["hash"], "the root's hash"), header.sums(sums)), attestations
        )


@dataclass(frozen=True, slots=True)
class CheckedProof:
    """What a checked proof shows.

    Attributes:
        proof: the file.
        commitment: what was committed.
        in_log: where the commitment stands, and the trusted checkpoint above it.
        attestations: what they say, at the state's time.
    """

    proof: SolvencyProof
    commitment: Commitment
    in_log: InclusionVerdict
    attestations: tuple[Attestation, ...]

    @property
    def liabilities(self) -> dict[str, Decimal]:
        """What is owed, by asset."""
        return self.proof.header.amounts(self.proof.root.sums)

    @property
    def reserves(self) -> dict[str, Decimal]:
        """What is attested, free and fresh, by asset."""
        return fresh_reserves(self.attestations)

    @property
    def solvent(self) -> bool | None:
        """Whether what is owed is covered; None where that is not known."""
        undetermined = frozenset(self.proof.header.undetermined)
        return is_solvent(self.liabilities, self.reserves, undetermined, attested=bool(self.attestations))


def check_proof(
    proof: bytes,
    entry: bytes,
    inclusion: bytes,
    policy: TrustPolicy,
    *,
    stamped_at: datetime | None = None,
) -> CheckedProof:
    """Tie proof, commitment, checkpoint and the trusted keys together.

    Args:
        proof: ``proof.json``.
        entry: the commitment's entry.
        inclusion: its inclusion proof.
        policy: whom the caller trusts.
        stamped_at: see :func:`ledger.trust.trust_checkpoint`.

    Raises:
        EvidenceRefusedError: names the check that fails: ``form``, those of
            :func:`ledger.proof.check_inclusion`, ``commitment``, ``header``, ``sum``, ``liabilities_root``,
            ``totals``, ``attestations`` or ``reserves``.
    """
    given = SolvencyProof.parse(proof)
    in_log = check_inclusion(inclusion, entry, policy, stamped_at=stamped_at)
    _, commitment = read_commitment(entry)
    check_header(given.header, commitment, policy.origin)
    try:
        check_liabilities(given.header, given.root, commitment)
    except SumOverflowError as error:
        raise EvidenceRefusedError("sum", "sums below 2^127", error.message) from None
    reserves = read_attestations(given, policy.origin, in_log.trusted.checkpoint)
    held = tuple(attestation(each, given.header.time, given.header.maximum_age_seconds) for each in reserves)
    found, totals = fresh_reserves(held), commitment.totals[RESERVES]
    if found != totals:
        raise EvidenceRefusedError("reserves", texts_of(totals), texts_of(found))
    return CheckedProof(given, commitment, in_log, held)


def read_attestations(proof: SolvencyProof, origin: str, checkpoint: Checkpoint) -> tuple[Reserve, ...]:
    """Return what is attested, after each entry was found under the checkpoint.

    Raises:
        EvidenceRefusedError: ``attestations``.
    """
    found: list[Reserve] = []
    for each in proof.attestations:
        reserve = read_attestation(each.entry, origin)
        if not verify_inclusion(
            leaf_hash(each.entry), reserve.sequence, checkpoint.size, each.path, checkpoint.root_hash
        ):
            raise EvidenceRefusedError(
                "attestations", f"an entry that is in the log at sequence {reserve.sequence}", "another one"
            )
        if reserve.sequence > proof.header.as_of_sequence or (
            found and reserve.sequence <= found[-1].sequence
        ):
            raise EvidenceRefusedError(
                "attestations", "ascending sequences, up to that of the state", f"sequence {reserve.sequence}"
            )
        found.append(reserve)
    holdings = {(each.asset, each.custodian, each.address or "") for each in found}
    if len(holdings) != len(found):
        raise EvidenceRefusedError("attestations", "one attestation of each holding", "several of one")
    return tuple(found)


def read_attestation(entry: bytes, origin: str) -> Reserve:
    """Return what an entry attests.

    Raises:
        EvidenceRefusedError: ``attestations``: it is no ``ReserveAttested`` of this ledger, and no correction
            that puts one in its place.
    """
    try:
        found = parse_entry(entry)
        check_event(found)
        data = Draft.from_json(found.event).data
        if isinstance(data, CorrectionRecorded) and data.replacement is not None:
            data = ReserveAttested.from_value(data.replacement)
    except InvalidInputError as error:
        raise EvidenceRefusedError("attestations", "an entry that attests reserves", error.message) from None
    except ValueError:
        raise EvidenceRefusedError(
            "attestations", "an attestation of reserves", "another correction"
        ) from None
    if not isinstance(data, ReserveAttested):
        raise EvidenceRefusedError("attestations", "an attestation of reserves", f"a {type(data).__name__}")
    if found.link.ledger != origin:
        raise EvidenceRefusedError("attestations", f"an event of {origin}", f"one of {found.link.ledger}")
    return reserve_of(data, found.link.sequence)


def _attested(value: JsonValue) -> AttestedEntry:
    given = members(value, ("entry", "path"), "an attestation")
    path = tuple(hexadecimal(each, "a hash of a path") for each in listed(given["path"], "a path"))
    return AttestedEntry(text(given["entry"], "an entry").encode(), path)
