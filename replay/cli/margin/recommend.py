"""``replay margin recommend``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ledger.amounts import format_exact
from ledger.cli.common import Session, ledger_command
from ledger.clock import format_time
from replay.cli.cuts import Replay, cut_options
from replay.cli.margin.options import assumption_options, contract_of, span, unknown_instrument
from replay.cli.text import percent, table

if TYPE_CHECKING:
    from typing import Any

    from replay.risk.assumptions import Assumptions
    from replay.risk.recommendation import Recommendation
    from replay.risk.schedules import Applied

METHODS = {
    "ewma_quantile": "normal quantile of the weighted volatility",
    "historical_var": "historical Value at Risk",
    "expected_shortfall": "historical Expected Shortfall",
    "floor": "floor",
}


@ledger_command("recommend")
@click.argument("instrument")
@assumption_options
@cut_options
def recommend(session: Session, *, instrument: str, assumptions: Assumptions, replay: Replay) -> None:
    """Recommend a maintenance rate for INSTRUMENT from its recorded mark prices, with the evidence.

    It is the greatest of a normal quantile of the exponentially weighted volatility, the historical Expected
    Shortfall and a floor, of either side, rounded up. An estimate, compared with the schedule in force.
    """
    from replay.risk.libraries import require_libraries

    require_libraries()
    from replay.risk.prices import MarkPrices
    from replay.risk.recommendation import PriceHistory
    from replay.risk.schedules import applied_schedule

    prices = MarkPrices()
    with session.ledger() as ledger:
        result = replay.fold(session, ledger, after=[prices.observe])
    if instrument not in prices.instruments():
        raise unknown_instrument(instrument, prices.instruments())
    state = result.state
    contract = contract_of(state, instrument)
    recommendation = PriceHistory(prices.series(instrument), assumptions, contract).recommend()
    applied = applied_schedule(state.margin_schedules.get(instrument, ()), state.occurred_at)
    document = {
        "schema": "replay.margin_recommendation/1",
        "sequence": state.sequence,
        "time": format_time(state.occurred_at),
        **recommendation.json_value(),
        "schedule": _schedule_document(applied, recommendation),
        "replay": replay.document(result),
    }
    session.emit(document, _words(recommendation, applied, replay.words(result)))


def _schedule_document(applied: Applied | None, recommendation: Recommendation) -> dict[str, Any] | None:
    if applied is None:
        return None
    schedule = applied.schedule
    return {
        "sequence": schedule.sequence,
        "effective_at": format_time(schedule.effective_at),
        "substituted": applied.substituted,
        "tiers": [
            {
                "notional_floor": format_exact(tier.notional_floor),
                "maintenance_margin_rate": format_exact(tier.maintenance_margin_rate),
                "below_recommended": tier.maintenance_margin_rate < recommendation.rate,
            }
            for tier in schedule.tiers
        ],
    }


def _words(recommendation: Recommendation, applied: Applied | None, folded: str) -> str:
    assumptions, samples = recommendation.assumptions, recommendation.samples
    binding = recommendation.binding
    rows = [
        (METHODS[each.method], each.side or "both", percent(each.rate), "←" if each is binding else "")
        for each in recommendation.estimates
    ]
    gaps = list(samples.gaps())
    missing = sum(gap.missing for gap in gaps)
    first, last = samples.time(samples.places[0]), samples.time(samples.places[-1])
    lines = [
        f"{recommendation.instrument}   recommended maintenance rate {percent(recommendation.rate)}"
        f"   ({folded})",
        f"covers {percent(assumptions.confidence)} of the losses of {span(assumptions.horizon)}, "
        f"by prices alone{_as_inverse(recommendation)}: an estimate",
        "",
        table(("estimate of the loss", "side", "rate", ""), rows, left=2, indent="  "),
        "",
        f"  volatility   {percent(recommendation.volatility.per_horizon)} in {span(assumptions.horizon)}, "
        f"{percent(recommendation.volatility.per_year)} a year (decay {assumptions.decay_per_day} a day)",
        f"  evidence     sequences {min(samples.sequences)} to {max(samples.sequences)}: "
        f"{len(samples.prices):,} prices every {span(samples.interval)}, "
        f"{recommendation.horizon_returns:,} returns",
        f"               {format_time(first)} to {format_time(last)}, "
        f"{missing:,} missing in {len(gaps):,} gap{'' if len(gaps) == 1 else 's'}",
        f"  schedule     {_schedule(applied, recommendation)}",
    ]
    return "\n".join(lines)


def _as_inverse(recommendation: Recommendation) -> str:
    if recommendation.contract == "linear":
        return ""
    return " and in the asset that this inverse contract settles in"


def _schedule(applied: Applied | None, recommendation: Recommendation) -> str:
    if applied is None or not applied.schedule.tiers:
        return "none is recorded"
    schedule = applied.schedule
    below = [tier for tier in schedule.tiers if tier.maintenance_margin_rate < recommendation.rate]
    words = "in force since" if not applied.substituted else "substituted: in force only from"
    rate = percent(schedule.tiers[0].maintenance_margin_rate)
    return (
        f"sequence {schedule.sequence}, {words} {format_time(schedule.effective_at)}: first tier {rate}; "
        f"{len(below)} of {len(schedule.tiers)} tiers require less than recommended"
    )
