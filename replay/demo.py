"""The demo: a seeded venue day recorded in a ledger, and everything that can be concluded from it.

The day comes from the venue engine; what follows knows nothing of the engine and reads the
recorded events alone.
"""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledger.clock import format_time
from ledger.errors import InvalidInputError, LedgerNotInitialisedError, SchemaMismatchError
from ledger.events.envelope import prepare
from ledger.export.bundle import export_bundle
from ledger.export.check import check_bundle
from ledger.progress import SILENT
from ledger.store.database import displayed_url
from ledger.store.ledger import EVENTS_A_BATCH, Ledger
from ledger.verify import verify_ledger
from replay.audit import audit
from replay.export_tables import account_margin, position_margin
from replay.fold import Cut
from replay.margin import evaluate
from replay.solvency import venue_report
from replay.store.catch_up import rebuild
from replay.store.source import events_to_fold, fold_ledger
from replay.venue.demo import demo_day, tell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.export.bundle import ExportResult
    from ledger.export.tables import ExportTable
    from ledger.outside.checkpoints import CheckpointFolder
    from ledger.progress import Progress
    from ledger.report import BundleReport
    from ledger.store.append import AppendResult
    from ledger.verify import VerifyReport
    from replay.audit import AuditReport
    from replay.margin import AccountMargin
    from replay.solvency import VenueReport
    from replay.store.catch_up import Updated
    from replay.venue.demo import DemoStory

DEMO_ORIGIN = "demo.example/venue"
DEMO_VALUATION_CURRENCY = "USD"


@dataclass(frozen=True, slots=True)
class Replayed:
    """What the replay step shows.

    Attributes:
        updated: the read models that were made.
        before_liquidation: the first liquidated account, one event before the venue decided on it.
    """

    updated: Updated
    before_liquidation: AccountMargin | None


@contextmanager
def empty_ledger(database_url: str, checkpoints: CheckpointFolder | None = None) -> Iterator[Ledger]:
    """Open the ledger in a database for the demo, making it where there is none.

    Raises:
        LedgerBehindError: it was set back behind a checkpoint that is kept outside.
        InvalidInputError: it holds more than ``LedgerOpened``; nothing was changed.
    """
    try:
        ledger = Ledger.open(database_url, checkpoints)
    except (LedgerNotInitialisedError, SchemaMismatchError) as error:
        if isinstance(error, SchemaMismatchError) and error.found is not None:
            raise
        ledger = Ledger.initialise(
            database_url,
            origin=DEMO_ORIGIN,
            valuation_currency=DEMO_VALUATION_CURRENCY,
            description="A made-up venue day with a crash",
        )
    with ledger:
        newest = ledger.head().sequence
        if newest > 0:
            raise InvalidInputError(
                f"the ledger {ledger.origin} in {displayed_url(database_url)} holds {newest + 1} events "
                "already; the demo fills only an empty one, and nothing was changed",
                next_step="look at what is there with replay audit, or give the demo a place of its own: "
                "ledger demo --home ./another",
            )
        yield ledger


def check_export_folder(folder: Path) -> None:
    """Refuse a folder that is there already: the demo overwrites nothing.

    Raises:
        InvalidInputError: it exists, or the folder around it does not.
    """
    if folder.exists() or folder.is_symlink():
        raise InvalidInputError(
            f"{folder} is there already, and the demo overwrites nothing; nothing was changed",
            place=("--export-to",),
            next_step="remove it, or name another folder: ledger demo --export-to ./another-export",
        )
    if not folder.absolute().parent.is_dir():
        raise InvalidInputError(
            f"the folder {folder.absolute().parent} does not exist", place=("--export-to",)
        )


class Demo:
    """One run of the demo on an empty ledger; the steps are taken in the order in which they stand here."""

    def __init__(self, ledger: Ledger, seed: int, progress: Progress = SILENT) -> None:
        self._ledger = ledger
        self._seed = seed
        self._progress = progress

    def record(self) -> tuple[DemoStory, AppendResult]:
        """Make the day and record it, whole or not at all; return its facts and where they stand."""
        ledger = self._ledger
        self._progress.start(None, "making the day")
        drafts = list(
            demo_day(self._seed, origin=ledger.origin, valuation_currency=ledger.valuation_currency)
        )
        prepared = [prepare(draft, draft.id or uuid.uuid4()) for draft in drafts]
        self._progress.start(len(prepared), "recording")
        batches = [
            prepared[first : first + EVENTS_A_BATCH] for first in range(0, len(prepared), EVENTS_A_BATCH)
        ]
        result = ledger.append_atomically(batches, self._progress)
        self._progress.finish()
        return tell(drafts), result

    def verify(self) -> VerifyReport:
        """Check every event, link and derived column."""
        return verify_ledger(self._ledger, self._progress)

    def audit(self) -> AuditReport:
        """Judge every liquidation from the recorded events."""
        with self._ledger.finder() as find_event:
            return audit(events_to_fold(self._ledger, Cut(), self._progress), resolve=find_event)

    def replay(self, audited: AuditReport) -> Replayed:
        """Make the read models, and go back to just before the first liquidation."""
        updated = rebuild(self._ledger, progress=self._progress)
        if not audited.liquidations:
            return Replayed(updated, None)
        first = audited.liquidations[0]
        cut = Cut(at_sequence=first.judgement.sequence - 1)
        state = fold_ledger(self._ledger, cut=cut, progress=self._progress).state
        return Replayed(updated, evaluate(state, first.account))

    def solvency(self) -> VenueReport:
        """Compare what the venue owes with what is attested."""
        return venue_report(fold_ledger(self._ledger, progress=self._progress).state)

    def export(self, folder: Path) -> tuple[ExportResult, BundleReport]:
        """Write the evidence bundle, and check it as its receiver would."""
        tables: list[ExportTable] = [account_margin(), position_margin()]
        exported = export_bundle(self._ledger, folder, tables=tables, progress=self._progress)
        checked = check_bundle(folder, expected_root=exported.manifest.root_hash, progress=self._progress)
        return exported, checked


def story_document(story: DemoStory) -> dict[str, Any]:
    """Return the facts of the day as JSON."""
    return {
        "events": story.events,
        "counts": dict(story.counts),
        "accounts": story.accounts,
        "trades": story.trades,
        "lows": [
            {
                "instrument": each.instrument,
                "before": f"{each.before:f}",
                "low": f"{each.low:f}",
                "at": format_time(each.at),
            }
            for each in story.lows
        ],
        "margin_calls": story.margin_calls,
        "margin_calls_cured": [each.account for each in story.cured],
        "liquidations": [
            {"liquidation": each.liquidation, "account": each.account, "at": format_time(each.at)}
            for each in story.liquidations
        ],
        "deleveraged": [each.counterparty_account for each in story.deleveraged],
        "insurance_fund": {
            "before": f"{story.fund_before:f}",
            "drawn": f"{story.fund_drawn:f}",
            "contributed": f"{story.fund_contributed:f}",
            "after": f"{story.fund_after:f}",
        },
    }
