"""Signed notes and keys as C2SP signed-note has them, in their one form."""

from __future__ import annotations

import base64

import pytest

from ledger.note import (
    LARGEST_NOTE_BYTES,
    MOST_SIGNATURES,
    Note,
    NoteFormError,
    Signature,
    SignatureType,
    VerifierKey,
    check_key_name,
    decode_base64,
)
from tests.support.keys import ORIGIN, log_key, quantum_key, witness_key


def test_a_name_with_half_a_character_is_refused() -> None:
    # Command lines hold such halves where their bytes are not UTF-8.
    with pytest.raises(NoteFormError, match="cannot be a key's name"):
        VerifierKey.parse("\udcff" + log_key().verifier.encode())
