"""``replay account``."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import click

from ledger.cli.common import Session, ledger_command
from ledger.clock import format_time
from ledger.errors import NotFoundError
from replay.cli.cuts import Replay, cut_options

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ledger.store.ledger import Ledger
    from replay.fold import FoldResult
    from replay.margin import AccountMargin, PositionMargin
    from replay.state import Account

NAMES_SUGGESTED = 3
STATES = ("bankrupt", "liquidatable", "undetermined", "margin_call", "warning", "healthy")
_STATE_WORDS = {
    "healthy": "healthy",
    "warning": "WARNING: the margin ratio has reached the policy's warning ratio",
    "margin_call": "MARGIN CALL: the margin ratio has reached the policy's margin call ratio",
    "liquidatable": "LIQUIDATABLE: the maintenance margin is no longer covered",
    "bankrupt": "BANKRUPT: what is left is below zero",
    "undetermined": "undetermined: what is missing for a verdict is in the notes",
}


@ledger_command("account")
@click.argument("account", required=False)
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(list(STATES)),
    help="Without ACCOUNT: list only what is in this state; may be repeated.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=40,
    show_default=True,
    metavar="N",
    help="Without ACCOUNT: list at most N; --json lists all.",
)
@cut_options
def account(
    session: Session, *, account: str | None, states: tuple[str, ...], limit: int, replay: Replay
) -> None:
    """Rebuild the margin state of ACCOUNT from the events: what it holds, owes and requires.

    Without ACCOUNT it lists all who hold positions, the nearest to liquidation first; isolated positions
    stand on their own.
    """
    from replay.margin import evaluate

    if account is not None and states:
        raise click.UsageError("--state goes with the list of all accounts, not with one ACCOUNT")
    with session.ledger() as ledger:
        result = replay.fold(session, ledger)
    if account is None:
        _list(session, result, states, limit, replay)
        return
    if account not in result.state.accounts:
        raise unknown_account(account, result.state.accounts)
    record = result.state.accounts[account]
    margin = evaluate(result.state, account)
    document = {
        "schema": "replay.account/1",
        **margin.json_value(),
        "time": format_time(margin.at),
        "kind": record.profile.kind,
        "margin_mode": record.profile.margin_mode,
        "position_mode": record.profile.position_mode,
        "replay": replay.document(result),
    }
    session.emit(document, _words(record, margin, replay.words(result)))


def _list(session: Session, result: FoldResult, states: tuple[str, ...], limit: int, replay: Replay) -> None:
    """Print all margined units, or those in some states."""
    from replay.cli.text import figure, moment, percent, table
    from replay.margin.standings import standings

    state = result.state
    units = [each for each in standings(state) if not states or each.state in states]
    document = {
        "schema": "replay.accounts/1",
        "sequence": state.sequence,
        "time": format_time(state.occurred_at),
        "valuation_currency": state.valuation_currency,
        "units": [each.json_value() for each in units],
        "replay": replay.document(result),
    }
    header = ("account", "position", "state", "margin ratio", "value", "maintenance", "buffer")
    rows = [
        (
            each.account,
            "cross" if each.instrument is None else f"{each.instrument} isolated",
            each.state.replace("_", " "),
            percent(each.margin_ratio),
            figure(each.value),
            figure(each.maintenance_margin),
            figure(each.buffer),
        )
        for each in units[:limit]
    ]
    lines = [
        f"after sequence {state.sequence}, {moment(state.occurred_at)}   ({replay.words(result)})",
        "",
        table(header, rows, left=3, indent="  ")
        if rows
        else "nobody who holds a position" + (" is in such a state" if states else ""),
    ]
    if len(units) > limit:
        lines.append(f"  … and {len(units) - limit:,} more: --limit, or --json")
    lines += [
        "",
        f"Amounts in {state.valuation_currency}, rounded for reading; the nearest to liquidation first.",
    ]
    session.emit(document, "\n".join(lines))


def check_account_is_known(session: Session, ledger: Ledger, account: str, replay: Replay) -> None:
    """Make sure that some event names the account.

    Raises:
        NotFoundError: none does; the next step names the accounts most like it.
    """
    from ledger.store.read import EventQuery

    if next(ledger.events(EventQuery(subjects=(f"account/{account}",), limit=1)), None) is None:
        raise unknown_account(account, replay.fold(session, ledger).state.accounts)


def unknown_account(account: str, known: Iterable[str]) -> NotFoundError:
    """Return the error for an account that no folded event names, with the names most like it."""
    names = sorted(known)
    near = difflib.get_close_matches(account, names, n=NAMES_SUGGESTED, cutoff=0.5)
    near = near or [name for name in names if account.lower() in name.lower()][:NAMES_SUGGESTED]
    suggestion = (
        f"did you mean {' or '.join(near)}?" if near else "ledger log --type AccountOpened lists accounts"
    )
    return NotFoundError(
        f"no folded event names the account {account}; {len(names)} accounts are known", next_step=suggestion
    )


def _words(record: Account, margin: AccountMargin, folded: str) -> str:
    from replay.cli.text import amounts, figure, moment, percent

    currency = margin.valuation_currency
    profile = record.profile
    rows = [
        ("wallet balance", amounts(margin.wallet_balance)),
        ("unrealised PnL", figure(margin.unrealised_pnl, currency)),
        ("equity", figure(margin.equity, currency)),
        ("collateral value", figure(margin.collateral_value, currency)),
        ("initial margin", figure(margin.initial_margin, currency)),
        ("of it for orders", figure(margin.open_order_initial_margin, currency)),
        ("maintenance margin", figure(margin.maintenance_margin, currency)),
        ("buffer", figure(margin.buffer, currency)),
        ("margin ratio", percent(margin.margin_ratio)),
        ("margin utilisation", percent(margin.margin_utilisation)),
        ("equity ratio", percent(margin.equity_ratio)),
        ("leverage", figure(margin.leverage, "×")),
        ("cost of maintenance", figure(margin.cost_of_maintenance, currency)),
        ("total equity", figure(margin.total_equity, currency)),
    ]
    mode = profile.position_mode.replace("_", "-")
    lines = [
        f"{margin.account}   {profile.kind.replace('_', ' ')}, {profile.margin_mode} margin, {mode}"
        f"{', closed' if profile.closed else ''}",
        f"after sequence {margin.sequence}, {moment(margin.at)}   ({folded})",
        "",
        *_states(margin),
        *(f"  {name:<19}  {value}" for name, value in rows),
    ]
    if margin.positions:
        lines += ["", _positions(margin.positions)]
    if margin.notes:
        lines += ["", "notes", *(f"  {note.message}" for note in margin.notes)]
    lines += ["", "Figures are rounded for reading and cover cross positions; --json gives them exactly."]
    return "\n".join(lines)


def _states(margin: AccountMargin) -> Iterator[str]:
    """Return the account's state, and those of isolated positions, which stand on their own."""
    isolated = [each for each in margin.positions if each.margin_mode == "isolated"]
    scope = " (all but isolated positions)" if isolated else ""
    yield f"  state                {_STATE_WORDS[margin.state]}{scope}"
    for each in isolated:
        yield f"  {_name(each):<19}  {_STATE_WORDS[each.state]}"


def _positions(positions: Iterable[PositionMargin]) -> str:
    from ledger.amounts import format_exact
    from replay.cli.text import figure, percent, price, table

    header = (
        "position", "quantity", "entry", "mark", "notional", "unrealised", "maintenance", "ratio",
        "liquidated at", "bankrupt at",
    )  # fmt: skip
    rows = [
        (
            _name(each),
            format_exact(each.quantity),
            price(each.entry_price),
            price(each.mark_price),
            figure(each.notional),
            figure(each.unrealised_pnl),
            figure(each.maintenance_margin),
            percent(each.margin_ratio),
            _liquidation_prices(each),
            price(each.bankruptcy_price),
        )
        for each in positions
    ]
    return table(header, rows, indent="  ")


def _name(position: PositionMargin) -> str:
    side = "" if position.position_side == "both" else position.position_side
    mode = "" if position.margin_mode == "cross" else position.margin_mode
    return " ".join(filter(None, (position.instrument, side, mode)))


def _liquidation_prices(position: PositionMargin) -> str:
    from replay.cli.text import UNKNOWN, price

    sides = [
        f"{sign} {price(value)}"
        for sign, value in (
            ("≤", position.liquidation_price_below),
            ("≥", position.liquidation_price_above),
        )
        if value is not None
    ]
    return ", ".join(sides) or UNKNOWN
