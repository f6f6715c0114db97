"""Margin formulas: pure functions over exact decimals, and the evaluation of an account."""

from replay.margin.account import RATIO_SCALE, evaluate, evaluate_account
from replay.margin.contracts import entry_price, released_cost, signed_cost, signed_value
from replay.margin.liquidation_price import Leg, ThresholdPrices, threshold_prices
from replay.margin.market import Market
from replay.margin.results import AccountMargin, Note, PositionMargin
from replay.margin.takeover import (
    allocated_value,
    bankruptcy_notional,
    bankruptcy_price,
    insurance_fund_change,
    quantity_to_close,
)
from replay.margin.thresholds import DEFAULT_POLICY, MarginState, margin_state
from replay.margin.tiered import (
    collateral_value,
    effective_leverage,
    initial_margin,
    maintenance_amounts,
    maintenance_margin,
    tier_for_notional,
)

__all__ = [
    "DEFAULT_POLICY",
    "RATIO_SCALE",
    "AccountMargin",
    "Leg",
    "MarginState",
    "Market",
    "Note",
    "PositionMargin",
    "ThresholdPrices",
    "allocated_value",
    "bankruptcy_notional",
    "bankruptcy_price",
    "collateral_value",
    "effective_leverage",
    "entry_price",
    "evaluate",
    "evaluate_account",
    "initial_margin",
    "insurance_fund_change",
    "maintenance_amounts",
    "maintenance_margin",
    "margin_state",
    "quantity_to_close",
    "released_cost",
    "signed_cost",
    "signed_value",
    "threshold_prices",
    "tier_for_notional",
]
