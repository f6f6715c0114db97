"""Margin formulas: pure functions over exact decimals, and the evaluation of an account."""

from replay.margin.account import RATIO_SCALE, evaluate, evaluate_account
from replay.margin.contracts import entry_price, released_cost, signed_cost, signed_value
from replay.margin.liquidation_price import Leg, ThresholdPrices, threshold_prices
from replay.margin.market import Market
from replay.margin.open_interest import OpenInterestMargin
from replay.margin.order_margin import open_order_initial_margin
from replay.margin.portfolio import Holding, PortfolioTerms, portfolio_margin, scenario_losses
from replay.margin.results import AccountMargin, Note, PositionMargin
from replay.margin.takeover import (
    allocated_value,
    bankruptcy_notional,
    bankruptcy_price,
    insurance_fund_change,
    inverse_bankruptcy_price,
    quantity_to_close,
)
from replay.margin.terms import MarginTerms, margin_terms
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
    "Holding",
    "Leg",
    "MarginState",
    "MarginTerms",
    "Market",
    "Note",
    "OpenInterestMargin",
    "PortfolioTerms",
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
    "inverse_bankruptcy_price",
    "maintenance_amounts",
    "maintenance_margin",
    "margin_state",
    "margin_terms",
    "open_order_initial_margin",
    "portfolio_margin",
    "quantity_to_close",
    "released_cost",
    "scenario_losses",
    "signed_cost",
    "signed_value",
    "threshold_prices",
    "tier_for_notional",
]
