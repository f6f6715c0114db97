"""The real crashes: recorded tiers and marks of two instruments, and accounts opened before each crash."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

from ledger.clock import parse_time
from ledger.events.governance import SourceDeclared
from ledger.events.prices import PriceBarRecorded
from ledger.events.registry import PAYLOADS
from ledger.importers.kinds import open_source
from tests.support.events import recorded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ledger.events.base import Payload
    from ledger.events.envelope import Event
    from ledger.importers.kinds import OptionValue

INSTRUMENTS = ("BTCUSDT", "ETHUSDT")
TIER_DATES = ("2022-02-12", "2022-11-25", "2024-08-08", "2025-10-09")
CRASHES = ("2020-03-13", "2021-05-19", "2022-11-09", "2024-08-05", "2025-10-10")
LEVERAGES = (2, 5, 10, 20, 50)
SIDES = {"long": "buy", "short": "sell"}
MARGIN_CALL_RATIO = Decimal("0.8")
# Small enough for the first tier of every table.
QUANTITY = {"BTCUSDT": Decimal("0.05"), "ETHUSDT": Decimal(1)}


@dataclass(frozen=True, slots=True)
class Window:
    """Two days that end with the day of a crash."""

    crash: str

    @property
    def start(self) -> datetime:
        return parse_time(f"{self.crash}T00:00:00Z") - timedelta(days=1)

    @property
    def end(self) -> datetime:
        return self.start + timedelta(days=2)


def account_name(crash: str, instrument: str, side: str, leverage: int) -> str:
    return f"{crash}/{instrument}/{side}/{leverage}"


def crash_events(shared_data: Path) -> list[Event]:
    """Return a ledger's events in the order of time: what was imported, and the accounts of the test."""
    payloads = [*_imported(shared_data), *_policy()]
    opening = {window.start: window for window in map(Window, CRASHES)}
    closes = {
        (data.instrument, at): data.close
        for at, data in payloads
        if isinstance(data, PriceBarRecorded) and at in opening
    }
    for at, window in opening.items():
        payloads += _accounts(window, {name: closes[name, at] for name in INSTRUMENTS})
    payloads.sort(key=lambda each: each[0])
    opened = PAYLOADS["LedgerOpened"].model_validate(
        {
            "ledger": "test.example/replay",
            "format": "margin-ledger/1",
            "description": "a test",
            "valuation_currency": "USDT",
        }
    )
    all_payloads = [(payloads[0][0], opened), *payloads]
    return [recorded(sequence, data, occurred_at=at) for sequence, (at, data) in enumerate(all_payloads)]


def _imported(shared_data: Path) -> Iterator[tuple[datetime, Payload]]:
    folder = shared_data / "binance_tiers"
    files = [folder / f"binance_leverage_tiers_{date}.json.gz" for date in TIER_DATES]
    times = [f"{date}T00:00:00Z" for date in TIER_DATES]
    options: dict[str, OptionValue] = {"effective_at": times, "symbol": INSTRUMENTS}
    sources = [open_source("binance-tiers", [str(file) for file in files], options)]
    for name in INSTRUMENTS:
        path = shared_data / "binance_history" / f"binance_{name}_1h_mark_2019-2026.csv.gz"
        sources.append(open_source("binance-klines", [str(path)], {"instrument": name, "as": "mark"}))
    for source in sources:
        for each in source.read(_refuse):
            if not isinstance(each.draft.data, SourceDeclared):
                yield each.draft.occurred_at, each.draft.data


def _refuse(warning: object) -> NoReturn:
    raise AssertionError(warning)


def _policy() -> Iterator[tuple[datetime, Payload]]:
    at = parse_time("2019-12-01T00:00:00Z")
    yield _made(
        at,
        "RiskPolicySet",
        effective_at=at,
        liquidation_boundary="at",
        margin_call_ratio=str(MARGIN_CALL_RATIO),
    )
    for name in INSTRUMENTS:
        # The tables list the contracts only from 2022 on.
        yield _made(
            at,
            "InstrumentListed",
            instrument=name,
            kind="perpetual",
            contract="linear",
            base=name.removesuffix("USDT"),
            quote="USDT",
            settlement_asset="USDT",
            contract_size="1",
        )


def _accounts(window: Window, prices: Mapping[str, Decimal]) -> Iterator[tuple[datetime, Payload]]:
    """Yield a deposit and a fill of each account: notional ÷ leverage, and the position at the mark."""
    for name, price in prices.items():
        for side, word in SIDES.items():
            for leverage in LEVERAGES:
                account = account_name(window.crash, name, side, leverage)
                amount = str((QUANTITY[name] * price / leverage).quantize(Decimal("1e-8")))
                yield _made(window.start, "DepositRecorded", account=account, asset="USDT", amount=amount)
                yield _made(
                    window.start,
                    "FillRecorded",
                    account=account,
                    instrument=name,
                    side=word,
                    quantity=str(QUANTITY[name]),
                    price=str(price),
                    purpose="trade",
                )


def _made(at: datetime, event_type: str, **data: Any) -> tuple[datetime, Payload]:
    return at, PAYLOADS[event_type].model_validate(data)
