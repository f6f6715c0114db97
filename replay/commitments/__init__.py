"""Commitments of a real ledger: recorded and signed, written to a folder, and recomputed from events."""

from replay.commitments.folder import ProofFolder, new_proof, write_proof
from replay.commitments.proving import Proved, Signing, make_seed, prove, read_seed
from replay.commitments.recording import RecordedCommitment, record_commitment
from replay.commitments.replaying import Replayed, go_on, last_sequence_at, replay_ledger
from replay.commitments.verification import ProofReport, verify_proof

__all__ = [
    "ProofFolder",
    "ProofReport",
    "Proved",
    "RecordedCommitment",
    "Replayed",
    "Signing",
    "go_on",
    "last_sequence_at",
    "make_seed",
    "new_proof",
    "prove",
    "read_seed",
    "record_commitment",
    "replay_ledger",
    "verify_proof",
    "write_proof",
]
