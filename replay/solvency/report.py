"""The document of ``replay venue --json``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger.amounts import format_exact
from ledger.clock import format_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from ledger.canonical import JsonObject
    from replay.margin import Note
    from replay.solvency.reserves import Attestation

VENUE_SCHEMA: Final = "replay.venue/1"


@dataclass(frozen=True, slots=True)
class NegativeEquity:
    """What accounts owe the venue; it never lowers the liabilities.

    Attributes:
        by_account: account → asset → amount, below zero.
        amounts: the sum by asset, below zero.
    """

    by_account: Mapping[str, Mapping[str, Decimal]]
    amounts: Mapping[str, Decimal]

    def json_value(self) -> JsonObject:
        """Return it as JSON, with the number of accounts."""
        return {
            "accounts": len(self.by_account),
            "amounts": texts(self.amounts),
            "by_account": {name: texts(self.by_account[name]) for name in sorted(self.by_account)},
        }


@dataclass(frozen=True, slots=True)
class VenueReport:
    """A venue's liabilities and what is attested to cover them; amounts by asset.

    Attributes:
        sequence: the last event.
        at: the moment at which attestations are judged: the latest time of the state.
        accounts_by_kind: how many accounts there are of each kind.
        liabilities: positive claims of customers and market makers, asset by asset.
        reserves: attested, free of encumbrance and fresh.
        reserve_ratio: reserves ÷ liabilities, scale 12, rounded down; None where either is missing.
        insurance_fund: wallet and unrealised PnL of insurance funds; below zero where they owe.
        negative_equity: what customers and market makers owe.
        attestations: the latest of each holding, fresh or not.
        undetermined: assets in which some claim is not known.
        solvent: True where every asset with liabilities is known and covered by fresh attestations, False
            where one that is known is not; None where nothing is attested, or what is not known decides.
        notes: what the reader has to know.
    """

    sequence: int
    at: datetime
    accounts_by_kind: Mapping[str, int]
    liabilities: Mapping[str, Decimal]
    reserves: Mapping[str, Decimal]
    reserve_ratio: Mapping[str, Decimal | None]
    insurance_fund: Mapping[str, Decimal]
    negative_equity: NegativeEquity
    attestations: tuple[Attestation, ...]
    undetermined: frozenset[str]
    solvent: bool | None
    notes: tuple[Note, ...]

    @property
    def accounts(self) -> int:
        """How many accounts the venue has; external ones stand for what is outside it and are not counted."""
        return sum(count for kind, count in self.accounts_by_kind.items() if kind != "external")

    def document(self) -> JsonObject:
        """Return the report as ``replay venue --json`` prints it."""
        return {
            "schema": VENUE_SCHEMA,
            "sequence": self.sequence,
            "time": format_time(self.at),
            "accounts": self.accounts,
            "accounts_by_kind": {kind: self.accounts_by_kind[kind] for kind in sorted(self.accounts_by_kind)},
            "liabilities": texts(self.liabilities),
            "reserves": texts(self.reserves),
            "reserve_ratio": {
                asset: None if ratio is None else format_exact(ratio)
                for asset, ratio in sorted(self.reserve_ratio.items())
            },
            "insurance_fund": texts(self.insurance_fund),
            "negative_equity": self.negative_equity.json_value(),
            "attestations": [each.json_value() for each in self.attestations],
            "undetermined": [*sorted(self.undetermined)],
            "solvent": self.solvent,
            "notes": [note.json_value() for note in self.notes],
        }


def texts(amounts: Mapping[str, Decimal]) -> JsonObject:
    """Return amounts as text, by asset in order."""
    return {asset: format_exact(amounts[asset]) for asset in sorted(amounts)}
