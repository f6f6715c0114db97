"""Cash: deposits, withdrawals, transfers, fees, interest, funding, the insurance fund, losses, reserves."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from ledger.events.accounts import PositionSide
from ledger.events.base import (
    Amount,
    Count,
    Identifier,
    NonNegativeAmount,
    Payload,
    PositiveAmount,
    Reference,
    Strict,
    Text,
    Time,
)


class _ExternalMovement(Payload):
    account: Identifier
    asset: Identifier
    amount: PositiveAmount
    reference: Reference | None = None


class DepositRecorded(_ExternalMovement):
    """An asset came into an account from outside the venue."""


class WithdrawalRecorded(_ExternalMovement):
    """An asset left an account for outside the venue."""


class TransferRecorded(Payload):
    """An asset went from one account of the venue to another."""

    from_account: Identifier
    to_account: Identifier
    asset: Identifier
    amount: PositiveAmount
    reference: Reference | None = None


class _Charge(Payload):
    account: Identifier
    asset: Identifier
    amount: Amount
    reason: Text
    reference: Reference | None = None


class FeeCharged(_Charge):
    """A fee apart from a fill; a positive amount is paid by the account, a negative one is a rebate."""


class InterestAccrued(_Charge):
    """Interest; a positive amount is paid by the account."""


class FundingSettled(Payload):
    """The funding rate of an interval, as announced; asserts only."""

    instrument: Identifier
    rate: Amount
    mark_price: Amount | None = None


class FundingPaid(Payload):
    """One account's funding payment (linear: quantity × price × rate); positive is paid by the account."""

    account: Identifier
    instrument: Identifier
    position_side: PositionSide | None = None
    quantity: Amount
    price: Amount
    rate: Amount
    asset: Identifier
    amount: Amount


class MarginAdjusted(Payload):
    """Isolated margin moved into a position (positive) or out of it (negative)."""

    account: Identifier
    instrument: Identifier
    position_side: PositionSide | None = None
    amount: Amount
    reason: Text


class _InsuranceFundMovement(Payload):
    fund: Identifier
    asset: Identifier
    amount: PositiveAmount
    account: Identifier
    liquidation: Reference | None = None
    reason: Text


class InsuranceFundContributed(_InsuranceFundMovement):
    """The account paid into the insurance fund."""


class InsuranceFundDrawn(_InsuranceFundMovement):
    """The insurance fund paid for the account's shortfall."""


class LossAllocation(Strict):
    """The part of a socialised loss that one account bears."""

    account: Identifier
    amount: NonNegativeAmount


class LossSocialised(Payload):
    """A loss that neither margin nor fund covered is shared out; takes effect when all parts are recorded."""

    liquidation: Reference | None = None
    asset: Identifier
    amount: PositiveAmount
    allocations: list[LossAllocation]
    part: Count
    parts: Count

    @model_validator(mode="after")
    def _part_is_one_of_parts(self) -> Self:
        if not 1 <= self.part <= self.parts:
            raise ValueError(f"part {self.part} of {self.parts}: parts are counted from 1")
        return self


class ReserveAttested(Payload):
    """What a custodian or an address held of an asset at a time, and who says so."""

    asset: Identifier
    custodian: Identifier
    address: Reference | None = None
    amount: NonNegativeAmount
    as_of: Time
    attester: Reference
    encumbered: NonNegativeAmount | None = None
    proof_reference: Reference | None = None
