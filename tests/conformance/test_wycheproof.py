"""Ed25519 signatures of C2SP/wycheproof: malleable, truncated, of odd points, and good ones."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from ledger.checkpoint import verify_ed25519

if TYPE_CHECKING:
    from pathlib import Path


def test_every_signature_has_the_result_that_is_published(shared_vectors: Path) -> None:
    published = json.loads((shared_vectors / "ed25519" / "wycheproof_ed25519.json").read_bytes())
    disagreeing, results = [], Counter[str]()
    for group in published["testGroups"]:
        public_key = bytes.fromhex(group["publicKey"]["pk"])
        for vector in group["tests"]:
            message, signature = bytes.fromhex(vector["msg"]), bytes.fromhex(vector["sig"])
            results[vector["result"]] += 1
            if verify_ed25519(public_key, message, signature) != (vector["result"] == "valid"):
                disagreeing.append((vector["tcId"], vector["result"], vector["comment"], vector["flags"]))
    assert disagreeing == []
    assert results == {"valid": 88, "invalid": 63}
    assert results.total() == published["numberOfTests"]


@pytest.mark.parametrize("public_key", [b"", bytes(31), bytes(33)], ids=len)
def test_bytes_that_are_no_key_verify_nothing(public_key: bytes) -> None:
    assert not verify_ed25519(public_key, b"message", bytes(64))
