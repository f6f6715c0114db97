from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.findings import Severity
from tests.support.decisions import DecidingVenue

SIZE = "liquidation_too_large"


def small_lots(*, isolated: bool = False, schedule: bool = True, **terms: Any) -> DecidingVenue:
    """A venue that liquidates a fifth first, and where one hundredth of a BTC was traded before."""
    policy = {"partial_fraction": "0.2", **terms}
    venue = DecidingVenue(policy=policy, isolated=isolated, schedule=schedule)
    venue.trade(1, "B", "buy", "0.01", "50000")
    return venue


def liquidated(
    quantity: str = "1",
    price: str = "49200",
    *,
    mark: str = "49200",
    isolated: bool = False,
    fill: dict[str, Any] | None = None,
    **terms: Any,
) -> DecidingVenue:
    """Liquidate at 49,200, where 200 are left, 246 are required, and of 0.8 BTC 196.8."""
    venue = small_lots(isolated=isolated, **terms)
    venue.mark(10, mark)
    venue.start(11)
    venue.execute(11, quantity, price, **(fill or {}))
    return venue


@pytest.mark.parametrize("isolated", [False, True], ids=["cross", "isolated"])
def test_closing_more_than_the_part_that_was_enough_is_an_error(isolated: bool) -> None:  # noqa: FBT001 (parametrised)
    venue = liquidated("0.3", isolated=isolated)
    (finding,) = venue.found(SIZE)
    started, executed, fill = (event.sequence for event in venue.history.events[-3:])
    assert finding.severity is Severity.ERROR
    assert (finding.account, finding.instrument, finding.sequence) == ("A", "BTC-PERP", executed)
    assert (finding.recorded, finding.rebuilt) == ("0.3", "0.2")
    assert {started, executed, fill} < set(finding.evidence)


@pytest.mark.parametrize("isolated", [False, True], ids=["cross", "isolated"])
def test_exactly_the_part_is_not_too_much(isolated: bool) -> None:  # noqa: FBT001 (parametrised)
    assert liquidated("0.2", isolated=isolated).found(SIZE) == ()


@pytest.mark.parametrize(
    ("boundary", "price", "findings"),
    [
        # Two tenths at 49,184 lose 3.2: what is left is just what is required.
        ("at", "49184.1", 1),
        ("at", "49184", 0),
        ("above", "49184", 1),
        ("above", "49183.9", 0),
    ],
)
@pytest.mark.parametrize("isolated", [False, True], ids=["cross", "isolated"])
def test_where_the_part_would_not_have_been_enough_all_may_be_closed(
    boundary: str,
    price: str,
    findings: int,
    isolated: bool,  # noqa: FBT001 (parametrised)
) -> None:
    venue = liquidated("1", price, isolated=isolated, liquidation_boundary=boundary)
    assert len(venue.found(SIZE)) == findings


@pytest.mark.parametrize(("fee", "findings"), [("15.9", 1), ("16", 0)])
@pytest.mark.parametrize("isolated", [False, True], ids=["cross", "isolated"])
def test_fees_count_in_proportion(fee: str, findings: int, isolated: bool) -> None:  # noqa: FBT001 (parametrised)
    assert len(liquidated(fill={"fee": fee}, isolated=isolated).found(SIZE)) == findings
    charged = liquidated(isolated=isolated)
    charged.add(
        "FeeCharged", 12, account="A", asset="USDT", amount=fee, reason="liquidation fee", reference="L1"
    )
    assert len(charged.found(SIZE)) == findings


@pytest.mark.parametrize(("charge", "findings"), [("7.9", 1), ("8", 0)])
def test_fees_of_fills_and_of_the_liquidation_add_up(charge: str, findings: int) -> None:
    venue = liquidated(fill={"fee": "8"})
    venue.add("FeeCharged", 12, account="A", asset="USDT", amount=charge, reason="fee", reference="L1")
    assert len(venue.found(SIZE)) == findings


def test_other_charges_are_not_of_the_liquidation() -> None:
    venue = liquidated()
    venue.add("FeeCharged", 12, account="A", asset="USDT", amount="100", reason="storage", reference="S1")
    assert len(venue.found(SIZE)) == 1


@pytest.mark.parametrize(
    ("quantity", "finest", "findings"), [("0.4", "1", 0), ("0.5", "1", 1), ("0.4", "0.01", 1)]
)
def test_the_part_is_rounded_up_to_the_lot(quantity: str, finest: str, findings: int) -> None:
    # A third of 1 BTC is 0.4 where quantities have one place, and 0.34 where they have two.
    venue = DecidingVenue(policy={"partial_fraction": "0.333"})
    venue.trade(1, "B", "buy", finest, "50000")
    venue.mark(10, "49200")
    venue.execute(11, quantity)
    assert len(venue.found(SIZE)) == findings


def test_who_is_worth_nothing_may_be_liquidated_whole() -> None:
    assert liquidated(mark="49000", price="50100").found(SIZE) == ()
    assert len(liquidated(mark="49001", price="50100").found(SIZE)) == 1


@pytest.mark.parametrize("terms", [{"partial_fraction": "1"}, {"partial_fraction": None}])
def test_without_partial_steps_all_may_be_closed(terms: dict[str, Any]) -> None:
    assert liquidated(**terms).found(SIZE) == ()


def further(*, recovers: bool) -> DecidingVenue:
    venue = small_lots()
    venue.mark(10, "49050")
    venue.execute(11, "0.2", "49050", "L1")  # 50 are left and 196.2 required
    if recovers:
        venue.mark(20, "49900")
    venue.mark(30, "49230")  # 194 and 196.92: two tenths more would be enough
    venue.execute(31, "0.8", "49230", "L2")
    return venue


def test_a_further_step_in_the_same_breach_may_close_all() -> None:
    assert further(recovers=False).found(SIZE) == ()


def test_a_new_breach_begins_with_a_part_again() -> None:
    (finding,) = further(recovers=True).found(SIZE)
    assert (finding.recorded, finding.rebuilt) == ("0.8", "0.16")


@pytest.mark.parametrize(("seconds", "findings"), [(11, 0), (12, 1)])
def test_between_fills_and_fee_of_a_step_a_breach_goes_on(seconds: int, findings: int) -> None:
    venue = small_lots()
    venue.mark(10, "49200")
    venue.execute(11, "0.2", "49200", "L1")  # brings it within, by 3.2
    venue.add("FeeCharged", seconds, account="A", asset="USDT", amount="4", reason="fee", reference="L1")
    venue.execute(31, "0.8", "49200", "L2")
    assert len(venue.found(SIZE)) == findings
    assert len(venue.found("liquidation_late", max_latency_seconds=Decimal(5))) == findings


def test_positions_that_the_fills_do_not_touch_stay() -> None:
    for maintenance, findings in (("0.001", 1), ("0.5", 0)):
        venue = small_lots()
        venue.history.list_instrument("ETH-PERP")
        venue.history.schedule("ETH-PERP", ("0", None, maintenance, "0", "2"))
        venue.history.fill("A", "sell", "1", "100", "ETH-PERP")
        venue.mark(30, "100", "ETH-PERP")
        venue.mark(31, "49200")
        venue.execute(32)
        found = venue.found(SIZE)
        assert len(found) == findings
        assert all(each.instrument == "BTC-PERP" for each in found)


def test_a_short_is_bought_back() -> None:
    for price, findings in (("49200", 1), ("49250", 0)):
        venue = small_lots()
        venue.deposit(1, "10000")
        venue.trade(1, "A", "sell", "1", "50000")
        venue.add("WithdrawalRecorded", 2, account="A", asset="USDT", amount="11000")
        venue.trade(3, "A", "sell", "1", "48400")
        venue.deposit(4, "1000")
        venue.mark(10, "49200")  # 1,000 less 800
        venue.execute(11, "1", price, side="buy")
        assert len(venue.found(SIZE)) == findings


def test_where_nobody_knows_whether_there_was_a_breach_it_is_not_checked() -> None:
    venue = small_lots(schedule=False)
    venue.mark(10, "49200")
    venue.execute(11)
    assert venue.found(SIZE) == ()
    assert "undetermined" in venue.reasons(SIZE)[0]


@given(st.integers(1, 99), st.integers(1, 100), st.integers(49_010, 49_240), st.integers(-40, 40))
def test_too_large_is_what_the_model_of_one_position_says(
    fraction: int, closed: int, mark: int, slippage: int
) -> None:
    """Of one position without fees: closing the part at the fills' price leaves less than is required."""
    part, whole = Decimal(fraction) / 100, Decimal(closed) / 100
    venue = small_lots(partial_fraction=str(part))
    venue.mark(10, str(mark))
    venue.execute(11, str(whole), str(mark + slippage))
    value = mark - 49_000 + part * slippage
    enough = value > Decimal("0.005") * mark * (1 - part)
    assert bool(venue.found(SIZE)) == (whole > part and enough)
