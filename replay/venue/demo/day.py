"""The demo day: a small venue from its opening to midnight, with a crash in the evening.

The same arguments give the same drafts, ids included, so that recording a day twice adds nothing.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ledger.amounts import ZERO, Rounding, divide, exact
from ledger.events.accounts import AccountOpened
from ledger.events.cash import DepositRecorded, ReserveAttested
from ledger.events.governance import SourceDeclared, SourceTotalsReported
from ledger.events.liquidations import MarginCallIssued
from ledger.events.prices import AssetPriceUpdated
from replay.venue.commands import (
    CancelOrder,
    PlaceOrder,
    Record,
    ReportAccountState,
    SetLeverage,
    SetMarginMode,
    SettleFunding,
    Withdraw,
)
from replay.venue.configuration import VenueConfiguration
from replay.venue.demo import cast
from replay.venue.demo.market import (
    COINS,
    CRASH_BEGINS,
    CRASH_ENDS,
    GAPS,
    Coin,
    PricePath,
    contracts,
    interpolate,
    nudged,
)
from replay.venue.demo.terms import SETTLEMENT_ASSET, terms
from replay.venue.engine import VenueEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ledger.events.base import Payload
    from ledger.events.envelope import Draft
    from replay.venue.commands import Command, Side

DEMO_DATE = date(2026, 3, 12)
DEMO_SEED = 7
SOURCE = "demo-venue"

_CALM_INTERVAL_MINUTES = 4
_QUOTES_LAST_MINUTES = 32
_FUNDING_MINUTES = (480, 960)
_WITHDRAWAL_MINUTE = 1_368
_LAST_MINUTE = 1_438
# (minute, millionths away from par): the settlement asset gives a little under the crash.
_PEG = ((0, 0), (1_264, 0), (1_290, -3_800), (1_330, -900), (1_380, 0), (1_440, 0))


def demo_day(
    seed: int = DEMO_SEED,
    *,
    origin: str,
    valuation_currency: str = "USD",
    day: date = DEMO_DATE,
) -> Iterator[Draft]:
    """Yield the drafts of a day, in order, ``occurred_at`` never running backwards.

    Args:
        seed: draws noise and the trading of passers-by; the written parts stay.
        origin: the ledger's name; ids depend on it.
        valuation_currency: the ledger's. Where it is not USDT, the price of USDT in it is recorded, near 1.
        day: the date in UTC.
    """
    return _Day(seed, origin, valuation_currency, day).drafts()


class _Day:
    """One day under way: the engine, the time, and what the market makers quote."""

    def __init__(self, seed: int, origin: str, valuation_currency: str, day: date) -> None:
        self._rng = random.Random(seed)  # noqa: S311 (a story, not a secret)
        self._midnight = datetime.combine(day, time(), UTC)
        self._now = self._midnight
        self._valuation_currency = valuation_currency
        self._engine = VenueEngine(
            VenueConfiguration(
                origin=origin,
                stream=f"demo/{day.isoformat()}/{seed}/{valuation_currency}",
                valuation_currency=valuation_currency,
                settlement_asset=SETTLEMENT_ASSET,
                insurance_fund=cast.INSURANCE_FUND,
                house=cast.HOUSE,
                source=SOURCE,
                processing_delay=timedelta(milliseconds=120),
                quantity_scale=3,
            )
        )
        self._paths = {coin: PricePath(coin, self._rng) for coin in COINS}
        self._counts: Counter[str] = Counter()
        self._orders = 0
        self._quoted: dict[Coin, tuple[int, Decimal]] = {}
        self._quotes: dict[Coin, list[str]] = {coin: [] for coin in COINS}
        self._resting: list[str] = []
        self._called = False

    def drafts(self) -> Iterator[Draft]:
        """Yield the whole day."""
        yield from self._open()
        for minute in range(_LAST_MINUTE + 1):
            in_crash = CRASH_BEGINS <= minute <= CRASH_ENDS
            if in_crash or minute % _CALM_INTERVAL_MINUTES == 0:
                yield from self._minute(minute)
        yield from self._close()

    def _open(self) -> Iterator[Draft]:
        yield from self._record(
            SourceDeclared(
                source=SOURCE,
                coverage="complete",
                description="the demo venue's engine: every event and both sides of every trade",
            )
        )
        for payload in terms(self._midnight):
            yield from self._record(payload)
        for opening in cast.openings(self._rng):
            yield from self._record(
                AccountOpened(
                    account=opening.account, margin_mode="cross", position_mode="one_way", kind=opening.kind
                )
            )
            yield from self._record(
                DepositRecorded(
                    account=opening.account,
                    asset=SETTLEMENT_ASSET,
                    amount=opening.deposit,
                    reference=f"deposit-{opening.account}-1",
                )
            )

    def _minute(self, minute: int) -> Iterator[Draft]:
        self._now = max(self._now, self._midnight + timedelta(minutes=minute))
        yield from self._price(minute)
        if minute in _FUNDING_MINUTES:
            for coin in COINS:
                yield from self._do(SettleFunding, instrument=coin.instrument)
        for coin in COINS:
            yield from self._quote(coin, minute)
        for part in cast.PARTS:
            if part.minute == minute or (
                part.minute // _CALM_INTERVAL_MINUTES * _CALM_INTERVAL_MINUTES == minute
            ):
                yield from self._play(part)
        for _ in range(self._rng.choice((0, 1, 1, 2))):
            yield from self._trade_at_random()
        yield from self._answer_margin_call()
        yield from self._unwind_fund()
        if minute == _WITHDRAWAL_MINUTE:
            yield from self._withdraw()
        if minute + 1 in GAPS:
            for coin in COINS:
                yield from self._pull_quotes(coin)

    def _withdraw(self) -> Iterator[Draft]:
        """The first passer-by whose margin allows it takes some of his money out."""
        for account in (cast.WITHDRAWS, *cast.PASSERS_BY):
            drafts = tuple(
                self._do(
                    Withdraw,
                    account=account,
                    asset=SETTLEMENT_ASSET,
                    amount=cast.WITHDRAWAL,
                    reference=f"withdrawal-{account}-1",
                )
            )
            yield from drafts
            if drafts:
                return

    def _price(self, minute: int) -> Iterator[Draft]:
        if self._valuation_currency != SETTLEMENT_ASSET and (minute % 60 == 0 or minute >= CRASH_BEGINS):
            price = nudged(Decimal(1), interpolate(_PEG, minute), Decimal("0.0001"))
            if minute % 60 == 0 or minute % 5 == 0:
                yield from self._record(
                    AssetPriceUpdated(
                        asset=SETTLEMENT_ASSET, valuation_currency=self._valuation_currency, price=price
                    )
                )
        for coin in COINS:
            for payload in self._paths[coin].prices(minute):
                yield from self._record(payload)

    def _quote(self, coin: Coin, minute: int) -> Iterator[Draft]:
        """Renew quotes that are old or whose mark has moved away; in the crash they are wider and smaller."""
        mark = self._mark(coin)
        in_crash = CRASH_BEGINS < minute <= CRASH_ENDS
        if coin in self._quoted:
            quoted_at, quoted_mark = self._quoted[coin]
            moved = abs(mark - quoted_mark) * 10_000 > quoted_mark * (15 if in_crash else 30)
            if not moved and minute - quoted_at < _QUOTES_LAST_MINUTES:
                return
        yield from self._pull_quotes(coin)
        self._quoted[coin] = (minute, mark)
        for place, maker in enumerate(cast.MARKET_MAKERS):
            away = (2_500 if in_crash else 350) + 150 * place
            size = coin.quote_size if not in_crash else coin.quote_size / 5
            for side, sign in (("buy", -1), ("sell", 1)):
                price = nudged(mark, sign * away, coin.tick_size)
                order_id = self._order_id("Q")
                self._quotes[coin].append(order_id)
                yield from self._place(maker, coin, "buy" if side == "buy" else "sell", size, price, order_id)

    def _pull_quotes(self, coin: Coin) -> Iterator[Draft]:
        for order_id in self._quotes[coin]:
            yield from self._do(CancelOrder, order_id=order_id, reason="quote withdrawn")
        self._quotes[coin] = []
        self._quoted.pop(coin, None)

    def _play(self, part: cast.Part) -> Iterator[Draft]:
        coin = next(each for each in COINS if each.name == part.coin)
        if part.margin_mode == "isolated":
            yield from self._do(
                SetMarginMode, account=part.account, instrument=coin.instrument, margin_mode="isolated"
            )
        yield from self._do(
            SetLeverage, account=part.account, instrument=coin.instrument, leverage=part.leverage
        )
        quantity = contracts(part.notional, self._mark(coin), coin.quantity_scale)
        yield from self._place(part.account, coin, part.side, quantity)

    def _trade_at_random(self) -> Iterator[Draft]:
        rng = self._rng
        if self._resting and rng.randrange(4) == 0:
            order_id = self._resting.pop(rng.randrange(len(self._resting)))
            yield from self._do(CancelOrder, order_id=order_id, reason="by the customer")
            return
        account = rng.choice(cast.PASSERS_BY)
        coin = rng.choice(COINS)
        balance = self._engine.state.accounts[account].balances.get(SETTLEMENT_ASSET, ZERO)
        notional = max(balance, Decimal(100)) * rng.randint(30, 150) / 100
        quantity = contracts(notional, self._mark(coin), coin.quantity_scale)
        side: Side = "buy" if rng.randrange(100) < 54 else "sell"
        if rng.randrange(4):
            yield from self._place(account, coin, side, quantity)
            return
        away = rng.randint(100, 2_000) * (-1 if side == "buy" else 1)
        order_id = self._order_id("O")
        self._resting.append(order_id)
        yield from self._place(
            account, coin, side, quantity, nudged(self._mark(coin), away, coin.tick_size), order_id
        )

    def _answer_margin_call(self) -> Iterator[Draft]:
        """The one who was called pays half a minute later."""
        if self._called:
            self._called = False
            self._now += timedelta(seconds=15)
            yield from self._record(
                DepositRecorded(
                    account=cast.CALLED,
                    asset=SETTLEMENT_ASSET,
                    amount=cast.TOP_UP,
                    reference=f"deposit-{cast.CALLED}-2",
                )
            )

    def _unwind_fund(self) -> Iterator[Draft]:
        """The insurance fund sells what it took over, as far as somebody bids near the mark."""
        fund = self._engine.state.accounts[cast.INSURANCE_FUND]
        for coin in COINS:
            position = fund.positions.get((coin.instrument, "both"))
            if position is None or not position.quantity:
                continue
            long = position.quantity > 0
            limit = nudged(self._mark(coin), -6_000 if long else 6_000, coin.tick_size)
            yield from self._place(
                cast.INSURANCE_FUND,
                coin,
                "sell" if long else "buy",
                abs(position.quantity),
                limit,
                reduce_only=True,
            )

    def _close(self) -> Iterator[Draft]:
        """Report every account, attest the reserves, and say how many events there were."""
        self._now = self._midnight + timedelta(minutes=_LAST_MINUTE + 1)
        for account in sorted(self._engine.state.accounts):
            yield from self._do(ReportAccountState, account=account)
        owed = self._owed()
        for custodian, percent in (("cold-storage", 80), ("custody-bank", 23)):
            share = divide(owed * percent, Decimal(100), scale=0, rounding=Rounding.UP)
            yield from self._record(
                ReserveAttested(
                    asset=SETTLEMENT_ASSET,
                    custodian=custodian,
                    amount=share,
                    as_of=self._now,
                    attester="example-auditors",
                )
            )
        until = self._now
        self._now += timedelta(seconds=5)
        yield from self._record(
            SourceTotalsReported(
                source=SOURCE,
                from_time=self._midnight,
                to_time=until,
                counts={name: Decimal(count) for name, count in sorted(self._counts.items())},
            )
        )

    @exact()
    def _owed(self) -> Decimal:
        """Return what accounts could claim at most: wallets above zero and profits not yet realised."""
        state = self._engine.state
        owed = ZERO
        for account in state.accounts.values():
            owed += max(account.wallet_balances().get(SETTLEMENT_ASSET, ZERO), ZERO)
            for position in account.positions.values():
                mark = state.mark_prices[position.instrument].price
                owed += max(position.quantity * mark - position.cost, ZERO)
        return owed

    def _mark(self, coin: Coin) -> Decimal:
        return self._engine.state.mark_prices[coin.instrument].price

    def _order_id(self, prefix: str) -> str:
        self._orders += 1
        return f"{prefix}{self._orders:05d}"

    def _place(
        self,
        account: str,
        coin: Coin,
        side: Side,
        quantity: Decimal,
        price: Decimal | None = None,
        order_id: str | None = None,
        **more: bool,
    ) -> Iterator[Draft]:
        return self._do(
            PlaceOrder,
            order_id=order_id or self._order_id("O"),
            account=account,
            instrument=coin.instrument,
            side=side,
            quantity=quantity,
            price=price,
            **more,
        )

    def _record(self, data: Payload) -> Iterator[Draft]:
        return self._do(Record, data=data)

    def _do(self, command: Callable[..., Command], **fields: Any) -> Iterator[Draft]:
        """Submit a command half a second after the one before."""
        self._now += timedelta(milliseconds=500)
        for draft in self._engine.submit(command(at=self._now, **fields)).drafts:
            self._counts[draft.type] += 1
            if isinstance(draft.data, MarginCallIssued) and draft.data.account == cast.CALLED:
                self._called = True
            yield draft
