"""From margin requirement and collateral to a state, by comparing products and never a rounded ratio."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from ledger.amounts import exact
from replay.state.schedules import RiskPolicy

if TYPE_CHECKING:
    from decimal import Decimal

MarginState = Literal["healthy", "warning", "margin_call", "liquidatable", "bankrupt", "undetermined"]

DEFAULT_POLICY = RiskPolicy(
    sequence=-1,
    effective_at=datetime(1, 1, 1, tzinfo=UTC),
    warning_ratio=None,
    margin_call_ratio=None,
    liquidation_boundary="at",
    mark_max_age_seconds=None,
    maintenance_basis="mark",
    bankruptcy_allocation=None,
)
"""What holds where no RiskPolicySet is in force: liquidation at a margin ratio of 1 or more on mark notional,
no warnings and no calls, marks of any age."""


@exact()
def margin_state(
    collateral_value: Decimal, maintenance_margin: Decimal, policy: RiskPolicy
) -> Literal["healthy", "warning", "margin_call", "liquidatable", "bankrupt"]:
    """Return the state of an account, or of an isolated position, that requires and has these amounts.

    Bankrupt is a value below zero: at exactly zero nobody is owed anything yet, and what has a
    requirement is liquidatable. Warning and call start at equality. Liquidation starts at equality
    under the boundary ``at`` and over it under ``above`` (dYdX v4: MMR > 0 and MMR > TNC). Nothing
    is required of what has no maintenance margin.

    Args:
        collateral_value: holdings after haircut plus unrealised PnL; of an isolated position, its equity.
        maintenance_margin: what is required, in the same currency.
        policy: the thresholds in force.
    """
    if collateral_value < 0:
        return "bankrupt"
    if maintenance_margin <= 0:
        return "healthy"
    over = maintenance_margin > collateral_value
    if over or (policy.liquidation_boundary == "at" and maintenance_margin == collateral_value):
        return "liquidatable"
    if (
        policy.margin_call_ratio is not None
        and maintenance_margin >= policy.margin_call_ratio * collateral_value
    ):
        return "margin_call"
    if policy.warning_ratio is not None and maintenance_margin >= policy.warning_ratio * collateral_value:
        return "warning"
    return "healthy"
