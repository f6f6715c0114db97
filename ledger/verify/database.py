"""Verifying a ledger in its database, in constant memory: hashes, links, columns, index, head, root."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, Table, Text, cast, func, select

from ledger.chain import ChainVerifier, Entry, Failure
from ledger.errors import LedgerError, LedgerNotInitialisedError
from ledger.events.envelope import subjects_of
from ledger.growth import GivenCheckpoint, GrowthChecker
from ledger.progress import SILENT, Progress
from ledger.report import printable
from ledger.store.database import make_engine, reading, stream
from ledger.store.migrate import check_revision
from ledger.store.schema import event_subjects, events, ledger_head
from ledger.verify.nodes import NodeReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledger.outside.checkpoints import CheckpointFolder
    from ledger.store.ledger import Ledger

MOST_FAILURES_KEPT = 100
_DERIVED = ("id", "type", "occurred_at", "appended_at", "writer")

NO_CHECKPOINT = (
    "signatures and trusted checkpoints: none was given, so a cut tail, a restored backup or a whole rewrite "
    "would not show; only a checkpoint kept elsewhere shows them"
)
ONLY_KEPT = (
    "checkpoints that others hold: none was given, only the ledger's own was compared; who can change the "
    "home folder as well as the database could cut off or rewrite unnoticed"
)
ALWAYS_UNCHECKED = (
    "whether the events are true and none is missing: that is reconciliation with their sources",
    "whether the database's guards are in force (ledger doctor)",
)
"""What hashes alone cannot tell."""


@dataclass(slots=True)
class VerifyReport:
    """The verdict on a whole ledger.

    Attributes:
        events: entries read.
        head_sequence: the last entry's place, −1 for none.
        head_hash: its hash.
        root_hash: RFC 9162 root over all hashes.
        checks: name of each check and whether it held everywhere.
        not_checked: what this verdict does not say.
        failures: the first hundred things that do not hold, by sequence.
        failure_count: how many there are.
    """

    origin: str
    events: int = 0
    head_sequence: int = -1
    head_hash: bytes = b""
    root_hash: bytes = b""
    checks: dict[str, bool] = field(default_factory=dict)
    not_checked: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    failure_count: int = 0

    @property
    def ok(self) -> bool:
        """Whether everything that was checked holds."""
        return self.failure_count == 0

    def document(self) -> dict[str, Any]:
        """Return the verdict as the JSON document ``ledger.verify/1``."""
        return {
            "schema": "ledger.verify/1",
            "ok": self.ok,
            "origin": self.origin,
            "events": self.events,
            "head": {"sequence": self.head_sequence, "hash": self.head_hash.hex()},
            "root_hash": base64.b64encode(self.root_hash).decode(),
            "checks": self.checks,
            "not_checked": self.not_checked,
            "failures": [
                {"sequence": f.sequence, "check": f.check, "expected": f.expected, "actual": f.actual}
                for f in self.failures
            ],
            "failure_count": self.failure_count,
        }

    def add(self, failures: list[Failure]) -> None:
        """Take note of failures; beyond a hundred they are only counted."""
        self.failure_count += len(failures)
        for failure in failures:
            self.checks[failure.check] = False
            if len(self.failures) < MOST_FAILURES_KEPT:
                # What was found may be anything that somebody put there, of any length.
                expected, actual = printable(failure.expected), printable(failure.actual)
                self.failures.append(Failure(failure.sequence, failure.check, expected, actual))


def verify_ledger(
    ledger: Ledger, progress: Progress = SILENT, *, checkpoints: Sequence[GivenCheckpoint] = ()
) -> VerifyReport:
    """Check every event of an open ledger; see :func:`verify_database`."""
    with ledger.reading() as connection:
        return verify_connection(connection, progress, checkpoints=checkpoints)


def verify_database(
    database_url: str,
    progress: Progress = SILENT,
    *,
    checkpoints: Sequence[GivenCheckpoint] = (),
    kept: CheckpointFolder | None = None,
) -> VerifyReport:
    """Check every event of the ledger in a database and everything the database derives from it.

    Beyond the checks of :class:`~ledger.chain.ChainVerifier`: ``hash`` (the stored hash is that of
    the bytes), ``columns`` (id, type, times, writer), ``subjects`` (the index), ``tree`` (the nodes),
    ``head`` (the head row), and for each given checkpoint ``trusted_checkpoint``: the ledger's first
    events have its root, so nothing of them was changed or cut off since it was signed.
    All reads see the same moment. The ledger need not be in a state in which it could be opened.

    Args:
        database_url: of a Postgres.
        progress: told one step an event.
        checkpoints: checkpoints that were kept elsewhere, their signatures checked by the caller.
        kept: the ledger's own, of which the newest is compared too, as ``kept_checkpoint``.

    Raises:
        DatabaseUnavailableError: the database cannot be reached.
        SchemaMismatchError: its tables are missing, older or newer than this program.
        LedgerNotInitialisedError: there are tables, but no ledger was opened.
    """
    engine = make_engine(database_url)
    with reading(engine) as connection:
        check_revision(connection)
        return verify_connection(connection, progress, checkpoints=checkpoints, kept=kept)


def verify_connection(
    connection: Connection,
    progress: Progress = SILENT,
    *,
    checkpoints: Sequence[GivenCheckpoint] = (),
    kept: CheckpointFolder | None = None,
) -> VerifyReport:
    """Check what a connection sees, which should be one moment; see :func:`verify_database`."""
    heads = connection.execute(
        select(
            ledger_head.c.origin,
            func.coalesce(ledger_head.c.sequence, -1).label("sequence"),
            func.coalesce(ledger_head.c.hash, b"").label("hash"),
            _as_text("appended_at", ledger_head),
            _as_text("accepted_ahead_until", ledger_head),
            ledger_head.c.accepted_ahead_until.is_(None).label("accepts_none"),
            func.coalesce(ledger_head.c.singleton, False).label("singleton"),
        ).limit(2)
    ).all()
    head = heads[0] if heads else None
    total = connection.execute(select(func.count()).select_from(events)).scalar_one()
    if head is None and total == 0:
        raise LedgerNotInitialisedError(
            "there are tables in this database, but no ledger", next_step="ledger init --origin NAME"
        )
    chain = ChainVerifier()
    report = VerifyReport(head.origin if head is not None else "")
    report.checks = dict.fromkeys(
        (*ChainVerifier.CHECKS, "hash", "columns", "subjects", "tree", "head"), True
    )
    if checkpoints:
        report.checks["trusted_checkpoint"] = True
    progress.start(total, "verifying")
    subjects, nodes = _SubjectReader(connection), NodeReader(connection)
    growth = GrowthChecker(checkpoints)
    own = GrowthChecker(_newest_kept(report, kept), "kept_checkpoint")
    acceptance = _AcceptedLead(None if head is None or head.accepts_none else head.accepted_ahead_until)
    last_sequence, last_appended_at = -1, None
    for row in _rows(connection):
        failures, entry, _ = chain.take(row.sequence, row.canonical)
        report.add(failures + _check_row(row, entry, chain.head) + subjects.check(row.sequence, entry))
        report.add(nodes.check(chain.head) + growth.check(chain.tree, chain.origin))
        report.add(own.check(chain.tree, chain.origin))
        acceptance.take(entry, last_appended_at)
        last_sequence, last_appended_at = row.sequence, row.appended_at
        progress.advance(1)
    report.add(subjects.finish() + nodes.finish() + growth.finish(chain.events))
    report.add(own.finish(chain.events))
    report.add(chain.finish(head.hash if head is not None and head.sequence == last_sequence else None))
    if len(heads) > 1:
        report.add([Failure(None, "head", "one head row", "more than one")])
    report.add(_check_head(head, chain, last_sequence, last_appended_at) + acceptance.finish())
    progress.finish()
    report.origin = printable(chain.origin or report.origin)
    report.events, report.head_sequence, report.head_hash = chain.events, last_sequence, chain.head
    report.root_hash = chain.tree.root()
    # An event stands before the node that it is under.
    report.failures.sort(
        key=lambda each: (-1 if each.sequence is None else each.sequence, each.check == "tree")
    )
    report.not_checked = [
        *([] if checkpoints else [ONLY_KEPT if "kept_checkpoint" in report.checks else NO_CHECKPOINT]),
        *(f"signatures of {given.name}: no trusted key was given"
          for given in checkpoints if not given.signature_checked),
        *ALWAYS_UNCHECKED,
        *(f"the payload of {count} events of type {name}, which this program does not know"
          for name, count in sorted(chain.unknown_types.items())),
    ]  # fmt: skip
    return report


def _newest_kept(report: VerifyReport, kept: CheckpointFolder | None) -> list[GivenCheckpoint]:
    """Return the newest checkpoint that the ledger's own home keeps; what is wrong with it is a failure."""
    if kept is None:
        return []
    try:
        size = kept.newest(report.origin)
        if size is None:
            return []
        report.checks["kept_checkpoint"] = True
        _, checkpoint = kept.read(report.origin, size)
    except LedgerError as error:
        report.add([Failure(None, "kept_checkpoint", "a checkpoint that can be read", error.message)])
        return []
    return [GivenCheckpoint(str(kept.path(report.origin, size)), checkpoint, signature_checked=False)]


def _as_text(name: str, table: Table) -> Any:
    """A time as text, made by the server: Postgres holds times that Python cannot, such as infinity."""
    in_utc = func.timezone("UTC", table.c[name])
    return func.coalesce(func.to_char(in_utc, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z" AD'), "no time").label(name)


class _Row(NamedTuple):
    sequence: int
    id: str | None
    type: str | None
    occurred_at: str
    appended_at: str
    writer: str | None
    canonical: bytes
    hash: bytes


def _rows(connection: Connection) -> Iterator[_Row]:
    # NULL where a column's constraint was taken away reads as empty, so that it is told and not tripped over.
    query = select(
        func.coalesce(events.c.sequence, -1),
        cast(events.c.id, Text),
        events.c.type,
        _as_text("occurred_at", events),
        _as_text("appended_at", events),
        events.c.writer,
        func.coalesce(events.c.canonical, b""),
        func.coalesce(events.c.hash, b""),
    ).order_by(events.c.sequence)
    return map(_Row._make, stream(connection, query))


def _check_row(row: _Row, entry: Entry | None, actual_hash: bytes) -> list[Failure]:
    """Compare what the database stores beside the bytes with what the bytes say."""
    failures = []
    if actual_hash != row.hash:
        failures.append(Failure(row.sequence, "hash", actual_hash.hex(), row.hash.hex()))
    if entry is None:
        return failures
    occurred_at, appended_at = row.occurred_at.removesuffix(" AD"), row.appended_at.removesuffix(" AD")
    stored = (row.id, row.type, occurred_at, appended_at, row.writer)
    event, link = entry.event, entry.link
    said = (event.get("id"), event.get("type"), event.get("occurred_at"), link.appended_at, link.writer)
    if stored != said:
        failures += [
            Failure(row.sequence, "columns", f"{name} {wanted}", f"{name} {found}")
            for name, found, wanted in zip(_DERIVED, stored, said, strict=True)
            if found != wanted
        ]
    return failures


def _check_head(
    head: Any, chain: ChainVerifier, last_sequence: int, last_appended_at: str | None
) -> list[Failure]:
    """Compare the head row with the last event; events beyond one of the two are named by their first."""
    if head is None:
        return [Failure(None, "head", f"sequence {last_sequence}, hash {chain.head.hex()}", "no head row")]
    failures = []
    if head.sequence != last_sequence:
        first = min(head.sequence, last_sequence) + 1
        expected = f"events through sequence {head.sequence}, as the head row says"
        failures.append(Failure(first, "head", expected, f"events through sequence {last_sequence}"))
    elif head.hash != chain.head:
        failures.append(Failure(last_sequence, "head", f"hash {chain.head.hex()}", f"hash {head.hash.hex()}"))
    elif head.appended_at != last_appended_at:
        expected = f"appended_at {last_appended_at}"
        failures.append(Failure(last_sequence, "head", expected, f"appended_at {head.appended_at}"))
    if chain.origin is not None and head.origin != chain.origin:
        failures.append(Failure(None, "head", f"origin {chain.origin}", f"origin {head.origin}"))
    if not head.singleton:
        failures.append(Failure(None, "head", "singleton true", "singleton false"))
    return failures


class _AcceptedLead:
    """Until when appends go on although the head is ahead of the clock: only a recorded event says so.

    It is the time of the event before some ``ClockSynchronised``. Where none is stored nothing is
    accepted, which needs no event.
    """

    def __init__(self, stored: str | None) -> None:
        self._stored = stored
        self._recorded = stored is None

    def take(self, entry: Entry | None, appended_at_before: str | None) -> None:
        """Take the next event, and the time of the one before it."""
        if entry is not None and entry.event.get("type") == "ClockSynchronised":
            self._recorded = self._recorded or appended_at_before == self._stored

    def finish(self) -> list[Failure]:
        """Return a failure where no event recorded what is stored."""
        if self._recorded:
            return []
        expected = "the time of an event before a ClockSynchronised, or none"
        return [Failure(None, "head", expected, f"accepted_ahead_until {self._stored}")]


class _SubjectReader:
    """Walks the subject index in step with the events; the server sorts it, we hold one event's share."""

    def __init__(self, connection: Connection) -> None:
        sequence = func.coalesce(event_subjects.c.sequence, -1)
        subjects = func.array_agg(func.coalesce(event_subjects.c.subject, ""))
        self._shares = stream(connection, select(sequence, subjects).group_by(sequence).order_by(sequence))
        self._next = next(self._shares, None)

    def check(self, sequence: int, entry: Entry | None) -> list[Failure]:
        """Compare an event's share of the index with what its bytes say."""
        failures: list[Failure] = []
        while self._next is not None and self._next[0] < sequence:
            failures.append(self._orphans(self._next))
        indexed: list[str] = []
        if self._next is not None and self._next[0] == sequence:
            indexed = sorted(self._next[1])
            self._next = next(self._shares, None)
        expected = sorted(subjects_of(entry.event.get("data"))) if entry is not None else indexed
        if indexed != expected:
            failures.append(Failure(sequence, "subjects", ", ".join(expected), ", ".join(indexed)))
        return failures

    def finish(self) -> list[Failure]:
        """Return what the index holds beyond the last event."""
        failures: list[Failure] = []
        while self._next is not None:
            failures.append(self._orphans(self._next))
        return failures

    def _orphans(self, share: tuple[Any, ...]) -> Failure:
        self._next = next(self._shares, None)
        return Failure(share[0], "subjects", "no event here", ", ".join(sorted(set(share[1]))))
