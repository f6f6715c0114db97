"""What account holders do apart from trading, and what the venue reports about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import MAXIMUM_SCALE, ONE, ZERO, Rounding, divide, format_exact, round_to
from ledger.events.accounts import AccountStateReported, LeverageSet, MarginModeSet, ReportedPosition
from ledger.events.cash import MarginAdjusted, WithdrawalRecorded
from replay.margin.contracts import entry_price
from replay.margin.tiered import initial_margin
from replay.venue.commands import Refusal
from replay.venue.liquidation import RATIO_SCALE
from replay.venue.order_margin import claims_of, margin_with_orders, order_room

if TYPE_CHECKING:
    from decimal import Decimal

    from replay.state.records import Account
    from replay.venue.commands import AdjustMargin, ReportAccountState, SetLeverage, SetMarginMode, Withdraw
    from replay.venue.risk import Exposure, RiskView, Standing

_UNKNOWN_ACCOUNT = "account_not_open"
_UNDETERMINED = Refusal("margin_undetermined", "the account's margin is undetermined")


def withdraw(view: RiskView, command: Withdraw) -> Refusal | None:
    """Pay out of the wallet what neither margin nor open orders need; unrealised profit stays."""
    account = _open(view, command.account)
    if account is None:
        return Refusal(_UNKNOWN_ACCOUNT, f"account {command.account} is not open")
    balance = account.balances.get(command.asset, ZERO)
    if command.asset != view.venue.configuration.settlement_asset or command.amount > balance:
        message = f"{command.account} holds {format_exact(balance)} {command.asset} outside isolated margin"
        return Refusal("insufficient_balance", message)
    lacking = _lacking(view, account, command.amount)
    if lacking is None:
        return _UNDETERMINED
    if lacking > 0:
        return Refusal("insufficient_margin", f"the account's margin needs {format_exact(lacking)} of it")
    view.venue.journal.record(
        WithdrawalRecorded(
            account=command.account, asset=command.asset, amount=command.amount, reference=command.reference
        )
    )
    return None


def adjust_margin(view: RiskView, command: AdjustMargin) -> Refusal | None:
    """Move margin between the wallet and an isolated position."""
    account = _open(view, command.account)
    if account is None:
        return Refusal(_UNKNOWN_ACCOUNT, f"account {command.account} is not open")
    found = [each for each in view.isolated(account) if each.pot[1] == command.instrument]
    if not found:
        return Refusal("no_isolated_position", f"{command.account} has no isolated {command.instrument} open")
    if command.amount > 0:
        if command.amount > account.balances.get(view.venue.configuration.settlement_asset, ZERO):
            return Refusal("insufficient_balance", "the wallet does not hold the amount")
        lacking = _lacking(view, account, command.amount)
        if lacking is None:
            return _UNDETERMINED
    else:
        exposure = found[0].exposures[0]
        lacking = _initial_margin(view, account, exposure) - (found[0].equity + command.amount)
        if (exposure.position.isolated_margin or ZERO) + command.amount < 0:
            return Refusal("insufficient_margin", "the position does not hold the amount")
    if lacking > 0:
        return Refusal("insufficient_margin", f"{format_exact(lacking)} are lacking")
    reason = "margin added" if command.amount > 0 else "margin removed"
    view.venue.journal.record(
        MarginAdjusted(
            account=command.account, instrument=command.instrument, amount=command.amount, reason=reason
        )
    )
    return None


def set_leverage(view: RiskView, command: SetLeverage) -> Refusal | None:
    """Choose a leverage with which everything open still has its initial margin."""
    account = _open(view, command.account)
    if account is None:
        return Refusal(_UNKNOWN_ACCOUNT, f"account {command.account} is not open")
    tiers = view.tiers(command.instrument)
    if not tiers:
        return Refusal("instrument_not_listed", f"{command.instrument} has no margin schedule in force")
    greatest = max(tier.max_leverage for tier in tiers)
    if not 0 < command.leverage <= greatest:
        return Refusal("leverage_out_of_range", f"leverage is above 0 and at most {format_exact(greatest)}")
    if _anything_open(view, account, command.instrument) and (
        account.margin_mode(command.instrument) == "isolated"
        or command.leverage < (account.leverage(command.instrument) or greatest)
    ):
        return Refusal(
            "position_open", "leverage is lowered, or changed in isolated mode, only with nothing open"
        )
    view.venue.journal.record(
        LeverageSet(account=command.account, instrument=command.instrument, leverage=command.leverage)
    )
    return None


def set_margin_mode(view: RiskView, command: SetMarginMode) -> Refusal | None:
    """Choose cross or isolated margin where nothing is open."""
    account = _open(view, command.account)
    if account is None:
        return Refusal(_UNKNOWN_ACCOUNT, f"account {command.account} is not open")
    if _anything_open(view, account, command.instrument):
        return Refusal("position_open", f"{command.account} has a position or orders in {command.instrument}")
    view.venue.journal.record(
        MarginModeSet(account=command.account, instrument=command.instrument, margin_mode=command.margin_mode)
    )
    return None


def report_account_state(view: RiskView, command: ReportAccountState) -> Refusal | None:
    """State the venue's own figures: account figures of the cross part, and every position."""
    account = view.venue.state.accounts.get(command.account)
    if account is None:
        return Refusal(_UNKNOWN_ACCOUNT, f"account {command.account} is not known")
    cross = view.cross(account)
    claims = claims_of(view, view.venue.orders_of(account.account))
    initial = None if claims is None else margin_with_orders(view, account, claims)
    if cross is None or initial is None:
        return _UNDETERMINED
    ratio = None
    if cross.exposures and cross.value > 0:
        ratio = divide(cross.maintenance_margin, cross.value, scale=RATIO_SCALE, rounding=Rounding.HALF_EVEN)
    standings = [cross, *view.isolated(account)]
    view.venue.journal.record(
        AccountStateReported(
            account=command.account,
            wallet_balance=account.wallet_balances(),
            equity=_valued(cross.equity, cross.rate),
            initial_margin=_valued(initial, cross.rate),
            maintenance_margin=_valued(cross.maintenance_margin, ONE),
            margin_ratio=ratio,
            positions=[
                _reported(view, account, standing, exposure)
                for standing in standings
                for exposure in standing.exposures
            ]
            or None,
        )
    )
    return None


def _reported(view: RiskView, account: Account, standing: Standing, exposure: Exposure) -> ReportedPosition:
    position = exposure.position
    contract_size = view.venue.instrument(position.instrument).contract_size
    return ReportedPosition(
        instrument=position.instrument,
        margin_mode="isolated" if standing.isolated else "cross",
        quantity=position.quantity,
        entry_price=entry_price("linear", position.quantity, contract_size, position.cost),
        mark_price=exposure.mark_price,
        notional=_valued(exposure.notional, standing.rate),
        unrealised_pnl=_valued(exposure.unrealised_pnl, standing.rate),
        initial_margin=_valued(_initial_margin(view, account, exposure), standing.rate),
        maintenance_margin=_valued(exposure.maintenance_margin, standing.rate),
        isolated_margin=_valued(position.isolated_margin or ZERO, standing.rate)
        if standing.isolated
        else None,
        leverage=view.leverage(account, position.instrument, exposure.notional),
    )


def _initial_margin(view: RiskView, account: Account, exposure: Exposure) -> Decimal:
    leverage = view.leverage(account, exposure.position.instrument, exposure.notional)
    return initial_margin(exposure.notional, leverage)


def _lacking(view: RiskView, account: Account, amount: Decimal) -> Decimal | None:
    """Return how much margin lacks, in the valuation currency, once ``amount`` is taken; ≤ 0 is none."""
    cross = view.cross(account)
    claims = claims_of(view, view.venue.orders_of(account.account))
    room = None if claims is None else order_room(view, account, claims)
    if cross is None or room is None:
        return None
    balance = account.balances.get(view.venue.configuration.settlement_asset, ZERO)
    given_up = view.collateral(balance) - view.collateral(balance - amount)
    profit = max(sum((each.unrealised_pnl for each in cross.exposures), ZERO), ZERO) * cross.rate
    return given_up + profit - room.after_margin


def _anything_open(view: RiskView, account: Account, instrument: str) -> bool:
    orders = view.venue.orders_of(account.account)
    return (instrument, "both") in account.positions or any(each.instrument == instrument for each in orders)


def _open(view: RiskView, name: str) -> Account | None:
    account = view.venue.state.accounts.get(name)
    if account is None or not account.profile.opened or account.profile.closed:
        return None
    return account


def _valued(amount: Decimal, rate: Decimal) -> Decimal:
    return round_to(amount * rate, MAXIMUM_SCALE, Rounding.HALF_EVEN)
