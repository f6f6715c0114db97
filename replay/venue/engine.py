"""The venue engine: commands in, event drafts out, the same for the same.

It holds no clock and no randomness. What it decides by is in docs/explanation/venue-engine.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import exact
from ledger.errors import InvalidInputError
from ledger.events.accounts import AccountOpened, AccountStateReported
from ledger.events.cash import DepositRecorded, ReserveAttested
from ledger.events.governance import PriceOverridden, SourceDeclared, SourceTotalsReported
from ledger.events.instruments import AssetListed, InstrumentListed
from ledger.events.policies import (
    CollateralScheduleSet,
    FeeScheduleSet,
    FundingScheduleSet,
    MarginScheduleSet,
    RiskPolicySet,
)
from ledger.events.prices import AssetPriceUpdated, IndexPriceUpdated, LastPriceUpdated, MarkPriceUpdated
from ledger.events.trading import FillRecorded
from replay.state.schedules import with_version
from replay.venue.accounts import adjust_margin, report_account_state, set_leverage, set_margin_mode, withdraw
from replay.venue.commands import (
    AdjustMargin,
    CancelOrder,
    Command,
    Outcome,
    PlaceOrder,
    Record,
    Refusal,
    ReportAccountState,
    SetLeverage,
    SetMarginMode,
    SettleFunding,
    Withdraw,
)
from replay.venue.funding import settle_funding
from replay.venue.orders import cancel_order, place_order
from replay.venue.policy import check_margin_schedule, policy_of
from replay.venue.review import holders, review
from replay.venue.risk import RiskView
from replay.venue.venue import Venue

if TYPE_CHECKING:
    from ledger.events.base import Payload
    from replay.state.venue_state import VenueState
    from replay.venue.configuration import VenueConfiguration

RECORDED = (
    AccountOpened,
    AccountStateReported,
    AssetListed,
    AssetPriceUpdated,
    CollateralScheduleSet,
    DepositRecorded,
    FeeScheduleSet,
    FundingScheduleSet,
    IndexPriceUpdated,
    InstrumentListed,
    LastPriceUpdated,
    MarginScheduleSet,
    MarkPriceUpdated,
    PriceOverridden,
    ReserveAttested,
    RiskPolicySet,
    SourceDeclared,
    SourceTotalsReported,
)
"""The facts that a :class:`Record` may bring; whatever else happens, the engine decides."""

_PARAMETERS = (RiskPolicySet, MarginScheduleSet, CollateralScheduleSet, AssetPriceUpdated)


class VenueEngine:
    """One venue from its opening on: linear contracts in one settlement asset, cross and isolated margin."""

    def __init__(self, configuration: VenueConfiguration) -> None:
        self._venue = Venue(configuration)

    @property
    def state(self) -> VenueState:
        """The venue's books after every draft so far; to read, not to change."""
        return self._venue.state

    @exact()
    def submit(self, command: Command) -> Outcome:
        """Carry out a command, and everything that follows from it, and return what happened.

        Raises:
            InvalidInputError: the command is out of order in time, or asks for something that the engine
                does not carry out; the venue is as it was.
        """
        if isinstance(command, Record):
            self._check(command.data)
        venue = self._venue
        venue.journal.start(command)
        refusal, concerned = self._carry_out(command)
        view = RiskView(venue)
        concerned |= {
            draft.data.account for draft in venue.journal.drafts if isinstance(draft.data, FillRecorded)
        }
        review(view, concerned)
        venue.credit_house()
        return Outcome(tuple(venue.journal.drafts), refusal)

    def _carry_out(self, command: Command) -> tuple[Refusal | None, set[str]]:
        """Carry out the command itself; return its refusal and whose margin it may have changed."""
        venue = self._venue
        view = RiskView(venue)
        match command:
            case Record():
                return None, self._record(command.data)
            case PlaceOrder():
                return place_order(view, command), set()
            case CancelOrder():
                return cancel_order(venue, command), set()
            case Withdraw():
                return withdraw(view, command), {command.account}
            case AdjustMargin():
                return adjust_margin(view, command), {command.account}
            case SetLeverage():
                return set_leverage(view, command), set()
            case SetMarginMode():
                return set_margin_mode(view, command), set()
            case SettleFunding():
                return settle_funding(view, command), holders(view, command.instrument)
            case ReportAccountState():
                return report_account_state(view, command), set()
        raise InvalidInputError(f"{type(command).__name__} is not a command of the venue engine")

    def _record(self, data: Payload) -> set[str]:
        venue = self._venue
        sequence = venue.state.sequence + 1
        venue.journal.record(data)
        view = RiskView(venue)
        if isinstance(data, RiskPolicySet):
            venue.policies = with_version(venue.policies, policy_of(data, sequence))
        if isinstance(data, _PARAMETERS):
            return holders(view) | {account for account, _ in venue.calls}
        if isinstance(data, DepositRecorded):
            return {data.account}
        if isinstance(data, MarkPriceUpdated) or (isinstance(data, PriceOverridden) and data.kind == "mark"):
            return holders(view, data.instrument)
        return set()

    def _check(self, data: Payload) -> None:
        """Refuse a fact that the engine would have to ignore."""
        configuration = self._venue.configuration
        settlement = configuration.settlement_asset
        if not isinstance(data, RECORDED):
            raise InvalidInputError(
                f"the venue engine decides itself about {type(data).__name__} and takes none from outside"
            )
        if isinstance(data, RiskPolicySet):
            policy_of(data, 0)
        elif isinstance(data, MarginScheduleSet):
            check_margin_schedule(data, settlement)
        elif isinstance(data, InstrumentListed):
            _check_instrument(data, settlement)
            if data.instrument in self._venue.state.instruments:
                raise InvalidInputError(f"{data.instrument} is listed already", place=("instrument",))
        elif isinstance(data, AccountOpened):
            _check_account(data)
        elif isinstance(data, DepositRecorded) and data.asset != settlement:
            raise InvalidInputError(
                f"only {settlement} is collateral here, not {data.asset}", place=("asset",)
            )
        elif isinstance(data, MarkPriceUpdated | PriceOverridden) and data.price <= 0:
            raise InvalidInputError("a mark price is above zero", place=("price",))


def _check_instrument(data: InstrumentListed, settlement: str) -> None:
    if data.contract != "linear" or data.kind != "perpetual":
        raise InvalidInputError(
            f"{data.instrument}: only linear perpetuals are traded here", place=("contract",)
        )
    if data.settlement_asset != settlement:
        raise InvalidInputError(
            f"{data.instrument}: everything settles in {settlement} here", place=("settlement_asset",)
        )


def _check_account(data: AccountOpened) -> None:
    if data.position_mode != "one_way":
        raise InvalidInputError("hedge mode is not carried out here", place=("position_mode",))
    if data.margin_mode == "portfolio":
        raise InvalidInputError("portfolio margin is not carried out here", place=("margin_mode",))
