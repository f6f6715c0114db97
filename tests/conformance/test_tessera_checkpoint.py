"""A checkpoint made by another implementation (Tessera's test data), with the entries under it."""

from __future__ import annotations

import pytest

from ledger.canonical import leaf_hash
from ledger.errors import EvidenceRefusedError
from ledger.merkle import root_hash
from ledger.note import Note, VerifierKey
from ledger.trust import TrustPolicy, trust_checkpoint

KEY = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
NOTE = """\
example.com/log/testdata
15
rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=

— example.com/log/testdata \
M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/dlPWF74ewI=
""".encode()
ENTRIES = [
    "one", "two", "three", "four", "five", "six", "seven", "eit",
    "nain", "ten", "ileven", "twelf", "threeten", "fourten", "fivten",
]  # fmt: skip


def test_it_opens_with_its_key_and_its_root_is_that_of_its_entries() -> None:
    trusted = trust_checkpoint(NOTE, TrustPolicy.of((VerifierKey.parse(KEY),)))
    assert (trusted.checkpoint.origin, trusted.checkpoint.size) == ("example.com/log/testdata", 15)
    assert trusted.checkpoint.root_hash == root_hash(leaf_hash(entry.encode()) for entry in ENTRIES)


def test_key_and_note_are_written_as_they_were_read() -> None:
    assert VerifierKey.parse(KEY).encode() == KEY
    assert Note.parse(NOTE).encode() == NOTE


@pytest.mark.parametrize(
    ("old", "new"), [(b"\n15\n", b"\n16\n"), (b"rKbD", b"rKbE"), (b" M9e0luh", b" M9e0luj")]
)
def test_with_a_changed_size_root_or_signature_it_does_not(old: bytes, new: bytes) -> None:
    with pytest.raises(EvidenceRefusedError, match=r"^signature: "):
        trust_checkpoint(NOTE.replace(old, new), TrustPolicy.of((VerifierKey.parse(KEY),)))
