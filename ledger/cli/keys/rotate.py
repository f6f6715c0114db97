"""``ledger keys rotate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.cli.common import TIME, Session, ledger_command
from ledger.cli.keys.documents import key_documents, purpose_option
from ledger.cli.passphrase import Passphrase, passphrase_option

if TYPE_CHECKING:
    from datetime import datetime

    from ledger.outside.keyring import Purpose


@ledger_command("rotate")
@purpose_option
@click.option("--reason", required=True, help="Why; recorded with the retirement.")
@click.option(
    "--compromised-at",
    type=TIME,
    metavar="TIME",
    help="Since when somebody else may have held the old keys; they then sign no handover.",
)
@passphrase_option
@click.option(
    "--new-passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File with the passphrase of the new keys (default: that of the old ones).",
)
def rotate(
    session: Session,
    *,
    purpose: Purpose,
    reason: str,
    compromised_at: datetime | None,
    passphrase: Passphrase,
    new_passphrase_file: Path | None,
) -> None:
    """Put new keys in the place of the current ones; both are recorded in the ledger.

    The next checkpoint is signed by the old and the new keys, so that who trusts the old ones can
    learn the new ones. After a compromise the old ones do not sign it: publish the new keys anew, and
    tell who verifies since when the old ones count no more (--compromised-at).
    """
    from ledger.signing.keys import rotate_keys

    with session.ledger(writing=True) as ledger:
        done = rotate_keys(
            ledger,
            session.keyring(),
            session.checkpoints(),
            purpose,
            passphrase=passphrase,
            new_passphrase=Passphrase(new_passphrase_file) if new_passphrase_file else passphrase,
            reason=reason,
            compromised_at=compromised_at,
        )
    handover = done.handover
    lines = [
        *(f"retired     {key.purpose}  {key.verifier}" for key in done.retired),
        *(f"signs now   {key.purpose}  {key.verifier}" for key in done.registered),
    ]
    if handover is not None:
        signers = "the new keys alone" if compromised_at is not None else "the old and the new keys"
        lines += [
            f"The checkpoint of {handover.checkpoint.size} events is signed by {signers}: {handover.path}",
            "Next: ledger keys export-public, and give the new keys to everyone who has the old ones, "
            "witnesses too",
        ]
    session.emit(
        {
            "schema": "ledger.keys-rotate/1",
            "retired": key_documents(done.retired),
            "registered": key_documents(done.registered),
            "handover": None if handover is None else handover.note.encode().decode(),
        },
        "\n".join(lines),
    )
