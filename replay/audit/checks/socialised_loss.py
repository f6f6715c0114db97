"""Was a loss shared out that had to be, and by those who have to bear it?"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, cast

from ledger.amounts import ZERO, exact, format_exact
from replay.audit.bankruptcy import insurance_funds, left_over
from replay.audit.check import Check, FindingKind
from replay.audit.terms import BY_EQUITY, INSURANCE_FUND, asset_unit, completes_loss, moment_of
from replay.findings import Severity
from replay.margin import Market, evaluate_account

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    from ledger.events.cash import LossSocialised
    from ledger.events.envelope import Event
    from replay.audit.facts import Facts
    from replay.audit.recorder import Decision
    from replay.state.venue_state import LossKey, VenueState

SOCIALISED_WRONGLY = FindingKind(
    "loss_socialised_wrongly",
    Severity.ERROR,
    "A socialised loss, once all its parts are recorded, does not follow from a liquidation: it names none "
    "that was recorded before it; it is more than was lacking at that moment by more than one unit of the "
    "asset; the insurance fund, where it is in the waterfall, still had more than one unit to pay with "
    "(the smaller of wallet and equity); a share is borne by the bankrupt account, an insurance fund or an "
    "external account, or is more than the bearer's cross equity; or, where the risk policy's "
    "`loss_allocation` is `equity`, a share differs by more than one unit from amount × equity ÷ sum of "
    "the positive cross equities of all who can bear, except that one account may bear what rounding "
    "leaves over, at most one unit for each bearer. One finding for a loss, with every reason. Evidence: "
    "all parts and the decision.",
)
_BEAR_NO_LOSS = frozenset({"insurance_fund", "external"})


class SocialisedLoss(Check):
    """Looks at every loss with the state that its last part meets."""

    name = "loss_socialised_wrongly"
    kinds = (SOCIALISED_WRONGLY,)
    event_types = frozenset({"LossSocialised"})

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._parts: defaultdict[LossKey, list[int]] = defaultdict(list)
        self._unknown_bearers = 0
        self._several_funds = 0

    @exact()
    def before(self, state: VenueState, event: Event) -> None:
        """Look at a part; judge the loss with the last."""
        loss = cast("LossSocialised", event.data)
        key: LossKey = (loss.liquidation or "", loss.asset, loss.amount, int(loss.parts))
        self._parts[key].append(event.sequence)
        if not completes_loss(state, loss):
            return
        decision = self.facts.liquidations.decision(loss.liquidation)
        problems = list(self._problems(state, event, loss, decision))
        evidence = self._parts.pop(key)
        if problems:
            account = None if decision is None else decision.account
            what = "a liquidation" if loss.liquidation is None else f"liquidation {loss.liquidation}"
            self.report(
                SOCIALISED_WRONGLY,
                f"a loss of {format_exact(loss.amount)} {loss.asset} was shared out in {what}"
                f"{'' if account is None else f' of {account}'}: {'; '.join(problems)}",
                account=account,
                sequence=event.sequence,
                evidence=(*evidence, *(() if decision is None else (decision.judgement.sequence,))),
                recorded=format_exact(loss.amount),
            )

    def finish(self, state: VenueState) -> None:
        """Say what was not looked at."""
        if state.pending_losses:
            self.could_not_check(f"{len(state.pending_losses)} socialised losses lack parts")
        if self._unknown_bearers:
            self.could_not_check(
                f"{self._unknown_bearers} socialised losses met accounts whose cross equity is not determined"
            )
        if self._several_funds:
            self.could_not_check(
                f"{self._several_funds} socialised losses leave open which of several insurance funds answers"
            )

    def _problems(
        self, state: VenueState, event: Event, loss: LossSocialised, decision: Decision | None
    ) -> Iterator[str]:
        market = Market.of(state, moment_of(state, event))
        unit = asset_unit(state, loss.asset, loss.amount)
        policy = market.policy if decision is None else decision.judgement.policy
        if decision is None:
            yield "no such liquidation was recorded before"
        else:
            lacking = max(-left_over(state, decision.judgement, loss.asset), ZERO)
            if loss.amount > lacking + unit:
                yield f"{format_exact(lacking)} was lacking"
        if policy.waterfall is None or INSURANCE_FUND in policy.waterfall:
            yield from self._fund_had_more(state, market, loss.asset, unit)
        shares = _shares(state, loss)
        bankrupt = None if decision is None else decision.account
        equities = _equities(state, market, bankrupt)
        rate = market.rate(loss.asset)
        yield from _wrong_bearers(state, shares, bankrupt)
        if rate is None or None in equities.values():
            self._unknown_bearers += 1
        known = {name: equity for name, equity in equities.items() if equity is not None}
        known |= {name: ZERO for name in shares if name not in state.accounts}
        if rate is not None:
            yield from _too_much(shares, known, rate, unit)
        if policy.loss_allocation == BY_EQUITY and rate is not None and None not in equities.values():
            yield from _not_by_equity(loss.amount, shares, known, unit)

    def _fund_had_more(self, state: VenueState, market: Market, asset: str, unit: Decimal) -> Iterator[str]:
        funds = insurance_funds(state, asset)
        if len(funds) > 1:
            self._several_funds += 1
            return
        for fund in funds:
            equity = evaluate_account(fund, market, with_prices=False).equity
            rate = market.rate(asset)
            wallet = fund.balances[asset]
            if equity is not None and rate is not None and wallet > unit and equity > unit * rate:
                yield f"the insurance fund {fund.account} still had {format_exact(wallet)} {asset}"


def _shares(state: VenueState, loss: LossSocialised) -> dict[str, Decimal]:
    """Return who bears how much, over all parts of a loss whose last part this is."""
    key: LossKey = (loss.liquidation or "", loss.asset, loss.amount, int(loss.parts))
    pending = state.pending_losses.get(key)
    rows = [] if pending is None else [row for part in pending.parts.values() for row in part]
    shares: dict[str, Decimal] = {}
    for name, amount in (*rows, *((each.account, each.amount) for each in loss.allocations)):
        shares[name] = shares.get(name, ZERO) + amount
    return shares


def _equities(state: VenueState, market: Market, bankrupt: str | None) -> dict[str, Decimal | None]:
    """Return the cross equity of whoever can bear a loss, in the valuation currency; None is unknown."""
    return {
        name: evaluate_account(state.accounts[name], market, with_prices=False).equity
        for name in sorted(state.accounts)
        if name != bankrupt and state.accounts[name].profile.kind not in _BEAR_NO_LOSS
    }


def _wrong_bearers(state: VenueState, shares: Mapping[str, Decimal], bankrupt: str | None) -> Iterator[str]:
    for name in sorted(name for name, amount in shares.items() if amount):
        account = state.accounts.get(name)
        if name == bankrupt:
            yield f"{name}, whose loss it is, bears a share"
        elif account is not None and account.profile.kind in _BEAR_NO_LOSS:
            yield f"{name} bears a share and is of the kind {account.profile.kind}"


def _too_much(
    shares: Mapping[str, Decimal], equities: Mapping[str, Decimal], rate: Decimal, unit: Decimal
) -> Iterator[str]:
    for name in sorted(shares.keys() & equities.keys()):
        if (shares[name] - unit) * rate > max(equities[name], ZERO):
            yield f"{name} bears {format_exact(shares[name])}, more than his equity"


def _not_by_equity(
    amount: Decimal, shares: Mapping[str, Decimal], equities: Mapping[str, Decimal], unit: Decimal
) -> Iterator[str]:
    """Compare shares with amount × equity ÷ total by products, so that nothing is rounded here."""
    positive = {name: equity for name, equity in equities.items() if equity > 0}
    total = sum(positive.values(), ZERO)
    off = {
        name: shares.get(name, ZERO) * total - amount * equity
        for name, equity in positive.items()
        if abs(shares.get(name, ZERO) * total - amount * equity) > unit * total
    }
    if len(off) == 1 and all(abs(each) <= unit * len(positive) * total for each in off.values()):
        return
    for name, difference in off.items():
        more = "more" if difference > 0 else "less"
        yield f"{name} bears {format_exact(shares.get(name, ZERO))}, {more} than in proportion to equity"
