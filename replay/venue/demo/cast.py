"""Who trades on the demo day: a few whose part is written, and many who trade at random."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import random

    from ledger.events.accounts import AccountKind
    from replay.venue.commands import Side

INSURANCE_FUND = "insurance-fund"
HOUSE = "house"
MARKET_MAKERS = ("maker-1", "maker-2")
INSURANCE_FUND_DEPOSIT = Decimal(100_000)
MARKET_MAKER_DEPOSIT = Decimal(8_000_000)


@dataclass(frozen=True, slots=True)
class Part:
    """One written position.

    Attributes:
        minute: when it is opened.
        notional: in the settlement asset, at the mark of that minute.
        leverage: what the account sets first.
    """

    account: str
    coin: str
    side: Side
    minute: int
    notional: Decimal
    leverage: Decimal
    margin_mode: Literal["cross", "isolated"] = "cross"


@dataclass(frozen=True, slots=True)
class Opening:
    """An account and what it brings."""

    account: str
    kind: AccountKind
    deposit: Decimal


CALLED = "C03"
"""Is called for margin in the crash and pays in time."""
TOP_UP = Decimal(70_000)
WITHDRAWS = "C02"
"""Takes money out after the crash, if there is any left."""
WITHDRAWAL = Decimal(2_500)

PARTS = (
    Part("C08", "BTC", "sell", 1_190, Decimal(1_900_000), Decimal(25)),
    Part("C12", "BTC", "sell", 1_194, Decimal(2_600_000), Decimal(10)),
    Part("C16", "ETH", "sell", 1_198, Decimal(900_000), Decimal(20)),
    Part(CALLED, "ETH", "buy", 1_202, Decimal(180_000), Decimal(20)),
    Part("C05", "BTC", "buy", 1_206, Decimal(160_000), Decimal(40)),
    Part("C09", "ETH", "buy", 1_210, Decimal(120_000), Decimal(20), "isolated"),
    Part("C14", "BTC", "buy", 1_214, Decimal(240_000), Decimal(25)),
    Part("C14", "ETH", "buy", 1_214, Decimal(110_000), Decimal(25)),
    Part("C17", "ETH", "buy", 1_218, Decimal(1_600_000), Decimal(10)),
    Part("C21", "BTC", "buy", 1_222, Decimal(3_000_000), Decimal(10)),
)

_DEPOSITS = {
    "C02": Decimal(40_000),
    "C03": Decimal(13_000),
    "C05": Decimal(8_900),
    "C08": Decimal(130_000),
    "C09": Decimal(9_000),
    "C12": Decimal(420_000),
    "C14": Decimal(29_000),
    "C16": Decimal(95_000),
    "C17": Decimal(208_000),
    "C21": Decimal(505_000),
}
CUSTOMERS = tuple(f"C{number:02d}" for number in range(1, 29))
PASSERS_BY = tuple(name for name in CUSTOMERS if name not in {part.account for part in PARTS})
"""Customers who trade at random."""


def openings(rng: random.Random) -> list[Opening]:
    """Return every account with its deposit; those of customers without a part are drawn."""
    customers = [
        Opening(name, "customer", _DEPOSITS.get(name) or Decimal(rng.randint(20, 400) * 100))
        for name in CUSTOMERS
    ]
    return [
        Opening(INSURANCE_FUND, "insurance_fund", INSURANCE_FUND_DEPOSIT),
        Opening(HOUSE, "house", Decimal(25_000)),
        *(Opening(name, "market_maker", MARKET_MAKER_DEPOSIT) for name in MARKET_MAKERS),
        *customers,
    ]
