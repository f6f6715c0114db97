"""One full example of every event type, and drafts made from them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from ledger.events.envelope import Draft, PreparedEvent, prepare

if TYPE_CHECKING:
    from ledger.canonical import JsonObject

TIME = "2026-01-31T09:30:00.000000Z"
LATER = "2026-01-31T17:30:00.123456Z"
HASH = "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"
EVENT_ID = "6f1c1d3e-0f4b-4f3e-9d55-0d3a3b0f6a11"

_ACCOUNT: JsonObject = {
    "account": "A17",
    "margin_mode": "cross",
    "position_mode": "hedge",
    "kind": "customer",
    "customer": "C4",
    "parent_account": "A1",
}
_MOVEMENT: JsonObject = {"account": "A17", "asset": "USDT", "amount": "1500.25", "reference": "wire 9"}
_CHARGE: JsonObject = {**_MOVEMENT, "amount": "-0.5", "reason": "rebate"}
_FUND_MOVEMENT: JsonObject = {
    "fund": "fund",
    "asset": "USDT",
    "amount": "12",
    "account": "A17",
    "liquidation": "liq-1",
    "reason": "shortfall",
}
_ORDER: JsonObject = {
    "order_id": "o-1",
    "account": "A17",
    "instrument": "BTC-PERP",
    "side": "buy",
    "quantity": "3",
    "price": "26000.5",
    "position_side": "long",
    "reduce_only": False,
    "reason": "post only",
}
_PRICE: JsonObject = {
    "instrument": "BTC-PERP",
    "price": "26000.5",
    "index_price": "26001",
    "method": "index and premium",
}
_MARGIN_CALL: JsonObject = {
    "account": "A17",
    "instrument": "BTC-PERP",
    "margin_ratio": "0.9",
    "required": "100",
    "deadline": LATER,
}
_HOLD: JsonObject = {"hold": "H1", "subjects": ["account/A17", "instrument/BTC-PERP"], "reason": "inquiry"}
_KEY: JsonObject = {
    "name": "venue.example/perpetuals",
    "public_key": "venue.example/perpetuals+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx",
    "purpose": "checkpoints",
    "reason": "rotation",
}

EXAMPLES: dict[str, JsonObject] = {
    "LedgerOpened": {
        "ledger": "venue.example/perpetuals",
        "format": "margin-ledger/1",
        "description": "perpetuals",
        "valuation_currency": "USD",
    },
    "SourceDeclared": {"source": "hyperliquid", "coverage": "one_sided", "description": "fills of takers"},
    "SourceTotalsReported": {
        "source": "hyperliquid",
        "from": TIME,
        "to": LATER,
        "counts": {"FillRecorded": "16387", "DepositRecorded": "0"},
    },
    "AssetListed": {"asset": "USDT", "scale": "6"},
    "AccountOpened": _ACCOUNT,
    "AccountClosed": {**_ACCOUNT, "reason": "asked for"},
    "DepositRecorded": _MOVEMENT,
    "WithdrawalRecorded": _MOVEMENT,
    "TransferRecorded": {
        "from_account": "A17",
        "to_account": "A18",
        "asset": "USDT",
        "amount": "3",
        "reference": "t-1",
    },
    "FeeCharged": _CHARGE,
    "InterestAccrued": _CHARGE,
    "InstrumentListed": {
        "instrument": "BTC-OPT",
        "kind": "option",
        "contract": "linear",
        "base": "BTC",
        "quote": "USDT",
        "settlement_asset": "USDT",
        "contract_size": "0.001",
        "tick_size": "0.5",
        "index": "BTC",
        "expires_at": LATER,
        "strike": "30000",
        "option_type": "put",
    },
    "InstrumentSettled": {"instrument": "BTC-OPT", "price": "29000", "reason": "expiry"},
    "MarginScheduleSet": {
        "instrument": "BTC-PERP",
        "effective_at": TIME,
        "model": "tiered",
        "notional_asset": "USDT",
        "tiers": [
            {
                "notional_floor": "0",
                "notional_cap": "50000",
                "maintenance_margin_rate": "0.004",
                "maintenance_amount": "0",
                "max_leverage": "125",
            },
            {
                "notional_floor": "50000",
                "maintenance_margin_rate": "0.005",
                "maintenance_amount": "50",
                "max_leverage": "100",
            },
        ],
        "parameters": {"base_rate": "0.05"},
    },
    "CollateralScheduleSet": {
        "asset": "BTC",
        "effective_at": TIME,
        "tiers": [{"value_floor": "0", "value_cap": "1000", "collateral_rate": "0.95"}],
    },
    "RiskPolicySet": {
        "effective_at": TIME,
        "warning_ratio": "0.7",
        "margin_call_ratio": "0.8",
        "liquidation_boundary": "at",
        "partial_fraction": "0.2",
        "cooldown_seconds": "30",
        "mark_max_age_seconds": "60",
        "waterfall": ["insurance_fund", "adl"],
        "adl_rank": "profit_leverage",
        "bankruptcy_allocation": "maintenance",
        "maintenance_basis": "mark",
        "engine_max_latency_seconds": "0.5",
        "loss_allocation": "equity",
    },
    "FeeScheduleSet": {
        "instrument": "BTC-PERP",
        "effective_at": TIME,
        "maker_rate": "-0.0001",
        "taker_rate": "0.0005",
        "liquidation_rate": "0.005",
    },
    "FundingScheduleSet": {
        "instrument": "BTC-PERP",
        "effective_at": TIME,
        "interval_seconds": "28800",
        "interest_rate": "0.0001",
        "clamp": "0.0005",
    },
    "IndexPriceUpdated": {
        "index": "BTC",
        "price": "26000",
        "constituents": [
            {
                "source": "venue-a",
                "price": "26000",
                "weight": "0.5",
                "excluded": True,
                "reason": "outlier",
                "observed_at": TIME,
            }
        ],
    },
    "MarkPriceUpdated": _PRICE,
    "LastPriceUpdated": _PRICE,
    "AssetPriceUpdated": {"asset": "BTC", "valuation_currency": "USD", "price": "26000"},
    "PriceBarRecorded": {
        "instrument": "BTC-PERP",
        "kind": "mark",
        "interval_seconds": "60",
        "open": "1",
        "high": "3",
        "low": "0.5",
        "close": "2",
    },
    "FundingSettled": {"instrument": "BTC-PERP", "rate": "-0.00006876", "mark_price": "26000"},
    "FundingPaid": {
        "account": "A17",
        "instrument": "BTC-PERP",
        "position_side": "long",
        "quantity": "3",
        "price": "26000",
        "rate": "0.0001",
        "asset": "USDT",
        "amount": "7.8",
    },
    "LeverageSet": {"account": "A17", "instrument": "BTC-PERP", "leverage": "20"},
    "MarginModeSet": {"account": "A17", "instrument": "BTC-PERP", "margin_mode": "isolated"},
    "PositionModeSet": {"account": "A17", "instrument": "BTC-PERP", "position_mode": "one_way"},
    "OrderAccepted": _ORDER,
    "OrderCancelled": _ORDER,
    "OrderRejected": _ORDER,
    "FillRecorded": {
        "account": "A17",
        "instrument": "BTC-PERP",
        "side": "sell",
        "quantity": "3",
        "price": "26000.5",
        "fee": "-0.01",
        "fee_asset": "USDT",
        "trade_id": "t-1",
        "liquidity": "maker",
        "purpose": "liquidation",
        "position_side": "short",
        "order_id": "o-1",
        "liquidation": "liq-1",
    },
    "TradeExecuted": {
        "instrument": "BTC-PERP",
        "quantity": "3",
        "price": "26000.5",
        "buyer": "A17",
        "seller": "A18",
        "buyer_fee": "1",
        "seller_fee": "0",
        "fee_asset": "USDT",
        "trade_id": "t-1",
        "buyer_order_id": "o-1",
        "seller_order_id": "o-2",
    },
    "MarginAdjusted": {
        "account": "A17",
        "instrument": "BTC-PERP",
        "position_side": "short",
        "amount": "-5",
        "reason": "asked for",
    },
    "MarginCallIssued": _MARGIN_CALL,
    "MarginCallCured": _MARGIN_CALL,
    "LiquidationStarted": {
        "liquidation": "liq-1",
        "account": "A17",
        "scope": "position",
        "instrument": "BTC-PERP",
        "position_side": "long",
        "mark_price": "25000",
        "margin_ratio": "1.02",
        "schedule_event": EVENT_ID,
        "reason": "maintenance",
    },
    "LiquidationExecuted": {
        "liquidation": "liq-1",
        "account": "A17",
        "scope": "account",
        "notional": "75000",
        "account_value": "-20",
        "takeovers": [
            {
                "instrument": "BTC-PERP",
                "position_side": "long",
                "quantity": "3",
                "price": "25000",
                "bankruptcy_price": "24990",
                "counterparty_account": "backstop",
                "trade_ids": ["t-1", "t-2"],
            }
        ],
        "fee": "1",
        "leverage_type": "Cross",
    },
    "InsuranceFundContributed": _FUND_MOVEMENT,
    "InsuranceFundDrawn": _FUND_MOVEMENT,
    "PositionAutoDeleveraged": {
        "liquidation": "liq-1",
        "bankrupt_account": "A17",
        "counterparty_account": "A19",
        "instrument": "BTC-PERP",
        "quantity": "1",
        "price": "24990",
        "rank": "0",
        "trade_id": "t-3",
    },
    "LossSocialised": {
        "liquidation": "liq-1",
        "asset": "USDT",
        "amount": "20",
        "allocations": [{"account": "A18", "amount": "12"}, {"account": "A19", "amount": "8"}],
        "part": "1",
        "parts": "2",
    },
    "AccountStateReported": {
        "account": "A17",
        "wallet_balance": {"USDT": "1000", "BTC": "-0.5"},
        "equity": "900",
        "initial_margin": "90",
        "maintenance_margin": "45",
        "margin_ratio": "0.05",
        "positions": [
            {
                "instrument": "ETH-PERP",
                "position_side": "short",
                "margin_mode": "isolated",
                "quantity": "-3",
                "entry_price": "1500",
                "mark_price": "1501",
                "notional": "4503",
                "unrealised_pnl": "-3",
                "initial_margin": "90",
                "maintenance_margin": "45",
                "isolated_margin": "100",
                "leverage": "50",
                "liquidation_price": "1520",
            }
        ],
    },
    "ReserveAttested": {
        "asset": "USDT",
        "custodian": "bank",
        "address": "vault 1",
        "amount": "5000",
        "as_of": TIME,
        "attester": "auditor",
        "encumbered": "0",
        "proof_reference": "letter 3",
    },
    "StateCommitted": {
        "as_of_sequence": "41",
        "projection": "margin",
        "projection_version": "1",
        "state_root": HASH,
        "liabilities_root": HASH,
        "subjects_root": HASH,
        "totals": {"liabilities": {"USDT": "5000"}},
    },
    "CorrectionRecorded": {
        "corrects": EVENT_ID,
        "action": "replace",
        "replacement": {"account": "A20", "legs": [{"instrument": "ETH-PERP"}, "note"], "final": True},
        "reason": "typing error",
        "approvers": ["first", "second"],
    },
    "PriceOverridden": {
        "instrument": "BTC-PERP",
        "kind": "mark",
        "price": "26000",
        "replaces": "outlier",
        "reason": "bad print",
        "approvers": ["first"],
    },
    "LegalHoldPlaced": _HOLD,
    "LegalHoldReleased": _HOLD,
    "ExportIssued": {
        "export": "E1",
        "tree_size": "42",
        "query": "account A17",
        "purpose": "inquiry",
        "requester": "regulator",
        "manifest_hash": HASH,
    },
    "ClockSynchronised": {"source": "ntp", "divergence_microseconds": "-12", "reason": "daily"},
    "RestoreAccepted": {"from_checkpoint": "size 41", "reason": "disk failure"},
    "SigningKeyRegistered": _KEY,
    "SigningKeyRetired": {**_KEY, "compromised_at": TIME},
}
"""Event type → data in which every field, optional ones too, has a value."""


def draft_json(event_type: str = "DepositRecorded", **changes: Any) -> JsonObject:
    """Return a draft as JSON; keywords replace or add event keys, None leaves a key out."""
    draft: JsonObject = {"type": event_type, "occurred_at": TIME, "data": EXAMPLES[event_type], **changes}
    return {key: value for key, value in draft.items() if value is not None}


def deposit(account: str = "A17", amount: str = "1", **changes: Any) -> Draft:
    """Return a deposit; keywords are event keys, for example ``id``."""
    data: JsonObject = {"account": account, "asset": "USDT", "amount": amount}
    return Draft.from_json(draft_json("DepositRecorded", data=data, **changes))


def prepared(draft: Draft | None = None, event_id: str | None = None) -> PreparedEvent:
    """Return a draft (a deposit, unless one is given) under its id or a random one."""
    given = draft or deposit()
    return prepare(given, uuid.UUID(event_id) if event_id else given.id or uuid.uuid4())


def event_of_size(size: int) -> Draft:
    """Return an event whose bytes, under :data:`EVENT_ID`, are of the size; 64,000 to 65,000 or so."""

    def with_approver(length: int) -> Draft:
        approvers = ["x" * 250] * 250 + ["y" * (length // 8)] * 7 + ["y" * (length - length // 8 * 7)]
        data: JsonObject = {**EXAMPLES["CorrectionRecorded"], "approvers": [*approvers]}
        return Draft.from_json(draft_json("CorrectionRecorded", data=data))

    return with_approver(1000 + size - len(prepared(with_approver(1000), EVENT_ID).event_bytes))
