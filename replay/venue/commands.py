"""What a venue is told to do, and what it answers.

Facts (deposits, prices, schedules, policy, new accounts) come in as the catalogue's own payloads in
:class:`Record`; what the venue may refuse is a command of its own. Every command carries its times:
the engine never reads a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from ledger.events.base import Payload
    from ledger.events.envelope import Draft

Side = Literal["buy", "sell"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Something the venue is told.

    Attributes:
        at: business time at the source; becomes ``occurred_at`` of the fact.
        received_at: when the engine got it; ``at`` if None.
        processed_at: when the engine acts on it, which is when its decisions occur; ``received_at``
            plus the configured processing delay if None.
    """

    at: datetime
    received_at: datetime | None = None
    processed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Command):
    """Take a fact as it is: an account, a deposit, a listing, a price, a schedule, a policy, a report."""

    data: Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder(Command):
    """Buy or sell ``quantity`` contracts.

    Attributes:
        price: limit; a market order if None. What a market order leaves unfilled is cancelled.
        reduce_only: only to make a position smaller; fills at once or is cancelled, never rests.
        post_only: only to rest; rejected if it would fill at once.
    """

    order_id: str
    account: str
    instrument: str
    side: Side
    quantity: Decimal
    price: Decimal | None = None
    reduce_only: bool = False
    post_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder(Command):
    """Take a resting order out of the book."""

    order_id: str
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw(Command):
    """Take an amount out of the venue; refused where margin needs it."""

    account: str
    asset: str
    amount: Decimal
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustMargin(Command):
    """Move margin from the wallet into an isolated position (positive) or back (negative)."""

    account: str
    instrument: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLeverage(Command):
    """Choose the leverage of an instrument, with which initial margin is taken."""

    account: str
    instrument: str
    leverage: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMarginMode(Command):
    """Choose cross or isolated margin for an instrument in which nothing is open."""

    account: str
    instrument: str
    margin_mode: Literal["cross", "isolated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleFunding(Command):
    """End a funding interval of an instrument.

    Attributes:
        premium: of the perpetual over its index, as a fraction; (mark − index) ÷ index if None.
    """

    instrument: str
    premium: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportAccountState(Command):
    """State the venue's own figures for an account."""

    account: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the venue did not do what it was told; nothing changed but for an ``OrderRejected``.

    Attributes:
        code: the kind of refusal, for programs.
        message: for people, with names and amounts.
    """

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command led to.

    Attributes:
        drafts: everything that happened, in causal order.
        refusal: why the command was not carried out, or None.
    """

    drafts: tuple[Draft, ...]
    refusal: Refusal | None = None
