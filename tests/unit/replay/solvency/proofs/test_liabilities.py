from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from replay.solvency import AccountClaim, Asset, CustomerClaim, liabilities_of
from replay.solvency.proofs.errors import SumOverflowError
from replay.solvency.proofs.sum_tree import SUM_LIMIT, unpack

if TYPE_CHECKING:
    from replay.solvency import Liabilities


def claim(account: str, customer: str | None = None, /, *undetermined: str, **amounts: str) -> CustomerClaim:
    by_asset = {asset: Decimal(amount) for asset, amount in amounts.items()}
    return CustomerClaim(customer or account, AccountClaim(account, by_asset, frozenset(undetermined), ()))


def added(*claims: CustomerClaim, **scales: int) -> Liabilities:
    return liabilities_of(lambda: iter(claims), scales)


def test_all_accounts_of_a_customer_count_together() -> None:
    found = added(
        claim("a1", "ada", USDT="1.5"), claim("a2", "ada", USDT="2", BTC="1"), claim("bob", USDT="7")
    )
    assert found.owed("ada") == {"BTC": Decimal(1), "USDT": Decimal("3.5")}
    assert found.totals == {"BTC": Decimal(1), "USDT": Decimal("10.5")}
    assert [*found.by_customer] == ["ada", "bob"]


def test_what_one_account_owes_lowers_not_even_what_another_of_the_customer_is_owed() -> None:
    found = added(claim("a1", "ada", USDT="100"), claim("a2", "ada", USDT="-90"))
    assert found.owed("ada") == {"USDT": Decimal(100)}
    assert found.shortfall == {"USDT": Decimal(90)}


def test_debt_of_who_is_owed_another_asset_is_told_apart() -> None:
    found = added(
        claim("a1", BTC="1", USDT="-20000"), claim("b1", USDT="-5"), claim("c1", USDT="-1", ETH="0")
    )
    assert found.debt_against_collateral == {"USDT": Decimal(20000)}
    assert found.shortfall == {"USDT": Decimal(6)}
    assert found.totals == {"BTC": Decimal(1)}
    assert found.owed("b1") == {}


def test_assets_stand_in_order_with_the_listed_scale() -> None:
    found = added(claim("a", ETH="1", BTC="2", ZRX="-1"), BTC=8, ETH=18, USDT=6)
    assert found.assets == (Asset("BTC", 8), Asset("ETH", 18))
    assert unpack(found.by_customer["a"]) == (2 * 10**8, 10**18)


def test_a_scale_grows_where_a_claim_has_more_digits_so_that_nothing_is_rounded() -> None:
    found = added(claim("a", USDT="1.2345678"), claim("b", USDT="0.000000001"), USDT=6)
    assert found.assets == (Asset("USDT", 9),)
    assert found.owed("a") == {"USDT": Decimal("1.2345678")}
    assert found.totals == {"USDT": Decimal("1.234567801")}


def test_an_asset_that_is_not_listed_takes_the_digits_that_it_needs() -> None:
    assert added(claim("a", XYZ="5")).assets == (Asset("XYZ", 0),)
    assert added(claim("a", XYZ="5.00"), claim("b", XYZ="0.25")).assets == (Asset("XYZ", 2),)


def test_claims_are_asked_for_once_more_only_where_a_scale_grows() -> None:
    asked: list[int] = []

    def claims(amount: str) -> list[CustomerClaim]:
        asked.append(1)
        return [claim("a", USDT=amount)]

    liabilities_of(lambda: claims("1.5"), {"USDT": 6})
    assert len(asked) == 1
    liabilities_of(lambda: claims("1.5"), {"USDT": 0})
    assert len(asked) == 3


def test_what_is_not_known_is_named() -> None:
    assert added(claim("a", None, "USDT", USDT="1"), claim("b", None, "BTC")).undetermined == {"USDT", "BTC"}


def test_a_venue_that_owes_nothing_has_no_assets_but_its_customers() -> None:
    found = added(claim("a"), claim("b", USDT="0"))
    assert found.assets == ()
    assert found.by_customer == {"a": b"", "b": b""}
    assert found.totals == {}


@pytest.mark.parametrize("customers", [("ada", "ada"), ("ada", "bob")])
def test_a_sum_of_2_to_the_127_is_refused(customers: tuple[str, str]) -> None:
    half = SUM_LIMIT // 2
    first = claim("a1", customers[0], X=str(half))
    assert unpack(added(first, claim("a2", "ada", X=str(half - 1))).by_customer["ada"]) == (SUM_LIMIT - 1,)
    with pytest.raises(SumOverflowError, match="more than 127 bits"):
        added(first, claim("a2", customers[1], X=str(half)))


def test_one_amount_of_2_to_the_128_does_not_reach_into_the_next_sum() -> None:
    with pytest.raises(SumOverflowError):
        added(claim("a", X=str(1 << 128), Y="1"))
