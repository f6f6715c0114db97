"""docs/spec/margin.md says what the code does: scales, roundings and fields, row by row."""

from __future__ import annotations

import re
from dataclasses import fields
from decimal import Decimal
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from ledger.amounts import MAXIMUM_SCALE, Rounding, divide, exact
from replay import state as records
from replay.fold import replay_events
from replay.margin import (
    Market,
    OpenInterestMargin,
    PortfolioTerms,
    account,
    allocated_value,
    bankruptcy_notional,
    bankruptcy_price,
    closed_forms,
    contracts,
    entry_price,
    evaluate,
    initial_margin,
    inverse_bankruptcy_price,
    liquidation_price,
    margin_terms,
    open_interest,
    portfolio,
    quantity_to_close,
    released_cost,
    signed_cost,
    signed_value,
    takeover,
    terms,
    tiered,
)
from replay.projection import booking
from replay.state import PROJECTION, PROJECTION_VERSION
from tests.support.events import History

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from replay.margin import MarginTerms

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "spec" / "margin.md").read_text(encoding="utf-8")
NAMES = {
    "half-even": Rounding.HALF_EVEN,
    "up": Rounding.UP,
    "down": Rounding.DOWN,
    "floor": Rounding.FLOOR,
    "ceiling": Rounding.CEILING,
}
_ROW = re.compile(
    r"^\| (?P<quantity>[^|]+?) \| (?P<scale>\d+) \| (?P<rounding>[a-z-]+) \| `(?P<code>[\w.]+)` \|$",
    re.MULTILINE,
)
_RECORD = re.compile(r"^\| (?P<record>[A-Z]\w+) \| (?P<fields>(?:`\w+\??`(?:, )?)+) \|$", re.MULTILINE)


class Row(NamedTuple):
    """What the page says of one quantity."""

    scale: int
    rounding: Rounding
    code: str


class Probe(NamedTuple):
    """How a quantity is seen in the code.

    Attributes:
        seen: from an odd number to the quantity as the code gives it, and its exact value.
        signs: of the numbers that the quantity can be of.
        constants: names of the scale, and of the rounding where it has one, in ``module``.
    """

    seen: Callable[[Decimal], tuple[Decimal, Fraction]]
    signs: tuple[int, ...] = (1,)
    module: ModuleType | None = None
    constants: tuple[str, ...] = ()


def rows() -> dict[str, Row]:
    found = {
        row["quantity"]: Row(int(row["scale"]), NAMES[row["rounding"]], row["code"])
        for row in _ROW.finditer(PAGE)
    }
    assert len(found) == len(_ROW.findall(PAGE)), "a quantity stands twice in the table"
    return found


ROWS = rows()
THREE, SEVEN = Decimal(3), Decimal(7)
ONE = Decimal(1)


def over(dividend: Decimal, divisor: Decimal) -> Fraction:
    return Fraction(dividend) / Fraction(divisor)


def terms_of(inverse: bool, mark: str, rate: str = "0.1", base: str | None = None) -> MarginTerms:  # noqa: FBT001
    history = History(valuation_currency="BTC" if inverse else "USD")
    contract = {"contract": "inverse", "settlement_asset": "BTC"} if inverse else {"settlement_asset": "USD"}
    history.list_instrument("BTC-PERP", quote="USD", **contract)
    more = {"notional_asset": "USD"} if inverse else {}
    if base is None:
        history.schedule("BTC-PERP", ("0", None, rate, "0", "3"), **more)
    else:
        parameters = {
            "base_initial_margin_fraction": base,
            "maintenance_fraction": "0.5",
            "open_interest_lower_cap": "0",
            "open_interest_upper_cap": "0",
        }
        history.add(
            "MarginScheduleSet",
            instrument="BTC-PERP",
            effective_at=history.events[0].occurred_at,
            model="open_interest_scaled",
            tiers=[],
            parameters=parameters,
        )
    history.mark(mark)
    state = replay_events(history.events)
    found = margin_terms(Market.of(state), state.instruments["BTC-PERP"], [])
    assert found is not None
    return found


def released_margin(quantity: Decimal) -> tuple[Decimal, Fraction]:
    history = History()
    history.list_instrument()
    history.add("MarginModeSet", account="A", instrument="BTC-PERP", margin_mode="isolated")
    history.add("MarginAdjusted", account="A", instrument="BTC-PERP", amount="1", reason="opening")
    history.fill("A", "buy", format(quantity + 1, "f"), "0")
    history.fill("A", "sell", "1", "0")
    left = replay_events(history.events).accounts["A"].positions["BTC-PERP", "both"].isolated_margin
    assert left is not None
    return 1 - left, over(ONE, quantity + 1)


def ratio(amount: Decimal) -> tuple[Decimal, Fraction]:
    history = History()
    history.list_instrument()
    history.schedule("BTC-PERP", ("0", None, "1", "0", "1"))
    history.deposit("A", format(amount, "f"))
    history.fill("A", "buy", "1", "1")
    history.mark("1")
    found = evaluate(replay_events(history.events), "A").margin_ratio
    assert found is not None
    return found, over(ONE, amount)


def moved(number: Decimal) -> tuple[Decimal, Fraction]:
    price_range = number / 10**6
    moves = PortfolioTerms(abs(price_range), 7).moves()  # of -7 to -1 and 1 to 7 sevenths
    return moves[9 if number > 0 else 4], over(3 * price_range, SEVEN)


def stated(*, below: bool) -> Callable[[Decimal], tuple[Decimal, Fraction]]:
    def seen(number: Decimal) -> tuple[Decimal, Fraction]:
        price = over(number, SEVEN)
        prices = liquidation_price.stated(price, price)
        found = prices.below if below else prices.above
        assert found is not None
        return found, price

    return seen


def inverse_bankruptcy(number: Decimal, *, long: bool) -> tuple[Decimal, Fraction]:
    size = -number if long else number
    left = -SEVEN if long else SEVEN
    price = inverse_bankruptcy_price(left, size, Decimal(0))
    assert price is not None
    return price, over(size, left)


def on_tick(number: Decimal, *, up: bool) -> tuple[Decimal, Fraction]:
    return closed_forms.to_tick(number, SEVEN, up=up) / SEVEN, over(number, SEVEN)


BOTH = (1, -1)
VALUE = ("VALUE_SCALE", "VALUE_ROUNDING")


def of_takeover(seen: Callable[[Decimal], tuple[Decimal, Fraction]], signs: tuple[int, ...] = BOTH) -> Probe:
    return Probe(seen, signs, takeover, ("BANKRUPTCY_SCALE",))


def of_a_form(seen: Callable[[Decimal], tuple[Decimal, Fraction]], signs: tuple[int, ...] = BOTH) -> Probe:
    return Probe(seen, signs, closed_forms, ("PRICE_SCALE",))


UNIT = Decimal(1).scaleb(-MAXIMUM_SCALE)

PROBES: dict[str, Probe] = {
    "traded value": Probe(
        lambda n: (signed_cost("linear", n, UNIT, Decimal("0.3")), Fraction(n * UNIT) * 3 / 10),
        BOTH,
        contracts,
        VALUE,
    ),
    "value of an inverse contract": Probe(
        lambda n: (signed_value("inverse", n, ONE, SEVEN), over(-n, SEVEN)), BOTH, contracts, VALUE
    ),
    "released cost": Probe(lambda n: (released_cost(n, SEVEN, ONE), over(n, SEVEN)), BOTH, contracts, VALUE),
    "released isolated margin": Probe(released_margin, module=booking, constants=("MARGIN_SCALE",)),
    "entry price": Probe(
        lambda n: (entry_price("linear", SEVEN, ONE, n) or Decimal(0), over(n, SEVEN)),
        BOTH,
        contracts,
        ("PRICE_SCALE",),
    ),
    "initial margin": Probe(
        lambda n: (initial_margin(n, SEVEN), over(n, SEVEN)),
        module=tiered,
        constants=("INITIAL_MARGIN_SCALE", "INITIAL_MARGIN_ROUNDING"),
    ),
    "initial margin scaled by open interest": Probe(
        lambda n: (
            OpenInterestMargin(ONE / 2, ONE, Decimal(0), SEVEN).initial_margin(n, THREE),
            Fraction(n) * (Fraction(1, 2) + Fraction(3, 7) / 2),
        ),
        module=open_interest,
        constants=("MAXIMUM_SCALE",),
    ),
    "greatest leverage": Probe(
        lambda n: (
            terms_of(inverse=False, mark="1", base=format(n / 10**9, "f")).tiers[0].max_leverage,
            over(ONE, n / 10**9),
        ),
        module=terms,
        constants=("MAXIMUM_SCALE",),
    ),
    "requirement through the mark": Probe(
        lambda n: (
            terms_of(inverse=True, mark="7").maintenance_margin(n, Decimal(0)),
            over(n / 10, SEVEN),
        ),
        module=terms,
        constants=("MAXIMUM_SCALE", "REQUIREMENT_ROUNDING"),
    ),
    "portfolio price move": Probe(moved, BOTH, portfolio, ("MOVE_SCALE",)),
    "threshold price below": Probe(
        stated(below=True), (1,), liquidation_price, ("LIQUIDATION_PRICE_SCALE", "ROUNDING_BELOW")
    ),
    "threshold price above": Probe(
        stated(below=False), (1,), liquidation_price, ("LIQUIDATION_PRICE_SCALE", "ROUNDING_ABOVE")
    ),
    "share of account value": of_takeover(lambda n: (allocated_value(n, ONE, SEVEN), over(n, SEVEN))),
    "bankruptcy price, long": of_takeover(lambda n: (bankruptcy_price(ONE, SEVEN, n), 1 - over(n, SEVEN))),
    "bankruptcy price, short": of_takeover(lambda n: (bankruptcy_price(ONE, -SEVEN, n), 1 + over(n, SEVEN))),
    "inverse bankruptcy price, long": of_takeover(lambda n: inverse_bankruptcy(n, long=True), (1,)),
    "inverse bankruptcy price, short": of_takeover(lambda n: inverse_bankruptcy(n, long=False), (1,)),
    "ratio": Probe(ratio, module=account, constants=("RATIO_SCALE", "RATIO_ROUNDING")),
    "dYdX bankruptcy share": of_takeover(
        lambda n: (-bankruptcy_notional(Decimal(0), n, ONE, SEVEN), over(n, SEVEN))
    ),
    "quantity to close": of_takeover(
        lambda n: (quantity_to_close(n, SEVEN, ONE, Decimal(0)), over(n, SEVEN))
    ),
    "liquidation price with fee, long": of_a_form(
        lambda n: (
            closed_forms.liquidation_price_with_fee(n, ONE, SEVEN, Decimal(0), Decimal(0)),
            Fraction(n) - Fraction(1, 7),
        )
    ),
    "liquidation price with fee, short": of_a_form(
        lambda n: (
            closed_forms.liquidation_price_with_fee(n, ONE, -SEVEN, Decimal(0), Decimal(0)),
            Fraction(n) + Fraction(1, 7),
        )
    ),
    "inverse bankruptcy price by leverage, long": of_a_form(
        lambda n: (
            closed_forms.inverse_bankruptcy_price_by_leverage(n, SEVEN - 1, long=True),
            over(n * 6, SEVEN),
        )
    ),
    "inverse bankruptcy price by leverage, short": of_a_form(
        lambda n: (
            closed_forms.inverse_bankruptcy_price_by_leverage(n, SEVEN + 1, long=False),
            over(n * 8, SEVEN),
        )
    ),
    "inverse bankruptcy price with fee": of_a_form(
        lambda n: (
            closed_forms.inverse_bankruptcy_price_with_fee(n, ONE, SEVEN, Decimal(0)),
            over(n, n + 7),
        ),
        (1,),
    ),
    "inverse liquidation price with fee": of_a_form(
        lambda n: (
            closed_forms.inverse_liquidation_price_with_fee(n, ONE, SEVEN, Decimal(0), Decimal(0)),
            over(n, n + 7),
        ),
        (1,),
    ),
    "price on the tick, up": Probe(lambda n: on_tick(n, up=True), BOTH),
    "price on the tick, down": Probe(lambda n: on_tick(n, up=False), BOTH),
}
ABOVE_ZERO = {Rounding.CEILING: Rounding.UP, Rounding.FLOOR: Rounding.DOWN}
"""What cannot be told apart where only numbers above zero are seen."""
NUMBERS = tuple(Decimal(n) for n in (5, 15, 25, 100, 1000, 12345, 77771, 123456, 999999))


def test_every_row_of_the_scale_tables_is_seen_in_the_code() -> None:
    assert ROWS.keys() == PROBES.keys(), ROWS.keys() ^ PROBES.keys()


@pytest.mark.parametrize("quantity", sorted(PROBES))
@exact()
def test_a_quantity_is_shortened_as_its_row_says(quantity: str) -> None:
    """And as no other scale and no other rounding would: each of them is told apart by some number."""
    row, probe = ROWS[quantity], PROBES[quantity]
    rivals = [(row.scale, rounding) for rounding in Rounding if rounding is not row.rounding]
    if probe.signs != BOTH:
        same = ABOVE_ZERO.get(row.rounding, row.rounding)
        rivals = [(scale, each) for scale, each in rivals if each not in {*ABOVE_ZERO, same}]
    rivals += [(scale, row.rounding) for scale in (row.scale - 1, row.scale + 1) if scale >= 0]
    told_apart = set()
    for number in (sign * number for sign in probe.signs for number in NUMBERS):
        actual, value = probe.seen(number)
        expected = rounded(value, row.scale, row.rounding)
        assert actual == expected, f"{quantity} of {number}: {actual}, by the row {expected}"
        told_apart |= {rival for rival in rivals if rounded(value, *rival) != expected}
    assert told_apart == set(rivals), set(rivals) - told_apart


@pytest.mark.parametrize("quantity", sorted(PROBES))
def test_the_constants_of_the_code_are_those_of_the_row(quantity: str) -> None:
    row, probe = ROWS[quantity], PROBES[quantity]
    assert [getattr(probe.module, name) for name in probe.constants] == [row.scale, row.rounding][
        : len(probe.constants)
    ]


@pytest.mark.parametrize("quantity", sorted(ROWS))
def test_the_code_of_a_row_exists(quantity: str) -> None:
    path = ROWS[quantity].code.split(".")
    depth = next(n for n in range(len(path), 0, -1) if path[n - 1].islower() and _is_module(path[:n]))
    found: object = import_module(".".join(path[:depth]))
    for name in path[depth:]:
        found = getattr(found, name)
    assert callable(found)


def _is_module(path: list[str]) -> bool:
    try:
        import_module(".".join(path))
    except ModuleNotFoundError:
        return False
    return True


def test_the_canonical_records_have_the_fields_that_the_page_lists() -> None:
    listed = {row["record"]: re.findall(r"`(\w+\??)`", row["fields"]) for row in _RECORD.finditer(PAGE)}
    assert {"VenueState", "Account", "RiskPolicy", "OpenOrder"} <= listed.keys()
    for name, names in listed.items():
        optional = {each.name: "None" in str(each.type) for each in fields(getattr(records, name))}
        expected = {f"{field}?" if may_be_unknown else field for field, may_be_unknown in optional.items()}
        assert set(names) == expected, name


def test_the_page_names_the_projection() -> None:
    assert f"(projection `{PROJECTION}`, version {PROJECTION_VERSION})" in PAGE
    assert f'{{"projection":"{PROJECTION}","projection_version":{PROJECTION_VERSION},' in PAGE


def rounded(value: Fraction, scale: int, rounding: Rounding) -> Decimal:
    return divide(Decimal(value.numerator), Decimal(value.denominator), scale=scale, rounding=rounding)
