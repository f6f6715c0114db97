"""An index is the weighted mean of its constituents, and none of them stands apart."""

from __future__ import annotations

import pytest

from tests.support.events import History
from tests.support.findings import found, not_checked

OUTLIER, DIFFERS = "index_constituent_outlier", "index_price_differs"


def index(price: str, *constituents: tuple[str, str], excluded: tuple[tuple[str, str], ...] = ()) -> History:
    """Record an index of (price, weight) constituents at sequence 1."""
    history = History()
    rows = [
        {
            "source": f"exchange-{number}",
            "price": each,
            "weight": weight,
            "excluded": number > len(constituents),
        }
        for number, (each, weight) in enumerate((*constituents, *excluded), start=1)
    ]
    history.add("IndexPriceUpdated", index="BTC", price=price, constituents=rows)
    return history


@pytest.mark.parametrize(("third", "findings"), [("105", 0), ("95", 0), ("105.01", 1), ("94.99", 1)])
def test_a_constituent_may_deviate_by_five_percent_from_the_median(third: str, findings: int) -> None:
    history = index("100", ("100", "1"), ("100", "1"), (third, "1"))
    assert [(each.account, each.sequence) for each in found(history.events, OUTLIER)] == [
        (None, 1)
    ] * findings


def test_the_median_of_an_even_number_lies_between_the_middle_two() -> None:
    # (98 + 102) / 2 = 100
    history = index("100", ("98", "1"), ("102", "1"), ("98", "1"), ("105.01", "1"))
    (finding,) = found(history.events, OUTLIER)
    assert (finding.recorded, finding.rebuilt) == ("105.01", "100")
    assert found(index("100", ("98", "1"), ("102", "1"), ("98", "1"), ("105", "1")).events, OUTLIER) == []


def test_what_was_excluded_and_what_has_too_few_beside_it_is_no_outlier() -> None:
    three = (("100", "1"), ("100", "1"), ("100", "1"))
    assert found(index("100", *three, excluded=(("500", "1"),)).events, OUTLIER) == []
    assert found(index("300", ("100", "1"), ("500", "1"), excluded=(("90", "1"),)).events, OUTLIER) == []


@pytest.mark.parametrize(
    ("price", "findings"), [("100.75", 0), ("100.76", 0), ("100.74", 0), ("100.77", 1), ("100.73", 1)]
)
def test_an_index_may_be_off_by_one_unit_in_its_last_place(price: str, findings: int) -> None:
    # (100 × 1 + 101 × 3) / 4 = 100.75
    history = index(price, ("100", "1"), ("101", "3"), excluded=(("200", "9"),))
    differing = found(history.events, DIFFERS)
    assert [(each.sequence, each.recorded, each.rebuilt) for each in differing] == [
        (1, price, "100.75")
    ] * findings


def test_many_printed_digits_are_held_to_a_hundred_millionth() -> None:
    # A third of 100 is 33.333…; 18 digits after the point are more than an index is worked out to.
    thirds = (("100", "1"), ("0", "1"), ("0", "1"))
    assert found(index("33.333333333333333", *thirds).events, DIFFERS) == []
    assert found(index("33.333333633333333", *thirds).events, DIFFERS) == []
    assert found(index("33.333333733333333", *thirds).events, DIFFERS) != []


def test_an_index_without_weights_is_counted() -> None:
    history = index("100", ("100", "0"))
    history.add("IndexPriceUpdated", index="BTC", price="1")
    assert found(history.events, DIFFERS) == []
    (reason,) = not_checked(history.events, DIFFERS)
    assert reason.startswith("2 index prices name no constituents with a weight")
