"""Attacks of a venue that signs what it likes: headers, commitments and parts of claims, each refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from replay.solvency import Asset, Header
from tests.support.dishonest_venue import accepted, in_log, refused_by, with_entries, with_tree
from tests.support.solvency import World, edited, small_world

WORLD = small_world()

# Right sums under another header.


def _other_headers(header: Header) -> dict[str, Header]:
    first, *rest = header.assets
    swapped = (rest[0], first, *rest[1:])
    return {
        "scale": replace(header, assets=(Asset(first.asset, first.scale - 1), *rest)),
        "name": replace(header, assets=(Asset("AAA", first.scale), *rest)),
        "names swapped": replace(
            header,
            assets=tuple(
                Asset(name.asset, scale.scale) for name, scale in zip(header.assets, swapped, strict=True)
            ),
        ),
        "an asset that is not decided": replace(header, undetermined=("BTC",)),
        "older reserves": replace(header, maximum_age_seconds=header.maximum_age_seconds * 30),
        "a later time": replace(header, time=header.time + timedelta(days=1)),
    }


@pytest.mark.parametrize("what", _other_headers(WORLD.made.header))
def test_a_header_that_says_something_else_of_the_same_tree_is_not_the_committed_one(what: str) -> None:
    changed = _other_headers(WORLD.made.header)[what]
    file = WORLD.inclusion("dora")  # nothing is owed to her, so no amount depends on a scale
    assert refused_by(replace(file, header=changed)) == "liabilities_root"


def test_assets_that_are_not_decided_cannot_be_kept_quiet_about() -> None:
    forged = with_tree(WORLD, header={"undetermined": ("ETH", "USDT")})
    file = forged.inclusion("ada")
    accepted(file)
    assert refused_by(edited(file.encode(), "header", "undetermined", to=[])) == "liabilities_root"


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"depth": 4}, "form"),
        ({"depth": 2}, "form"),
        ({"parts": 2}, "form"),
        ({"as_of_sequence": 3}, "header"),
        ({"projection": "another"}, "header"),
        ({"projection_version": 3}, "header"),
        ({"assets": []}, "form"),
    ],
)
def test_a_header_that_does_not_fit_file_or_commitment_is_refused(change: Any, check: str) -> None:
    file = WORLD.inclusion("ada").encode()
    assert refused_by(edited(file, "header", to=lambda header: header | change)) == check


def test_assets_stand_in_one_order_each_once() -> None:
    file = WORLD.inclusion("ada").encode()
    assert refused_by(edited(file, "header", "assets", to=lambda assets: assets[::-1])) == "form"
    assert refused_by(edited(file, "header", "assets", to=lambda assets: [*assets, assets[-1]])) == "form"


# Commitments that are none.


def test_an_event_that_commits_to_nothing_is_no_commitment() -> None:
    file = WORLD.inclusion("ada")
    deposit = WORLD.sequence + 1
    elsewhere = with_entries(replace(WORLD, sequence=deposit), {})
    assert b"DepositRecorded" in elsewhere.entry
    assert refused_by(in_log(file, elsewhere)) == "commitment"


@pytest.mark.parametrize("ahead", [0, 1, 1000])
def test_no_event_commits_to_a_state_that_is_not_before_it(ahead: int) -> None:
    state = WORLD.sequence + ahead
    forged = with_tree(WORLD, header={"as_of_sequence": state})
    late = with_entries(forged, {WORLD.sequence: lambda data: data.update(as_of_sequence=str(state))})
    assert refused_by(late.inclusion("ada")) == "commitment"


@pytest.mark.parametrize(
    "name", ["liabilities", "reserves", "shortfall", "debt_against_collateral", "insurance_fund"]
)
def test_a_commitment_has_all_totals(name: str) -> None:
    forged = with_entries(WORLD, {WORLD.sequence: lambda data: data["totals"].pop(name)})
    assert refused_by(forged.inclusion("ada")) == "commitment"


@pytest.mark.parametrize(
    "change", [{"USDT": "1"}, {"BTC": "2.12500001"}, {"XRP": "0"}], ids=["less", "more", "another asset"]
)
def test_committed_totals_are_the_sums_of_the_root(change: dict[str, str]) -> None:
    forged = with_entries(WORLD, {WORLD.sequence: lambda data: data["totals"]["liabilities"].update(change)})
    assert refused_by(forged.inclusion("ada")) == "totals"


# Parts of a claim that are kept back or counted twice.


@pytest.fixture(scope="module")
def split() -> World:
    return small_world(parts=3)


def test_a_part_that_is_kept_back_is_missed(split: World) -> None:
    file = split.inclusion("ada").encode()
    accepted(file)
    for kept_back in range(3):
        fewer = edited(file, "leaves", to=lambda rows, at=kept_back: rows[:at] + rows[at + 1 :])
        assert refused_by(fewer) == "form"
    fewer = edited(file, "leaves", to=lambda rows: rows[:2])
    assert refused_by(edited(fewer, "header", "parts", to=2)) == "liabilities_root"


def test_a_part_that_comes_twice_is_refused(split: World) -> None:
    file = split.inclusion("ada").encode()
    twice = edited(file, "leaves", to=lambda rows: [rows[0], rows[1], rows[1]])
    assert refused_by(twice) == "form"
    assert refused_by(edited(twice, "leaves", 2, to=lambda row: row | {"part": 2})) == "form"
    assert refused_by(edited(file, "leaves", to=lambda rows: rows[::-1])) == "form"


def test_two_parts_at_one_place_are_refused(split: World) -> None:
    inclusion = split.inclusion("ada")
    index = inclusion.leaves[0].index
    one_place = edited(inclusion.encode(), "leaves", 1, "index", to=index)
    assert refused_by(one_place) == "form"


def test_parts_of_two_customers_do_not_make_one_file(split: World) -> None:
    ada, berta = split.inclusion("ada"), split.inclusion("berta")
    mixed = replace(ada, leaves=(ada.leaves[0], berta.leaves[1], ada.leaves[2]))
    assert refused_by(mixed) == "liabilities_root"
