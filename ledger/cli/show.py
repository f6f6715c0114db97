"""``ledger show``."""

from __future__ import annotations

import json
import sys
from uuid import UUID

import click

from ledger.cli.common import Session, ledger_command, whole_number
from ledger.cli.log import event_document
from ledger.errors import InvalidInputError


@ledger_command("show")
@click.argument("event", metavar="SEQUENCE|ID")
@click.option("--canonical", is_flag=True, help="Print the stored bytes as they are, without a line end.")
def show(session: Session, *, event: str, canonical: bool) -> None:
    """Show one event in full: what its source said, and how the ledger linked it."""
    with session.ledger() as ledger:
        sequence = whole_number(event)
        if sequence is not None:
            found = ledger.event(sequence)
        else:
            try:
                event_id = UUID(event)
            except ValueError:
                raise InvalidInputError(
                    f"{event[:40]!r} is neither a sequence nor an event's id", next_step="ledger show 0"
                ) from None
            found = ledger.event_by_id(event_id)
    if canonical:
        sys.stdout.buffer.write(found.canonical)
        return
    document = event_document(found)
    words = (
        f"sequence {found.sequence}   {found.type}\n"
        f"hash     {found.hash.hex()}\n"
        f"prev     {found.prev.hex()}\n"
        f"{json.dumps({'event': document['event'], 'link': document['link']}, ensure_ascii=False, indent=2)}"
    )
    session.emit(document, words)
