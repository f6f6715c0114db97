"""The engine's record: every decision becomes a draft and moves the engine's own books at once.

The books are those of :mod:`replay.projection`, so the engine holds nothing that its drafts do not
say. Ids are UUIDv5 over origin, stream and a counter: the same commands give the same drafts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, UUID, uuid5

from ledger.errors import InvalidInputError
from ledger.events.envelope import Draft, Event, Source
from ledger.events.governance import LedgerOpened
from replay.projection import apply_exact, initial
from replay.state.venue_state import BEGINNING

if TYPE_CHECKING:
    from datetime import datetime

    from ledger.events.base import Payload
    from replay.state.venue_state import VenueState
    from replay.venue.commands import Command
    from replay.venue.configuration import VenueConfiguration

_NAMESPACE = uuid5(NAMESPACE_URL, "margin-ledger/venue/1")
_NO_HASH = bytes(32)


class Journal:
    """Drafts of the command that is being carried out, and the state after all drafts so far.

    Attributes:
        state: the venue's books; only :meth:`record` and :meth:`decide` change them.
        drafts: what the command led to so far.
        at: business time of the command.
        processed_at: when the engine acts on it.
        cause: the event that decisions are caused by unless they name another.
    """

    def __init__(self, configuration: VenueConfiguration) -> None:
        self._configuration = configuration
        self._namespace = uuid5(_NAMESPACE, f"{configuration.origin}\n{configuration.stream}")
        self._source = Source(system=configuration.source)
        self._counter = 0
        self.state: VenueState = initial()
        self.drafts: list[Draft] = []
        self.at = self.received_at = self.processed_at = BEGINNING
        self.cause: UUID | None = None
        opened = LedgerOpened(
            ledger=configuration.origin,
            format="margin-ledger/1",
            description="",
            valuation_currency=configuration.valuation_currency,
        )
        self._apply(opened, uuid5(self._namespace, "0"), BEGINNING)

    def copy(self) -> Journal:
        """Return an independent journal that goes on from here and holds no drafts."""
        journal = Journal(self._configuration)
        journal._counter = self._counter
        journal.state = self.state.copy()
        journal.at, journal.received_at, journal.processed_at = self.at, self.received_at, self.processed_at
        journal.cause = self.cause
        return journal

    def start(self, command: Command) -> None:
        """Begin a command.

        Raises:
            InvalidInputError: it would be processed before the command that came before it.
        """
        received_at = command.received_at or command.at
        processed_at = command.processed_at or received_at + self._configuration.processing_delay
        if processed_at < self.processed_at:
            raise InvalidInputError(
                f"a command processed at {processed_at} comes after one processed at {self.processed_at}",
                next_step="give commands in the order in which the engine processes them",
            )
        self.at, self.received_at, self.processed_at = command.at, received_at, processed_at
        self.drafts = []
        self.cause = None

    @property
    def moment(self) -> datetime:
        """The moment for which schedules and policy are chosen: the latest business time known."""
        return max(self.state.occurred_at, self.at)

    def record(self, data: Payload) -> UUID:
        """Record what the command itself says, and let it be the cause of what follows."""
        self.cause = self._write(data, self.at, None, None)
        return self.cause

    def decide(self, data: Payload, *, causation: UUID | None = None, correlation: str | None = None) -> UUID:
        """Record what the engine does about it, at the time it acts."""
        return self._write(data, self.processed_at, causation or self.cause, correlation)

    def _write(
        self, data: Payload, occurred_at: datetime, causation: UUID | None, correlation: str | None
    ) -> UUID:
        event_id = uuid5(self._namespace, str(self._counter))
        draft = Draft(
            data=data,
            occurred_at=occurred_at,
            id=event_id,
            received_at=self.received_at,
            processed_at=self.processed_at,
            causation=causation,
            correlation=correlation,
            source=self._source,
        )
        self.drafts.append(draft)
        self._apply(draft.data, event_id, occurred_at)
        return event_id

    def _apply(self, data: Payload, event_id: UUID, occurred_at: datetime) -> None:
        event = Event(
            sequence=self._counter,
            hash=_NO_HASH,
            canonical=b"",
            id=event_id,
            type=type(data).__name__,
            schema=data.schema_number,
            occurred_at=occurred_at,
            received_at=self.received_at,
            processed_at=self.processed_at,
            appended_at=self.processed_at,
            actor=None,
            causation=None,
            correlation=None,
            source=self._source,
            data=data,
            ledger=self._configuration.origin,
            nonce="",
            prev=_NO_HASH,
            writer="",
        )
        apply_exact(self.state, event)
        self._counter += 1
