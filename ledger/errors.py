"""Errors: one class per cause, each with its evidence, its exit code and the next step.

An error is something broken and is raised. What an audit concludes is a finding, which is
data and lives in ``replay.findings``. Messages say what, where and what next; code that
reacts to an error reads its fields and never its message.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

# Line breaks and terminal sequences.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _escaped(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode()


class ExitCode(IntEnum):
    """Exit codes of both commands (docs/reference/cli.md)."""

    OK = 0
    NEGATIVE_VERDICT = 1
    USAGE = 2
    INTEGRITY_BROKEN = 3
    ENVIRONMENT = 4
    NOT_FOUND = 5
    INTERRUPTED = 130


class LedgerError(Exception):
    """Base of every error that this project raises on purpose.

    Attributes:
        message: what is wrong and where, in one sentence.
        next_step: the command or change to try next, or None.
        exit_code: what a command exits with when this error ends it.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.ENVIRONMENT

    def __init__(self, message: str, *, next_step: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step


class InvalidInputError(LedgerError, ValueError):
    """Something that the caller gave is not acceptable.

    It is a ValueError too, so that a model's field validators may raise it.

    Attributes:
        place: where it was given, outermost first: ``("fills.ndjson", "line 7", "data.quantity")``.
        problem: what is wrong with it, without the place.
    """

    exit_code = ExitCode.USAGE

    def __init__(self, problem: str, *, place: tuple[str, ...] = (), next_step: str | None = None) -> None:
        place = tuple(_CONTROL.sub(_escaped, part) for part in place)  # a field's name may be anything
        where = ", ".join(place)
        super().__init__(f"{where}: {problem}" if where else problem, next_step=next_step)
        self.problem = problem
        self.place = place

    def within(self, *outer: str) -> InvalidInputError:
        """Return the same error with its place put inside ``outer`` (a file, a line)."""
        return type(self)(self.problem, place=(*outer, *self.place), next_step=self.next_step)


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


class IntegrityError(LedgerError):
    """A hash, link, proof or signature does not hold."""

    exit_code = ExitCode.INTEGRITY_BROKEN


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


class EvidenceRefusedError(IntegrityError):
    """A checkpoint, proof, tile or token does not stand up to what the verifier trusts.

    Attributes:
        check: name of the check that fails.
        expected: what should be there.
        actual: what is there.
        place: which file, if that is known.
    """

    def __init__(
        self,
        check: str,
        expected: str,
        actual: str,
        *,
        place: str | None = None,
        next_step: str | None = None,
    ) -> None:
        where = f"{place}: " if place else ""
        said = f"{where}{check}: expected {expected}, found {actual}"
        super().__init__(_CONTROL.sub(_escaped, said), next_step=next_step)  # evidence may hold anything
        self.check = check
        self.expected = expected
        self.actual = actual
        self.place = place


class WitnessStateError(IntegrityError):
    """What a witness keeps of a log cannot be relied on, so it must not cosign.

    Attributes:
        file: the file that is wrong.
        problem: what is wrong with it.
    """

    def __init__(self, file: str, problem: str) -> None:
        super().__init__(
            f"{file}: {problem}; this witness must not cosign",
            next_step="put back a copy that is not older than the last cosignature; without one, begin a "
            "new witness with a new name: ledger witness init",
        )
        self.file = file
        self.problem = problem


class WitnessRefusedError(LedgerError):
    """A witness did not cosign, for a reason that says nothing against the log's history.

    Attributes:
        url: where the witness was asked.
        status: of its HTTP response.
        reason: what it said.
    """

    exit_code = ExitCode.ENVIRONMENT

    def __init__(self, url: str, status: int, reason: str, *, next_step: str | None = None) -> None:
        super().__init__(f"the witness at {url} refused with status {status}: {reason}", next_step=next_step)
        self.url = url
        self.status = status
        self.reason = reason


class WitnessDisagreesError(WitnessRefusedError):
    """A witness has cosigned a history of the log that the checkpoint does not grow from."""

    exit_code = ExitCode.INTEGRITY_BROKEN


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


class TimestampInvalidError(IntegrityError):
    """A timestamp does not show that these bytes existed at its time.

    Attributes:
        reason: what does not hold, as a word: ``status``, ``imprint``, ``nonce``, ``algorithm``,
            ``signer`` (who signed is not told without doubt), ``signature``, ``purpose`` (the certificate is
            not one for timestamping), ``time`` or ``chain``.
        problem: the same in a sentence.
    """

    def __init__(self, reason: str, problem: str) -> None:
        super().__init__(
            f"the timestamp does not hold ({reason}): {problem}",
            next_step="openssl ts -verify -in REPLY -data FILE -CAfile ROOTS says what another program finds",
        )
        self.reason = reason
        self.problem = problem


class EnvironmentFaultError(LedgerError):
    """The surroundings do not allow the work: database, schema, disk, installation."""

    exit_code = ExitCode.ENVIRONMENT


class TimestampAuthorityError(EnvironmentFaultError):
    """A timestamp authority cannot be reached, or answers with something other than a timestamp."""


class TimestampNotGrantedError(TimestampAuthorityError):
    """A timestamp authority answered that it gives no timestamp (RFC 3161 §2.4.2).

    Attributes:
        status: its name, for example ``rejection``.
        failures: names of the failure bits that are set.
        texts: what the authority says, in its words; nothing signs them.
    """

    def __init__(self, status: str, failures: tuple[str, ...], texts: tuple[str, ...]) -> None:
        details = ", ".join((*failures, *map(repr, texts)))
        super().__init__(
            f"the timestamp authority did not grant the request: status {status}"
            + (f" ({details})" if details else ""),
            next_step="ask again, or ask another authority",
        )
        self.status = status
        self.failures = failures
        self.texts = texts


class WitnessesMissingError(EnvironmentFaultError):
    """Too few witnesses cosigned a checkpoint.

    Attributes:
        required: how many were asked for.
        cosigned: the names of those that did.
        problems: what kept the others.
    """

    def __init__(
        self, required: int, cosigned: tuple[str, ...], place: str, problems: Sequence[LedgerError]
    ) -> None:
        said = "".join(f"; {problem.message}" for problem in problems)
        super().__init__(
            f"{len(cosigned)} of {required} witnesses cosigned the checkpoint "
            f"({', '.join(cosigned) or 'none'}){said}; it is kept in {place}, and nothing was published",
            next_step="ledger checkpoint again, when they can be reached",
        )
        self.required = required
        self.cosigned = cosigned
        self.problems = tuple(problems)


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


class LedgerNotInitialisedError(EnvironmentFaultError):
    """The database has tables but no ledger was opened in it."""


class LedgerExistsError(LedgerError):
    """A ledger was opened in this database already; origin and valuation currency are permanent."""

    exit_code = ExitCode.USAGE


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


class KeyUnusableError(EnvironmentFaultError):
    """A file of a private key cannot be opened, or is not the key that it should be.

    Attributes:
        file: its path.
        problem: what is wrong with it; never the passphrase.
    """

    def __init__(self, file: str, problem: str) -> None:
        super().__init__(
            f"the key {file} cannot be used: {problem}",
            next_step="give its passphrase: --passphrase-file FILE, LEDGER_KEY_PASSPHRASE, or the prompt",
        )
        self.file = file
        self.problem = problem


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


class EmbeddedServerError(EnvironmentFaultError):
    """The embedded Postgres server could not be made, started, adopted or stopped."""


class NotFoundError(LedgerError):
    """What was asked for is not in the ledger."""

    exit_code = ExitCode.NOT_FOUND


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
