"""The ledger about itself: its opening, its sources, corrections, overrides, holds, keys, commitments."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ledger.events.base import (
    Amount,
    Count,
    EventId,
    FieldName,
    HexHash,
    Identifier,
    JsonData,
    Payload,
    Reference,
    Text,
    Time,
)


class LedgerOpened(Payload):
    """The first event of every ledger: its permanent name, byte format and valuation currency."""

    ledger: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:/-]{1,128}$")]
    format: Text
    description: Text
    valuation_currency: Identifier


class SourceDeclared(Payload):
    """A source of events and whether it shows both sides of every trade (complete) or one (one_sided).

    It speaks of the events whose ``source.system`` is this ``source``. Checks that need both sides of a
    trade, or all of an account's cash, judge declared sources only.
    """

    source: Identifier
    coverage: Literal["complete", "one_sided"]
    description: Text


class SourceTotalsReported(Payload):
    """How many events of each type a source says it sent between two times."""

    source: Identifier
    from_time: Time = Field(alias="from")
    to_time: Time = Field(alias="to")
    counts: dict[Identifier, Count]


class CorrectionRecorded(Payload):
    """A recorded event was wrong: void it, or replace its data; takes effect here, at its own sequence."""

    corrects: EventId
    action: Literal["void", "replace"]
    replacement: JsonData | None = None
    reason: Text
    approvers: list[Reference]

    @model_validator(mode="after")
    def _replacement_fits_action(self) -> Self:
        if (self.action == "replace") != (self.replacement is not None):
            raise ValueError("replacement goes with action replace, and with no other")
        return self


class PriceOverridden(Payload):
    """Someone set a price by hand, in place of the one the venue's sources gave."""

    instrument: Identifier
    kind: Literal["mark", "last", "index"]
    price: Amount
    replaces: Reference | None = None
    reason: Text
    approvers: list[Reference]


class _LegalHold(Payload):
    hold: Identifier
    subjects: list[Identifier]
    reason: Text


class LegalHoldPlaced(_LegalHold):
    """The records of these subjects must be kept, whatever retention says."""


class LegalHoldReleased(_LegalHold):
    """A legal hold ends."""


class ExportIssued(Payload):
    """Evidence left the house: what was asked, by whom, for what, and the hash of what was given."""

    export: Identifier
    tree_size: Count
    query: Text
    purpose: Text
    requester: Text
    manifest_hash: HexHash


class ClockSynchronised(Payload):
    """A clock was compared with its source; positive divergence means it ran ahead, in microseconds."""

    source: Text
    divergence_microseconds: Amount
    reason: Text | None = None


class RestoreAccepted(Payload):
    """The database was restored and stands behind a checkpoint that was given out; someone accepts that."""

    from_checkpoint: Text
    reason: Text


class _SigningKey(Payload):
    name: Reference
    public_key: Annotated[Text, Field(min_length=1)]
    purpose: Text
    reason: Text | None = None


class SigningKeyRegistered(_SigningKey):
    """A key may sign from here on (``public_key`` in the vkey form of C2SP signed-note)."""


class SigningKeyRetired(_SigningKey):
    """A key signs no more from here on; ``compromised_at`` says since when somebody else may have held it."""

    compromised_at: Time | None = None


class StateCommitted(Payload):
    """Roots of the state rebuilt through ``as_of_sequence``, put under the log's own tree."""

    as_of_sequence: Count
    projection: Identifier
    projection_version: Count
    state_root: HexHash
    liabilities_root: HexHash
    subjects_root: HexHash
    totals: dict[FieldName, dict[Identifier, Amount]]
