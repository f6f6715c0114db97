"""Was a liquidated position closed at a price that the rules allow?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ledger.amounts import exact, format_exact
from replay.audit.check import Check, FindingKind
from replay.findings import Severity

if TYPE_CHECKING:
    from decimal import Decimal

    from replay.audit.closings import Closing
    from replay.state.venue_state import VenueState

PRICE_WRONG = FindingKind(
    "takeover_price_wrong",
    Severity.ERROR,
    "A fill of a liquidated account is at a price that the rebuilt decision does not allow. The insurance "
    "fund takes a position over at its bankruptcy price or at the mark of the decision, to within one "
    "tick. Against anybody else a long is not sold below, nor a short bought above, the bankruptcy price "
    "by more than a tick. The bankruptcy price is the mark less the position's share of its unit's equity, "
    "rounded to the tick against the trader. Evidence: the fill, the decision, and the marks, schedules "
    "and policy that it was judged by.",
)


class TakeoverPrice(Check):
    """Compares the price of every closing fill with bankruptcy price and mark of the decision."""

    name = "takeover_price_wrong"
    kinds = (PRICE_WRONG,)

    @exact()
    def finish(self, _state: VenueState) -> None:
        """Look at every closing, now that both sides of its trade were seen."""
        unknown: Counter[str] = Counter()
        log = self.facts.closings
        for closing in (each for name in log.liquidations() for each in log.closings(name)):
            if closing.mark is None or closing.bankruptcy_price is None or closing.long is None:
                unknown["have no bankruptcy price: the decision is undetermined, or of an option"] += 1
            elif (closing.trade.quantity < 0) == closing.long and _is_wrong(closing):
                self._wrong(closing)
            elif closing.counterparty == "unknown" and _is_worse(closing):
                unknown["are at the mark, with nothing to say whether the insurance fund took over"] += 1
        for what, count in sorted(unknown.items()):
            self.could_not_check(f"{count} fills of liquidated accounts {what}")

    def _wrong(self, closing: Closing) -> None:
        price, bankruptcy = closing.trade.price, closing.bankruptcy_price
        account, mark = closing.decision.account, closing.mark
        if bankruptcy is None or mark is None:
            return
        who = "the insurance fund" if closing.counterparty == "fund" else "the market"
        self.report(
            PRICE_WRONG,
            f"liquidation {closing.decision.liquidation} of {account} closed {closing.trade.key[0]} at "
            f"{format_exact(price)} against {who}; its bankruptcy price is {format_exact(bankruptcy)}, the "
            f"mark of the decision {format_exact(mark)}",
            account=account,
            instrument=closing.trade.key[0],
            sequence=closing.sequence,
            evidence=(
                closing.sequence,
                closing.decision.judgement.sequence,
                *closing.decision.judgement.evidence,
            ),
            recorded=format_exact(price),
            rebuilt=format_exact(bankruptcy),
        )


def _is_wrong(closing: Closing) -> bool:
    """Tell whether a closing is at a price that its counterparty may not have got."""
    if closing.counterparty == "other":
        return _is_worse(closing)
    allowed = _is_near(closing, closing.bankruptcy_price) or _is_near(closing, closing.mark)
    if closing.counterparty == "fund":
        return not allowed
    return not allowed and _is_worse(closing)


def _is_near(closing: Closing, price: Decimal | None) -> bool:
    return price is not None and abs(closing.trade.price - price) <= closing.tick


def _is_worse(closing: Closing) -> bool:
    """Tell whether the account got less than its bankruptcy price, by more than a tick."""
    bankruptcy = closing.bankruptcy_price
    if bankruptcy is None:
        return False
    lost = bankruptcy - closing.trade.price if closing.long else closing.trade.price - bankruptcy
    return lost > closing.tick
