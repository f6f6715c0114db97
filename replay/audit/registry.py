"""All checks, in the order in which they are documented."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.errors import InvalidInputError
from replay.audit.checks.adl_before_fund import AdlBeforeFund
from replay.audit.checks.adl_rank import AdlRank
from replay.audit.checks.anomalies import Anomalies
from replay.audit.checks.bankruptcy_price import BankruptcyPrice
from replay.audit.checks.decision_figures import DecisionFigures
from replay.audit.checks.fees import Fees
from replay.audit.checks.fund_movements import FundMovements
from replay.audit.checks.fund_negative import FundNegative
from replay.audit.checks.funding import Funding
from replay.audit.checks.index_prices import IndexPrices
from replay.audit.checks.late_deposits import LateDeposits
from replay.audit.checks.liquidation_closes import LiquidationCloses
from replay.audit.checks.liquidation_cooldown import LiquidationCooldown
from replay.audit.checks.liquidation_late import LiquidationLate
from replay.audit.checks.liquidation_missed import LiquidationMissed
from replay.audit.checks.liquidation_notional import LiquidationNotional
from replay.audit.checks.liquidation_size import LiquidationSize
from replay.audit.checks.liquidation_value import LiquidationValue
from replay.audit.checks.liquidation_verdict import LiquidationVerdict
from replay.audit.checks.margin_call_missing import MarginCallMissing
from replay.audit.checks.margin_calls import MarginCallLate, MarginCallUnjustified
from replay.audit.checks.negative_equity import NegativeEquity
from replay.audit.checks.negative_wallet import NegativeWallets
from replay.audit.checks.orders import Orders
from replay.audit.checks.overrides import Overrides
from replay.audit.checks.price_outliers import PriceOutliers
from replay.audit.checks.reported_state import ReportedState
from replay.audit.checks.schedule_version import ScheduleVersion
from replay.audit.checks.schedules import Schedules
from replay.audit.checks.socialised_loss import SocialisedLoss
from replay.audit.checks.source_counts import SourceCounts
from replay.audit.checks.stale_prices import StalePrices
from replay.audit.checks.takeover_fills import LiquidationFills, TakeoverFills
from replay.audit.checks.takeover_price import TakeoverPrice
from replay.audit.checks.time_order import TimeOrder
from replay.audit.checks.trade_sums import TradeSums
from replay.audit.checks.waterfall_steps import WaterfallSteps
from replay.audit.checks.withdrawals import Withdrawals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replay.audit.check import Check

CHECKS: tuple[type[Check], ...] = (
    LiquidationCloses,
    LiquidationNotional,
    LiquidationValue,
    LiquidationVerdict,
    LiquidationMissed,
    TakeoverFills,
    LiquidationFills,
    TradeSums,
    Schedules,
    NegativeEquity,
    Anomalies,
    # The waterfall of a liquidation.
    TakeoverPrice,
    BankruptcyPrice,
    FundMovements,
    FundNegative,
    AdlRank,
    AdlBeforeFund,
    SocialisedLoss,
    WaterfallSteps,
    # What the engine decided, when, and by which figures.
    LiquidationLate,
    MarginCallMissing,
    MarginCallLate,
    MarginCallUnjustified,
    ScheduleVersion,
    DecisionFigures,
    LiquidationSize,
    LiquidationCooldown,
    # Records, cash and prices.
    Fees,
    Withdrawals,
    NegativeWallets,
    Orders,
    ReportedState,
    IndexPrices,
    PriceOutliers,
    StalePrices,
    Overrides,
    Funding,
    TimeOrder,
    LateDeposits,
    SourceCounts,
)


def select_checks(names: Sequence[str]) -> tuple[type[Check], ...]:
    """Return the checks of the given names, in the registry's order; all of them if none is given.

    A check is named by its own name or by the code of a finding that it reports.

    Raises:
        InvalidInputError: there is no such check.
    """
    known = {check.name for check in CHECKS} | {kind.code for check in CHECKS for kind in check.kinds}
    for name in names:
        if name not in known:
            raise InvalidInputError(
                f"there is no check {name!r}",
                place=("--check",),
                next_step="choose from " + ", ".join(check.name for check in CHECKS),
            )
    if not names:
        return CHECKS
    return tuple(
        check for check in CHECKS if check.name in names or any(kind.code in names for kind in check.kinds)
    )


def selected_codes(names: Sequence[str]) -> frozenset[str]:
    """Return the codes of findings that a selection of checks reports."""
    return frozenset(
        kind.code
        for check in select_checks(names)
        for kind in check.kinds
        if not names or check.name in names or kind.code in names
    )
