from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

import pytest

from ledger.canonical import encode
from ledger.clock import parse_time
from replay.solvency import Asset, Header, Node, ProofFormError
from replay.solvency.proofs.sum_tree import pack

VALUE: dict[str, Any] = {
    "as_of_sequence": 41,
    "assets": [{"asset": "BTC", "scale": 8}, {"asset": "USDT", "scale": 6}],
    "depth": 3,
    "maximum_age_seconds": "86400",
    "origin": "venue.example/ledger",
    "parts": 1,
    "projection": "margin-state",
    "projection_version": 2,
    "time": "2026-03-12T09:00:00.000000Z",
    "undetermined": [],
}
ROOT = Node(bytes(range(32)), (5, 7))


def test_a_header_is_written_as_it_was_read() -> None:
    header = Header.parse(VALUE)
    assert header.value() == VALUE
    assert header.assets == (Asset("BTC", 8), Asset("USDT", 6))
    assert header.time == parse_time("2026-03-12T09:00:00Z")


def test_the_liabilities_root_hashes_header_hash_and_sums() -> None:
    header = encode(VALUE)
    content = (
        b"margin-ledger/liabilities/root/1\n"
        + len(header).to_bytes(4, "big")
        + header
        + ROOT.hash
        + pack((5, 7))
    )
    assert Header.parse(VALUE).liabilities_root(ROOT) == hashlib.sha256(content).digest()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("as_of_sequence", 42),
        ("assets", [{"asset": "BTC", "scale": 7}, {"asset": "USDT", "scale": 6}]),
        ("assets", [{"asset": "BTC", "scale": 8}, {"asset": "XUSD", "scale": 6}]),
        ("depth", 4),
        ("maximum_age_seconds", "86401"),
        ("origin", "venue.example/other"),
        ("parts", 2),
        ("projection", "other-state"),
        ("projection_version", 3),
        ("time", "2026-03-12T09:00:00.000001Z"),
        ("undetermined", ["USDT"]),
    ],
)
def test_every_member_of_the_header_is_in_the_root(key: str, value: Any) -> None:
    other = Header.parse({**VALUE, key: value})
    assert other.liabilities_root(ROOT) != Header.parse(VALUE).liabilities_root(ROOT)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("as_of_sequence", -1),
        ("as_of_sequence", "41"),
        ("as_of_sequence", True),
        ("assets", [{"asset": "USDT", "scale": 6}, {"asset": "BTC", "scale": 8}]),
        ("assets", [{"asset": "BTC", "scale": 8}, {"asset": "BTC", "scale": 8}]),
        ("assets", [{"asset": "BTC", "scale": 19}]),
        ("assets", [{"asset": "B TC", "scale": 8}]),
        ("assets", [{"asset": "BTC"}]),
        ("assets", {}),
        ("depth", 41),
        ("maximum_age_seconds", "-1"),
        ("maximum_age_seconds", "86400.0"),
        ("maximum_age_seconds", 86400),
        ("origin", ""),
        ("parts", 0),
        ("parts", 17),
        ("time", "2026-03-12T09:00:00Z"),
        ("time", None),
        ("undetermined", ["USDT", "BTC"]),
        ("more", 1),
    ],
)
def test_a_header_out_of_its_form_is_refused(key: str, value: Any) -> None:
    with pytest.raises(ProofFormError):
        Header.parse({**VALUE, key: value})


def test_a_header_without_a_member_is_refused() -> None:
    for key in VALUE:
        with pytest.raises(ProofFormError):
            Header.parse({name: value for name, value in VALUE.items() if name != key})


def test_amounts_and_sums_are_each_others_inverse() -> None:
    header = Header.parse(VALUE)
    amounts = header.amounts((123456789, 1))
    assert amounts == {"BTC": Decimal("1.23456789"), "USDT": Decimal("0.000001")}
    assert header.sums(amounts) == (123456789, 1)
    assert header.sums({}) == (0, 0)


@pytest.mark.parametrize("amounts", [{"ETH": "1"}, {"BTC": "0.000000001"}])
def test_an_amount_that_is_not_one_of_the_headers_assets_is_refused(amounts: dict[str, str]) -> None:
    with pytest.raises(ProofFormError):
        Header.parse(VALUE).sums({asset: Decimal(amount) for asset, amount in amounts.items()})
