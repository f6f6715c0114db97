"""``ledger log``."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from ledger.cli.common import TIME, Session, end_if_interrupted, ledger_command
from ledger.clock import format_time
from ledger.errors import InvalidInputError
from ledger.events.registry import PAYLOADS
from ledger.store.read import EventQuery

if TYPE_CHECKING:
    from ledger.events.envelope import Event

FOLLOW_INTERVAL_SECONDS = 0.5


@ledger_command("log")
@click.option("--account", metavar="A", help="Only events that touch this account.")
@click.option("--instrument", metavar="I", help="Only events that touch this instrument.")
@click.option(
    "--subject",
    multiple=True,
    metavar="KIND/NAME",
    help="Only events that touch this subject; may be repeated.",
)
@click.option(
    "--type", "types", multiple=True, metavar="T", help="Only events of this type; may be repeated."
)
@click.option(
    "--from",
    "occurred_from",
    type=TIME,
    metavar="TIME",
    help="Only events that occurred at this time or later.",
)
@click.option(
    "--to",
    "occurred_to",
    type=TIME,
    metavar="TIME",
    help="Only events that occurred at this time or earlier.",
)
@click.option(
    "--after",
    "after_sequence",
    type=click.IntRange(min=-1),
    metavar="N",
    help="Only events after sequence N.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N events.")
@click.option("--newest", is_flag=True, help="Newest first.")
@click.option("--follow", is_flag=True, help="Go on with new events as they are recorded, until interrupted.")
def log(
    session: Session,
    *,
    account: str | None,
    instrument: str | None,
    subject: tuple[str, ...],
    types: tuple[str, ...],
    occurred_from: datetime | None,
    occurred_to: datetime | None,
    after_sequence: int | None,
    limit: int | None,
    newest: bool,
    follow: bool,
) -> None:
    """List events, one a line, in sequence order."""
    for name in types:
        if name not in PAYLOADS:
            raise InvalidInputError(
                f"there is no event type {name!r}", place=("--type",), next_step="docs/reference/events.md"
            )
    if follow and newest:
        raise InvalidInputError("--follow and --newest do not go together", next_step="leave out --newest")
    subjects = [*subject]
    subjects += [f"account/{account}"] if account else []
    subjects += [f"instrument/{instrument}"] if instrument else []
    first = 0 if after_sequence is None else after_sequence + 1
    left = limit
    with session.ledger() as ledger:
        while True:
            query = EventQuery(first, None, tuple(subjects), types, occurred_from, occurred_to, newest, left)
            for event in ledger.events(query):
                session.emit_line(event_document(event), event_line(event))
                first = event.sequence + 1
                left = None if left is None else left - 1
            if not follow or left == 0:
                return
            sys.stdout.flush()
            end_if_interrupted()
            time.sleep(FOLLOW_INTERVAL_SECONDS)


def event_line(event: Event) -> str:
    """Return an event as one line for a person."""
    value = event.data.json_value()
    # In the catalogue's order, which puts first what a reader looks for.
    names = [field.alias or name for name, field in type(event.data).model_fields.items()]
    data = {name: value[name] for name in names if name in value}
    shown = "  ".join(f"{key}={value}" for key, value in data.items() if isinstance(value, str | bool))
    more = "  ".join(f"{key}[{len(value)}]" for key, value in data.items() if isinstance(value, list | dict))
    start = f"{event.sequence:>8}  {format_time(event.occurred_at)}  {event.type:<24}"
    return "  ".join(filter(None, (start, shown, more)))


def event_document(event: Event) -> dict[str, Any]:
    """Return an event as the JSON document ``ledger.event/1``: the entry itself, and its hash."""
    from ledger.canonical import decode

    entry = decode(event.canonical)
    assert isinstance(entry, dict)  # noqa: S101 (it was decoded before)
    return {"schema": "ledger.event/1", "sequence": event.sequence, "hash": event.hash.hex(), **entry}
