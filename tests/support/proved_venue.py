"""A ledger in a real database with a proof of solvency, honest or not, for tests against the events."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from ledger.clock import FixedClock, format_time
from ledger.growth import GivenCheckpoint
from ledger.outside.checkpoints import CheckpointFolder
from replay.commitments import (
    ProofFolder,
    Proved,
    Signing,
    new_proof,
    prove,
    record_commitment,
    replay_ledger,
    verify_proof,
    write_proof,
)
from replay.solvency import Expected, Plan, make_tree, state_roots
from tests.support.keys import log_key, policy, quantum_key
from tests.support.ledgers import ORIGIN, START, open_ledger, venue_setup
from tests.support.postgres import fresh_database
from tests.support.solvency import SEED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ledger.events.envelope import Draft
    from ledger.store.ledger import Ledger
    from replay.commitments import ProofReport
    from replay.state.venue_state import VenueState

KEYS = (log_key(ORIGIN), quantum_key(ORIGIN))
TRUST = policy(*KEYS)
PLAN = Plan(SEED)
ACCOUNTS = {"A1": "ada", "A2": "ada", "B1": "berta", "C1": "carl", "D1": "dora"}
SIGNED_AT = START + timedelta(hours=1)


def venue_day(*, quantity: str = "2") -> list[Draft]:
    """Five accounts of four customers, two trades, marks that move, and reserves, one of them corrected."""
    drafts = venue_setup()
    for asset, scale in (("BTC", "8"), ("USDT", "6")):
        drafts.add("AssetListed", asset=asset, scale=scale)
    for account, customer in ACCOUNTS.items():
        opened = {"account": account, "kind": "customer", "customer": customer}
        drafts.add("AccountOpened", **opened, margin_mode="cross", position_mode="one_way")
    for account, amount in (("A1", "20000"), ("A2", "500.5"), ("B1", "60000"), ("C1", "9000")):
        drafts.add("DepositRecorded", account=account, asset="USDT", amount=amount)
    drafts.add("DepositRecorded", account="C1", asset="BTC", amount="1.25")
    drafts.add("WithdrawalRecorded", account="D1", asset="USDT", amount="75")
    fees = {"buyer_fee": "1", "seller_fee": "0.5", "fee_asset": "USDT"}
    trade = {"instrument": "BTC-PERP", "price": "30000", "quantity": quantity}
    drafts.add("TradeExecuted", **trade, buyer="A1", seller="B1", trade_id="T1", **fees)
    trade = {"instrument": "ETH-PERP", "price": "2000", "quantity": "3"}
    drafts.add("TradeExecuted", **trade, buyer="C1", seller="B1", trade_id="T2", **fees)
    holding = {"asset": "USDT", "custodian": "bank", "attester": "auditor", "as_of": format_time(START)}
    drafts.add("ReserveAttested", **holding, amount="500000")
    drafts.add("ReserveAttested", **holding, amount="120000", encumbered="20000")
    wrong = drafts.add("ReserveAttested", **{**holding, "asset": "BTC"}, amount="9")
    right = {**holding, "asset": "BTC", "amount": "1.5"}
    drafts.add("CorrectionRecorded", corrects=str(wrong.id), action="replace", replacement=right,
               reason="misread", approvers=[])  # fmt: skip
    drafts.add("MarkPriceUpdated", instrument="ETH-PERP", price="2100")
    drafts.add("MarkPriceUpdated", instrument="BTC-PERP", price="30500")
    return drafts.drafts


LAST = len(venue_day())  # the opening stands at 0, so this is the sequence of the day's last event


@dataclass(frozen=True)
class Venue:
    """A ledger with its signer, and an honest proof of the day."""

    ledger: Ledger
    signing: Signing
    folder: Path
    proved: Proved

    @property
    def proof(self) -> ProofFolder:
        return ProofFolder(self.folder / "honest")

    def kept(self) -> GivenCheckpoint:
        """The checkpoint that somebody kept from the honest proof."""
        return GivenCheckpoint("kept", self.proved.recorded.head.checkpoint, signature_checked=True)

    def proof_of(self, name: str, change: Callable[[VenueState], None]) -> ProofFolder:
        """The folder of a proof of another state, under roots that are those of the events."""
        replayed = replay_ledger(self.ledger, LAST)
        true = state_roots(replayed.state, replayed.histories)
        change(replayed.state)
        made = make_tree(replayed.state, replayed.histories, PLAN)
        commitment = replace(made.commitment, state_root=true.state, subjects_root=true.subjects)
        recorded = record_commitment(
            self.ledger, commitment, made.figures.attestations, self.signing.keys, self.signing.checkpoints,
            clock=self.signing.clock,
        )  # fmt: skip
        with new_proof(self.folder / name) as beside:
            write_proof(beside, replayed.state, replace(made, commitment=commitment), recorded)
        return ProofFolder(self.folder / name)


def signing(folder: Path) -> Signing:
    return Signing(KEYS, CheckpointFolder(folder / "checkpoints"), FixedClock(SIGNED_AT))


@contextmanager
def proved_venue(server_url: str, folder: Path, *, quantity: str = "2") -> Iterator[Venue]:
    """Give a venue whose day is proved; the quantity is that of one of its two trades."""
    with fresh_database(server_url) as url, open_ledger(url) as ledger:
        ledger.append(venue_day(quantity=quantity))
        proved = prove(ledger, replay_ledger(ledger, LAST), PLAN, signing(folder), out=folder / "honest")
        yield Venue(ledger, signing(folder), folder, proved)


def verified(folder: ProofFolder, ledger: Ledger | None = None, *kept: GivenCheckpoint) -> ProofReport:
    return verify_proof(folder, TRUST, expected=Expected(), ledger=ledger, kept=kept)


def failed(report: ProofReport) -> set[str]:
    return {check for check, holds in report.checks.items() if not holds}


def said(report: ProofReport, check: str) -> list[tuple[str, str]]:
    """What the failures of a check expected, and what they found."""
    return [(each.expected, each.actual) for each in report.failures if each.check == check]
