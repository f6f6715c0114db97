"""Witnesses in folders, with the same keys in every run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.clock import Clock, FixedClock
from ledger.outside.writing import write_file
from ledger.witness.folder import WitnessFolder
from ledger.witness.service import Witness
from tests.support.keys import AT, ORIGIN, log_key, quantum_key, witness_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "witness.example/one"
KEYS = (witness_key(NAME), quantum_key(NAME))
PUBLIC_KEYS = tuple(key.verifier for key in KEYS)
PASSPHRASE = "a passphrase for tests alone"


def make_folder(path: Path, *, origin: str = ORIGIN) -> WitnessFolder:
    """A witness's folder that watches a log; its private keys are KEYS and not in it."""
    (path / "keys").mkdir(parents=True)
    (path / "logs").mkdir()
    for key in PUBLIC_KEYS:
        write_file(path / "keys" / f"witness-{key.id.hex()}.vkey", f"{key.encode()}\n".encode())
    folder = WitnessFolder(path, NAME)
    folder.trust([log_key(origin).verifier])
    return folder


def make_witness(
    folder: WitnessFolder, *, clock: Clock | None = None, tell: Callable[[str], None] = lambda _: None
) -> Witness:
    """A witness at work on a folder."""
    return Witness(folder, KEYS, clock or FixedClock(AT), tell)
