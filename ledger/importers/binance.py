"""What the Binance readers share: one name for an instrument however it is written, and the declaration."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from ledger.errors import InvalidInputError
from ledger.events.envelope import Source
from ledger.events.governance import SourceDeclared
from ledger.events.instruments import InstrumentListed
from ledger.importers.reading import BEFORE_RECORDS, ImportedDraft, inferred_draft

if TYPE_CHECKING:
    from ledger.importers.files import Member

SYSTEM = "binance"

# What contracts of this venue are or were quoted in; a symbol without separator is split at one of them.
_QUOTES = ("USDT", "USDC", "BUSD", "FDUSD", "BTC", "ETH", "BNB", "USD")
_UNIFIED = re.compile(r"([^/:]+)/([^/:-]+)(?::([^/:-]+)(?:-([0-9]{6}))?)?")
_NATIVE = re.compile(r"([^/:_]+)_([0-9]{6}|PERP)")
_DELIVERY_HOUR = 8  # quarterly contracts are delivered at 08:00 UTC of the day in their symbol


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract, read off its symbol.

    Attributes:
        instrument: the one name: the venue's own symbol, such as ``BTCUSDT`` or ``BTCUSDT_251226``.
        expires_at: delivery time of a dated contract.
    """

    instrument: str
    base: str
    quote: str
    settlement_asset: str
    expires_at: datetime | None

    @property
    def inverse(self) -> bool:
        """Whether the contract is settled in its base asset."""
        return self.settlement_asset == self.base


def parse_symbol(symbol: str) -> Contract:
    """Read ``BTCUSDT``, ``BTC/USDT``, ``BTC/USDT:USDT``, ``BTCUSDT_251226`` or ``BTC/USDT:USDT-251226``.

    All ways of writing one contract give the same name (docs/spec/import-ids.md).

    Raises:
        InvalidInputError: base and quote cannot be told apart, or the date is none.
    """
    unified = _UNIFIED.fullmatch(symbol)
    if unified is not None:
        base, quote, settlement, date = unified.groups()
        if settlement == base:
            return Contract(f"{base}{quote}_{date or 'PERP'}", base, quote, base, _expiry(date, symbol))
    else:
        native = _NATIVE.fullmatch(symbol)
        pair, date = native.groups() if native is not None else (symbol, None)
        base, quote = _split(pair, symbol)
        settlement = base if quote == "USD" else quote
        if settlement == base:
            date = None if date == "PERP" else date
            return Contract(f"{pair}_{date or 'PERP'}", base, quote, base, _expiry(date, symbol))
    name = f"{base}{quote}_{date}" if date else f"{base}{quote}"
    return Contract(name, base, quote, settlement or quote, _expiry(date, symbol))


def listing(contract: Contract) -> InstrumentListed:
    """Return what a linear contract's symbol says about it; contract size 1, as on this venue."""
    return InstrumentListed(
        instrument=contract.instrument,
        kind="future" if contract.expires_at is not None else "perpetual",
        contract="linear",
        base=contract.base,
        quote=contract.quote,
        settlement_asset=contract.settlement_asset,
        contract_size=Decimal(1),
        expires_at=contract.expires_at,
    )


def declaration(member: Member) -> ImportedDraft:
    """Return the declaration of the source, the same whichever file it comes with."""
    data = SourceDeclared(
        source=SYSTEM,
        coverage="complete",
        description="Public data of the venue: leverage brackets, price bars, funding rates; no trades.",
    )
    draft = inferred_draft(SYSTEM, data, BEFORE_RECORDS, Source(system=SYSTEM, file=member.name))
    return ImportedDraft(draft, 0, 0, 0, None, member.label)


def _split(pair: str, symbol: str) -> tuple[str, str]:
    for quote in _QUOTES:
        if pair.endswith(quote) and len(pair) > len(quote):
            return pair.removesuffix(quote), quote
    raise InvalidInputError(
        f"{symbol!r} is not a symbol with a known quote asset",
        next_step="write it with its quote, for example BTC/USDT",
    )


def _expiry(date: str | None, symbol: str) -> datetime | None:
    if date is None:
        return None
    try:
        day = datetime.strptime(date, "%y%m%d").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidInputError(f"{date} in the symbol {symbol!r} is not a date") from None
    return day.replace(hour=_DELIVERY_HOUR)
