"""From a liquidation and its fills to the audited row: positions closed, notional, account value, cash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import ZERO, divide, exact, format_exact
from replay.audit.liquidation import AuditedLiquidation, ClosedPosition
from replay.audit.takeover import TakenOver, liquidated_notional, printed_unit
from replay.margin import RATIO_SCALE, Note
from replay.margin.account import RATIO_ROUNDING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from replay.audit.cooldown import PartialSteps
    from replay.audit.fills import FillSum
    from replay.audit.recorder import LiquidationCase
    from replay.audit.takeover import LiquidatedNotional
    from replay.margin import PositionMargin
    from replay.state.records import PositionKey

_CASH_NOTE = (
    "unexplained_cash is what movements that are not in the ledger (fees, funding, transfers) leave over"
)


@exact()
def reckon(case: LiquidationCase, steps: PartialSteps) -> AuditedLiquidation:
    """Return the audited row of a liquidation whose fills are complete.

    Args:
        case: the liquidation.
        steps: the partial steps of all liquidations.
    """
    data = case.data
    notes: dict[Note, None] = dict.fromkeys(case.judgement.notes)
    touched, left_open = _positions(case)
    closes = any(each.taken_over for each in touched) and all(not each.remaining for each in touched)
    notional, account_value = data.notional, data.account_value
    implied = _implied_notional(case, touched, notes)
    rebuilt_value = _rebuilt_account_value(case)
    if rebuilt_value is None:
        no_marks = Note(
            "account_value_not_rebuilt",
            "no rebuilt account value: mark prices or isolated margin are not in the ledger",
        )
        notes[no_marks] = None
        value_behind = _value_at_implied_marks(case, touched, implied, notes) if closes else None
    else:
        value_behind = rebuilt_value
    cash = None if value_behind is None else account_value - value_behind
    if cash:
        notes[Note("cash_does_not_close", _CASH_NOTE)] = None
    ratio = None
    if notional > 0:
        ratio = divide(account_value, notional, scale=RATIO_SCALE, rounding=RATIO_ROUNDING)
    at_marks = _notional_at_marks(case, touched)
    unit = printed_unit(notional, case.before.amount_unit)
    if implied is not None and at_marks is not None and abs(at_marks - notional) < unit:
        _note_other_price(implied, notional, notes)
    return AuditedLiquidation(
        liquidation=data.liquidation,
        account=data.account,
        sequence=case.event.sequence,
        occurred_at=case.event.occurred_at,
        scope=data.scope,
        leverage_type=data.leverage_type,
        recorded_notional=notional,
        recorded_account_value=account_value,
        recorded_ratio=ratio,
        positions=touched,
        left_open=left_open,
        closes_exactly=closes,
        rebuilt_takeover_notional=None if implied is None else implied.total,
        residual=None if implied is None else implied.total - notional,
        residual_tolerance=None if implied is None else implied.tolerance,
        amount_unit=unit,
        rebuilt_notional=at_marks,
        rebuilt_account_value=rebuilt_value,
        unexplained_cash=cash,
        judgement=case.judgement,
        latency_counts=case.judgement.latency_seconds is not None and steps.leave_free(case.judgement),
        partial_allowed=case.partial_allowed,
        takeover_differences=tuple(_differences(case)),
        fill_sequences=tuple(case.fills.sequences),
        notes=tuple(notes),
    )


def _positions(case: LiquidationCase) -> tuple[tuple[ClosedPosition, ...], tuple[ClosedPosition, ...]]:
    """Return the positions that had to be closed or were touched, and the open ones that were left alone."""
    held = {key: position for key, position in case.before.account.positions.items() if position.quantity}
    required: set[PositionKey] = set(case.fills.by_position)
    if case.data.scope == "account":
        required.update(key for key in held if case.before.account.margin_mode(key[0]) != "isolated")
    required.update((each.instrument, each.position_side or "both") for each in case.data.takeovers)
    closed: list[ClosedPosition] = []
    others: list[ClosedPosition] = []
    for key in sorted(required | held.keys()):
        before = held[key].quantity if key in held else ZERO
        taken = case.fills.by_position[key].quantity if key in case.fills.by_position else ZERO
        row = ClosedPosition(key[0], key[1], before, taken, before + taken)
        (closed if key in required else others).append(row)
    return tuple(closed), tuple(others)


def _implied_notional(
    case: LiquidationCase, touched: Iterable[ClosedPosition], notes: dict[Note, None]
) -> LiquidatedNotional | None:
    """Bring the takeover fills back to the mark; None with a note where that cannot be done."""
    rows: list[TakenOver] = []
    for each in touched:
        key: PositionKey = (each.instrument, each.position_side)
        if key not in case.fills.by_position:
            continue
        fills = case.fills.by_position[key]
        instrument, rate = fills.instrument, fills.rate
        if instrument is None or instrument.contract != "linear":
            what = "not listed" if instrument is None else "no linear contract"
            message = f"{each.instrument} is {what}: its takeover notional is not rebuilt"
            notes[Note("takeover_not_rebuilt", message, f"instrument/{each.instrument}")] = None
            return None
        if rate is None:
            message = f"no price of {instrument.settlement_asset}: the takeover notional is not rebuilt"
            notes[Note("no_asset_price", message, f"asset/{instrument.settlement_asset}")] = None
            return None
        figures = _figures(case, key)
        whole = figures is not None and not each.remaining
        rows.append(
            TakenOver(
                notional=abs(fills.value) * rate,
                long=fills.quantity < 0,
                uncertainty=fills.uncertainty * rate,
                mark_notional=figures.notional if figures is not None and whole else None,
                maintenance_margin=figures.maintenance_margin if figures is not None and whole else None,
            )
        )
    implied = liquidated_notional(
        rows,
        case.data.account_value,
        case.data.notional,
        amount_unit=case.before.amount_unit,
        by_notional=case.before.shared_by_notional,
    )
    if implied is None:
        message = (
            "no fills: nothing was taken over"
            if not rows
            else "recorded account value and notional leave no bankruptcy price"
        )
        notes[Note("takeover_not_rebuilt", message)] = None
    return implied


def _note_other_price(implied: LiquidatedNotional, notional: Decimal, notes: dict[Note, None]) -> None:
    """Say where a residual comes from when the recorded notional is that of recorded marks."""
    if abs(implied.total - notional) > implied.tolerance:
        message = (
            "the recorded notional is that of recorded marks; the residual says that the takeover was not at "
            "bankruptcy prices"
        )
        notes[Note("takeover_not_at_bankruptcy_price", message)] = None


def _notional_at_marks(case: LiquidationCase, touched: Iterable[ClosedPosition]) -> Decimal | None:
    """Return the notional of what was taken over at recorded marks; None where one is missing.

    The marks are those of the decision, or those just before the first fill: whichever come nearer
    to the recorded notional, since a venue may report either.
    """
    found: list[Decimal] = []
    for marks in (case.judgement.marks, case.before.marks):
        total = ZERO
        for each in touched:
            if not each.taken_over:
                continue
            instrument = case.before.instruments.get(each.instrument)
            mark = marks.get(each.instrument)
            if instrument is None or instrument.contract != "linear" or mark is None:
                break
            rate = case.before.rates[instrument.settlement_asset]
            if rate is None:
                break
            total += abs(each.taken_over) * instrument.contract_size * mark * rate
        else:
            found.append(total)
    return min(found, key=lambda total: abs(total - case.data.notional), default=None)


def _figures(case: LiquidationCase, key: PositionKey) -> PositionMargin | None:
    if case.before.margin is None:
        return None
    found = (each for each in case.before.margin.positions if (each.instrument, each.position_side) == key)
    return next(found, None)


def _is_isolated(case: LiquidationCase, instrument: str) -> bool:
    return case.before.account.margin_mode(instrument) == "isolated"


def _said_isolated(case: LiquidationCase) -> bool:
    """Tell whether the venue calls the liquidated position isolated."""
    return case.data.scope == "position" and (case.data.leverage_type or "").casefold() == "isolated"


def _rebuilt_account_value(case: LiquidationCase) -> Decimal | None:
    """Return the equity of what is liquidated just before, at recorded marks; None where one is missing."""
    keys = case.fills.by_position or case.before.account.positions
    if case.before.margin is None or not keys:
        return None
    total = ZERO
    cross_counted = False
    for key in keys:
        figures = _figures(case, key)
        if figures is None:
            return None
        if figures.margin_mode == "isolated":
            if figures.equity is None:
                return None
            total += figures.equity
        elif _said_isolated(case) or case.before.margin.equity is None:
            return None
        elif not cross_counted:
            total += case.before.margin.equity
            cross_counted = True
    return total


def _value_at_implied_marks(
    case: LiquidationCase,
    touched: tuple[ClosedPosition, ...],
    implied: LiquidatedNotional | None,
    notes: dict[Note, None],
) -> Decimal | None:
    """Return what the books put behind a fully closed liquidation, at the marks that its takeover implies."""
    if implied is None or len(implied.at_mark) != len(touched):
        return None
    total = ZERO
    wallet_counted = False
    for each, at_mark in zip(touched, implied.at_mark, strict=True):
        position = case.before.account.positions.get((each.instrument, each.position_side))
        rate = None if position is None else case.before.rates[position.settlement_asset]
        if position is None or rate is None:
            return None
        total += (at_mark if position.quantity > 0 else -at_mark) - position.cost * rate
        if _is_isolated(case, each.instrument) or _said_isolated(case):
            if position.isolated_margin is None:
                message = f"no isolated margin of {each.instrument} is in the ledger; it counts as zero"
                notes[Note("isolated_margin_not_recorded", message, f"instrument/{each.instrument}")] = None
            total += (position.isolated_margin or ZERO) * rate
        elif case.data.scope != "account" or case.before.cross_wallet is None:
            return None  # other cross positions share the wallet, and their marks are not known
        elif not wallet_counted:
            total += case.before.cross_wallet
            wallet_counted = True
    return total


def _differences(case: LiquidationCase) -> Iterable[str]:
    """Say how the recorded takeovers differ from the account's fills, position by position."""
    recorded: dict[PositionKey, dict[Decimal, Decimal]] = {}
    for takeover in case.data.takeovers:
        at = recorded.setdefault((takeover.instrument, takeover.position_side or "both"), {})
        at[takeover.price] = at.get(takeover.price, ZERO) + takeover.quantity
    if not case.fills.by_position:
        return
    for key in sorted(recorded.keys() | case.fills.by_position.keys()):
        fills = case.fills.by_position.get(key)
        at = recorded.get(key, {})
        quantity = sum(at.values(), ZERO)
        filled = ZERO if fills is None else sum(fills.quantity_at.values(), ZERO)
        deleveraged = ZERO if fills is None else fills.deleveraged
        # The venue may count what auto-deleveraging closed as taken over, or not.
        if quantity not in (filled, filled + deleveraged):
            yield (
                f"{key[0]}: {format_exact(quantity)} recorded as taken over, "
                f"the fills come to {format_exact(filled)}"
            )
        elif fills is not None and quantity == filled and _prices_differ(at, fills):
            yield f"{key[0]}: recorded at {_prices(at)}, filled at {_prices(fills.quantity_at)}"


def _prices_differ(at: dict[Decimal, Decimal], fills: FillSum) -> bool:
    """Compare the value of equal quantities; an average price may be off by its printing."""
    value = sum((price * quantity for price, quantity in at.items()), ZERO)
    filled = sum((price * quantity for price, quantity in fills.quantity_at.items()), ZERO)
    averaged = len(at) < len(fills.quantity_at)
    unit = max(fills.units.values(), default=ZERO) if averaged else ZERO
    allowed = sum(at.values(), ZERO) * unit
    return abs(value - filled) > allowed


def _prices(at: dict[Decimal, Decimal]) -> str:
    return ", ".join(f"{format_exact(at[price])} @ {format_exact(price)}" for price in sorted(at))
