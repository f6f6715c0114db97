"""``ledger keys generate``."""

from __future__ import annotations

from ledger.cli.common import Session, ledger_command
from ledger.cli.keys.documents import SCHEMA, key_documents, key_lines, purpose_option
from ledger.cli.passphrase import Passphrase, passphrase_option
from ledger.outside.keyring import Purpose

_NEXT = {Purpose.CHECKPOINT: "ledger checkpoint", Purpose.BUNDLE: "ledger export DIR --sign"}


@ledger_command("generate")
@purpose_option
@passphrase_option
def generate(session: Session, *, purpose: Purpose, passphrase: Passphrase) -> None:
    """Make keys below the home folder, encrypted, and record their public part in the ledger.

    For checkpoints an Ed25519 key and an ML-DSA-44 key are made. Keep the home folder away from the
    database, and a copy of it.
    """
    from ledger.signing.keys import generate_keys

    with session.ledger(writing=True) as ledger:
        keys = generate_keys(ledger, session.keyring(), purpose, passphrase.for_new_key())
    session.emit(
        {"schema": SCHEMA, "keys": key_documents(keys)},
        "\n".join(
            [
                *key_lines(keys),
                f"Private keys are in {session.keyring().folder}.",
                f"Next: {_NEXT[purpose]}",
            ]
        ),
    )
