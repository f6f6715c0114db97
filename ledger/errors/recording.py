"""Errors of recording and of the database below it: drafts, the chain, the store, what is made from it."""

from __future__ import annotations

from ledger.errors.base import (
    EnvironmentFaultError,
    ExitCode,
    IntegrityError,
    InvalidInputError,
    LedgerError,
)


class AmountError(InvalidInputError):
    """A number is not an exact decimal of at most 38 digits, 18 of them after the point."""


class CanonicalFormError(InvalidInputError):
    """Bytes or a value are outside the strict JSON profile (docs/spec/event-format.md)."""


class InvalidEventError(InvalidInputError):
    """A draft or a payload breaks the event catalogue (docs/reference/events.md)."""


class ConflictingEventError(LedgerError):
    """An event with this id is recorded already, with other content.

    Attributes:
        event_id: the id that both carry.
        sequence: where the recorded one stands, or None if both are in the same input.
        differing_fields: names of the event's fields that differ.
        place: where it was given, outermost first, if that is known.
    """

    exit_code = ExitCode.USAGE

    def __init__(
        self,
        event_id: str,
        sequence: int | None,
        differing_fields: tuple[str, ...],
        *,
        place: tuple[str, ...] = (),
    ) -> None:
        given = f"{', '.join(place)}: " if place else ""
        where = (
            f"is recorded already at sequence {sequence}"
            if sequence is not None
            else "stands in the same input"
        )
        super().__init__(
            f"{given}event {event_id} {where} with other content: "
            f"{', '.join(differing_fields)} differ; nothing was recorded from this batch",
            next_step=(
                f"ledger show {sequence}" if sequence is not None else "give each event an id of its own"
            )
            + "; a correction of a recorded fact is a CorrectionRecorded event with a new id",
        )
        self.event_id = event_id
        self.sequence = sequence
        self.differing_fields = differing_fields
        self.place = place


class AppendConditionFailedError(LedgerError):
    """Something touching the named subjects was recorded after the caller looked.

    Attributes:
        after_sequence: the last sequence the caller had seen.
        sequence: the first event that breaks the condition.
    """

    exit_code = ExitCode.NEGATIVE_VERDICT

    def __init__(self, after_sequence: int, sequence: int) -> None:
        super().__init__(
            f"the append condition does not hold: event {sequence} came after sequence {after_sequence}; "
            "nothing was recorded",
            next_step=f"read from sequence {after_sequence + 1}, decide again, append with a new condition",
        )
        self.after_sequence = after_sequence
        self.sequence = sequence


class ChainBrokenError(IntegrityError):
    """An event is not the one that the chain says stands here.

    Attributes:
        sequence: the event's place.
        expected_hash: 64 hex digits that the chain calls for.
        actual_hash: 64 hex digits that were found.
    """

    def __init__(self, sequence: int, expected_hash: str, actual_hash: str) -> None:
        super().__init__(
            f"the chain is broken at sequence {sequence}: expected hash {expected_hash}, found {actual_hash}",
            next_step="ledger verify",
        )
        self.sequence = sequence
        self.expected_hash = expected_hash
        self.actual_hash = actual_hash


class RecordUnreadableError(IntegrityError):
    """A stored record cannot be read as a canonical event.

    Attributes:
        sequence: the record's place.
        problem: what is wrong with its bytes.
    """

    def __init__(self, sequence: int, problem: str) -> None:
        super().__init__(
            f"the record at sequence {sequence} cannot be read: {problem}", next_step="ledger verify"
        )
        self.sequence = sequence
        self.problem = problem


class LedgerBehindError(IntegrityError):
    """The ledger is not what a checkpoint kept outside the database says: cut off, restored, or rewritten.

    Attributes:
        checkpoint_size: events that the checkpoint covers.
        size: events that are there.
    """

    def __init__(self, checkpoint_size: int, size: int, place: str) -> None:
        problem = (
            f"has {size} events, and a checkpoint of {checkpoint_size} was signed"
            if size < checkpoint_size
            else f"is not the one of which a checkpoint was signed at {checkpoint_size} events"
        )
        super().__init__(
            f"the ledger {problem} ({place}); nothing was recorded or signed",
            next_step=f"ledger verify --trusted-checkpoint {place}; after a restore that cannot be undone: "
            "ledger append FILE --accept-restore REASON (it is recorded as RestoreAccepted)",
        )
        self.checkpoint_size = checkpoint_size
        self.size = size


class ClockBehindError(EnvironmentFaultError):
    """The newest event was recorded further in the future of the database clock than is allowed.

    Attributes:
        ahead_seconds: how far the head's ``appended_at`` is ahead of the clock, as decimal text.
    """

    def __init__(self, ahead_seconds: str) -> None:
        super().__init__(
            f"the newest event's appended_at is {ahead_seconds} s ahead of the database clock "
            "(5 s are allowed); nothing was recorded",
            next_step="set the clock right, or say that this is known: "
            "ledger append FILE --accept-clock REASON (it is recorded as ClockSynchronised)",
        )
        self.ahead_seconds = ahead_seconds


class AppendNotPermittedError(EnvironmentFaultError):
    """The session's role may not append an event of this type.

    Attributes:
        event_type: the first such type of the batch.
        role: who tried.
        needed_kind: what sort of role it takes: writer, governance or auditor.
        needed_role: its name in this database, or None if the database names none.
        grant: the SQL that gives it to ``role``, or None.
    """

    def __init__(
        self, event_type: str, role: str, needed_kind: str, needed_role: str | None, grant: str | None
    ) -> None:
        super().__init__(
            f"the role {role} may not append {event_type}: that takes the {needed_kind} role of this ledger; "
            "nothing was recorded",
            next_step="ledger doctor"
            if grant is None
            else f"let a superuser or the roles' maker run {grant}",
        )
        self.event_type = event_type
        self.role = role
        self.needed_kind = needed_kind
        self.needed_role = needed_role
        self.grant = grant


class LedgerExistsError(LedgerError):
    """A ledger was opened in this database already; origin and valuation currency are permanent."""

    exit_code = ExitCode.USAGE


class LedgerNotInitialisedError(EnvironmentFaultError):
    """The database has tables but no ledger was opened in it."""


class DatabaseUnavailableError(EnvironmentFaultError):
    """The database cannot be reached or went away."""


class SchemaMismatchError(EnvironmentFaultError):
    """The database's tables are older or newer than this program.

    Attributes:
        found: the revision in the database, or None where there are no tables.
        wanted: the revision this program was written for.
    """

    def __init__(self, message: str, *, found: str | None, wanted: str, next_step: str) -> None:
        super().__init__(message, next_step=next_step)
        self.found = found
        self.wanted = wanted


class EmbeddedServerError(EnvironmentFaultError):
    """The embedded Postgres server could not be made, started, adopted or stopped."""


class SnapshotUnusableError(EnvironmentFaultError):
    """A saved state was made by another projection, or by another version of it.

    Attributes:
        found: name and version in the snapshot.
        wanted: name and version of this program.
    """

    def __init__(self, found: str, wanted: str) -> None:
        super().__init__(
            f"the snapshot is of {found}; this program makes {wanted}",
            next_step="replay rebuild, which folds from the first event",
        )
        self.found = found
        self.wanted = wanted


class ExportTableError(EnvironmentFaultError):
    """A table of an export could not be loaded, or failed while it was made; no bundle was written.

    Attributes:
        table: the table's name, or that of its entry point.
        problem: what is wrong with it.
    """

    def __init__(self, table: str, problem: str) -> None:
        super().__init__(
            f"the export table {table!r} {problem}; no bundle was written",
            next_step="mend or upgrade the package that makes this table, or export without it",
        )
        self.table = table
        self.problem = problem


class BundleWriteError(EnvironmentFaultError):
    """A bundle could not be written: disk, permissions, or something else took its place meanwhile."""
