"""The document of ``replay solvency stress --json``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger.amounts import ZERO, format_exact
from ledger.clock import format_time
from replay.solvency.report import texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from decimal import Decimal

    from ledger.canonical import JsonObject
    from replay.margin import Note
    from replay.solvency.reserves import Attestation

STRESS_SCHEMA: Final = "replay.solvency.stress/1"


@dataclass(frozen=True, slots=True)
class StressedClaims:
    """Claims at the marks of one price move; amounts by asset.

    Attributes:
        move: by which share prices move, above −1.
        liabilities: positive claims of customers and market makers.
        negative_equity: what they owe, below zero: the shortfall, which lowers no liability.
        accounts_owing: how many owe something.
        insurance_fund: claims of insurance funds; below zero where they owe. They cover nothing here.
        undetermined: assets in which some claim is not known at this move.
    """

    move: Decimal
    liabilities: Mapping[str, Decimal]
    negative_equity: Mapping[str, Decimal]
    accounts_owing: int
    insurance_fund: Mapping[str, Decimal]
    undetermined: frozenset[str]


@dataclass(frozen=True, slots=True)
class StressScenario:
    """A price move, and a haircut on what is attested.

    Attributes:
        claims: those of the move.
        haircut: the share of every reserve that does not count, 0 to below 1.
        reserves: attested, free of encumbrance and fresh, after the haircut.
        reserve_ratio: reserves ÷ liabilities, scale 12, rounded down; None where either is missing.
        asset_to_liability_ratio: all reserves ÷ all liabilities in the valuation currency, scale 12, rounded
            down; None where nothing is attested or owed, or a conversion price is missing.
        solvent: as for the venue as it stands, see :class:`~replay.solvency.report.VenueReport`.
        failing: assets that are known not to be covered, the worst covered first.
    """

    claims: StressedClaims
    haircut: Decimal
    reserves: Mapping[str, Decimal]
    reserve_ratio: Mapping[str, Decimal | None]
    asset_to_liability_ratio: Decimal | None
    solvent: bool | None
    failing: tuple[str, ...]

    @property
    def move(self) -> Decimal:
        """The price move."""
        return self.claims.move

    @property
    def fails_first(self) -> str | None:
        """The asset that is covered worst, where one is not covered: the first to fail as reserves shrink."""
        return self.failing[0] if self.failing else None

    def json_value(self) -> JsonObject:
        """Return the scenario as JSON."""
        claims = self.claims
        return {
            "move": format_exact(claims.move),
            "haircut": format_exact(self.haircut),
            "solvent": self.solvent,
            "asset_to_liability_ratio": _text(self.asset_to_liability_ratio),
            "fails_first": self.fails_first,
            "failing": [*self.failing],
            "liabilities": texts(claims.liabilities),
            "reserves": texts(self.reserves),
            "reserve_ratio": {asset: _text(ratio) for asset, ratio in sorted(self.reserve_ratio.items())},
            "negative_equity": {"accounts": claims.accounts_owing, "amounts": texts(claims.negative_equity)},
            "insurance_fund": texts(claims.insurance_fund),
            "undetermined": [*sorted(claims.undetermined)],
        }


@dataclass(frozen=True, slots=True)
class BreakingMoves:
    """The least moves, of those asked for, at which a venue is known not to be solvent any more.

    Attributes:
        haircut: at this haircut.
        down: the scenario of the least fall, or of no move; None where there is none.
        up: likewise of the least rise.
    """

    haircut: Decimal
    down: StressScenario | None
    up: StressScenario | None

    def json_value(self) -> JsonObject:
        """Return them as JSON."""
        return {
            "haircut": format_exact(self.haircut),
            "down": None if self.down is None else format_exact(self.down.move),
            "down_fails_first": None if self.down is None else self.down.fails_first,
            "up": None if self.up is None else format_exact(self.up.move),
            "up_fails_first": None if self.up is None else self.up.fails_first,
        }


@dataclass(frozen=True, slots=True)
class StressReport:
    """A venue under every price move and haircut.

    Attributes:
        sequence: the last event.
        at: the moment at which attestations are judged: the latest time of the state.
        maximum_age_seconds: how old one may be to count.
        claims: by move, from the deepest fall to the highest rise.
        scenarios: by haircut from none upwards, and by move.
        moved_assets: those with a recorded conversion price, which moves like every mark.
        still_assets: others in which something is owed or counted; without a recorded price nothing moves.
        still_options: options that somebody holds; their marks stand still, as no event values them anew.
        attestations: the latest of each holding, fresh or not.
        notes: what the reader has to know.
    """

    sequence: int
    at: datetime
    valuation_currency: str
    maximum_age_seconds: Decimal
    claims: tuple[StressedClaims, ...]
    scenarios: tuple[StressScenario, ...]
    moved_assets: tuple[str, ...]
    still_assets: tuple[str, ...]
    still_options: tuple[str, ...]
    attestations: tuple[Attestation, ...]
    notes: tuple[Note, ...]

    @property
    def moves(self) -> tuple[Decimal, ...]:
        """The price moves, the deepest fall first."""
        return tuple(each.move for each in self.claims)

    @property
    def haircuts(self) -> tuple[Decimal, ...]:
        """The haircuts, the least first."""
        return tuple(dict.fromkeys(each.haircut for each in self.scenarios))

    @property
    def unstressed(self) -> StressScenario | None:
        """The scenario without a move and without a haircut, where it was asked for."""
        return next((each for each in self.scenarios if not each.move and not each.haircut), None)

    def breaking_moves(self) -> Iterator[BreakingMoves]:
        """Return for each haircut the least moves down and up at which the venue is not solvent."""
        for haircut in self.haircuts:
            failed = [each for each in self.scenarios if each.haircut == haircut and each.solvent is False]
            falls = [each for each in failed if each.move <= ZERO]
            rises = [each for each in failed if each.move >= ZERO]
            yield BreakingMoves(haircut, falls[-1] if falls else None, rises[0] if rises else None)

    def document(self) -> JsonObject:
        """Return the report as ``replay solvency stress --json`` prints it."""
        return {
            "schema": STRESS_SCHEMA,
            "sequence": self.sequence,
            "time": format_time(self.at),
            "valuation_currency": self.valuation_currency,
            "maximum_age_seconds": format_exact(self.maximum_age_seconds),
            "moves": [format_exact(move) for move in self.moves],
            "haircuts": [format_exact(haircut) for haircut in self.haircuts],
            "moved_assets": [*self.moved_assets],
            "still_assets": [*self.still_assets],
            "still_options": [*self.still_options],
            "breaking_moves": [each.json_value() for each in self.breaking_moves()],
            "scenarios": [each.json_value() for each in self.scenarios],
            "attestations": [each.json_value() for each in self.attestations],
            "notes": [note.json_value() for note in self.notes],
        }


def _text(value: Decimal | None) -> str | None:
    return None if value is None else format_exact(value)
