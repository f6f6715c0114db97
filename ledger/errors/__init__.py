"""Errors: one class per cause, each with its evidence, its exit code and the next step.

An error is something broken and is raised. What an audit concludes is a finding, which is
data and lives in ``replay.findings``. Messages say what, where and what next; code that
reacts to an error reads its fields and never its message.
"""

from ledger.errors.base import (
    EnvironmentFaultError,
    ExitCode,
    IntegrityError,
    InvalidInputError,
    LedgerError,
    NotFoundError,
)
from ledger.errors.evidence import (
    EvidenceRefusedError,
    KeyUnusableError,
    TimestampAuthorityError,
    TimestampInvalidError,
    TimestampNotGrantedError,
    WitnessDisagreesError,
    WitnessesMissingError,
    WitnessRefusedError,
    WitnessStateError,
)
from ledger.errors.recording import (
    AmountError,
    AppendConditionFailedError,
    AppendNotPermittedError,
    BundleWriteError,
    CanonicalFormError,
    ChainBrokenError,
    ClockBehindError,
    ConflictingEventError,
    DatabaseUnavailableError,
    EmbeddedServerError,
    ExportTableError,
    InvalidEventError,
    LedgerBehindError,
    LedgerExistsError,
    LedgerNotInitialisedError,
    RecordUnreadableError,
    SchemaMismatchError,
    SnapshotUnusableError,
)

__all__ = [
    "AmountError",
    "AppendConditionFailedError",
    "AppendNotPermittedError",
    "BundleWriteError",
    "CanonicalFormError",
    "ChainBrokenError",
    "ClockBehindError",
    "ConflictingEventError",
    "DatabaseUnavailableError",
    "EmbeddedServerError",
    "EnvironmentFaultError",
    "EvidenceRefusedError",
    "ExitCode",
    "ExportTableError",
    "IntegrityError",
    "InvalidEventError",
    "InvalidInputError",
    "KeyUnusableError",
    "LedgerBehindError",
    "LedgerError",
    "LedgerExistsError",
    "LedgerNotInitialisedError",
    "NotFoundError",
    "RecordUnreadableError",
    "SchemaMismatchError",
    "SnapshotUnusableError",
    "TimestampAuthorityError",
    "TimestampInvalidError",
    "TimestampNotGrantedError",
    "WitnessDisagreesError",
    "WitnessRefusedError",
    "WitnessStateError",
    "WitnessesMissingError",
]
